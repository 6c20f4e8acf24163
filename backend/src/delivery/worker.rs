//! A worker: delivers the items of one claim, renews their lease meanwhile, and settles them.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::Poll,
    time::Instant,
};

use super::{Delivery, DeliverySettings, Destination, DestinationFailure};
use crate::{
    activity::{ActivityKind, subject_destination},
    clock::{Clock, Timestamp},
    limits,
    metrics::{Counters, DeliveryOutcome},
    model::{Kind, RecordKey},
    store::{Claimed, Hold, Settled, SettledState, Store, StoreError},
};

pub(super) struct Worker<D> {
    pub(super) store: Store,
    pub(super) destination: Arc<D>,
    pub(super) settings: DeliverySettings,
    pub(super) counters: Counters,
    pub(super) clock: Clock,
    pub(super) lease: String,
    /// Until when the items were claimed.
    pub(super) lease_until: Timestamp,
    /// The hold that its item is to try.
    pub(super) trial: Option<Hold>,
}

/// What a worker reports to the dispatcher.
#[derive(Default)]
pub(super) struct Report {
    /// A failure that concerns more than its items.
    pub(super) failure: Option<DestinationFailure>,
    /// Whether the destination answered a call.
    pub(super) answered: bool,
    /// Whether the destination took or refused a record.
    pub(super) took: bool,
    /// The kind of its items.
    pub(super) kind: Option<Kind>,
    /// The hold that its item was to try.
    pub(super) trial: Option<Hold>,
    /// Whether what other records read of its items changed.
    pub(super) readers_left: bool,
}

impl<D: Destination> Worker<D> {
    pub(super) async fn run(self, items: Vec<Claimed>) -> Report {
        let (count, kind) = (items.len(), items.first().map(|item| item.key.kind));
        let keys: Vec<RecordKey> = items.iter().map(|item| item.key).collect();
        let started = self.clock.now();
        self.counters.metrics.delivery.claimed(D::NAME, count);
        let until = AtomicI64::new(self.lease_until.0);
        // In this order: a process that stood still makes no further call before it has looked at the lease.
        let delivery = tokio::select! {
            biased;
            () = self.lease_ran_out(&until) => return self.give_up_lease(&keys).await,
            () = self.keep_lease(&until) => return self.give_up_lease(&keys).await,
            delivery = self.destination.deliver(items) => delivery,
        };
        let answered = delivery.settled.iter().any(|settled| settled.attempt.is_some());
        let is_final = |state: &SettledState| !matches!(state, SettledState::Pending { .. });
        let took = delivery.settled.iter().any(|settled| settled.attempt.is_some() && is_final(&settled.state));
        self.log(&delivery, count, kind, started);
        if let Some(kind) = kind {
            self.count(&delivery, count, kind);
        }
        // Retry for as long as the lease may hold; after that, another worker has the items.
        let deadline = tokio::time::Instant::now() + self.settings.lease;
        let readers_left = loop {
            let error = match self.save(&delivery, count).await {
                Ok(changed) => break changed,
                Err(error) => error,
            };
            self.counters.metrics.ingest.database_error("delivery");
            tracing::error!(%error, destination = D::NAME, items = count, "could not settle delivered items");
            if tokio::time::Instant::now() >= deadline {
                break false;
            }
            tokio::time::sleep(limits::SYNC_ERROR_WAIT).await;
        };
        Report { failure: delivery.failure, answered, took, kind, trial: self.trial, readers_left }
    }

