//! What is built from settings that are read again while the server runs: Zoho with its mapping, and the alerts.

use std::{path::Path, sync::Arc};

use secrecy::ExposeSecret;
use tokio::sync::{mpsc, oneshot};

use crate::{
    alerts::Alerts,
    clock::Clock,
    config::{self, Config},
    health::Health,
    http::{Http, HttpError},
    metrics::{Metrics, ZohoCalls},
    model::ErasurePolicy,
    random::Random,
    secret,
    store::{BrakeLimits, Store},
    views::FirstDaySettings,
    zoho::{
        client::Client,
        destination::Zoho,
        mapping::{Mapping, MappingError},
    },
};

/// Why it cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The mapping file is invalid.
    #[error("the mapping {file} is wrong:\n{error}")]
    Mapping {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        error: MappingError,
    },
    /// The mapping file cannot be read.
    #[error("cannot read the mapping {file}: {error}")]
    MappingFile {
        /// The file's name.
        file: String,
        /// Why not.
        error: std::io::Error,
    },
    /// Calls to other servers are impossible.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// What the server does with the outside world, by the settings that it read last.
pub struct Live {
    /// Zoho, if it is configured.
    pub zoho: Option<Arc<Zoho>>,
    /// Finds what is wrong, and notifies.
    pub alerts: Arc<Alerts>,
    /// What an erasure does at the destination by default.
    pub policy: ErasurePolicy,
    /// How much of what cannot be undone is ordinary.
    pub brake: BrakeLimits,
    /// What the list of the first day asks of the settings.
    pub(crate) first_day: FirstDaySettings,
}

/// What it is built with besides the settings.
#[derive(Clone)]
pub struct Surroundings {
    /// The database.
    pub store: Store,
    /// Whether this process can store what it is sent.
    pub health: Health,
    /// Metrics for Prometheus.
    pub metrics: Metrics,
    /// The server's clock.
    pub clock: Clock,
    /// Randomness for references.
    pub random: Random,
}

impl Live {
    /// Reads the mapping file and builds the rest. Calls nobody.
    pub fn build(config: &Config, with: &Surroundings) -> Result<Self, LiveError> {
        let Surroundings { store, health, metrics, clock, random } = with.clone();
        let calls = metrics.zoho.clone();
        let zoho = config.zoho.as_ref().map(|settings| counted_zoho(config, settings, &store, &clock, calls));
        let alerts = Alerts::new(config, store.clone(), health, metrics, clock.clone(), random)?;
        let (zoho, alerts) = (zoho.transpose()?.map(Arc::new), Arc::new(alerts));
        let (policy, brake, first_day) = (config.erasure.zoho, config.brake.limits(), FirstDaySettings::new(config));
        Ok(Self { zoho, alerts, policy, brake, first_day })
    }
}

/// Zoho as configured, without metrics of its calls.
pub fn zoho(config: &Config, settings: &config::Zoho, store: &Store, clock: &Clock) -> Result<Zoho, LiveError> {
    counted_zoho(config, settings, store, clock, ZohoCalls::default())
}

fn counted_zoho(
    config: &Config,
    settings: &config::Zoho,
    store: &Store,
    clock: &Clock,
    calls: ZohoCalls,
) -> Result<Zoho, LiveError> {
    let mapping = read_mapping(settings)?;
    let client = Client::counted(
        settings,
        Http::new(&settings.authorities)?,
        Some(store.clone()),
        clock.clone(),
        getrandom::fill,
        calls,
    );
    Ok(Zoho::new(store.clone(), client, mapping, config.brake.limits(), clock.clone(), Random::system()))
}

/// The configured mapping, or the default.
pub fn read_mapping(zoho: &config::Zoho) -> Result<Mapping, LiveError> {
    let Some(path) = &zoho.mapping else {
        return Mapping::parse(Mapping::DEFAULT)
            .map_err(|error| LiveError::Mapping { file: "default".to_owned(), error });
    };
    let file = path.display().to_string();
    let text = read(path)?;
    Mapping::parse(&text).map_err(|error| LiveError::Mapping { file, error })
}

fn read(path: &Path) -> Result<String, LiveError> {
    std::fs::read_to_string(path).map_err(|error| LiveError::MappingFile { file: path.display().to_string(), error })
}

/// A digest of all that a delivery to Zoho depends on: the section and the text of the mapping.
pub fn fingerprint(config: &Config) -> Option<String> {
    let zoho = config.zoho.as_ref()?;
    let mapping = zoho.mapping.as_deref().map(read).and_then(Result::ok);
    let secrets = [zoho.client_secret.expose_secret(), zoho.refresh_token.expose_secret()];
    let plain = (&zoho.accounts_url, &zoho.api_url, &zoho.client_id, zoho.reserve_credits);
    Some(secret::hash(&format!("{secrets:?} {plain:?} {mapping:?}")))
}

/// What reading the settings again changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Settings that changed and are taken at the next start only.
    pub at_start: Vec<&'static str>,
}

impl Reloaded {
    /// In words.
    pub fn sentence(&self) -> String {
        match &*self.at_start {
            [] => "The settings were read again and are in use.".to_owned(),
            keys => format!(
                "The settings were read again and are in use, but for {}: these need a restart.",
                keys.join(", ")
            ),
        }
    }
}

/// A request to read the settings again, and where to send the outcome: why they were not taken, in words.
pub type ReloadRequest = oneshot::Sender<Result<Reloaded, String>>;

/// Asks the server to read its settings again.
#[derive(Clone, Debug)]
pub struct Reloading(mpsc::Sender<ReloadRequest>);

impl Reloading {
    /// With the receiver of the requests.
    pub fn new() -> (Self, mpsc::Receiver<ReloadRequest>) {
        // One waits while one is carried out; more would only repeat it.
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), receiver)
    }

    /// Reads the settings again. With wrong ones, nothing changes.
    pub async fn request(&self) -> Result<Reloaded, String> {
        let (answer, outcome) = oneshot::channel();
        let stopping = || "The server is stopping.".to_owned();
        self.0.send(answer).await.map_err(|_| stopping())?;
        outcome.await.unwrap_or_else(|_| Err(stopping()))
    }
}
