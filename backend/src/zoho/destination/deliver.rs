//! A delivery: decides about each item, makes the calls, and settles each item by its own entry in the answer.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use super::{
    Decider, Decision, DeliveryBatch, Zoho,
    decide::{Leaves, WriteTarget},
    outcome::{self, Timing},
    unreadable,
};
use crate::{
    delivery::{Delivery, Destination, DestinationFailure, backoff},
    model::{Kind, RecordKey, Remark},
    store::{Claimed, CourseFilter, Settled, UserFilter},
    zoho::{
        client::{Action, CallError, Class, RecordAnswer, Refusal},
        mapping::{ModuleMapping, OnDelete, Related, Rendered, Write},
        metadata::Module,
    },
};

/// The batch that is being delivered, and where.
pub(super) struct DeliveryContext<'a> {
    pub(super) batch: &'a DeliveryBatch,
    pub(super) module: &'a ModuleMapping,
    pub(super) metadata: &'a Module,
}

/// One record of a call.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) item: Claimed,
    /// Its id in Zoho, if the call addresses it by id.
    pub(super) remote_id: Option<String>,
    pub(super) body: Map<String, Value>,
    pub(super) digest: String,
    /// What was left out of the body.
    pub(super) remarks: Vec<Remark>,
    /// The attempt's outcome on success: `inserted`, `updated`, `adopted`, `removed` or `erased`.
    pub(super) outcome: &'static str,
    /// The record is gone in Moodle, or no longer delivered.
    pub(super) removes: bool,
    /// What remains of it, if the record's person is erased.
    pub(super) leaves: Option<Leaves>,
}

/// The kind of a writing call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteCall {
    /// By the key and, for people, by the field that adopts them.
    Upsert,
    UpsertByKey,
    Update,
    Delete,
}

/// After this many failed calls in a row, Zoho has a problem, not one record: the rest is left for later.
const FAILURES_IN_A_ROW: u32 = 3;

impl Zoho {
    pub(super) async fn deliver_part(&self, items: Vec<Claimed>) -> Result<Delivery, DestinationFailure> {
        let mut delivery = Delivery::default();
        let kind = items.first().map_or(Kind::User, |item| item.key.kind);
        let Some(module) = self.mapping.module(kind) else {
            let reason = ("not_mapped".to_owned(), format!("The mapping has no table for {kind} records."));
            delivery.settled = items.into_iter().map(|item| outcome::left_alone(item, reason.clone(), None)).collect();
            return Ok(delivery);
        };
        let modules = self.modules().await?;
        let Some(Some(metadata)) = modules.by_name.get(&module.module) else {
            let reason = format!("Zoho has no module {}; run backend-sync zoho setup.", module.module);
            return Err(DestinationFailure::Pause { cause: "configuration", reason, check_at: None });
        };
        let batch = DeliveryBatch::load(&self.store, &self.mapping, modules.time_zone, Self::NAME, &items)
            .await
            .map_err(unreadable)?;
        let context = DeliveryContext { batch: &batch, module, metadata };
        let decider = Decider { mapping: &self.mapping, batch: &batch, metadata, module };
        let (mut writes, mut removals, mut erasures) = (Vec::new(), Vec::new(), Vec::new());
        for item in items {
            match decider.decide(&item) {
                Decision::Write(target) => writes.push((item, target)),
                Decision::Remove(target) => removals.push((item, target)),
                Decision::Erase(target, leaves) => erasures.push((item, target, leaves)),
                decision => settle_without_call(&mut delivery, item, decision),
            }
        }
        delivery.failure = match self.erase_all(&context, erasures, &mut delivery).await {
            Ok(()) => self.write_all(&context, writes, removals, &mut delivery).await.err(),
            Err(failure) => Some(failure),
        };
        self.mark_failures(&context, &delivery).await;
        Ok(delivery)
    }

