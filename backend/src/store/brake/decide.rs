//! What people decide about what waits: in steps, each in one transaction with its consequences.

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::{EffectState, lock_sites};
use crate::{
    clock::Timestamp,
    limits,
    model::{Effect, RecordKey},
    store::{
        Store, StoreError,
        sql::{execute, key_of, query, word},
        sync_items::{Delivered, make_pending},
    },
};

/// Which effects a person decides about, and who.
#[derive(Clone, Debug)]
pub struct BrakeDecision<'a> {
    /// The site.
    pub site_id: i64,
    /// Only this effect.
    pub effect: Option<Effect>,
    /// Only this record; of a person's erasure: the person.
    pub record: Option<RecordKey>,
    /// At most so many, those first that have waited longest.
    pub number: Option<u64>,
    /// Who decides.
    pub by: &'a str,
}

/// What a decision did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrakeDone {
    /// Records whose delivery is judged again.
    pub records: u64,
    /// Erasures.
    pub erasures: u64,
}

impl BrakeDone {
    /// Both together.
    pub fn sum(self) -> u64 {
        self.records + self.erasures
    }
}

impl BrakeDecision<'_> {
    fn left(&self, done: BrakeDone) -> u64 {
        self.number.map_or(u64::MAX, |number| number.saturating_sub(done.sum())).min(limits::STEP_ITEMS.into())
    }

    fn concerns_erasures(&self) -> bool {
        self.effect.is_none_or(|effect| effect == Effect::Erasure)
    }
}

/// A change from one state to another.
#[derive(Clone, Copy)]
struct Step {
    from: EffectState,
    to: EffectState,
}

const APPROVE: Step = Step { from: EffectState::Waiting, to: EffectState::Approved };
const REFUSE: Step = Step { from: EffectState::Waiting, to: EffectState::Excepted };
const WITHDRAW: Step = Step { from: EffectState::Excepted, to: EffectState::Waiting };

impl Store {
    /// Approves what waits: it is delivered now, whatever the limit.
    pub async fn approve_braked(
        &self,
        destination: &str,
        decision: &BrakeDecision<'_>,
        now: Timestamp,
    ) -> Result<BrakeDone, StoreError> {
        let mut done = self.change_effects(destination, decision, APPROVE, now).await?;
        let set = "approved_by = ?, braked_at = NULL";
        done.erasures = self.change_erasures(decision, set, vec![decision.by.into()], done).await?;
        Ok(done)
    }

    /// Refuses what waits: it stays at the destination as it is, an exception with a name. Waiting erasures are lifted.
    pub async fn refuse_braked(
        &self,
        destination: &str,
        decision: &BrakeDecision<'_>,
        now: Timestamp,
    ) -> Result<BrakeDone, StoreError> {
        let mut done = self.change_effects(destination, decision, REFUSE, now).await?;
        let set = "state = 'lifted', lifted_at = ?, check_at = NULL, braked_at = NULL";
        done.erasures = self.change_erasures(decision, set, vec![now.0.into()], done).await?;
        Ok(done)
    }

    /// Takes refusals back: the effects wait again.
    pub async fn withdraw_exceptions(
        &self,
        destination: &str,
        decision: &BrakeDecision<'_>,
        now: Timestamp,
    ) -> Result<BrakeDone, StoreError> {
        self.change_effects(destination, decision, WITHDRAW, now).await
    }

    /// Approves so many effects ahead, until then.
    pub async fn approve_ahead(
        &self,
        decision: &BrakeDecision<'_>,
        (number, until): (u64, Timestamp),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO brake_approvals (site_id, effect, number, created_at, until_at, decided_by) \
                   VALUES (?, ?, ?, ?, ?, ?)";
        let values = vec![
            decision.site_id.into(),
            decision.effect.map(Effect::as_str).into(),
            i64::try_from(number).unwrap_or(i64::MAX).into(),
            now.0.into(),
            until.0.into(),
            decision.by.into(),
        ];
        execute(&self.write, sql, values).await?;
        Ok(())
    }

    /// Ends the approvals ahead; returns how many.
    pub async fn end_approvals(&self, site_id: i64, effect: Option<Effect>, now: Timestamp) -> Result<u64, StoreError> {
        let mut sql = "UPDATE brake_approvals SET until_at = ? WHERE site_id = ? AND until_at > ?".to_owned();
        let mut values: Vec<Value> = vec![now.0.into(), site_id.into(), now.0.into()];
        if let Some(effect) = effect {
            sql += " AND effect = ?";
            values.push(effect.as_str().into());
        }
        execute(&self.write, &sql, values).await
    }

