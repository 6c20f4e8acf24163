//! Settling claimed items: each by its own outcome, all in one transaction.

use sea_orm::ActiveValue::Set;

use super::{
    edges::{self, Edges},
    lock,
    release::request_delivery,
    remarks,
    settled::{Attempt, Settled, SettledState},
    writers,
};
use crate::{
    clock::Timestamp,
    model::{ItemState, Kind, Lane, RecordKey},
    store::{
        Store, StoreError,
        brake::forget_delivered,
        bulk,
        entity::{sync_attempt, sync_item::ActiveModel},
    },
};

impl Store {
    /// Settles items that were claimed under `lease`. Items no longer under it belong to another worker, which may have
    /// delivered something newer before this delivery arrived: they are delivered again.
    ///
    /// An item whose revision rose since the claim becomes pending again.
    ///
    /// Returns whether anything changed that other records' deliveries read of these, so that [`Store::judge_readers`]
    /// has something to do.
    pub async fn settle(
        &self,
        destination: &str,
        lease: &str,
        settled: &[Settled],
        edges: &Edges,
        now: Timestamp,
        repeat_ms: i64,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin_immediate().await?;
        let settled = &writers::one_each(&transaction, destination, settled).await?;
        let mut in_order: Vec<&Settled> = settled.iter().collect();
        in_order.sort_unstable_by_key(|settled| lock::order(&settled.item.key));
        let changed = edges::note_changes(&transaction, (destination, lease), settled, &edges.readings).await?;
        let changed = edges::note_moved(&transaction, (destination, lease), settled, &edges.moved).await? || changed;
        let rows = in_order
            .iter()
            .map(|settled| ActiveModel {
                read_digest: Set(edges.digest_of(settled.item.key)),
                judge_at: Set(edges.moment_of(settled.item.key).map(|at| at.0)),
                ..row(destination, lease, settled, now, repeat_ms)
            })
            .collect();
        let held = bulk::insert(&transaction, rows, SETTLING).await?;
        if held < settled.len() as u64 {
            // Redeliver all of them rather than find out which lost the lease: only a stalled process gets here. This
            // locks no additional rows.
            let tried = settled.iter().filter(|settled| settled.attempt.is_some());
            let keys: Vec<RecordKey> = tried.map(|settled| settled.item.key).collect();
            request_delivery(&transaction, destination, &keys, now).await?;
        }
        writers::release_linked(&transaction, destination, settled, now).await?;
        let delivered = settled.iter().filter(|settled| settled.item.brake && delivers(settled));
        let delivered: Vec<RecordKey> = delivered.map(|of| of.item.key).collect();
        forget_delivered(&transaction, destination, &delivered).await?;
        let attempts = settled.iter().filter_map(|settled| attempt_of(destination, settled)).collect();
        bulk::insert(&transaction, attempts, "").await?;
        transaction.commit().await?;
        // Two workers may settle at the same time an item that arrives and one that waits for it, and neither sees the
        // other's uncommitted change. So both look after their commit: the later one sees the other.
        let waits_for: Vec<RecordKey> = settled.iter().filter_map(waits_for).collect();
        let (mut arrived, mut left_out) = self.arrived(destination, &waits_for).await?;
        arrived.extend(settled.iter().filter(|settled| arrives(settled)).map(|settled| settled.item.key));
        left_out.extend(settled.iter().filter(|settled| is_left_out(settled)).map(|settled| settled.item.key));
        self.release_waiting(destination, &arrived, now).await?;
        self.release_parked(destination, &left_out, now).await?;
        let failed = settled.iter().filter(|settled| is_referred_to(settled) && fails(settled));
        let failed: Vec<RecordKey> = failed.map(|settled| settled.item.key).collect();
        self.release_left_out(destination, &failed, now).await?;
        self.release_blocked(destination, settled, now).await?;
        Ok(changed)
    }

