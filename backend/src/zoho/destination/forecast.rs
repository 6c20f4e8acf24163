//! What a delivery would do with items of one kind. It decides, looks for people and adopts with the same functions as
//! the delivery, and stops before what would be sent.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};

use super::{
    Decider, Decision, DeliveryBatch, Zoho,
    adopt::Adoption,
    brake, findings,
    job::{DeliveryContext, Job, job},
    outcome::Timing,
    plan::{Action, Foreseen, Plan, Planned, RECORDS_PER_CREDIT, planned},
    same_address::{self, goes_without, without_address},
    unreadable,
};
use crate::{
    delivery::{Delivery, Destination, DestinationFailure},
    model::{Kind, RecordKey},
    store::{BrakeVerdict, Claimed, IntendedEffect, ItemRow, Settled, SettledState},
    zoho::{client::FOUND_PER_CALL, difference::differences},
};

/// Records of one module in Zoho, by id.
type Held = BTreeMap<String, Map<String, Value>>;

/// What is left to find out about items after the decision.
#[derive(Default)]
pub(super) struct Writes {
    known: Vec<Job>,
    new: Vec<Job>,
}

/// The plan of the items of one part, by record.
type Forecast = HashMap<RecordKey, Planned>;

impl Zoho {
    pub(super) async fn plan_part(
        &self,
        kind: Kind,
        (rows, items): (&[ItemRow], Vec<Claimed>),
        foreseen: &mut Foreseen,
        plan: &mut Plan,
    ) -> Result<(), DestinationFailure> {
        let Some(module) = self.mapping.module(kind) else {
            let reason = Some(format!("The mapping has no table for {kind} records."));
            plan.items.extend(rows.iter().map(|row| planned(row, Action::Nothing, reason.clone())));
            return Ok(());
        };
        let metadata = &*self.metadata(kind, module).await?;
        let time_zone = self.time_zone(kind, module, metadata).await?;
        let moment = (time_zone, self.clock.now());
        let batch =
            DeliveryBatch::load(&self.store, &self.mapping, moment, Self::NAME, &items).await.map_err(unreadable)?;
        let context = DeliveryContext { batch: &batch, module, metadata };
        let decider = Decider { mapping: &self.mapping, batch: &batch, module };
        let (mut forecast, mut writes) = (Forecast::new(), Writes::default());
        let (mut removals, mut undoes) = (Vec::new(), Vec::new());
        for (row, item) in rows.iter().zip(items) {
            let decision = decider.decide(&item, metadata, &mut ());
            if let Decision::Remove(target) = &decision {
                removals.extend(brake::removal(&context, &item, target));
            }
            undoes.extend(matches!(decision, Decision::Undo).then(|| item.clone()));
            forecast.insert(row.key, decided(&batch, row, item, decision, &mut writes));
        }
        let held = self.foresee_brake(&context, &removals, foreseen, &mut forecast).await?;
        writes.known.retain(|job| !held.contains(&job.item.key));
        self.foresee_undoes(&context, &undoes, &mut forecast).await?;
        let new = self.foresee_known(&context, writes, foreseen, &mut forecast).await?;
        let searched = self.foresee_new(&context, new, foreseen, &mut forecast).await?;
        let items: Vec<Planned> = rows.iter().filter_map(|row| forecast.remove(&row.key)).collect();
        let fields = module.matches.len() as u64 + u64::from(module.match_leads);
        add_cost(plan, &items, fields * u64::div_ceil(searched, FOUND_PER_CALL));
        plan.items.extend(items);
        Ok(())
    }

    /// Says what contacts get back.
    async fn foresee_undoes(
        &self,
        context: &DeliveryContext<'_>,
        items: &[Claimed],
        forecast: &mut Forecast,
    ) -> Result<(), DestinationFailure> {
        let restorations = self.restorations(context, items).await?;
        for (item, restoration) in items.iter().zip(restorations) {
            if let Some(entry) = forecast.get_mut(&item.key) {
                entry.differences = restoration.restored;
            }
        }
        Ok(())
    }

