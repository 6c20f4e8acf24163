//! How a call can fail, and what a person should do about it.

use crate::clock::Timestamp;

/// A call that failed as a whole. The message is for people and holds no record's values.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// Zoho rejects the credentials, even with a fresh access token. Nothing was changed.
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
        /// Zoho's code.
        code: String,
    },
    /// Too many concurrent calls, or too many access tokens. Nothing was changed.
    #[error("{reason}")]
    Throttled {
        /// Which limit was hit.
        reason: String,
        /// The earliest time to retry, if known.
        until: Option<Timestamp>,
    },
    /// The credits of the rolling 24 hours are used up. Nothing was changed.
    #[error("Zoho's API credits of the last 24 hours are used up; each comes back 24 hours after its use")]
    CreditsExhausted,
    /// Nothing was sent: Zoho, or the database that holds the access token, could not be reached.
    #[error("{reason}")]
    Unreachable {
        /// What could not be reached, and why.
        reason: String,
    },
    /// The request was sent, and it is unknown whether Zoho executed it.
    #[error("{reason}; whether Zoho did it is unknown")]
    Unknown {
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// What came instead of a usable answer.
        reason: String,
    },
    /// Zoho rejected the whole request. Nothing was changed.
    #[error("{reason}")]
    Invalid {
        /// What was wrong with it.
        reason: String,
        /// Zoho's code.
        code: String,
    },
}

impl CallError {
    pub(super) fn unreachable(reason: impl Into<String>) -> Self {
        Self::Unreachable { reason: reason.into() }
    }

    pub(crate) fn unknown(status: Option<u16>, reason: impl Into<String>) -> Self {
        Self::Unknown { status, reason: reason.into() }
    }

    /// Whether Zoho failed rather than refused: perhaps because of one record.
    pub(in crate::zoho) fn is_server_error(&self) -> bool {
        matches!(self, Self::Unknown { status: Some(500..), .. })
    }

    /// One word for logs and metrics.
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
