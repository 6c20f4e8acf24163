//! The section `[brake]`: how much of what cannot be undone is ordinary.

use std::time::Duration;

use serde::Deserialize;

use super::ConfigError;
use crate::store::BrakeLimits;

/// The longest window in which the brake counts: what was done longer ago says nothing about now.
const LONGEST_WINDOW: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How much of what cannot be undone is ordinary. Above it, a person decides.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brake {
    minimum: u32,
    percent: u8,
    window_minutes: u32,
}

impl Brake {
    /// The limits as the delivery applies them.
    pub fn limits(&self) -> BrakeLimits {
        let window = Duration::from_secs(u64::from(self.window_minutes) * 60);
        BrakeLimits { minimum: self.minimum.into(), percent: self.percent.into(), window }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.percent > 100 {
            return Err(ConfigError::OutOfRange { key: "brake.percent", range: "between 0 and 100" });
        }
        if self.limits().window > LONGEST_WINDOW {
            let range = "between 0 (no brake) and 10080, a week";
            return Err(ConfigError::OutOfRange { key: "brake.window_minutes", range });
        }
        Ok(())
    }
}