    /// Compares what is in Zoho already. Returns what would be created, with what Zoho no longer has.
    async fn foresee_known(
        &self,
        context: &DeliveryContext<'_>,
        writes: Writes,
        foreseen: &mut Foreseen,
        forecast: &mut Forecast,
    ) -> Result<Vec<Job>, DestinationFailure> {
        let Writes { known, mut new } = writes;
        let (held, mut gone) = (self.held(context, &known).await?, Vec::new());
        for job in known {
            match job.remote_id.as_ref().and_then(|id| held.get(id)) {
                Some(before) => show(context, forecast, &job, Some(before)),
                None if job.removes => {
                    if let Some(entry) = forecast.get_mut(&job.item.key) {
                        entry.action = Action::Nothing;
                    }
                }
                None => gone.push(job),
            }
        }
        let mut scratch = Delivery::default();
        let gone = self.without_merged(context, gone, &mut scratch).await?;
        note_settled(forecast, scratch.settled);
        self.foresee_existing(context, gone.merged, foreseen, forecast).await?;
        for job in gone.vanished {
            match findings::is_asked(&job) {
                true => {
                    let Some(entry) = forecast.get_mut(&job.item.key) else { continue };
                    (entry.action, entry.reason) = (Action::Fail, Some(findings::deleted(context.module).1));
                }
                false => new.push(job),
            }
        }
        Ok(new)
    }

    /// Says who is created, who is adopted, and who needs a person. Returns for how many Zoho was searched.
    async fn foresee_new(
        &self,
        context: &DeliveryContext<'_>,
        jobs: Vec<Job>,
        foreseen: &mut Foreseen,
        forecast: &mut Forecast,
    ) -> Result<u64, DestinationFailure> {
        let (mut scratch, now) = (Delivery::default(), self.clock.now());
        let rendered = self.render_new(context, jobs, &mut scratch);
        let keys: Vec<RecordKey> = rendered.iter().map(|job| job.item.key).collect();
        let searches = context.batch.kind == Kind::User && !context.module.matches.is_empty();
        let Adoption { existing, new, failure, .. } = self.adopt(context, rendered, &mut scratch).await?;
        if let Some(DestinationFailure::Hold { reason, .. }) = failure {
            // Somebody else seems to write under the keys of some; the others are overwritten below.
            for key in &keys {
                if let Some(entry) = forecast.get_mut(key) {
                    (entry.action, entry.reason) = (Action::Fail, Some(reason.clone()));
                }
            }
        }
        let mut people: Vec<Job> = existing.into_iter().chain(new).collect();
        people.sort_unstable_by_key(|job| job.item.key);
        let mut adopted = Vec::new();
        for job in people {
            let address = if searches { address(context, job.item.key) } else { None };
            let first = address.map(|address| *foreseen.addresses.entry(address).or_insert(job.item.key));
            match first.filter(|first| *first != job.item.key) {
                // When its turn comes, the other one is in Zoho.
                Some(_) if goes_without(context) => show(context, forecast, &without_address(context, job), None),
                Some(first) => {
                    let timing = Timing { started_at: now, ended_at: now };
                    scratch.settled.push(same_address::failed(context, job, first, timing));
                }
                None if job.remote_id.is_some() => adopted.push(job),
                None => show(context, forecast, &job, None),
            }
        }
        note_settled(forecast, scratch.settled);
        self.foresee_existing(context, adopted, foreseen, forecast).await?;
        Ok(if searches { keys.len() as u64 } else { 0 })
    }

    /// Compares what was found in Zoho and would be written.
    async fn foresee_existing(
        &self,
        context: &DeliveryContext<'_>,
        mut jobs: Vec<Job>,
        foreseen: &mut Foreseen,
        forecast: &mut Forecast,
    ) -> Result<(), DestinationFailure> {
        let adoptions: Vec<IntendedEffect> = jobs.iter().filter_map(brake::adoption).collect();
        let braked = self.foresee_brake(context, &adoptions, foreseen, forecast).await?;
        jobs.retain(|job| !braked.contains(&job.item.key));
        let held = self.held(context, &jobs).await?;
        for job in jobs {
            show(context, forecast, &job, job.remote_id.as_ref().and_then(|id| held.get(id)));
        }
        Ok(())
    }

    /// Says which of these effects would wait for a person, or not happen by a person's decision. Returns their records.
    async fn foresee_brake(
        &self,
        context: &DeliveryContext<'_>,
        intended: &[IntendedEffect],
        foreseen: &mut Foreseen,
        forecast: &mut Forecast,
    ) -> Result<HashSet<RecordKey>, DestinationFailure> {
        let verdicts = self.store.foresee_brake(&mut foreseen.brake, Self::NAME, intended).await.map_err(unreadable)?;
        let mut held = HashSet::new();
        for (intended, verdict) in intended.iter().zip(verdicts) {
            let Some((_, words)) = brake::reason(context.batch, &self.brake, intended, &verdict) else { continue };
            let Some(entry) = forecast.get_mut(&intended.key) else { continue };
            let waits = matches!(verdict, BrakeVerdict::Waits { .. });
            (entry.action, entry.reason) = (if waits { Action::Brake } else { Action::Nothing }, Some(words));
            held.insert(intended.key);
        }
        Ok(held)
    }

