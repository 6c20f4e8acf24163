//! The settings: the embedded default, overridden by a file, by the environment, by flags.

mod alerts;
mod backup;
mod brake;
mod choice;
mod file;
mod tracing;
mod zoho;

#[cfg(test)]
mod tests;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use config::{Environment, File, FileFormat};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::{
    authorities::{Authorities, AuthoritiesError},
    model::ErasurePolicy,
    secret,
    store::{DatabaseUrl, NoDatabase},
};

pub use self::{
    alerts::{AlertRules, Alerts, Email, EmailTls, Webhook, WebhookFormat},
    backup::Backup,
    brake::Brake,
    choice::address,
    file::find as find_file,
    tracing::Tracing,
    zoho::Zoho,
};

/// Every setting with its default and what it means.
pub const DEFAULT: &str = include_str!("default.toml");

const PREFIX: &str = "BACKEND_SYNC";

/// The environment variable that names the file; not a setting itself.
pub const FILE_VARIABLE: &str = "BACKEND_SYNC_CONFIG";

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen.
    #[serde(deserialize_with = "choice::listen")]
    pub listen: SocketAddr,
    /// The database.
    pub database_url: DatabaseUrl,
    /// A file of certificates of authorities that all connections trust besides the public ones.
    #[serde(default)]
    pub certificate_authorities: Option<PathBuf>,
    /// What that file holds.
    #[serde(skip)]
    pub authorities: Authorities,
    /// The file with these settings, if there are secrets in it.
    #[serde(skip)]
    pub secrets_file: Option<PathBuf>,
    /// What to do if the database does not exist. Set by a flag only: a setting would be left on and forgotten.
    #[serde(skip)]
    pub no_database: NoDatabase,
    /// What is logged, and how.
    pub log: LogConfig,
    /// How events are stored.
    pub ingest: IngestConfig,
    /// How records are delivered.
    pub sync: Sync,
    /// How much of what cannot be undone is ordinary.
    pub brake: Brake,
    /// How long things are kept.
    pub retention: Retention,
    /// How people are erased.
    pub erasure: Erasure,
    /// What outlives a restore, and when a backup is missed.
    pub backup: Backup,
    /// Zoho CRM, if it is a destination.
    pub zoho: Option<Zoho>,
    /// Where traces are sent, if anywhere.
    pub tracing: Option<Tracing>,
    /// What is watched, and who is notified.
    pub alerts: Alerts,
    /// How the server stops.
    pub shutdown: Shutdown,
}

/// The section `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// The format of the lines.
    #[serde(deserialize_with = "choice::variant")]
    pub format: LogFormat,
    /// The log level, in the syntax of `tracing`'s `EnvFilter`.
    pub level: String,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line per message.
    Text,
    /// One JSON object per message.
    Json,
}

/// How events are stored.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestConfig {
    /// A transaction takes waiting requests until it holds this many events.
    pub transaction_events: u16,
    /// KiB of request bodies that may wait to be stored.
    pub queue_kib: u32,
}

/// How records are delivered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sync {
    repeat_seconds: u16,
    /// The most deliveries that one process makes at a time.
    pub workers: u16,
    lease_seconds: u16,
    check_seconds: u16,
    attempts_days: u16,
}

impl Sync {
    /// How long a record waits after a delivery until it is delivered again.
    pub fn repeat(&self) -> Duration {
        Duration::from_secs(self.repeat_seconds.into())
    }

    /// How long a worker holds a claimed item before others may take it.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds.into())
    }

    /// The time between two checks of a paused destination.
    pub fn check(&self) -> Duration {
        Duration::from_secs(self.check_seconds.into())
    }

    /// How long attempts are kept.
    pub fn attempts(&self) -> Duration {
        days(self.attempts_days)
    }
}

/// How long things are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    events_days: u16,
    activity_days: u16,
    replaced_days: u16,
}

