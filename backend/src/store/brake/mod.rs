//! The brake: effects that cannot be undone are counted per site before they happen, and those above a limit wait for a
//! person.
//!
//! An effect is counted in a transaction of its own before its call. A process that dies in between has counted what it
//! did not do, never done what it did not count; when the record is delivered again, it is not counted twice.

mod decide;
mod judge;
mod list;

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Value};

pub use decide::{BrakeDecision, BrakeDone};
pub use judge::{BrakeForecast, BrakeVerdict};
pub use list::{BrakeApproval, BrakeCount, BrakedRecord};

use super::{
    Store, StoreError, bulk,
    sql::{count, execute, query},
    sync_items::{among, by_site_and_kind},
};
use crate::{
    clock::Timestamp,
    model::{Effect, RecordKey},
};

/// How much of what cannot be undone is ordinary, per site and effect. Above it, a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrakeLimits {
    /// This many are ordinary at any site.
    pub minimum: u64,
    /// This percentage of the site's people at the destination is, too.
    pub percent: u64,
    /// Within this time. Zero turns the brake off.
    pub window: Duration,
}

impl BrakeLimits {
    /// Whether nothing is braked.
    pub fn is_off(&self) -> bool {
        self.window.is_zero()
    }

    /// What was done until then no longer counts.
    fn begin(&self, now: Timestamp) -> Timestamp {
        now.before(self.window)
    }

    /// How many are ordinary at a site with so many people at the destination.
    pub fn of(&self, people: u64) -> u64 {
        if self.is_off() { u64::MAX } else { self.minimum.max(people.saturating_mul(self.percent) / 100) }
    }
}

/// An effect that a record is about to have at the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntendedEffect {
    /// The record.
    pub key: RecordKey,
    /// The effect.
    pub effect: Effect,
    /// What it is about: the remote record; empty while that is unknown.
    pub subject: String,
}

/// What became of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum EffectState {
    /// Counted; its call follows.
    Done,
    /// It waits for a person.
    Waiting,
    /// A person approved it; it is done when its record is delivered next.
    Approved,
    /// A person decided that it does not happen.
    Excepted,
}

impl EffectState {
    fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Serialises what is counted and decided about these sites until the end of the transaction.
async fn lock_sites(transaction: &impl ConnectionTrait, mut sites: Vec<i64>) -> Result<(), StoreError> {
    if transaction.get_database_backend() != DbBackend::Postgres {
        // One writer at a time.
        return Ok(());
    }
    sites.sort_unstable();
    sites.dedup();
    let places = vec!["?"; sites.len()].join(", ");
    // Not against those who only refer to the site.
    let sql = format!("SELECT id FROM sites WHERE id IN ({places}) ORDER BY id FOR NO KEY UPDATE");
    query(transaction, &sql, sites.into_iter().map(Value::from).collect()).await?;
    Ok(())
}

/// How many people of a site are at a destination, or at any.
async fn people_there(
    connection: &impl ConnectionTrait,
    destination: Option<&str>,
    site_id: i64,
) -> Result<u64, StoreError> {
    let people = "site_id = ? AND kind = 'user' AND remote_id IS NOT NULL AND NOT linked";
    match destination {
        Some(destination) => {
            let sql = format!("SELECT count(*) AS count FROM sync_items WHERE destination = ? AND {people}");
            count(connection, &sql, vec![destination.into(), site_id.into()]).await
        }
        None => {
            let sql = format!("SELECT count(*) AS count FROM sync_items WHERE {people}");
            count(connection, &sql, vec![site_id.into()]).await
        }
    }
}

/// How many effects of a kind were done at a site in the window that no person approved.
async fn effects_done(
    connection: &impl ConnectionTrait,
    destination: &str,
    (site_id, effect): (i64, Effect),
    since: Timestamp,
) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) AS count FROM brake_effects WHERE destination = ? AND site_id = ? AND effect = ? \
               AND state = 'done' AND at > ? AND NOT approved";
    count(connection, sql, vec![destination.into(), site_id.into(), effect.as_str().into(), since.0.into()]).await
}

/// How many erasures of a site began in the window that no person approved.
async fn erasures_begun(connection: &impl ConnectionTrait, site_id: i64, since: Timestamp) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) AS count FROM erasures WHERE site_id = ? AND begun_at > ? AND approved_by IS NULL";
    count(connection, sql, vec![site_id.into(), since.0.into()]).await
}

