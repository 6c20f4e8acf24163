//! Where traces are sent.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{ConfigError, is_safe};
use crate::authorities::Authorities;

/// Where traces are sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tracing {
    otlp_endpoint: String,
    /// This server's name in traces.
    #[serde(default = "Tracing::default_service_name")]
    pub service_name: String,
    /// The share of the traces begun here that is sent, from 0 to 1.
    #[serde(default = "Tracing::default_sampling_ratio")]
    pub sampling_ratio: f64,
    /// HTTP headers sent with each batch, such as a credential.
    #[serde(default)]
    pub headers: BTreeMap<String, SecretString>,
    /// Whom connections trust besides the public authorities.
    #[serde(skip)]
    pub authorities: Authorities,
}

impl Tracing {
    fn default_service_name() -> String {
        "backend-sync".to_owned()
    }

    fn default_sampling_ratio() -> f64 {
        1.0
    }

    /// The address that traces are sent to.
    pub fn traces_url(&self) -> String {
        format!("{}/v1/traces", self.otlp_endpoint.trim_end_matches('/'))
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let is_http = |url: &str| reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !is_http(&self.otlp_endpoint) {
            return Err(ConfigError::OutOfRange {
                key: "tracing.otlp_endpoint",
                range: "an address that begins with http:// or https://",
            });
        }
        if !self.headers.is_empty() && !is_safe(&self.otlp_endpoint) {
            return Err(ConfigError::OutOfRange {
                key: "tracing.otlp_endpoint",
                range: "an address that begins with https://, because of tracing.headers",
            });
        }
        let is_header = |(name, value): (&String, &SecretString)| {
            reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok()
                && reqwest::header::HeaderValue::from_str(value.expose_secret()).is_ok()
        };
        if !self.headers.iter().all(is_header) {
            return Err(ConfigError::OutOfRange { key: "tracing.headers", range: "names and values of HTTP headers" });
        }
        if !(0.0..=1.0).contains(&self.sampling_ratio) {
            return Err(ConfigError::OutOfRange { key: "tracing.sampling_ratio", range: "between 0 and 1" });
        }
        Ok(())
    }
}