    async fn write_all(
        &self,
        context: &DeliveryContext<'_>,
        writes: Vec<(Claimed, WriteTarget)>,
        removals: Vec<(Claimed, WriteTarget)>,
        delivery: &mut Delivery,
    ) -> Result<(), DestinationFailure> {
        let (mut updates, mut inserts, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
        for (item, target) in writes {
            let job = job(item, target, "updated", false);
            if job.remote_id.is_some() { updates.push(job) } else { inserts.push(job) }
        }
        for (item, target) in removals {
            let job = job(item, target, "removed", true);
            match (job.remote_id.is_some(), context.module.on_delete) {
                (true, OnDelete::Delete) => deletes.push(job),
                (true, _) => updates.push(job),
                // An attempt of unknown outcome may have created it. An upsert by key is right either way.
                (false, _) => inserts.push(job),
            }
        }
        let gone = self.send(WriteCall::Update, context, updates, delivery).await?;
        self.reappear(&gone, delivery).await;
        inserts.extend(gone);
        let (removed, inserts): (Vec<_>, Vec<_>) =
            self.render_new(context, inserts, delivery).into_iter().partition(|job| job.removes);
        let (found, mut new) = self.adopt(context, inserts, delivery).await?;
        let vanished = self.send(WriteCall::Update, context, found, delivery).await?;
        new.extend(self.render_new(context, vanished, delivery));
        self.send(WriteCall::Upsert, context, new, delivery).await?;
        self.send(WriteCall::UpsertByKey, context, removed, delivery).await?;
        self.send(WriteCall::Delete, context, deletes, delivery).await?;
        Ok(())
    }

    /// Requests new deliveries of what refers to records that are created again under another id.
    async fn reappear(&self, gone: &[Job], delivery: &mut Delivery) {
        for key in gone.iter().filter(|job| !job.removes).map(|job| job.item.key) {
            let (site_id, id) = (key.site_id, key.moodle_id);
            let dependants = match key.kind {
                Kind::User => self.store.records_of_user(UserFilter { site_id, userid: id }).await,
                Kind::Course => self.store.records_of_course(CourseFilter { site_id, courseid: id }).await,
                _ => continue,
            };
            match dependants {
                Ok(dependants) => delivery.redeliver.extend(dependants.into_iter().filter(|other| *other != key)),
                Err(error) => {
                    tracing::error!(%error, "could not find the records that refer to one that was created again")
                }
            }
        }
    }

    /// Renders records that may not be in Zoho yet. One that is gone in Moodle and cannot be rendered is left alone.
    fn render_new(&self, context: &DeliveryContext<'_>, jobs: Vec<Job>, delivery: &mut Delivery) -> Vec<Job> {
        let mut rendered = Vec::with_capacity(jobs.len());
        for mut job in jobs {
            let Some(facts) = context.batch.facts(job.item.key) else { continue };
            let subject = context.batch.subject(job.item.key, &facts);
            match context.module.render(&subject, Write::Create, context.metadata) {
                Ok(Rendered { fields: mut body, remarks }) => {
                    if job.removes {
                        // The fields that mark it as gone take precedence.
                        body.extend(std::mem::take(&mut job.body));
                    } else {
                        job.outcome = "inserted";
                    }
                    rendered.push(Job { remote_id: None, body, remarks, ..job });
                }
                Err(_) if job.removes => {
                    let reason = ("deleted".to_owned(), "It was deleted in Moodle.".to_owned());
                    delivery.settled.push(outcome::left_alone(job.item, reason, None));
                }
                Err(error) => {
                    let reason = ("invalid_value".to_owned(), format!("{error}. {}", error.advice()));
                    delivery.settled.push(outcome::failed(job.item, reason, None));
                }
            }
        }
        rendered
    }

    /// Makes the calls for these jobs. A call that may have failed because of one record is halved until that record is
    /// alone. Returns the jobs whose records Zoho no longer has, and those that are to be deleted next.
    pub(super) async fn send(
        &self,
        call: WriteCall,
        context: &DeliveryContext<'_>,
        jobs: Vec<Job>,
        delivery: &mut Delivery,
    ) -> Result<Vec<Job>, DestinationFailure> {
        let (mut parts, mut gone, mut failures, mut unknown) = (VecDeque::from([jobs]), Vec::new(), 0, None);
        while let Some(mut part) = parts.pop_front() {
            if part.is_empty() {
                continue;
            }
            let started_at = self.clock.now();
            let answer = self.call(call, context, &part).await;
            let timing = Timing { started_at, ended_at: self.clock.now() };
            let error = match answer {
                Ok(entries) => {
                    failures = 0;
                    let mut again = Vec::new();
                    for (mut job, entry) in part.into_iter().zip(entries) {
                        if Self::leave_out(context, &mut job, &entry) {
                            again.push(job);
                        } else {
                            gone.extend(self.settle(call, context, job, entry, timing, delivery).await);
                        }
                    }
                    parts.push_back(again);
                    continue;
                }
                Err(error) => error,
            };
            failures += 1;
            let reason = outcome::of_call(&error);
            if matches!(error, CallError::Unknown { .. }) {
                unknown = Some((reason.clone(), timing));
            }
            if part.len() > 1 && failures < FAILURES_IN_A_ROW && may_be_one_record(&error, &part) {
                let rest = part.split_off(part.len() / 2);
                // Requeue both halves at the end: trying another part first shows whether Zoho or a record is the
                // problem.
                parts.extend([part, rest]);
                continue;
            }
            if matches!(error, CallError::Invalid { .. }) && part.len() == 1 {
                delivery
                    .settled
                    .extend(part.into_iter().map(|job| outcome::failed(job.item, reason.clone(), Some(timing))));
                continue;
            }
            // Records of a call with unknown outcome are retried; those that were never sent are released.
            if let Some((reason, timing)) = unknown {
                let rest = part.into_iter().chain(parts.into_iter().flatten());
                delivery.settled.extend(rest.map(|job| self.retry(job, reason.clone(), timing)));
            }
            return Err(self.failure(&error));
        }
        Ok(gone)
    }

    async fn call(
        &self,
        call: WriteCall,
        context: &DeliveryContext<'_>,
        jobs: &[Job],
    ) -> Result<Vec<RecordAnswer>, CallError> {
        let ModuleMapping { module, key, matches, trigger, .. } = context.module;
        let ids = || jobs.iter().filter_map(|job| job.remote_id.clone()).collect::<Vec<_>>();
        if call == WriteCall::Delete {
            return self.client.delete(module, &ids()).await;
        }
        let now = self.clock.now();
        let bodies: Vec<Map<String, Value>> = jobs
            .iter()
            .map(|job| {
                let mut body = job.body.clone();
                if let Some(tracking) = self.mapping.tracking() {
                    let time = context.batch.facts(job.item.key).map(|facts| facts.time);
                    body.extend(match job.leaves {
                        Some(_) => tracking.erased(now),
                        None => tracking.success(now, time),
                    });
                }
                if let Some(id) = &job.remote_id {
                    body.insert("id".to_owned(), Value::from(id.as_str()));
                }
                body
            })
            .collect();
        match call {
            WriteCall::Update => self.client.update(module, &bodies, trigger).await,
            _ => {
                let matches = matches.as_deref().filter(|_| call == WriteCall::Upsert);
                let fields: Vec<&str> = std::iter::once(key.as_str()).chain(matches).collect();
                self.client.upsert(module, &bodies, &fields, trigger).await
            }
        }
    }

    /// Settles one item by its entry in the answer; returns the job when Zoho no longer has the record, or when it is
    /// blanked and to be deleted next.
    async fn settle(
        &self,
        call: WriteCall,
        context: &DeliveryContext<'_>,
        job: Job,
        entry: RecordAnswer,
        timing: Timing,
        delivery: &mut Delivery,
    ) -> Option<Job> {
        let refusal = match entry {
            RecordAnswer::Done { id, action, .. } if job.leaves.is_some() => {
                return Self::settle_erased(call, job, (id, action), timing, delivery);
            }
            RecordAnswer::Done { id, action, .. } => {
                delivery.settled.push(self.done(call, context, job, id, action, timing).await);
                return None;
            }
            RecordAnswer::Refused(refusal) => refusal,
        };
        let settled = match refusal.class {
            Class::Gone if job.removes => outcome::synced(job.item, None, None, job.outcome, timing),
            Class::Gone if call == WriteCall::Update => return Some(job),
            Class::Gone => self.retry(job, outcome::of_refusal(&refusal), timing),
            class if outcome::passes(class) => self.retry(job, outcome::of_refusal(&refusal), timing),
            _ => match dangling(context, &job, &refusal) {
                Some(related) => {
                    delivery.redeliver.push(related);
                    let words =
                        format!("Zoho no longer has {}; it is being created again.", context.batch.name(related));
                    self.retry(job, ("related_gone".to_owned(), words), timing)
                }
                None => outcome::failed(job.item, outcome::of_refusal(&refusal), Some(timing)),
            },
        };
        delivery.settled.push(settled);
        None
    }

    async fn done(
        &self,
        call: WriteCall,
        context: &DeliveryContext<'_>,
        job: Job,
        id: String,
        action: Action,
        timing: Timing,
    ) -> Settled {
        if !job.removes {
            let outcome = match (job.outcome, action) {
                ("inserted", Action::Updated) => "updated",
                (outcome, _) => outcome,
            };
            let synced = outcome::synced(job.item, Some(id), Some(job.digest), outcome, timing);
            return Settled { remarks: job.remarks, ..synced };
        }
        if context.module.on_delete != OnDelete::Delete {
            return outcome::synced(job.item, Some(id), Some(job.digest), "removed", timing);
        }
        if call == WriteCall::Delete {
            return outcome::synced(job.item, None, None, "removed", timing);
        }
        // It was upserted by its key to find its id.
        match self.client.delete(&context.module.module, &[id]).await {
            Ok(_) => outcome::synced(job.item, None, None, "removed", timing),
            Err(error) => self.retry(job, outcome::of_call(&error), timing),
        }
    }

    pub(super) fn retry(&self, job: Job, reason: (String, String), timing: Timing) -> Settled {
        let due_at = backoff::retry_at(self.clock.now(), job.item.attempts.saturating_add(1), &self.random);
        outcome::retried(job.item, reason, due_at, timing)
    }
}

pub(super) fn job(item: Claimed, target: WriteTarget, outcome: &'static str, removes: bool) -> Job {
    let WriteTarget { remote_id, body, digest, remarks } = target;
    Job { item, remote_id, body, digest, remarks, outcome, removes, leaves: None }
}

fn settle_without_call(delivery: &mut Delivery, item: Claimed, decision: Decision) {
    let settled = match decision {
        Decision::Same(remarks) => outcome::same(item, remarks),
        Decision::LeftOut { reason, waits_for } => outcome::left_alone(item, reason, waits_for),
        Decision::HandOver { to } => {
            delivery.redeliver.push(to);
            let words = "A newer grade of the same user and item stands for it in Zoho.".to_owned();
            outcome::left_alone(item, ("replaced".to_owned(), words), None)
        }
        Decision::Park { waits_for, reason, reconsider } => {
            delivery.reconsider.extend(reconsider.then_some(waits_for));
            outcome::parked(item, waits_for, reason)
        }
        Decision::Fail { reason } => outcome::failed(item, reason, None),
        // These need a call.
        Decision::Write(_) | Decision::Remove(_) | Decision::Erase(..) => return,
    };
    delivery.settled.push(settled);
}

/// Whether a failed call may succeed without one of its records.
fn may_be_one_record(error: &CallError, jobs: &[Job]) -> bool {
    match error {
        CallError::Invalid { .. } => true,
        // At first, a problem of Zoho is more likely; only repeated failures are narrowed down.
        CallError::Unknown { status: Some(status), .. } => {
            *status >= 500 && jobs.iter().any(|job| job.item.attempts >= 2)
        }
        _ => false,
    }
}

/// The referenced record whose id in Zoho is no longer valid, if that is what the refusal is about.
fn dangling(context: &DeliveryContext<'_>, job: &Job, refusal: &Refusal) -> Option<RecordKey> {
    let field = refusal.field.as_deref().filter(|_| refusal.class == Class::Data)?;
    let related = context.module.rules.iter().find(|rule| rule.field == field)?.lookup()?;
    let facts = context.batch.facts(job.item.key)?;
    match related {
        Related::User => facts.user,
        Related::Course => facts.course,
    }
}
