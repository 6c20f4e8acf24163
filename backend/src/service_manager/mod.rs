//! Notifies the service manager (systemd) when this process is ready, whether it is healthy, and when it stops. Does
//! nothing without a service manager, that is, without `NOTIFY_SOCKET`.
//!
//! A healthy process answers a request of its own, and its writer makes progress. An unhealthy one sends no heartbeat,
//! so systemd restarts it. But a restart must help: if the database is unreachable, locked, slow or rejects events, a
//! new process would only wait as this one does. So a stuck writer counts only while the database answers other
//! queries: every statement has a deadline, so a writer that is stuck then is a bug.

mod socket;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sd_notify::NotifyState;
use tokio::{sync::watch, task::JoinHandle};

use self::socket::Socket;
use crate::{api::Context, health::HealthProblem, limits, probe, store::Cause};

/// The time between probes of a starting server.
const READY_INTERVAL: Duration = Duration::from_millis(50);

/// The time between reports when no watchdog expects heartbeats.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// Heartbeats within the watchdog's time. Each of the two probes (of ourselves, of the database) may take as long as
/// the interval between two heartbeats, and one still arrives in time.
const HEARTBEATS: u32 = 4;

/// The state of a process, as the service manager should see it.
#[derive(Debug, PartialEq, Eq)]
enum ServiceState {
    Healthy,
    /// Not healthy, but a restart would not help.
    Waiting(String),
    /// A restart would help.
    Stuck(&'static str),
}

struct Reporter {
    manager: Socket,
    address: SocketAddr,
    context: Arc<Context>,
    /// The rest between two reports, and the time each probe may take.
    interval: Duration,
    /// The time a transaction of the writer may take.
    patience: Duration,
}

/// Reports to the service manager, if there is one, until `stop` becomes true.
pub fn report(address: SocketAddr, context: Arc<Context>, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
        let manager = match Socket::to(&name) {
            Ok(manager) => manager,
            Err(error) => return tracing::warn!(%error, "NOTIFY_SOCKET does not name a usable socket"),
        };
        let watchdog = sd_notify::watchdog_enabled();
        let reporter = Reporter {
            manager,
            address,
            context,
            interval: watchdog.map_or(STATUS_INTERVAL, |time| time / HEARTBEATS),
            patience: watchdog.unwrap_or_default().max(limits::CONNECTION_WAIT + limits::TRANSACTION_TIME),
        };
        tokio::select! {
            () = reporter.run() => {}
            _ = stop.changed() => {}
        }
        let status = "Stopping: accepting no new events, finishing work in progress";
        reporter.manager.notify(&[NotifyState::Stopping, NotifyState::Status(status)]);
    })
}

impl Reporter {
    async fn run(&self) {
        while !self.answers().await {
            tokio::time::sleep(READY_INTERVAL).await;
        }
        let mut ready = false;
        loop {
            // The manager waits for this message, so repeat it until it is accepted.
            ready = ready || self.manager.notify(&[NotifyState::Ready]);
            match self.state().await {
                ServiceState::Healthy => {
                    let status = format!("Serving on {}", self.address);
                    self.manager.notify(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
                }
                ServiceState::Waiting(status) => {
                    self.manager.notify(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
                }
                ServiceState::Stuck(reason) => {
                    tracing::error!(reason, "this process no longer works; the service manager should restart it");
                    self.manager.notify(&[NotifyState::Status(reason)]);
                }
            }
            tokio::time::sleep(self.interval).await;
        }
    }

    async fn answers(&self) -> bool {
        probe::answers(self.address, probe::HEALTH, self.interval).await.is_ok()
    }

    async fn state(&self) -> ServiceState {
        // Before a stop, this happens only if the writer has ended.
        if self.context.ingest.is_draining() {
            return ServiceState::Stuck("The writer has ended");
        }
        if !self.answers().await {
            return ServiceState::Stuck("No answer to a request of its own");
        }
        if self.context.health.writer.stuck_for(self.patience).is_none() {
            let problem = tokio::time::timeout(self.interval, self.context.health.check(&self.context.store)).await;
            let problem = problem.unwrap_or(Some(HealthProblem::Database(Cause::Deadline)));
            return problem.map_or(ServiceState::Healthy, |problem| ServiceState::Waiting(problem.sentence()));
        }
        match tokio::time::timeout(self.interval, self.context.store.ping()).await {
            Ok(Ok(())) => ServiceState::Stuck("The writer is stuck, though the database answers"),
            Ok(Err(_)) | Err(_) => ServiceState::Waiting(Cause::Deadline.sentence()),
        }
    }
}