impl Retention {
    /// How long events are kept; none means for ever.
    pub fn events(&self) -> Option<Duration> {
        (self.events_days > 0).then(|| days(self.events_days))
    }

    /// How long activity counts are kept; none means for ever.
    pub fn activity(&self) -> Option<Duration> {
        (self.activity_days > 0).then(|| days(self.activity_days))
    }

    /// How long the values are kept that adoptions replaced; none means for ever.
    pub fn replaced(&self) -> Option<Duration> {
        (self.replaced_days > 0).then(|| days(self.replaced_days))
    }
}

/// How people are erased.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// What happens in Zoho.
    #[serde(deserialize_with = "choice::variant")]
    pub zoho: ErasurePolicy,
    on_user_deleted: bool,
    grace_days: u16,
}

impl Erasure {
    /// How long after their deletion in Moodle people are erased; none if they are not.
    pub fn grace(&self) -> Option<Duration> {
        self.on_user_deleted.then(|| days(self.grace_days))
    }
}

fn days(days: u16) -> Duration {
    Duration::from_secs(u64::from(days) * 24 * 60 * 60)
}

/// Whether secrets may be sent to `url`: by HTTPS, or to this machine.
pub fn is_safe(url: &str) -> bool {
    let Ok(parsed) = reqwest::Url::parse(url) else { return false };
    match parsed.scheme() {
        "https" => parsed.host_str().is_some(),
        "http" => is_this_machine(url),
        _ => false,
    }
}

/// Whether the URL is one of this machine's own addresses.
pub fn is_this_machine(url: &str) -> bool {
    let url = reqwest::Url::parse(url).ok();
    url.is_some_and(|url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")))
}

/// How the server stops.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    grace_seconds: u16,
}

impl Shutdown {
    /// How long requests in progress have to finish.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds.into())
    }
}

/// Settings from command-line flags.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--database-url`.
    pub database_url: Option<String>,
    /// `--new-database`.
    pub new_database: bool,
}

/// The settings are invalid. The message names the key, and never a value that may be secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file is malformed, a key is unknown, or a value has the wrong type.
    #[error("the configuration is wrong: {0}{hint}", hint = misplaced(.0))]
    Invalid(#[from] config::ConfigError),
    /// The file cannot be read.
    #[error("cannot read the settings in {}: {error}. {}", path.display(), file::advice(.error))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The file of certificates cannot be used.
    #[error("the configuration is wrong: certificate_authorities: {}: {error}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: AuthoritiesError,
    },
    /// A number is outside its range.
    #[error("the configuration is wrong: {key} must be {range}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// The allowed values.
        range: &'static str,
    },
}

/// What to do about a key of the top that stands in a section: TOML takes it for one of the section's.
fn misplaced(error: &config::ConfigError) -> String {
    const TOP: [&str; 3] = ["listen", "database_url", "certificate_authorities"];
    let text = error.to_string();
    let key = TOP.iter().find(|key| text.contains(&format!("unknown field `{key}`")));
    key.map_or_else(String::new, |key| format!(". Put {key} at the top of the file, before the first [section]"))
}

impl Config {
    /// Reads the settings. `environment` holds the process's variables.
    pub fn load(
        overrides: &Overrides,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let variables = environment.filter(|(name, _)| name != FILE_VARIABLE).collect();
        let source = Environment::with_prefix(PREFIX)
            .prefix_separator("_")
            .separator("__")
            .try_parsing(true)
            .source(Some(variables));
        let mut builder = config::Config::builder().add_source(File::from_str(DEFAULT, FileFormat::Toml));
        let mut secrets_file = None;
        if let Some(file) = &overrides.file {
            let (settings, secrets) = file::read(file)?;
            builder = builder.add_source(settings);
            secrets_file = secrets.then(|| file.clone());
        }
        let settings = builder
            .add_source(source)
            .set_override_option("listen", overrides.listen.map(|listen| listen.to_string()))?
            .set_override_option("database_url", overrides.database_url.clone())?
            .build()?;
        let mut config: Self = settings.try_deserialize()?;
        config.secrets_file = secrets_file;
        if overrides.new_database {
            config.no_database = NoDatabase::Create;
        }
        if let Some(register) = config.backup.register() {
            config.database_url = config.database_url.registered(register);
        }
        config.hold_secrets();
        config.trust()?.check()
    }

