//! What the brake counted, what waits, and what was decided.

use std::collections::BTreeMap;

use sea_orm::{QueryResult, Value};

use super::{BrakeLimits, EffectState, effects_done, erasures_begun, people_there};
use crate::{
    clock::Timestamp,
    model::{Effect, Id, Kind, RecordKey},
    store::{
        Store, StoreError,
        sql::{key_of, query, word},
    },
};

/// Effects of one kind at one site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrakeCount {
    /// Done in the window, without what a person approved.
    pub done: u64,
    /// How many are ordinary; 0 unless asked for.
    pub limit: u64,
    /// Waiting for a person.
    pub waiting: u64,
    /// Since when the oldest waits.
    pub since: Option<Timestamp>,
    /// Exceptions by a person's decision.
    pub excepted: u64,
}

/// A record, or a person to be erased, that waits or is an exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrakedRecord {
    /// The record; of an erasure: the person.
    pub key: RecordKey,
    /// The effect.
    pub effect: Effect,
    /// Since when.
    pub at: Timestamp,
    /// Who decided.
    pub by: Option<String>,
}

/// What a person approved ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrakeApproval {
    /// The site.
    pub site_id: i64,
    /// Only this effect.
    pub effect: Option<Effect>,
    /// How many.
    pub number: u64,
    /// How many were used.
    pub used: u64,
    /// Until when.
    pub until: Timestamp,
    /// Who approved.
    pub by: String,
}

/// SQL that joins an effect's item, if that still waits or is an exception because of it, or is judged just now. What a
/// later event made harmless is left.
pub(super) const CONCERNED: &str = "JOIN sync_items i ON i.destination = e.destination AND i.site_id = e.site_id \
    AND i.kind = e.kind AND i.moodle_id = e.moodle_id AND (i.state IN ('pending', 'in_flight') \
    OR (e.state = 'waiting' AND i.state = 'failed' AND i.code = 'braked_' || e.effect) \
    OR (e.state = 'excepted' AND i.state = 'synced' AND i.code = 'excepted_' || e.effect))";

impl Store {
    /// What waits and what was excepted at any destination, by site and effect; only where there is any.
    pub async fn braked(&self) -> Result<BTreeMap<(i64, Effect), BrakeCount>, StoreError> {
        let mut counts: BTreeMap<(i64, Effect), BrakeCount> = BTreeMap::new();
        let sql = format!(
            "SELECT e.site_id AS site_id, e.effect AS effect, e.state AS state, count(*) AS count, min(e.at) AS since \
             FROM brake_effects e {CONCERNED} WHERE e.state IN ('waiting', 'excepted') \
             GROUP BY e.site_id, e.effect, e.state"
        );
        for row in query(&self.read, &sql, vec![]).await? {
            let entry = counts.entry((row.try_get("", "site_id")?, word(&row, "effect")?)).or_default();
            let count = row.try_get::<i64>("", "count")?.unsigned_abs();
            if word::<EffectState>(&row, "state")? == EffectState::Waiting {
                (entry.waiting, entry.since) = (count, row.try_get::<Option<i64>>("", "since")?.map(Timestamp));
            } else {
                entry.excepted = count;
            }
        }
        let sql = "SELECT site_id, count(*) AS count, min(braked_at) AS since FROM erasures \
                   WHERE state = 'requested' AND braked_at IS NOT NULL GROUP BY site_id";
        for row in query(&self.read, sql, vec![]).await? {
            let entry = counts.entry((row.try_get("", "site_id")?, Effect::Erasure)).or_default();
            entry.waiting = row.try_get::<i64>("", "count")?.unsigned_abs();
            entry.since = row.try_get::<Option<i64>>("", "since")?.map(Timestamp);
        }
        Ok(counts)
    }

