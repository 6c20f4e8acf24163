//! Reading the metrics that come from the database, when a collector asks for them.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::Metrics;
use crate::{
    activity,
    clock::Timestamp,
    limits,
    model::Rule,
    store::{Alert, Store, StoreError},
};

/// What this process knows but the database does not.
pub struct LocalState {
    /// Whether the last write succeeded.
    pub accepts_events: bool,
    /// Open alerts that exist only in memory.
    pub alerts: Vec<Alert>,
}

/// When the database was last read, and how long that took.
#[derive(Debug, Default)]
pub(super) struct LastRefresh(Mutex<Option<(Instant, Duration)>>);

impl Metrics {
    /// Reads the database, unless that was done recently: however many collectors ask, it takes only a small share of
    /// the database's time.
    pub async fn refresh(&self, store: &Store, witnessed: &LocalState, now: Timestamp) {
        let mut last = self.last_refresh.0.lock().await;
        let first = last.is_none();
        if let Some((at, took)) = *last
            && at.elapsed() < limits::METRICS_INTERVAL.max(took * limits::METRICS_SHARE)
        {
            self.state.answers(witnessed.accepts_events);
            return;
        }
        let started = Instant::now();
        self.state.connections(&store.connections());
        if let Err(error) = self.read(store, witnessed, now, first).await {
            tracing::warn!(%error, "could not read the database's metrics");
            self.state.unreachable();
            self.firing(&witnessed.alerts);
            self.ingest.database_error("metrics");
            // The next request retries, so that a database that is back shows at once.
            return;
        }
        self.state.answers(witnessed.accepts_events);
        *last = Some((Instant::now(), started.elapsed()));
    }

    async fn read(&self, store: &Store, witnessed: &LocalState, now: Timestamp, first: bool) -> Result<(), StoreError> {
        self.state.size(store.size().await?);
        let braked = store.braked().await?;
        for site in store.sites().await? {
            self.ingest.site(&site.name);
            self.state.braked(&site.name, |effect| braked.get(&(site.id, effect)).map_or(0, |count| count.waiting));
            // Later events are noted when this process stores them.
            if first && let Some(at) = store.last_activity(&activity::subject_site(&site.name)).await? {
                self.ingest.last_event(&site.name, at);
            }
        }
        let names = store.site_names().await?;
        for found in store.comparisons().await? {
            if let Some(name) = names.get(&found.site_id) {
                self.state.parity(name, &found);
            }
        }
        if let Some(at) = store.life().await?.backup_at {
            self.state.last_backup(at);
        }
        let mut open = store.open_alerts().await?;
        open.extend_from_slice(&witnessed.alerts);
        self.firing(&open);
        for destination in store.destinations().await? {
            let counts = store.item_counts(&destination.name).await?;
            self.state.destination(&destination, &counts, now);
            let name = &destination.name;
            self.state.findings(name, &store.finding_counts(name).await?);
            self.state.compared(name, &store.watch_state(name).await?, &store.proof_state(name).await?);
        }
        Ok(())
    }

    fn firing(&self, open: &[Alert]) {
        for rule in Rule::ALL {
            let firing = open.iter().filter(|alert| alert.rule == *rule).count();
            self.alerts_firing.set(rule.as_str(), firing as u64);
        }
    }
}
