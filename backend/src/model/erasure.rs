//! The words of an erasure: what happens at the destination, and how far it is.

use serde::Deserialize;
use strum::VariantArray as _;

/// What an erasure does at the destination.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Deserialize,
    poem_openapi::Enum,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ErasurePolicy {
    /// All records are emptied and go to the recycle bin, the contact too.
    Delete,
    /// The contact loses what we wrote into it and stays; enrolments, grades and completions, which are ours alone, are emptied and
    /// go to the recycle bin.
    Anonymise,
    /// Nothing: somebody else takes care of it.
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

/// How far an erasure is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    poem_openapi::Enum,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ErasureState {
    /// Asked for; it begins when it is due.
    Requested,
    /// Begun: nothing about the person is stored any more, and what is there is being emptied.
    Erasing,
    /// Nothing is left in our database; the destination is being told.
    LocalDone,
    /// The destination has done its part too.
    RemoteDone,
    /// Looked for since, and nothing found.
    Verified,
    /// Looked for since, and something found: a person is needed.
    Found,
    /// Taken back: the person may be known again.
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
    /// Whether all that we can do was done, so that it can be looked for.
    pub fn is_done(self) -> bool {
        matches!(self, Self::RemoteDone | Self::Verified | Self::Found)
    }
}
