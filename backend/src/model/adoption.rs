//! The adoption of a contact by an account: its state, and the values that it replaced.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// What was decided about an account and a contact, and by whom: the mapping, or a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[derive(poem_openapi::Enum, Display, EnumString, IntoStaticStr, VariantArray)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AdoptionState {
    /// A person is asked.
    Waiting,
    /// A person approved it: the next delivery adopts the contact.
    Approved,
    /// A person refused it: the account does not get this contact.
    Refused,
    /// The contact was adopted.
    Adopted,
    /// A person undid it: the contact gets its values back, and the account does not get it again.
    Undone,
}

impl AdoptionState {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word in the database, the API and the logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether a person said that the account must not have the contact.
    pub fn is_declined(self) -> bool {
        matches!(self, Self::Refused | Self::Undone)
    }
}

/// A field of an adopted contact. Personal data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplacedValue {
    /// The field's name at the destination.
    pub field: String,
    /// The value before the adoption.
    pub before: Value,
    /// What the adoption wrote; `None` if it left the field alone, which a later delivery may write.
    pub after: Option<Value>,
}
