//! What a comparison with a destination found: a remote record that is not as the mapping writes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// How a remote record differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(poem_openapi::Enum, Display, EnumString, IntoStaticStr, VariantArray)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FindingSort {
    /// Fields have other values.
    Changed,
    /// It was deleted.
    Deleted,
    /// It is a lead that was converted.
    Converted,
    /// Another remote record has the key of a record here.
    Doubled,
    /// It has a key of ours, and no record here has that key.
    Surplus,
}

/// What became of a finding, or of one of its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[derive(poem_openapi::Enum, Display, EnumString, IntoStaticStr, VariantArray)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FindingState {
    /// A person is asked. Until then, the destination keeps what it has.
    Open,
    /// The next delivery writes it again.
    Restoring,
    /// A person left it as it is: a named exception, until Moodle changes it.
    Left,
    /// It no longer differs.
    Closed,
}

/// What found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[derive(poem_openapi::Enum, Display, EnumString, IntoStaticStr)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FoundBy {
    /// The look at what was changed at the destination.
    Watch,
    /// The comparison of all records.
    Proof,
    /// The delivery.
    Delivery,
}

/// Who decides about a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[derive(poem_openapi::Enum, Display, EnumString, IntoStaticStr)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ParityPolicy {
    /// A person.
    #[default]
    Report,
    /// The mapping: what it writes is written again.
    Restore,
}

/// A field that differs. Personal data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingField {
    /// The field's name at the destination.
    pub field: String,
    /// What the mapping writes.
    pub here: Value,
    /// What the destination has.
    pub there: Value,
    /// What becomes of it.
    pub state: FindingState,
    /// When it was written again by policy, in Unix milliseconds; the last day of these.
    #[serde(default)]
    pub restored: Vec<i64>,
}

impl FindingSort {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word in the database, the API and the logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether Backend Sync can put it right: two records are merged, and one too many is deleted, by people only.
    pub fn can_be_restored(self) -> bool {
        matches!(self, Self::Changed | Self::Deleted)
    }
}

impl FindingState {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word in the database, the API and the logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The state of a finding whose fields are in these states.
    pub fn of(fields: &[FindingField]) -> Self {
        let any = |state: Self| fields.iter().any(|field| field.state == state);
        [Self::Open, Self::Restoring, Self::Left].into_iter().find(|state| any(*state)).unwrap_or(Self::Closed)
    }
}