    /// Adds attempts for items whose worker died.
    pub async fn add_lost_attempts(
        &self,
        destination: &str,
        keys: &[RecordKey],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let rows: Vec<_> = keys
            .iter()
            .map(|key| {
                let message = "The process that delivered it died before the answer came.";
                let attempt = Attempt {
                    started_at: now,
                    duration_ms: 0,
                    outcome: "lost".to_owned(),
                    code: Some("worker_lost".to_owned()),
                    message: Some(message.to_owned()),
                };
                attempt_row(destination, *key, 0, &attempt, None)
            })
            .collect();
        bulk::insert(&self.write, rows, "").await?;
        Ok(())
    }
}

/// Whether the destination has the record as it is now, and nothing keeps it from being delivered.
fn delivers(Settled { state, reason, .. }: &Settled) -> bool {
    matches!(state, SettledState::Synced { .. }) && reason.is_none()
}

/// Whether a record that others may wait for reached the destination for the first time, or under a new id; perhaps by an
/// earlier attempt.
fn arrives(settled: &Settled) -> bool {
    let Settled { item, state, .. } = settled;
    let is_new = |id| item.remote_id.as_ref() != Some(id) || item.attempts > 0;
    is_referred_to(settled) && matches!(state, SettledState::Synced { remote_id: Some(id), .. } if is_new(id))
}

/// Whether it needs a person.
fn fails(settled: &Settled) -> bool {
    matches!(settled.state, SettledState::Failed | SettledState::Gone)
}

/// Whether others may wait for the record.
fn is_referred_to(settled: &Settled) -> bool {
    matches!(settled.item.key.kind, Kind::User | Kind::Course)
}

/// Whether others may wait for the record, which is not delivered.
fn is_left_out(settled: &Settled) -> bool {
    is_referred_to(settled) && matches!(settled.state, SettledState::Synced { remote_id: None, .. })
}

/// The other record whose arrival would change the decision.
fn waits_for(settled: &Settled) -> Option<RecordKey> {
    match &settled.state {
        SettledState::Parked { waits_for } => Some(*waits_for),
        SettledState::Synced { waits_for, .. } => *waits_for,
        SettledState::Pending { .. } | SettledState::Failed | SettledState::Gone => None,
    }
}

fn row(destination: &str, lease: &str, settled: &Settled, now: Timestamp, repeat_ms: i64) -> ActiveModel {
    let Settled { item, state, reason, .. } = settled;
    let (code, words) = reason.clone().unzip();
    let attempts = i32::try_from(item.attempts).unwrap_or(i32::MAX);
    let tried = attempts.saturating_add(i32::from(settled.attempt.is_some()));
    let mut row = ActiveModel {
        destination: Set(destination.to_owned()),
        site_id: Set(item.key.site_id),
        kind: Set(item.key.kind.as_str().to_owned()),
        moodle_id: Set(item.key.moodle_id.0),
        revision: Set(item.revision),
        // Only for the insert's columns; an existing row keeps its own.
        changed_at: Set(now.0),
        due_at: Set(now.0),
        attempts: Set(attempts),
        lease: Set(Some(lease.to_owned())),
        lease_until: Set(None),
        remote_id: Set(item.remote_id.clone()),
        linked: Set(item.linked),
        digest: Set(item.digest.clone()),
        synced_at: Set(None),
        waits_kind: Set(None),
        waits_id: Set(None),
        code: Set(code),
        reason: Set(words),
        remarks: Set(remarks::write(&settled.remarks)),
        remote_modified_at: Set(settled.written_at.map(|at| at.0)),
        ..Default::default()
    };
    let (name, waits_for) = match state {
        SettledState::Synced { remote_id, digest, linked, waits_for } => {
            row.remote_id = Set(remote_id.clone());
            row.linked = Set(*linked);
            row.digest = Set(digest.clone());
            row.synced_at = Set(Some(now.0));
            // An earlier attempt may have reached the destination anyway, which matters to other records that stand for
            // the same thing.
            if remote_id.is_some() || settled.attempt.is_some() {
                row.attempts = Set(0);
            }
            row.due_at = Set(now.0.saturating_add(repeat_ms));
            (ItemState::Synced, *waits_for)
        }
        SettledState::Parked { waits_for } => (ItemState::Parked, Some(*waits_for)),
        SettledState::Pending { due_at } => {
            row.due_at = Set(due_at.0);
            row.digest = Set(None);
            row.attempts = Set(tried);
            (ItemState::Pending, None)
        }
        SettledState::Failed => {
            row.digest = Set(None);
            row.attempts = Set(tried);
            (ItemState::Failed, settled.blocked_by())
        }
        SettledState::Gone => {
            // No attempt can have made another one.
            (row.remote_id, row.linked, row.digest) = (Set(None), Set(false), Set(None));
            row.attempts = Set(0);
            (ItemState::Failed, None)
        }
    };
    let known = row.remote_id.as_ref().is_some();
    row.lane = Set(Lane::of(item.key.kind, known).number());
    row.state = Set(name.as_str().to_owned());
    row.waits_kind = Set(waits_for.map(|key| key.kind.as_str().to_owned()));
    row.waits_id = Set(waits_for.map(|key| key.moodle_id.0));
    row
}

