//! Tells the service manager (systemd) when this process is ready, whether it is well, and when it stops. Does nothing where
//! there is none: without `NOTIFY_SOCKET`.
//!
//! A process that is well answers a request of its own and has a writer that moves on. One that is not gives no sign of life, and
//! is started anew. A new process must be better off, though: a database that is away, locked, slow or takes no events is waited
//! for, here as there. So a writer that stands still counts only while the database answers somebody else: as each statement
//! has its deadline, we have a bug then.

mod socket;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sd_notify::NotifyState;
use tokio::{sync::watch, task::JoinHandle};

use self::socket::Socket;
use crate::{api::Context, health::Illness, limits, probe, store::Cause};

/// How often it is looked whether a server that starts answers by now.
const READY_INTERVAL: Duration = Duration::from_millis(50);

/// How often the state is told when there is no watchdog to feed.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// Signs of life within the watchdog's time. Both questions (to ourselves, to the database) may take as long as the rest between
/// two signs, and there is still one in time.
const SIGNS: u32 = 4;

/// How a process is.
#[derive(Debug, PartialEq, Eq)]
enum ServiceState {
    Well,
    /// Not well, and a new process would be no better off.
    Waiting(String),
    /// A new process would be better off.
    Stuck(&'static str),
}

struct Reporter {
    manager: Socket,
    address: SocketAddr,
    context: Arc<Context>,
    /// The rest between two reports, and how long each question may take.
    interval: Duration,
    /// How long a transaction of the writer may take.
    patience: Duration,
}

/// Reports to the service manager, if there is one, until `stop`.
pub fn report(address: SocketAddr, context: Arc<Context>, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
        let manager = match Socket::to(&name) {
            Ok(manager) => manager,
            Err(error) => return tracing::warn!(%error, "there is no such service manager as NOTIFY_SOCKET names"),
        };
        let watchdog = sd_notify::watchdog_enabled();
        let reporter = Reporter {
            manager,
            address,
            context,
            interval: watchdog.map_or(STATUS_INTERVAL, |time| time / SIGNS),
            patience: watchdog.unwrap_or_default().max(limits::CONNECTION_WAIT + limits::TRANSACTION_TIME),
        };
        tokio::select! {
            () = reporter.run() => {}
            _ = stop.changed() => {}
        }
        let status = "Stopping: no new events are taken, what is under way is finished";
        reporter.manager.tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    })
}

impl Reporter {
    async fn run(&self) {
        while !self.answers().await {
            tokio::time::sleep(READY_INTERVAL).await;
        }
        let mut ready = false;
        loop {
            // The manager waits for this one, so it is said until it is taken.
            ready = ready || self.manager.tell(&[NotifyState::Ready]);
            match self.state().await {
                ServiceState::Well => {
                    let status = format!("Serving on {}", self.address);
                    self.manager.tell(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
                }
                ServiceState::Waiting(status) => {
                    self.manager.tell(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
                }
                ServiceState::Stuck(reason) => {
                    tracing::error!(
                        reason,
                        "this process does not work any more; the service manager should start it anew"
                    );
                    self.manager.tell(&[NotifyState::Status(reason)]);
                }
            }
            tokio::time::sleep(self.interval).await;
        }
    }

    async fn answers(&self) -> bool {
        probe::answers(self.address, probe::HEALTH, self.interval).await.is_ok()
    }

    async fn state(&self) -> ServiceState {
        // Before a stop, this is so only when the writer has ended.
        if self.context.ingest.is_draining() {
            return ServiceState::Stuck("The writer has ended");
        }
        if !self.answers().await {
            return ServiceState::Stuck("No answer to a request of its own");
        }
        if self.context.health.writer.stuck_for(self.patience).is_none() {
            let illness = tokio::time::timeout(self.interval, self.context.health.look(&self.context.store)).await;
            let illness = illness.unwrap_or(Some(Illness::Database(Cause::Deadline)));
            return illness.map_or(ServiceState::Well, |illness| ServiceState::Waiting(illness.words()));
        }
        match tokio::time::timeout(self.interval, self.context.store.ping()).await {
            Ok(Ok(())) => ServiceState::Stuck("The writer stands still, though the database answers"),
            Ok(Err(_)) | Err(_) => ServiceState::Waiting(Cause::Deadline.sentence()),
        }
    }
}
