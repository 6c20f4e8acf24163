//! Builds everything from the configuration, starts it, and stops it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
    task::JoinHandle,
};

use crate::{
    activity::Tally,
    api::{self, Context, SiteTokens},
    clock::Clock,
    config::Config,
    console, descriptors,
    health::HealthMonitor,
    ingest::Writer,
    limits,
    live::{Live, LiveError, Reloading, Surroundings},
    metrics::{Counters, Metrics},
    random::Random,
    register,
    reload::{LoadSettings, Reloader},
    retention::{Ages, Retention},
    server::{Patience, Server},
    service_manager,
    sign_in_links::SignInLinks,
    statistics,
    store::{Longest, Readers, Store, StoreError},
    timekeeper::Timekeeper,
};

/// The interval at which a server looks whether its counts of sync items have become old.
const COUNT_INTERVAL: Duration = Duration::from_secs(10);

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Cannot listen on the address.
    #[error("cannot listen on {address}: {error}{}", in_use(.error))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// What the settings describe cannot be built.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// Another failure of the operating system.
    #[error("the operating system: {0}")]
    Io(#[from] std::io::Error),
}

/// What to do when something listens there already.
fn in_use(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            ". Another program listens there, perhaps Backend Sync itself: end it, or choose another address with --listen"
        }
        _ => "",
    }
}

/// A server that listens but does not answer yet.
pub struct App {
    server: Server,
    context: Arc<Context>,
    writer: Writer,
    reloader: Reloader,
    retention: Retention,
    timekeeper: Option<Timekeeper>,
    grace: Duration,
}

impl App {
    /// Starts to listen: before the database is opened, which a process that cannot serve must not change.
    pub async fn listen(config: &Config) -> Result<Server, AppError> {
        let error = |error| AppError::Listen { address: config.listen, error };
        let connections = descriptors::for_clients(config.zoho.as_ref().map_or(0, |_| config.sync.workers));
        Server::bind(config.listen, connections, Patience::default()).await.map_err(error)
    }

    /// Builds everything. The store's migrations must have been applied.
    /// `load` reads the settings again.
    pub async fn build(
        server: Server,
        config: Config,
        load: LoadSettings,
        store: Store,
        clock: Clock,
    ) -> Result<Self, AppError> {
        let timekeeper = Timekeeper::begin(store.clone(), clock.clone(), Longest::from(&config)).await?;
        let (transaction_events, queue_kib) = (config.ingest.transaction_events.into(), config.ingest.queue_kib);
        let committed = Arc::new(Notify::new());
        let repeat = config.sync.repeat();
        let counters = Counters { metrics: Metrics::new(clock.now()), activity: Tally::default() };
        let (writer, ingest) = Writer::new(
            store.clone(),
            transaction_events,
            queue_kib,
            repeat,
            Arc::clone(&committed),
            counters.clone(),
            clock.clone(),
        );
        let (tokens, Counters { metrics, activity }) = (Arc::new(SiteTokens::default()), counters.clone());
        let (random, health) = (Random::system(), writer.health());
        let with = Surroundings {
            store: store.clone(),
            health: health.clone(),
            metrics: metrics.clone(),
            clock: clock.clone(),
            random: random.clone(),
        };
        let (live, reading) = watch::channel(Arc::new(Live::build(&config, &with)?));
        Reloader::prepare(&config, &with).await?;
        let (reloading, requests) = Reloading::new();
        let (events, activity_age) = (config.retention.events(), config.retention.activity());
        let (attempts, replaced) = (Some(config.sync.attempts()), config.retention.replaced());
        let ages = Ages { events, attempts, activity: activity_age, replaced };
        let retention = Retention { store: store.clone(), ages, clock: clock.clone() };
        let grace = config.shutdown.grace();
        let due = Arc::clone(&committed);
        let reloader = Reloader { load, config, with, counters, due: committed, live, requests };
        let (live, links) = (reading, SignInLinks::default());
        let context =
            Context { store, ingest, health, tokens, links, activity, metrics, live, reloading, due, clock, random };
        Ok(Self { server, context: Arc::new(context), writer, reloader, retention, timekeeper, grace })
    }

    /// The address of a link that signs in to the console once, for the holder of the API token with this hash.
    pub fn sign_in_link(&self, token: &str) -> Result<String, getrandom::Error> {
        let Context { links, clock, .. } = &*self.context;
        let path = links.make(token.to_owned(), clock.now(), &mut getrandom::fill)?;
        Ok(format!("http://{}{path}", self.address()))
    }

