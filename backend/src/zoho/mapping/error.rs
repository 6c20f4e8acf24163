//! Why a record cannot be rendered for Zoho.

use crate::model::Remark;

/// A value that Zoho would reject. The message names the field, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// Zoho requires a value.
    #[error("{field} is mandatory in Zoho, and there is no value for it")]
    Mandatory {
        /// The field's API name.
        field: String,
    },
    /// Zoho requires a value, and the mapping does not have the field.
    #[error("{field} is mandatory in Zoho, and the mapping does not fill it")]
    NotMapped {
        /// The field's API name.
        field: String,
    },
    /// The text is longer than the field, and may not be cut.
    #[error("the text for {field} is longer than the {limit} characters that Zoho allows")]
    TooLong {
        /// The field's API name.
        field: String,
        /// The most characters.
        limit: u32,
    },
    /// The number has more digits than the field.
    #[error("the number for {field} has more than the {digits} digits that Zoho allows")]
    TooLarge {
        /// The field's API name.
        field: String,
        /// The most digits.
        digits: u32,
    },
    /// The value is not in the picklist.
    #[error("the value for {field} is not in its picklist in Zoho")]
    NotInPicklist {
        /// The field's API name.
        field: String,
    },
    /// The field takes numbers.
    #[error("the value for {field} is not a number")]
    NotANumber {
        /// The field's API name.
        field: String,
    },
    /// The field takes whole numbers.
    #[error("the value for {field} is not a whole number")]
    NotWhole {
        /// The field's API name.
        field: String,
    },
    /// The field takes e-mail addresses.
    #[error("the value for {field} is not an e-mail address that Zoho accepts")]
    NotAnEmail {
        /// The field's API name.
        field: String,
    },
    /// The field takes telephone numbers.
    #[error("the value for {field} is not a telephone number that Zoho accepts")]
    NotAPhone {
        /// The field's API name.
        field: String,
    },
    /// The value does not fit a field of this type.
    #[error("the value for {field} does not fit a field of type {data_type}")]
    WrongType {
        /// The field's API name.
        field: String,
        /// Its type in Zoho.
        data_type: String,
    },
    /// The module has no such field.
    #[error("there is no field {field} in Zoho")]
    NoSuchField {
        /// The field's API name.
        field: String,
    },
    /// Zoho computes the field.
    #[error("{field} is read-only in Zoho")]
    ReadOnly {
        /// The field's API name.
        field: String,
    },
}

impl RenderError {
    /// The API name of the field concerned.
    pub fn field(&self) -> &str {
        match self {
            Self::Mandatory { field }
            | Self::NotMapped { field }
            | Self::TooLong { field, .. }
            | Self::TooLarge { field, .. }
            | Self::NotInPicklist { field }
            | Self::NotANumber { field }
            | Self::NotWhole { field }
            | Self::NotAnEmail { field }
            | Self::NotAPhone { field }
            | Self::WrongType { field, .. }
            | Self::NoSuchField { field }
            | Self::ReadOnly { field } => field,
        }
    }

    /// What it is called in a remark.
    fn code(&self) -> &'static str {
        match self {
            Self::Mandatory { .. } => "mandatory",
            Self::NotMapped { .. } => "not_mapped",
            Self::TooLong { .. } => "too_long",
            Self::TooLarge { .. } => "too_large",
            Self::NotInPicklist { .. } => "not_in_picklist",
            Self::NotANumber { .. } => "not_a_number",
            Self::NotWhole { .. } => "not_whole",
            Self::NotAnEmail { .. } => "not_an_email",
            Self::NotAPhone { .. } => "not_a_phone",
            Self::WrongType { .. } => "wrong_type",
            Self::NoSuchField { .. } => "no_such_field",
            Self::ReadOnly { .. } => "read_only",
        }
    }

    /// The remark of a record whose value was left out because of this.
    pub(super) fn remark(&self) -> Remark {
        let message = format!("The value was left out: {self}. {}", self.advice());
        Remark { field: self.field().to_owned(), code: self.code().to_owned(), message }
    }

    /// Whether the whole rule can never work, whatever the value.
    pub(super) fn is_of_rule(&self) -> bool {
        matches!(self, Self::NoSuchField { .. } | Self::ReadOnly { .. })
    }

    /// Whether the mapping or Zoho's settings must change, rather than the record in Moodle.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::NotMapped { .. }
                | Self::NotInPicklist { .. }
                | Self::NotANumber { .. }
                | Self::NotWhole { .. }
                | Self::WrongType { .. }
                | Self::NoSuchField { .. }
                | Self::ReadOnly { .. }
        )
    }

    /// What to change, and where.
    pub fn advice(&self) -> String {
        match self {
            Self::Mandatory { field } => format!(
                "Enter the value in Moodle, or give {field} another source in the mapping file, for example from = [\"idnumber\", \"key\"]."
            ),
            Self::NotMapped { field } => {
                format!("Give {field} a source in the mapping file, or make it optional in Zoho.")
            }
            Self::TooLong { field, limit } => format!(
                "Shorten it in Moodle to {limit} characters, or allow more for {field} in Zoho; for text, too_long = \"cut\" in the mapping file cuts it."
            ),
            Self::TooLarge { field, digits } => {
                format!("Correct the number in Moodle, or allow more than {digits} digits for {field} in Zoho.")
            }
            Self::NotInPicklist { field } => format!(
                "Add the value to the picklist of {field} in Zoho, or translate it in the mapping file with map and otherwise."
            ),
            Self::NotANumber { field } => {
                format!("In the mapping file, give {field} a source that is a number, or map to a text field.")
            }
            Self::NotWhole { field } => {
                format!("In the mapping file, add decimals = 0 to {field}, or map to a decimal field.")
            }
            Self::NotAnEmail { .. } => "Correct the e-mail address in Moodle.".to_owned(),
            Self::NotAPhone { .. } => "Correct the telephone number in Moodle.".to_owned(),
            Self::WrongType { field, data_type } => format!(
                "In the mapping file, give {field} a source that suits the type {data_type}, or map to another field; `zoho check` shows which differ."
            ),
            Self::NoSuchField { field } => {
                format!("Create {field} in Zoho (`zoho setup` can do it), or correct its name in the mapping file.")
            }
            Self::ReadOnly { field } => {
                format!(
                    "Remove {field} from the mapping file, or allow writing to it in Zoho (profile and field settings)."
                )
            }
        }
    }
}