    /// What Zoho holds now in the fields that would be written.
    async fn held(&self, context: &DeliveryContext<'_>, jobs: &[Job]) -> Result<Held, DestinationFailure> {
        let ids: Vec<String> = jobs.iter().filter_map(|job| job.remote_id.clone()).collect();
        if ids.is_empty() {
            return Ok(Held::new());
        }
        let fields: BTreeSet<&str> = jobs.iter().flat_map(|job| job.body.keys().map(String::as_str)).collect();
        let fields: Vec<&str> = fields.into_iter().collect();
        let records = self.client.get(&context.module.module, &ids, &fields).await;
        let records = records.map_err(|error| self.failure(crate::model::Records::All, &error))?;
        let with_id = |record: Map<String, Value>| Some((record.get("id")?.as_str()?.to_owned(), record));
        Ok(records.into_iter().filter_map(with_id).collect())
    }
}

/// What the decision says about an item, and what is to be found out besides.
pub(super) fn decided(
    batch: &DeliveryBatch,
    row: &ItemRow,
    item: Claimed,
    decision: Decision,
    writes: &mut Writes,
) -> Planned {
    match decision {
        Decision::Write(target) => {
            let job = job(item, target, "updated", false);
            let known = job.remote_id.is_some();
            if known {
                writes.known.push(job)
            } else {
                writes.new.push(job)
            }
            planned(row, if known { Action::Update } else { Action::Insert }, None)
        }
        Decision::Remove(target) | Decision::Erase(target, _) => {
            let entry = Planned { remote_id: target.remote_id.clone(), ..planned(row, Action::Remove, None) };
            writes.known.extend(target.remote_id.is_some().then(|| job(item, target, "removed", true)));
            entry
        }
        Decision::Undo => Planned { remote_id: row.remote_id.clone(), ..planned(row, Action::Undo, None) },
        Decision::Same(_) => planned(row, Action::Nothing, Some("Zoho already has it.".to_owned())),
        Decision::LeftOut { reason, .. } | Decision::NeverThere { reason } | Decision::Forgotten { reason } => {
            planned(row, Action::Nothing, Some(reason.1))
        }
        Decision::HandOver { to } => {
            let reason = format!("{} stands for the same record in Zoho.", batch.name(to));
            planned(row, Action::Nothing, Some(reason))
        }
        Decision::Park { reason, .. } | Decision::Wait { reason } => planned(row, Action::Park, Some(reason.1)),
        Decision::Fail { reason } => planned(row, Action::Fail, Some(reason.1)),
    }
}

/// What would be sent for a job, compared with what Zoho holds.
fn show(context: &DeliveryContext<'_>, forecast: &mut Forecast, job: &Job, before: Option<&Map<String, Value>>) {
    let Some(entry) = forecast.get_mut(&job.item.key) else { return };
    entry.action = match job.outcome {
        _ if job.removes => Action::Remove,
        "adopted" => Action::Adopt,
        "inserted" => Action::Insert,
        _ => Action::Update,
    };
    (entry.remote_id, entry.reason) = (job.remote_id.clone(), None);
    entry.remarks.clone_from(&job.remarks);
    entry.differences = differences(before, job.body.clone(), context.metadata);
}

/// What the delivery would settle without sending anything.
fn note_settled(forecast: &mut Forecast, settled: Vec<Settled>) {
    for Settled { item, state, reason, .. } in settled {
        let Some(entry) = forecast.get_mut(&item.key) else { continue };
        entry.action = match state {
            SettledState::Synced { .. } => Action::Nothing,
            // Of several people with one address, one is being delivered.
            SettledState::Parked { .. } | SettledState::Pending { .. } => Action::Park,
            SettledState::Failed | SettledState::Gone => Action::Fail,
        };
        entry.reason = reason.map(|(_, words)| words);
    }
}

/// A person's address as it is compared.
fn address(context: &DeliveryContext<'_>, key: RecordKey) -> Option<String> {
    context.batch.user(key)?.email.as_deref().map(str::to_lowercase)
}

/// Adds the calls for these items and their API credits.
fn add_cost(plan: &mut Plan, items: &[Planned], searches: u64) {
    let count = |of: &[Action]| items.iter().filter(|item| of.contains(&item.action)).count() as u64;
    // What is adopted is known only after the others are written.
    for records in
        [count(&[Action::Insert]), count(&[Action::Adopt]), count(&[Action::Update, Action::Remove, Action::Undo])]
    {
        plan.calls += u64::from(records > 0);
        plan.credits += u64::div_ceil(records, RECORDS_PER_CREDIT);
    }
    plan.calls += searches;
    plan.credits += searches;
}
