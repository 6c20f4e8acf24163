//! The words of an erasure: what happens at the destination, and how far it is.

use std::{fmt, str::FromStr};

use serde::Deserialize;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $unknown:ident: $error:literal; $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)*) => {
        $(#[$meta])*
        pub enum $name {
            $($(#[$variant_meta])* $variant,)*
        }

        impl $name {
            /// The word used in the database, the API and the configuration.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = $unknown;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                [$(Self::$variant),*].into_iter().find(|known| known.as_str() == word).ok_or($unknown)
            }
        }

        /// The word is none of them.
        #[derive(Debug, thiserror::Error)]
        #[error($error)]
        pub struct $unknown;
    };
}

words! {
    /// What an erasure does at the destination.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, poem_openapi::Enum, Deserialize)]
    #[oai(rename_all = "snake_case")]
    #[serde(rename_all = "snake_case")]
    ErasurePolicy, UnknownErasurePolicy: "a policy is one of delete, anonymise and keep";
    /// All records are emptied and go to the recycle bin, the contact too.
    Delete = "delete",
    /// The contact loses what we wrote into it and stays; enrolments, grades and completions, which are ours alone, are emptied and go
    /// to the recycle bin.
    Anonymise = "anonymise",
    /// Nothing: somebody else takes care of it.
    Keep = "keep",
}

words! {
    /// How far an erasure is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, poem_openapi::Enum)]
    #[oai(rename_all = "snake_case")]
    ErasureState, UnknownErasureState: "there is no such state of an erasure";
    /// Asked for; it begins when it is due.
    Requested = "requested",
    /// Begun: nothing about the person is stored any more, and what is there is being emptied.
    Erasing = "erasing",
    /// Nothing is left in our database; the destination is being told.
    LocalDone = "local_done",
    /// The destination has done its part too.
    RemoteDone = "remote_done",
    /// Looked for since, and nothing found.
    Verified = "verified",
    /// Looked for since, and something found: a person is needed.
    Found = "found",
    /// Taken back: the person may be known again.
    Lifted = "lifted",
}

impl ErasureState {
    /// Whether all that we can do was done, so that it can be looked for.
    pub fn is_done(self) -> bool {
        matches!(self, Self::RemoteDone | Self::Verified | Self::Found)
    }
}