    /// The same for each effect at one site, with what was done in the window and how much is ordinary.
    pub async fn brake_counts(
        &self,
        destination: &str,
        site_id: i64,
        limits: BrakeLimits,
        now: Timestamp,
    ) -> Result<Vec<(Effect, BrakeCount)>, StoreError> {
        let mut braked = self.braked().await?;
        let (since, mut counts) = (limits.begin(now), Vec::new());
        let limit = limits.of(people_there(&self.read, Some(destination), site_id).await?);
        for effect in Effect::ALL.iter().copied() {
            let count = braked.remove(&(site_id, effect)).unwrap_or_default();
            let done = match effect {
                Effect::Erasure => erasures_begun(&self.read, site_id, since).await?,
                _ => effects_done(&self.read, destination, (site_id, effect), since).await?,
            };
            counts.push((effect, BrakeCount { done, limit, ..count }));
        }
        Ok(counts)
    }

    /// What waits at a site, or is an exception there: the first of one effect, the oldest first.
    pub async fn braked_records(
        &self,
        destination: &str,
        (site_id, effect): (i64, Effect),
        excepted: bool,
        limit: u64,
    ) -> Result<Vec<BrakedRecord>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        if effect == Effect::Erasure {
            return if excepted { Ok(Vec::new()) } else { self.braked_erasures(site_id, limit).await };
        }
        let state = if excepted { EffectState::Excepted } else { EffectState::Waiting };
        let sql = format!(
            "SELECT e.site_id AS site_id, e.kind AS kind, e.moodle_id AS moodle_id, e.at AS at, e.decided_by AS decided_by \
             FROM brake_effects e {CONCERNED} WHERE e.destination = ? AND e.site_id = ? AND e.effect = ? AND e.state = ? \
             ORDER BY e.at, e.kind, e.moodle_id LIMIT ?"
        );
        let values: Vec<Value> =
            vec![destination.into(), site_id.into(), effect.as_str().into(), state.as_str().into(), limit.into()];
        let record = |row: &QueryResult| {
            let (key, at) = (key_of(row)?, Timestamp(row.try_get("", "at")?));
            Ok(BrakedRecord { key, effect, at, by: row.try_get("", "decided_by")? })
        };
        query(&self.read, &sql, values).await?.iter().map(record).collect()
    }

    async fn braked_erasures(&self, site_id: i64, limit: i64) -> Result<Vec<BrakedRecord>, StoreError> {
        let sql = "SELECT moodle_id, braked_at FROM erasures WHERE site_id = ? AND state = 'requested' \
                   AND braked_at IS NOT NULL ORDER BY braked_at, id LIMIT ?";
        let record = |row: &QueryResult| {
            let key = RecordKey { kind: Kind::User, site_id, moodle_id: Id(row.try_get("", "moodle_id")?) };
            let at = Timestamp(row.try_get("", "braked_at")?);
            Ok(BrakedRecord { key, effect: Effect::Erasure, at, by: None })
        };
        query(&self.read, sql, vec![site_id.into(), limit.into()]).await?.iter().map(record).collect()
    }

    /// What people approved ahead that has not ended.
    pub async fn brake_approvals(&self, now: Timestamp) -> Result<Vec<BrakeApproval>, StoreError> {
        let sql = "SELECT site_id, effect, number, used, until_at, decided_by FROM brake_approvals WHERE until_at > ? \
                   ORDER BY until_at, id";
        let approval = |row: &QueryResult| {
            let effect: Option<String> = row.try_get("", "effect")?;
            Ok(BrakeApproval {
                site_id: row.try_get("", "site_id")?,
                effect: effect.map(|_| word(row, "effect")).transpose()?,
                number: row.try_get::<i64>("", "number")?.unsigned_abs(),
                used: row.try_get::<i64>("", "used")?.unsigned_abs(),
                until: Timestamp(row.try_get("", "until_at")?),
                by: row.try_get("", "decided_by")?,
            })
        };
        query(&self.read, sql, vec![now.0.into()]).await?.iter().map(approval).collect()
    }
}