    /// The actual address, also when the configured port is 0.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Serves until `stop` becomes true, then stops accepting, drains the queue, answers requests in progress, and
    /// returns. Does the same by itself, and fails, when a newer program has migrated the database.
    pub async fn run_until(self, stop: watch::Sender<bool>) -> Result<(), AppError> {
        let Self { server, context, writer, reloader, retention, timekeeper, grace } = self;
        let (store, health) = (context.store.for_readers(Readers::Health), context.health.clone());
        let monitor = tokio::spawn(HealthMonitor { store, health, stop: stop.clone() }.run());
        let mut stop = stop.subscribe();
        let reports = service_manager::report(server.address(), Arc::clone(&context), stop.clone());
        let grades = tokio::spawn(writer.touch_grades(stop.clone()));
        let writer = tokio::spawn(writer.run());
        let outward = tokio::spawn(reloader.run(stop.clone()));
        let mut upkeep = vec![grades, tokio::spawn(retention.run(stop.clone()))];
        upkeep.push(tokio::spawn(statistics::run(context.store.clone(), stop.clone())));
        upkeep.extend(timekeeper.map(|timekeeper| tokio::spawn(timekeeper.run(stop.clone()))));
        upkeep.push(tokio::spawn(register::run(context.store.clone(), stop.clone())));
        let last_used = save_last_used(Arc::clone(&context), stop.clone());
        let activity = save_activity(Arc::clone(&context), stop.clone());
        upkeep.push(keep_counts(context.store.clone(), stop.clone()));
        let draining = Arc::clone(&context);
        let pages = console::endpoint(context.for_readers(Readers::Console), stop.clone());
        let stopping = async move {
            let _ = stop.changed().await;
            tracing::info!(
                grace_seconds = grace.as_secs(),
                "stopping: accepting no new events, finishing work in progress"
            );
            draining.ingest.drain();
        };
        let store = context.store.clone();
        let endpoint = api::endpoint(context.for_readers(Readers::Api), pages);
        // The writer waits for the last entrance to its queue to close.
        drop(context);
        server.run(endpoint, stopping, grace).await;
        // All connections are closed, and with them the entrances to the queue: the writer ends once it is empty.
        let (.., outgrown) = tokio::join!(last_used, activity, reports, monitor);
        for task in upkeep {
            let _ = task.await;
        }
        match tokio::time::timeout(grace, writer).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the writer failed"),
            Err(_) => {
                tracing::error!("the writer did not finish in time; uncommitted events were not answered 200")
            }
        }
        if tokio::time::timeout(grace, register::end(&store)).await.is_err() {
            tracing::warn!("the register was not written in time");
        }
        let _ = outward.await;
        if tokio::time::timeout(grace, store.close()).await.is_err() {
            tracing::warn!("the database connections did not close in time");
        }
        tracing::info!("stopped");
        outgrown.ok().flatten().map_or(Ok(()), |error| Err(error.into()))
    }
}

/// A flag that becomes true at the first signal. The second signal ends the process.
pub fn stop_signals() -> Result<watch::Sender<bool>, std::io::Error> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = watch::Sender::new(false);
    let sender = stop.clone();
    tokio::spawn(async move {
        for second in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if second {
                tracing::warn!("second signal: stopping at once");
                std::process::exit(1);
            }
            sender.send_replace(true);
        }
    });
    Ok(stop)
}

/// Regularly, and at the end, saves when tokens were last used.
fn save_last_used(context: Arc<Context>, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut stopping = false;
        while !stopping {
            stopping = tokio::time::timeout(limits::LAST_USED_INTERVAL, stop.changed()).await.is_ok();
            if let Err(error) = context.tokens.save_last_used(&context.store).await {
                tracing::warn!(%error, "could not save when tokens were last used");
            }
        }
    })
}

/// At the start, and regularly, counts the sync items where these are many, so that no page waits for it.
fn keep_counts(store: Store, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let keep = async {
                for destination in store.destinations().await? {
                    store.keep_counts(&destination.name).await?;
                }
                Ok::<_, StoreError>(())
            };
            // What takes long is not waited for at the end.
            let kept = tokio::select! {
                kept = keep => kept,
                _ = stop.changed() => return,
            };
            if let Err(error) = kept {
                // Whoever asks for them will be told.
                tracing::debug!(%error, "could not count the sync items");
            }
            if tokio::time::timeout(COUNT_INTERVAL, stop.changed()).await.is_ok() {
                return;
            }
        }
    })
}

/// Regularly, and at the end, saves the activity counts.
fn save_activity(context: Arc<Context>, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut stopping = false;
        while !stopping {
            stopping = tokio::time::timeout(limits::ACTIVITY_INTERVAL, stop.changed()).await.is_ok();
            if let Err(error) = context.activity.save(&context.store).await {
                tracing::warn!(%error, "could not save the activity counts");
            }
        }
    })
}