/// Uses one of the effects that a person approved ahead; returns who did. The site is locked.
async fn use_approval(
    transaction: &impl ConnectionTrait,
    site_id: i64,
    effect: Effect,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let sql = "UPDATE brake_approvals SET used = used + 1 WHERE id = (SELECT id FROM brake_approvals WHERE site_id = ? \
               AND (effect IS NULL OR effect = ?) AND until_at > ? AND used < number ORDER BY until_at, id LIMIT 1) \
               RETURNING decided_by";
    let rows = query(transaction, sql, vec![site_id.into(), effect.as_str().into(), now.0.into()]).await?;
    Ok(rows.first().map(|row| row.try_get("", "decided_by")).transpose()?)
}

/// Whether an erasure may begin; otherwise it waits for a person. The caller holds the writers' lock.
pub(super) async fn brake_erasure(
    transaction: &impl ConnectionTrait,
    (id, site_id): (i64, i64),
    limits: &BrakeLimits,
    now: Timestamp,
) -> Result<bool, StoreError> {
    lock_sites(transaction, vec![site_id]).await?;
    let sql = "SELECT braked_at, approved_by FROM erasures WHERE id = ?";
    let rows = query(transaction, sql, vec![id.into()]).await?;
    let Some(row) = rows.first() else { return Ok(true) };
    let (braked_at, approved_by): (Option<i64>, Option<String>) =
        (row.try_get("", "braked_at")?, row.try_get("", "approved_by")?);
    if approved_by.is_some() || limits.is_off() {
        return Ok(true);
    }
    if braked_at.is_none() {
        let begun = erasures_begun(transaction, site_id, limits.begin(now)).await?;
        if begun < limits.minimum || begun < limits.of(people_there(transaction, None, site_id).await?) {
            return Ok(true);
        }
    }
    if let Some(by) = use_approval(transaction, site_id, Effect::Erasure, now).await? {
        let sql = "UPDATE erasures SET approved_by = ?, braked_at = NULL WHERE id = ?";
        execute(transaction, sql, vec![by.into(), id.into()]).await?;
        return Ok(true);
    }
    let sql = "UPDATE erasures SET braked_at = COALESCE(braked_at, ?) WHERE id = ?";
    execute(transaction, sql, vec![now.0.into(), id.into()]).await?;
    Ok(false)
}

/// Forgets what waited or was decided about records that were delivered: they are not gone, or adopted already. If they
/// are deleted again, that is another deletion.
pub(super) async fn forget_delivered(
    transaction: &impl ConnectionTrait,
    destination: &str,
    delivered: &[RecordKey],
) -> Result<(), StoreError> {
    let open = "SELECT 1 FROM brake_effects WHERE destination = ? AND state <> 'done' LIMIT 1";
    if query(transaction, open, vec![destination.into()]).await?.is_empty() {
        return Ok(());
    }
    for ((site_id, kind), ids) in by_site_and_kind(delivered) {
        for list in bulk::key_lists(&ids) {
            let (condition, values) = among(destination, site_id, kind, "kind", "moodle_id", list);
            let sql = format!("DELETE FROM brake_effects WHERE {condition} AND state <> 'done'");
            execute(transaction, &sql, values).await?;
        }
    }
    Ok(())
}

impl Store {
    /// Deletes what the brake no longer needs: effects that were done and approvals that ended before `before`, and what
    /// is no longer about a record that waits or is an exception. At most `limit` of each; returns the most of them.
    pub async fn prune_brake(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let key = "destination, site_id, kind, moodle_id, effect";
        let old = "at < ? AND (state = 'done' OR NOT EXISTS (SELECT 1 FROM sync_items i \
                   WHERE i.destination = brake_effects.destination AND i.site_id = brake_effects.site_id \
                   AND i.kind = brake_effects.kind AND i.moodle_id = brake_effects.moodle_id \
                   AND (i.state IN ('pending', 'in_flight') OR i.code IN ('braked_' || effect, 'excepted_' || effect))))";
        let sql =
            format!("DELETE FROM brake_effects WHERE ({key}) IN (SELECT {key} FROM brake_effects WHERE {old} LIMIT ?)");
        let effects = execute(&self.write, &sql, vec![before.0.into(), limit.into()]).await?;
        let sql = "DELETE FROM brake_approvals WHERE id IN (SELECT id FROM brake_approvals WHERE until_at < ? LIMIT ?)";
        let approvals = execute(&self.write, sql, vec![before.0.into(), limit.into()]).await?;
        Ok(effects.max(approvals))
    }
}
