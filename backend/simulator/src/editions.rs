//! What an organisation has paid for.

use serde::{Deserialize, Serialize};

/// Zoho's editions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Edition {
    Free,
    Standard,
    Professional,
    Enterprise,
    Ultimate,
}

impl Edition {
    /// The limit of concurrent calls.
    pub(super) fn concurrency(self) -> usize {
        match self {
            Self::Free => 5,
            Self::Standard => 10,
            Self::Professional => 15,
            Self::Enterprise => 20,
            Self::Ultimate => 25,
        }
    }

    /// The most custom modules that calls create. People can create some in smaller editions, too.
    pub(super) fn new_modules(self) -> usize {
        match self {
            Self::Free | Self::Standard | Self::Professional => 0,
            Self::Enterprise => 200,
            Self::Ultimate => 500,
        }
    }

    /// The most custom fields in a module. Zoho says nothing of Ultimate: it has no fewer than Enterprise.
    pub(super) fn custom_fields(self) -> usize {
        match self {
            Self::Free => 0,
            Self::Standard => 10,
            Self::Professional => 150,
            Self::Enterprise | Self::Ultimate => 310,
        }
    }
}
