//! What a call can come to, and what a person should do about it.

use crate::clock::Timestamp;

/// A call that failed as a whole. The message is for a person and holds no value of any record.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// Zoho does not take the credentials, after a fresh access token as well. Nothing was changed.
    #[error("{reason}")]
    Unauthorized {
        /// What is wrong and what to do.
        reason: String,
    },
    /// A scope, a permission or a module is missing. Nothing was changed.
    #[error("{reason}")]
    Configuration {
        /// What is missing and where to add it.
        reason: String,
        /// Zoho's word for it.
        code: String,
    },
    /// Too many calls at a time, or too many access tokens. Nothing was changed.
    #[error("{reason}")]
    Throttled {
        /// What there was too much of.
        reason: String,
        /// Not before then, when that is known.
        until: Option<Timestamp>,
    },
    /// The credits of the rolling 24 hours are used up. Nothing was changed.
    #[error(
        "Zoho's API credits of the last 24 hours are used up; they come back as the calls of a day ago are forgotten"
    )]
    CreditsExhausted,
    /// Nothing was sent: Zoho, or the database that holds the access token, could not be reached.
    #[error("{reason}")]
    Unreachable {
        /// What was not reached, and why.
        reason: String,
    },
    /// Something was sent, and whether Zoho did it is unknown.
    #[error("{reason}; whether Zoho did it is unknown")]
    Unknown {
        /// The HTTP status, when there was an answer.
        status: Option<u16>,
        /// What came instead of an answer.
        reason: String,
    },
    /// Zoho refused the whole request. Nothing was changed.
    #[error("{reason}")]
    Invalid {
        /// What was wrong with it.
        reason: String,
        /// Zoho's word for it.
        code: String,
    },
}

impl CallError {
    pub(super) fn unreachable(reason: impl Into<String>) -> Self {
        Self::Unreachable { reason: reason.into() }
    }

    pub(super) fn unknown(status: Option<u16>, reason: impl Into<String>) -> Self {
        Self::Unknown { status, reason: reason.into() }
    }

    /// One word for logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "unauthorized",
            Self::Configuration { .. } => "configuration",
            Self::Throttled { .. } => "throttled",
            Self::CreditsExhausted => "credits_exhausted",
            Self::Unreachable { .. } => "unreachable",
            Self::Unknown { .. } => "unknown",
            Self::Invalid { .. } => "invalid",
        }
    }
}