    /// The settings that differ in `other` and are taken only when the server starts.
    pub fn differences_at_start(&self, other: &Self) -> Vec<&'static str> {
        let changes = [
            ("listen", self.listen != other.listen),
            ("database_url", self.database_url != other.database_url),
            ("certificate_authorities for the database", self.certificate_authorities != other.certificate_authorities),
            ("[log]", self.log != other.log),
            ("[ingest]", self.ingest != other.ingest),
            ("sync.repeat_seconds", self.sync.repeat_seconds != other.sync.repeat_seconds),
            ("sync.attempts_days", self.sync.attempts_days != other.sync.attempts_days),
            ("[retention]", self.retention != other.retention),
            // Their secrets do not show.
            ("[tracing]", format!("{:?}", self.tracing) != format!("{:?}", other.tracing)),
            ("[shutdown]", self.shutdown != other.shutdown),
        ];
        changes.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
    }

    /// Reads the certificates of own authorities, and hands them to all that connects.
    fn trust(mut self) -> Result<Self, ConfigError> {
        let Some(path) = self.certificate_authorities.clone().filter(|path| !path.as_os_str().is_empty()) else {
            return Ok(self);
        };
        let authorities = Authorities::read(&path).map_err(|error| ConfigError::Authorities { path, error })?;
        self.database_url = self.database_url.trusting(&authorities);
        self.alerts.authorities = authorities.clone();
        if let Some(zoho) = &mut self.zoho {
            zoho.authorities = authorities.clone();
        }
        if let Some(tracing) = &mut self.tracing {
            tracing.authorities = authorities.clone();
        }
        self.authorities = authorities;
        Ok(self)
    }

    /// Lets no text of others show the secrets in these settings; the database's URL has done so itself.
    fn hold_secrets(&self) {
        let zoho = self.zoho.iter().flat_map(|zoho| [&zoho.client_secret, &zoho.refresh_token]);
        let tracing = self.tracing.iter().flat_map(|tracing| tracing.headers.values());
        let webhooks = self.alerts.webhooks.values().flat_map(|webhook| [Some(&webhook.url), webhook.secret.as_ref()]);
        let mail = self.alerts.email.values().map(|email| email.password.as_ref());
        for secret in zoho.chain(tracing).chain(webhooks.chain(mail).flatten()) {
            secret::hold(secret.expose_secret());
        }
    }

    fn check(self) -> Result<Self, ConfigError> {
        if self.ingest.transaction_events == 0 {
            return Err(ConfigError::OutOfRange { key: "ingest.transaction_events", range: "1 or more" });
        }
        // The queue must hold at least one body of the largest size.
        if !(8_192..=1_048_576).contains(&self.ingest.queue_kib) {
            return Err(ConfigError::OutOfRange { key: "ingest.queue_kib", range: "between 8192 and 1048576" });
        }
        // Each delivery holds up to 100 records and their answers in memory.
        if !(1..=64).contains(&self.sync.workers) {
            return Err(ConfigError::OutOfRange { key: "sync.workers", range: "between 1 and 64" });
        }
        if self.sync.lease_seconds == 0 {
            return Err(ConfigError::OutOfRange { key: "sync.lease_seconds", range: "1 or more" });
        }
        if self.sync.check_seconds == 0 {
            return Err(ConfigError::OutOfRange { key: "sync.check_seconds", range: "1 or more" });
        }
        self.brake.check()?;
        if let Some(zoho) = &self.zoho {
            zoho.check()?;
        }
        if let Some(tracing) = &self.tracing {
            tracing.check()?;
        }
        self.alerts.check()?;
        Ok(self)
    }
}
