//! The words of an erasure: what happens at the destination, and its progress.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// What an erasure does at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[derive(poem_openapi::Enum, Display, EnumString, IntoStaticStr, VariantArray)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ErasurePolicy {
    /// All records, including the contact, are emptied and moved to the recycle bin.
    Delete,
    /// As `delete`, and then they are removed from the recycle bin, where deleted records show earlier values for two
    /// months.
    Purge,
    /// The contact stays but loses what we wrote into it. Enrolments, grades and completions, which are ours alone, are
    /// emptied and moved to the recycle bin.
    Anonymise,
    /// Nothing: someone else takes care of it.
    Keep,
}

impl ErasurePolicy {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word in the database, the API and the logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The progress of an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(poem_openapi::Enum, Display, EnumString, IntoStaticStr, VariantArray)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ErasureState {
    /// Requested; it begins when it is due.
    Requested,
    /// Begun: nothing new about the person is stored, and existing data is being erased.
    Erasing,
    /// Nothing is left in our database; the destination is next.
    LocalDone,
    /// The destination has erased its part too.
    RemoteDone,
    /// A later check found nothing.
    Verified,
    /// A later check found something: a person is needed.
    Found,
    /// Cancelled: data about the person may be stored again.
    Lifted,
}

impl ErasureState {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word in the database, the API and the logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl ErasureState {
    /// Whether erasing is done, so that a check can look for remains.
    pub fn is_done(self) -> bool {
        matches!(self, Self::RemoteDone | Self::Verified | Self::Found)
    }
}
