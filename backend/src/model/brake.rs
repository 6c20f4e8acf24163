//! The words of the brake: which effects cannot be undone from here.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// An effect that cannot be undone from here. Unusually many at once wait for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(poem_openapi::Enum, Display, EnumString, IntoStaticStr, VariantArray)]
#[oai(rename = "BrakedEffect", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Effect {
    /// A contact at the destination is taken over by a person's account, and overwritten.
    Adoption,
    /// A person who was deleted in Moodle is marked, blanked or deleted at the destination.
    Deletion,
    /// Another record is blanked or deleted there, because the mapping says so.
    Removal,
    /// A person is erased, here and there.
    Erasure,
}

/// What the codes of items begin with that wait for a person.
const BRAKED: &str = "braked_";

impl Effect {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word in the database, the API and the logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The code of items that wait for a person.
    pub fn braked_code(self) -> String {
        format!("{BRAKED}{self}")
    }

    /// The code of items that a person made exceptions.
    pub fn excepted_code(self) -> String {
        format!("excepted_{self}")
    }

    /// Whether this is the code of an item that waits for a person.
    pub fn is_braked(code: &str) -> bool {
        code.starts_with(BRAKED)
    }

    /// As in `150 adoptions`.
    pub fn in_words(self, number: u64) -> &'static str {
        match (self, number) {
            (Self::Adoption, 1) => "adoption of a contact",
            (Self::Adoption, _) => "adoptions of contacts",
            (Self::Deletion, 1) => "deletion of a person",
            (Self::Deletion, _) => "deletions of people",
            (Self::Removal, 1) => "removal of a record",
            (Self::Removal, _) => "removals of records",
            (Self::Erasure, 1) => "erasure of a person",
            (Self::Erasure, _) => "erasures of people",
        }
    }
}