/// Replaces everything but the time of the change, if the lease still holds.
///
/// While it was being delivered, another item may have taken the remote record over, and something else may have been
/// delivered: see `Store::request_delivery`.
const SETTLING: &str = "ON CONFLICT (destination, site_id, kind, moodle_id) DO UPDATE SET \
    lane = excluded.lane, due_at = excluded.due_at, attempts = excluded.attempts, remote_id = excluded.remote_id, \
    waits_kind = excluded.waits_kind, waits_id = excluded.waits_id, code = excluded.code, reason = excluded.reason, \
    remarks = excluded.remarks, judge_at = excluded.judge_at, lease = NULL, lease_until = NULL, \
    state = CASE WHEN sync_items.revision = excluded.revision THEN excluded.state ELSE 'pending' END, \
    linked = CASE WHEN sync_items.revision = excluded.revision THEN excluded.linked \
    ELSE (excluded.linked OR sync_items.linked) END, \
    digest = CASE WHEN sync_items.revision = excluded.revision THEN excluded.digest ELSE NULL END, \
    read_digest = COALESCE(excluded.read_digest, sync_items.read_digest), \
    synced_at = COALESCE(excluded.synced_at, sync_items.synced_at), \
    remote_modified_at = COALESCE(excluded.remote_modified_at, sync_items.remote_modified_at) \
    WHERE sync_items.lease = excluded.lease";

fn attempt_of(destination: &str, settled: &Settled) -> Option<sync_attempt::ActiveModel> {
    let Settled { item, state, attempt, .. } = settled;
    let remote_id = match state {
        SettledState::Synced { remote_id, .. } => remote_id.clone(),
        _ => item.remote_id.clone(),
    };
    Some(attempt_row(destination, item.key, item.revision, attempt.as_ref()?, remote_id))
}

fn attempt_row(
    destination: &str,
    key: RecordKey,
    revision: i64,
    attempt: &Attempt,
    remote_id: Option<String>,
) -> sync_attempt::ActiveModel {
    sync_attempt::ActiveModel {
        destination: Set(destination.to_owned()),
        site_id: Set(key.site_id),
        kind: Set(key.kind.as_str().to_owned()),
        moodle_id: Set(key.moodle_id.0),
        revision: Set(revision),
        started_at: Set(attempt.started_at.0),
        duration_ms: Set(attempt.duration_ms),
        outcome: Set(attempt.outcome.clone()),
        code: Set(attempt.code.clone()),
        message: Set(attempt.message.clone()),
        remote_id: Set(remote_id),
        ..Default::default()
    }
}
