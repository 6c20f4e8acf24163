//! Which intended effects may happen now.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::{BrakeLimits, EffectState, IntendedEffect, effects_done, lock_sites, people_there};
use crate::{
    clock::Timestamp,
    model::{Effect, RecordKey},
    store::{
        Store, StoreError, bulk,
        sql::{execute, key_of, query, word},
        sync_items::{among, by_site_and_kind},
    },
};

/// What the brake says about an intended effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrakeVerdict {
    /// It is counted and may happen.
    Go,
    /// It waits for a person.
    Waits {
        /// Effects of its kind in the window.
        done: u64,
        /// How many are ordinary.
        limit: u64,
    },
    /// A person decided that it does not happen.
    Excepted {
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
}

/// What is stored about one effect on one record.
#[derive(Clone)]
struct Known {
    subject: String,
    state: EffectState,
    at: Timestamp,
    by: Option<String>,
}

/// What was done at a site, and how much is ordinary.
#[derive(Clone, Copy)]
struct Tally {
    done: u64,
    limit: u64,
    /// Whether the limit takes the site's people into account. Counting them reads all of them.
    exact: bool,
}

/// What a person approved ahead and is not used yet.
struct OpenApproval {
    id: i64,
    site_id: i64,
    effect: Option<Effect>,
    left: u64,
    used: u64,
}

/// A new state of an effect.
struct Changed {
    intended: IntendedEffect,
    state: EffectState,
    approved: bool,
}

/// Judges effects. For a plan it reads, and counts on from one part of the plan to the next; nothing is stored.
pub struct BrakeForecast {
    limits: BrakeLimits,
    now: Timestamp,
    known: HashMap<(RecordKey, Effect), Known>,
    tallies: BTreeMap<(i64, Effect), Tally>,
    approvals: Option<Vec<OpenApproval>>,
    changed: Vec<Changed>,
}

impl BrakeForecast {
    /// A forecast of what happens now.
    pub fn new(limits: BrakeLimits, now: Timestamp) -> Self {
        let (known, tallies) = (HashMap::new(), BTreeMap::new());
        Self { limits, now, known, tallies, approvals: None, changed: Vec::new() }
    }

    async fn load(
        &mut self,
        connection: &impl ConnectionTrait,
        destination: &str,
        intended: &[IntendedEffect],
    ) -> Result<(), StoreError> {
        let keys: Vec<RecordKey> = intended.iter().map(|intended| intended.key).collect();
        for ((site_id, kind), ids) in by_site_and_kind(&keys) {
            for list in bulk::key_lists(&ids) {
                let (condition, values) = among(destination, site_id, kind, "kind", "moodle_id", list);
                let sql = format!(
                    "SELECT site_id, kind, moodle_id, effect, subject, state, at, decided_by FROM brake_effects WHERE {condition}"
                );
                for row in query(connection, &sql, values).await? {
                    let (of, known) = known_of(&row)?;
                    self.known.insert(of, known);
                }
            }
        }
        let mut coming: BTreeMap<(i64, Effect), u64> = BTreeMap::new();
        for IntendedEffect { key, effect, .. } in intended {
            *coming.entry((key.site_id, *effect)).or_default() += 1;
        }
        for (place, coming) in coming {
            let tally = self.tally(connection, destination, place, coming).await?;
            self.tallies.insert(place, tally);
        }
        if self.approvals.is_none() {
            self.approvals = Some(open_approvals(connection, self.now).await?);
        }
        Ok(())
    }

    async fn tally(
        &self,
        connection: &impl ConnectionTrait,
        destination: &str,
        (site_id, effect): (i64, Effect),
        coming: u64,
    ) -> Result<Tally, StoreError> {
        if self.limits.is_off() {
            return Ok(Tally { done: 0, limit: u64::MAX, exact: true });
        }
        let mut tally = match self.tallies.get(&(site_id, effect)) {
            Some(tally) => *tally,
            None => {
                let done =
                    effects_done(connection, destination, (site_id, effect), self.limits.begin(self.now)).await?;
                Tally { done, limit: self.limits.minimum, exact: false }
            }
        };
        if !tally.exact && tally.done + coming > self.limits.minimum {
            let people = people_there(connection, Some(destination), site_id).await?;
            (tally.limit, tally.exact) = (self.limits.of(people), true);
        }
        Ok(tally)
    }

    fn judge(&mut self, intended: &IntendedEffect) -> BrakeVerdict {
        let IntendedEffect { key, effect, subject } = intended;
        let known = self.known.get(&(*key, *effect)).filter(|known| known.subject == *subject);
        let state = known.map(|known| known.state);
        match known {
            Some(Known { state: EffectState::Excepted, at, by, .. }) => {
                return BrakeVerdict::Excepted { by: by.clone().unwrap_or_default(), at: *at };
            }
            // Counted before: this is another attempt.
            Some(Known { state: EffectState::Done, at, .. }) if *at > self.limits.begin(self.now) => {
                return BrakeVerdict::Go;
            }
            _ => {}
        }
        let waits = state == Some(EffectState::Waiting) && !self.limits.is_off();
        let approved = state == Some(EffectState::Approved);
        let tally = self.tallies.get_mut(&(key.site_id, *effect));
        let (done, limit) = tally.as_ref().map_or((0, 0), |tally| (tally.done, tally.limit));
        if !approved && !waits && done < limit {
            if let Some(tally) = tally {
                tally.done += 1;
            }
            return self.goes(intended, false);
        }
        if approved || self.takes_approval(key.site_id, *effect) {
            return self.goes(intended, true);
        }
        if state != Some(EffectState::Waiting) {
            self.change(intended, EffectState::Waiting, false);
        }
        BrakeVerdict::Waits { done, limit }
    }

