//! Builds everything from the configuration, starts it, and stops it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use poem::{
    Server,
    listener::{Acceptor, Listener, TcpAcceptor, TcpListener},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
    task::JoinHandle,
};

use crate::{
    api::{self, Context, Tokens},
    clock::Clock,
    config::Config,
    ingest::Writer,
    limits,
    store::{Store, StoreError},
};

/// The server could not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address to listen on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// Anything else of the operating system.
    #[error("the operating system: {0}")]
    Io(#[from] std::io::Error),
}

/// A server that listens but does not answer yet.
pub struct App {
    acceptor: TcpAcceptor,
    address: SocketAddr,
    context: Arc<Context>,
    writer: Writer,
    grace: Duration,
}

impl App {
    /// Listens, on a store whose migrations are applied.
    pub async fn bind(config: &Config, store: Store, clock: Clock) -> Result<Self, AppError> {
        let listen = |error| AppError::Listen { address: config.listen, error };
        let acceptor = TcpListener::bind(config.listen).into_acceptor().await.map_err(listen)?;
        let address = acceptor.local_addr().first().and_then(|address| address.as_socket_addr().copied());
        let (transaction_events, queue_kib) = (config.ingest.transaction_events.into(), config.ingest.queue_kib);
        let committed = Arc::new(Notify::new());
        let repeat = config.sync.repeat();
        let (writer, ingest) =
            Writer::new(store.clone(), transaction_events, queue_kib, repeat, Arc::clone(&committed), clock.clone());
        let context = Arc::new(Context { store, ingest, tokens: Tokens::default(), clock });
        let address = address.unwrap_or(config.listen);
        Ok(Self { acceptor, address, context, writer, grace: config.shutdown.grace() })
    }

    /// The address that it really listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until SIGTERM or SIGINT; then stops accepting, drains the queue, answers what is under way, and returns.
    /// A second signal ends the process at once.
    pub async fn run(self) -> Result<(), AppError> {
        let Self { acceptor, context, writer, grace, .. } = self;
        let mut stop = stop_signals()?;
        let writer = tokio::spawn(writer.run());
        let last_used = save_last_used(Arc::clone(&context), stop.clone());
        let draining = Arc::clone(&context);
        let stopping = async move {
            let _ = stop.changed().await;
            tracing::info!(
                grace_seconds = grace.as_secs(),
                "stopping: no new events are taken, what is under way is finished"
            );
            draining.ingest.drain();
        };
        let store = context.store.clone();
        Server::new_with_acceptor(acceptor)
            .idle_timeout(limits::CONNECTION_IDLE_TIME)
            .run_with_graceful_shutdown(api::endpoint(context), stopping, Some(grace))
            .await?;
        // All connections are gone, and with them the entrances to the queue: the writer ends when it is empty.
        let _ = last_used.await;
        match tokio::time::timeout(grace, writer).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the writer failed"),
            Err(_) => {
                tracing::error!("the writer did not finish in time; what it had not committed was not answered 200")
            }
        }
        if tokio::time::timeout(grace, store.close()).await.is_err() {
            tracing::warn!("the database did not let go in time");
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// Becomes true at the first signal. The second ends the process.
fn stop_signals() -> Result<watch::Receiver<bool>, std::io::Error> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        for second in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if second {
                tracing::warn!("a second signal: stopping at once");
                std::process::exit(1);
            }
            let _ = sender.send(true);
        }
    });
    Ok(receiver)
}

/// Writes down now and then, and at the end, when tokens were last used.
fn save_last_used(context: Arc<Context>, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut stopping = false;
        while !stopping {
            stopping = tokio::time::timeout(limits::LAST_USED_INTERVAL, stop.changed()).await.is_ok();
            if let Err(error) = context.tokens.save_last_used(&context.store).await {
                tracing::warn!(%error, "could not write down when tokens were last used");
            }
        }
    })
}
