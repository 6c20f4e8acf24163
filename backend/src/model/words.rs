//! Enumerations of words used in the database, the API, the configuration and the logs.

/// The word is not one of the enumeration.
#[derive(Debug, thiserror::Error)]
#[error("an unknown word")]
pub struct UnknownWord;

/// Declares an enumeration whose words are the same in the database, the API and the logs.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, poem_openapi::Enum)]
        #[oai(rename_all = "snake_case")]
        $(#[$meta])*
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// All variants.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::model::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word).ok_or(crate::model::UnknownWord)
            }
        }
    };
}
