//! Reads the settings again while the server runs, and gives the delivery, the erasures and the alerts to the new ones.
//! Events are received all the while. Wrong settings change nothing.

use std::{sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
};

use crate::{
    config::{Config, ConfigError},
    delivery::{DeliverySettings, Destination as _, Engine},
    erasure::{ErasureSettings, Keeper},
    limits,
    live::{self, Live, LiveError, ReloadRequest, Reloaded, Surroundings},
    metrics::Counters,
    store::StoreError,
    zoho::destination::{Parity, ParitySettings, Zoho},
};

/// Reads the settings from where the process got them.
pub type LoadSettings = Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// Why the settings were not taken.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Runs what depends on settings that are read again.
pub struct Reloader {
    pub(crate) load: LoadSettings,
    pub(crate) config: Config,
    pub(crate) with: Surroundings,
    pub(crate) counters: Counters,
    /// Wakes this process's delivery when items are due.
    pub(crate) due: Arc<Notify>,
    pub(crate) live: watch::Sender<Arc<Live>>,
    pub(crate) requests: mpsc::Receiver<ReloadRequest>,
}

/// What runs with the settings of one reading.
struct Generation {
    stop: watch::Sender<bool>,
    delivery: Option<JoinHandle<()>>,
    parity: Option<JoinHandle<()>>,
    keeper: JoinHandle<()>,
    alerts: JoinHandle<()>,
}

impl Generation {
    /// Ends it when what it has begun is finished; at the latest after `grace`, if there is one.
    async fn end(self, grace: Option<Duration>) {
        self.stop.send_replace(true);
        let _ = self.keeper.await;
        if let Some(parity) = self.parity {
            let _ = parity.await;
        }
        if let Some(delivery) = self.delivery
            && !is_over(delivery, grace).await
        {
            tracing::warn!("a delivery did not finish in time; its items are delivered again when their lease expires");
        }
        if !is_over(self.alerts, grace).await {
            tracing::warn!("a notification was not sent in time; whether it arrived is unknown");
        }
    }
}

async fn is_over(task: JoinHandle<()>, grace: Option<Duration>) -> bool {
    match grace {
        Some(grace) => tokio::time::timeout(grace, task).await.is_ok(),
        None => task.await.is_ok(),
    }
}

impl Reloader {
    /// Makes the destination known. The configuration may have been corrected since a pause, so that is checked at once.
    pub(crate) async fn prepare(config: &Config, with: &Surroundings) -> Result<(), StoreError> {
        let now = with.clock.now();
        if config.zoho.is_none() {
            return Ok(());
        }
        if with.store.add_destination(Zoho::NAME, now).await? {
            tracing::info!(destination = Zoho::NAME, "a new destination: delivering all records to it");
        }
        with.store.set_check(Zoho::NAME, now).await
    }

    /// Runs until `stop` becomes true, then finishes what was begun.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut hangup = hangups();
        let mut generation = self.start();
        let mut refused = None;
        while !*stop.borrow() {
            let answer = tokio::select! {
                _ = stop.changed() => break,
                Some(request) = self.requests.recv() => Some(request),
                () = hung_up(&mut hangup) => None,
                () = tokio::time::sleep(self.config.sync.check()) => {
                    if !self.is_corrected(&mut refused).await {
                        continue;
                    }
                    None
                }
            };
            let outcome = match self.take().await {
                Ok((config, live)) => {
                    generation.end(None).await;
                    let reloaded = self.replace(config, live);
                    generation = self.start();
                    tracing::info!(needs_restart = reloaded.at_start.join(", "), "read the settings again");
                    Ok(reloaded)
                }
                Err(error) => {
                    tracing::error!(%error, "the settings were not taken, and nothing changed");
                    Err(error.to_string())
                }
            };
            if let Some(answer) = answer {
                // Whoever asked may be gone.
                let _ = answer.send(outcome);
            }
        }
        generation.end(Some(self.config.shutdown.grace())).await;
    }

    /// Reads the settings and builds what depends on them; starts nothing.
    async fn take(&self) -> Result<(Config, Live), ReloadError> {
        let config = (self.load)()?;
        let live = Live::build(&config, &self.with)?;
        Self::prepare(&config, &self.with).await?;
        Ok((config, live))
    }

    /// Lets everybody use the new settings.
    fn replace(&mut self, config: Config, live: Live) -> Reloaded {
        let reloaded = Reloaded { at_start: self.config.differences_at_start(&config) };
        live.alerts.take_over(&self.live.borrow().alerts);
        self.live.send_replace(Arc::new(live));
        self.config = config;
        reloaded
    }

    fn start(&self) -> Generation {
        let stop = watch::Sender::new(false);
        let Live { zoho, alerts, policy, brake, .. } = &**self.live.borrow();
        let Surroundings { store, clock, random, health, .. } = self.with.clone();
        let delivery = zoho.clone().map(|zoho| {
            let settings = DeliverySettings {
                workers: self.config.sync.workers.into(),
                lease: self.config.sync.lease(),
                repeat: self.config.sync.repeat(),
                check: self.config.sync.check(),
            };
            let (due, counters) = (Arc::clone(&self.due), self.counters.clone());
            let engine = Engine::new(store.clone(), zoho, settings, clock.clone(), random, due, counters);
            tokio::spawn(engine.watched(health.delivery).run(stop.subscribe()))
        });
        let parity = zoho.clone().zip(self.config.zoho.as_ref()).map(|(zoho, settings)| {
            let settings = ParitySettings { watch: settings.watch(), proof_hour: settings.proof() };
            let parity = Parity { zoho, store: store.clone(), settings, clock: clock.clone() };
            tokio::spawn(parity.run(stop.subscribe()))
        });
        let keeper = Keeper {
            store,
            zoho: zoho.clone(),
            settings: ErasureSettings { policy: *policy, grace: self.config.erasure.grace(), brake: *brake },
            due: Arc::clone(&self.due),
            clock,
        };
        let keeper = tokio::spawn(keeper.run(stop.subscribe()));
        let alerts = tokio::spawn(Arc::clone(alerts).run(stop.subscribe()));
        Generation { stop, delivery, parity, keeper, alerts }
    }

    /// Whether the delivery is paused because of settings, which somebody has corrected since. Logs new mistakes in them.
    async fn is_corrected(&self, refused: &mut Option<String>) -> bool {
        let paused = tokio::time::timeout(limits::READINESS_TIME, self.with.store.destination(Zoho::NAME)).await;
        let pause = paused.ok().and_then(Result::ok).flatten().and_then(|found| found.pause);
        if pause.is_none_or(|pause| pause.check_at.is_none()) {
            return false;
        }
        match (self.load)() {
            Ok(config) => live::fingerprint(&config) != live::fingerprint(&self.config),
            Err(error) => {
                let error = error.to_string();
                if refused.as_ref() != Some(&error) {
                    tracing::error!(%error, "the delivery is paused, and the settings cannot be read again");
                    *refused = Some(error);
                }
                false
            }
        }
    }
}

/// The signal by which administrators ask a service to read its settings again.
fn hangups() -> Option<Signal> {
    signal(SignalKind::hangup()).inspect_err(|error| tracing::warn!(%error, "SIGHUP cannot be received")).ok()
}

async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => std::future::pending().await,
    }
}