    fn goes(&mut self, intended: &IntendedEffect, approved: bool) -> BrakeVerdict {
        self.change(intended, EffectState::Done, approved);
        BrakeVerdict::Go
    }

    fn change(&mut self, intended: &IntendedEffect, state: EffectState, approved: bool) {
        self.changed.push(Changed { intended: intended.clone(), state, approved });
    }

    fn takes_approval(&mut self, site_id: i64, effect: Effect) -> bool {
        let fits = |approval: &&mut OpenApproval| {
            approval.site_id == site_id && approval.effect.is_none_or(|only| only == effect) && approval.left > 0
        };
        let Some(approval) = self.approvals.iter_mut().flatten().find(fits) else { return false };
        (approval.left, approval.used) = (approval.left - 1, approval.used + 1);
        true
    }

    async fn save(&self, transaction: &impl ConnectionTrait, destination: &str) -> Result<(), StoreError> {
        for Changed { intended: IntendedEffect { key, effect, subject }, state, approved } in &self.changed {
            let sql = "INSERT INTO brake_effects (destination, site_id, kind, moodle_id, effect, subject, state, approved, at) \
                       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (destination, site_id, kind, moodle_id, effect) \
                       DO UPDATE SET subject = excluded.subject, state = excluded.state, approved = excluded.approved, \
                       at = excluded.at, decided_by = CASE WHEN excluded.approved THEN brake_effects.decided_by END";
            let values: Vec<Value> = vec![
                destination.into(),
                key.site_id.into(),
                key.kind.as_str().into(),
                key.moodle_id.0.into(),
                effect.as_str().into(),
                subject.as_str().into(),
                state.as_str().into(),
                (*approved).into(),
                self.now.0.into(),
            ];
            execute(transaction, sql, values).await?;
        }
        for approval in self.approvals.iter().flatten().filter(|approval| approval.used > 0) {
            let used = i64::try_from(approval.used).unwrap_or(i64::MAX);
            let sql = "UPDATE brake_approvals SET used = used + ? WHERE id = ?";
            execute(transaction, sql, vec![used.into(), approval.id.into()]).await?;
        }
        Ok(())
    }
}

impl Store {
    /// Counts effects that are about to happen, and says which may. What may not waits for a person.
    pub async fn brake(
        &self,
        destination: &str,
        intended: &[IntendedEffect],
        limits: BrakeLimits,
        now: Timestamp,
    ) -> Result<Vec<BrakeVerdict>, StoreError> {
        let transaction = self.begin_immediate().await?;
        lock_sites(&transaction, intended.iter().map(|intended| intended.key.site_id).collect()).await?;
        let mut forecast = BrakeForecast::new(limits, now);
        forecast.load(&transaction, destination, intended).await?;
        let verdicts = intended.iter().map(|intended| forecast.judge(intended)).collect();
        forecast.save(&transaction, destination).await?;
        transaction.commit().await?;
        Ok(verdicts)
    }

    /// What [`Store::brake`] would say. Stores nothing; the forecast remembers.
    pub async fn foresee_brake(
        &self,
        forecast: &mut BrakeForecast,
        destination: &str,
        intended: &[IntendedEffect],
    ) -> Result<Vec<BrakeVerdict>, StoreError> {
        forecast.load(&self.read, destination, intended).await?;
        Ok(intended.iter().map(|intended| forecast.judge(intended)).collect())
    }
}

fn known_of(row: &QueryResult) -> Result<((RecordKey, Effect), Known), StoreError> {
    let known = Known {
        subject: row.try_get("", "subject")?,
        state: word(row, "state")?,
        at: Timestamp(row.try_get("", "at")?),
        by: row.try_get("", "decided_by")?,
    };
    Ok(((key_of(row)?, word(row, "effect")?), known))
}

async fn open_approvals(connection: &impl ConnectionTrait, now: Timestamp) -> Result<Vec<OpenApproval>, StoreError> {
    let sql = "SELECT id, site_id, effect, number - used AS remaining FROM brake_approvals WHERE until_at > ? AND used < number \
               ORDER BY until_at, id";
    let open = |row: &QueryResult| {
        let effect: Option<String> = row.try_get("", "effect")?;
        Ok(OpenApproval {
            id: row.try_get("", "id")?,
            site_id: row.try_get("", "site_id")?,
            effect: effect.map(|_| word(row, "effect")).transpose()?,
            left: row.try_get::<i64>("", "remaining")?.unsigned_abs(),
            used: 0,
        })
    };
    query(connection, sql, vec![now.0.into()]).await?.iter().map(open).collect()
}