    async fn change_effects(
        &self,
        destination: &str,
        decision: &BrakeDecision<'_>,
        step: Step,
        now: Timestamp,
    ) -> Result<BrakeDone, StoreError> {
        let mut done = BrakeDone::default();
        loop {
            let left = decision.left(done);
            if left == 0 {
                return Ok(done);
            }
            let transaction = self.begin_immediate().await?;
            lock_sites(&transaction, vec![decision.site_id]).await?;
            let found = next(&transaction, destination, (decision, step.from), left).await?;
            for (key, effect) in &found {
                let sql = "UPDATE brake_effects SET state = ?, at = ?, decided_by = ? WHERE destination = ? AND site_id = ? \
                           AND kind = ? AND moodle_id = ? AND effect = ?";
                let by = (step.to != EffectState::Waiting).then_some(decision.by);
                let values = vec![
                    step.to.as_str().into(),
                    now.0.into(),
                    by.into(),
                    destination.into(),
                    key.site_id.into(),
                    key.kind.as_str().into(),
                    key.moodle_id.0.into(),
                    effect.as_str().into(),
                ];
                execute(&transaction, sql, values).await?;
            }
            let keys: Vec<RecordKey> = found.into_iter().map(|(key, _)| key).collect();
            make_pending(&transaction, destination, &keys, "TRUE", Delivered::Trusted, now).await?;
            transaction.commit().await?;
            done.records += keys.len() as u64;
            if (keys.len() as u64) < left {
                return Ok(done);
            }
        }
    }

    /// Decides about erasures that wait. Those that a person's deletion keeps waiting follow that.
    async fn change_erasures(
        &self,
        decision: &BrakeDecision<'_>,
        set: &str,
        set_values: Vec<Value>,
        done: BrakeDone,
    ) -> Result<u64, StoreError> {
        let left = decision
            .number
            .map_or(i64::MAX, |number| i64::try_from(number.saturating_sub(done.sum())).unwrap_or(i64::MAX));
        if !decision.concerns_erasures() {
            return Ok(0);
        }
        let mut values = set_values;
        values.push(decision.site_id.into());
        let mut only = String::new();
        if let Some(record) = decision.record {
            only = " AND moodle_id = ?".to_owned();
            values.push(record.moodle_id.0.into());
        }
        values.push(left.into());
        let sql = format!(
            "UPDATE erasures SET {set} WHERE id IN (SELECT id FROM erasures WHERE site_id = ? AND state = 'requested' \
             AND braked_at IS NOT NULL{only} ORDER BY braked_at, id LIMIT ?) RETURNING moodle_id, lifted_at"
        );
        // Under the writers' lock, as whatever begins or lifts an erasure.
        let (transaction, _) = self.begin_write(0).await?;
        let changed = query(transaction.connection(), &sql, values).await?;
        transaction.commit().await?;
        let mut lifted = Vec::new();
        for row in &changed {
            if let Some(at) = row.try_get::<Option<i64>>("", "lifted_at")? {
                lifted.push((row.try_get("", "moodle_id")?, at));
            }
        }
        self.enter_lifts(decision.site_id, lifted).await;
        Ok(changed.len() as u64)
    }
}

/// The effects in this state that a person decides about next.
async fn next(
    transaction: &impl ConnectionTrait,
    destination: &str,
    (decision, state): (&BrakeDecision<'_>, EffectState),
    limit: u64,
) -> Result<Vec<(RecordKey, Effect)>, StoreError> {
    let (mut only, mut values) =
        (String::new(), vec![destination.into(), decision.site_id.into(), Value::from(state.as_str())]);
    if let Some(effect) = decision.effect {
        only += " AND e.effect = ?";
        values.push(effect.as_str().into());
    }
    if let Some(record) = decision.record {
        only += " AND e.kind = ? AND e.moodle_id = ?";
        values.extend([record.kind.as_str().into(), record.moodle_id.0.into()]);
    }
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    let sql = format!(
        "SELECT e.site_id AS site_id, e.kind AS kind, e.moodle_id AS moodle_id, e.effect AS effect FROM brake_effects e {} \
         WHERE e.destination = ? AND e.site_id = ? AND e.state = ?{only} ORDER BY e.at, e.kind, e.moodle_id LIMIT ?",
        super::list::CONCERNED
    );
    let found = |row: &QueryResult| Ok((key_of(row)?, word(row, "effect")?));
    query(transaction, &sql, values).await?.iter().map(found).collect()
}