    /// Looks at the clock whenever the delivery is about to go on; returns when the lease has run out, because this
    /// process stood still, or could not renew it.
    async fn lease_ran_out(&self, until: &AtomicI64) {
        let is_over = || self.clock.now().0 > until.load(Ordering::Relaxed);
        poll_fn(|_| if is_over() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Renews the lease; returns when another worker has the items.
    async fn keep_lease(&self, lease_until: &AtomicI64) {
        loop {
            tokio::time::sleep(self.settings.lease / 3).await;
            let until = self.clock.now().after(self.settings.lease);
            match self.store.extend_lease(D::NAME, &self.lease, until).await {
                Ok(0) => return,
                Ok(_) => lease_until.store(until.0, Ordering::Relaxed),
                Err(error) => tracing::warn!(%error, destination = D::NAME, "could not renew a lease"),
            }
        }
    }

    /// Another worker has the items, or may have them. What this one has sent may arrive after what that one sends, so they must be
    /// delivered again.
    async fn give_up_lease(&self, keys: &[RecordKey]) -> Report {
        tracing::warn!(
            destination = D::NAME,
            items = keys.len(),
            "lost a lease while delivering; the items are delivered again"
        );
        if let Err(error) = self.store.request_delivery(D::NAME, keys, self.clock.now()).await {
            tracing::error!(%error, destination = D::NAME, "could not mark the items of a lost lease");
        }
        Report::default()
    }

    /// Returns whether what other records read of these items changed.
    async fn save(&self, delivery: &Delivery, count: usize) -> Result<bool, StoreError> {
        let Delivery { settled, redeliver, reconsider, edges, .. } = delivery;
        let (now, started) = (self.clock.now(), Instant::now());
        // Before settling: if the process dies in between, the items are delivered again, and so is this.
        self.store.request_delivery(D::NAME, redeliver, now).await?;
        self.store.reconsider(D::NAME, reconsider, now).await?;
        let repeat_ms = i64::try_from(self.settings.repeat.as_millis()).unwrap_or(i64::MAX);
        let written = self.store.settle(D::NAME, &self.lease, settled, edges, now, repeat_ms).await;
        self.counters.metrics.ingest.write("delivery", started.elapsed());
        let changed = written?;
        if settled.len() < count {
            self.store.release_claimed(D::NAME, &self.lease, now).await?;
        }
        Ok(changed)
    }

    fn log(&self, delivery: &Delivery, count: usize, kind: Option<Kind>, started: Timestamp) {
        let of = |is: fn(&SettledState) -> bool| delivery.settled.iter().filter(|s| is(&s.state)).count();
        let synced = of(|state| matches!(state, SettledState::Synced { .. }));
        let parked = of(|state| matches!(state, SettledState::Parked { .. }));
        let retried = of(|state| matches!(state, SettledState::Pending { .. }));
        let failed = of(|state| matches!(state, SettledState::Failed | SettledState::Gone));
        let duration_ms = u64::try_from(self.clock.now().since(started).as_millis()).unwrap_or(u64::MAX);
        let kind = kind.map(Kind::as_str);
        tracing::info!(
            destination = D::NAME,
            kind,
            synced,
            parked,
            retried,
            failed,
            given_back = count - delivery.settled.len().min(count),
            duration_ms,
            "📤 Delivered"
        );
    }

    /// Counts the items by outcome, and observes the delays of those that were delivered.
    fn count(&self, delivery: &Delivery, claimed: usize, kind: Kind) {
        let (now, metrics) = (self.clock.now(), &self.counters.metrics.delivery);
        let (mut outcomes, mut delays) = (BTreeMap::<_, u64>::new(), BTreeMap::<_, u64>::new());
        for settled in &delivery.settled {
            let outcome = outcome(settled);
            *outcomes.entry(outcome).or_default() += 1;
            if outcome == DeliveryOutcome::Delivered {
                let delay = now.since(settled.item.changed_at);
                metrics.delayed(D::NAME, delay);
                let ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
                *delays.entry(ActivityKind::delay(ms)).or_default() += 1;
            }
        }
        let given_back = claimed.saturating_sub(delivery.settled.len());
        outcomes.insert(DeliveryOutcome::GivenBack, given_back as u64);
        for (outcome, count) in outcomes {
            metrics.ended(D::NAME, kind, outcome, count);
            let counted = match outcome {
                DeliveryOutcome::Delivered => ActivityKind::Delivered,
                DeliveryOutcome::Retried => ActivityKind::Retried,
                DeliveryOutcome::Failed => ActivityKind::Failed,
                _ => continue,
            };
            self.counters.activity.add(now, subject_destination(D::NAME), counted, count);
        }
        for (counted, count) in delays {
            self.counters.activity.add(now, subject_destination(D::NAME), counted, count);
        }
    }
}

fn outcome(settled: &Settled) -> DeliveryOutcome {
    match settled.state {
        SettledState::Synced { .. } if settled.attempt.is_some() => DeliveryOutcome::Delivered,
        SettledState::Synced { .. } => DeliveryOutcome::LeftAlone,
        SettledState::Parked { .. } => DeliveryOutcome::Parked,
        SettledState::Pending { .. } => DeliveryOutcome::Retried,
        SettledState::Failed | SettledState::Gone => DeliveryOutcome::Failed,
    }
}
