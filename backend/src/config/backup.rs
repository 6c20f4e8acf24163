//! The section `[backup]`.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

/// What outlives a restore, and when a backup is missed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    register: PathBuf,
    missed_days: u16,
}

impl Backup {
    /// The register's path, if it is not the usual one.
    pub fn register(&self) -> Option<PathBuf> {
        Some(self.register.clone()).filter(|path| !path.as_os_str().is_empty())
    }

    /// The age of the last backup from which on one is missed; none if that is not watched.
    pub fn missed(&self) -> Option<Duration> {
        (self.missed_days > 0).then(|| super::days(self.missed_days))
    }
}
