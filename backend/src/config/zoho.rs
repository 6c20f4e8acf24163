//! Zoho CRM as a destination.

use std::{path::PathBuf, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{ConfigError, is_safe};
use crate::authorities::Authorities;

/// The hour of the day that never comes.
const NEVER: u8 = 24;

/// Zoho CRM as a destination.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zoho {
    /// The address of the accounts server.
    #[serde(default = "Zoho::default_accounts_url")]
    pub accounts_url: String,
    /// The API's address, if not the one that comes with the access token.
    #[serde(default)]
    pub api_url: Option<String>,
    /// The id of the client registered in Zoho's API console.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretString,
    /// The refresh token granted to the client.
    pub refresh_token: SecretString,
    /// The mapping file; none for the default mapping.
    #[serde(default)]
    pub mapping: Option<PathBuf>,
    /// API credits left for other users of the organisation.
    #[serde(default = "Zoho::default_reserve")]
    pub reserve_credits: u32,
    /// Minutes between two looks at what others changed in Zoho; 0 never looks.
    #[serde(default = "Zoho::default_watch")]
    pub watch_minutes: u16,
    /// The hour, in UTC, from which all records are compared each day; 24 never does.
    #[serde(default = "Zoho::default_proof")]
    pub proof_hour: u8,
    /// Whom connections trust besides the public authorities.
    #[serde(skip)]
    pub authorities: Authorities,
}

impl Zoho {
    fn default_accounts_url() -> String {
        "https://accounts.zoho.com".to_owned()
    }

    fn default_reserve() -> u32 {
        1_000
    }

    fn default_watch() -> u16 {
        60
    }

    fn default_proof() -> u8 {
        2
    }

    /// The interval between two looks at what others changed; none means never.
    pub fn watch(&self) -> Option<Duration> {
        (self.watch_minutes > 0).then(|| Duration::from_secs(u64::from(self.watch_minutes) * 60))
    }

    /// The hour from which all records are compared; none means only on request.
    pub fn proof(&self) -> Option<u32> {
        (self.proof_hour < NEVER).then(|| self.proof_hour.into())
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let api_url = self.api_url.as_deref().filter(|url| !url.is_empty());
        let urls = [("zoho.accounts_url", Some(self.accounts_url.as_str())), ("zoho.api_url", api_url)];
        for (key, url) in urls {
            if url.is_some_and(|url| !is_safe(url)) {
                return Err(ConfigError::OutOfRange { key, range: "an address that begins with https://" });
            }
        }
        if self.proof_hour > NEVER {
            return Err(ConfigError::OutOfRange { key: "zoho.proof_hour", range: "0 to 23, or 24 for never" });
        }
        for (key, value) in [
            ("zoho.client_id", self.client_id.as_str()),
            ("zoho.client_secret", self.client_secret.expose_secret()),
            ("zoho.refresh_token", self.refresh_token.expose_secret()),
        ] {
            if value.trim().is_empty() {
                return Err(ConfigError::OutOfRange {
                    key,
                    range: "what backend-sync zoho connect prints, and not empty",
                });
            }
        }
        Ok(())
    }
}
