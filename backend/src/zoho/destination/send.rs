//! The writing calls: makes them, and settles each record by its own entry in the answer.

use serde_json::{Map, Value};

use super::{
    Zoho, hold,
    job::{DeliveryContext, Job, WriteCall},
    outcome::{self, Reason, Timing},
    remarks,
};
use crate::{
    clock::Timestamp,
    delivery::{Delivery, DestinationFailure, backoff},
    model::RecordKey,
    store::Settled,
    zoho::{
        client::{CallError, Class, RecordAnswer, Refusal},
        halves::{Failed, Halves},
        mapping::{ModuleMapping, OnDelete, Related},
    },
};

/// What calls leave to do.
#[derive(Default)]
pub(super) struct Unsettled {
    /// Jobs whose records Zoho no longer has, and those whose records are to be deleted next.
    pub(super) gone: Vec<Job>,
    /// Removals whose records Zoho no longer has, after an attempt of unknown outcome, which may have created them again
    /// under other ids.
    pub(super) perhaps_elsewhere: Vec<Job>,
    /// New records that another record is in the way of.
    pub(super) duplicates: Vec<(Job, Refusal, Timing)>,
}

impl Zoho {
    /// Makes the calls for these jobs. A call that may have failed because of one record is halved until that record is
    /// alone. Returns what is left to do.
    pub(super) async fn send(
        &self,
        call: WriteCall,
        context: &DeliveryContext<'_>,
        jobs: Vec<Job>,
        delivery: &mut Delivery,
    ) -> Result<Unsettled, DestinationFailure> {
        let jobs = if call == WriteCall::Update { self.reserved(context, jobs, delivery).await? } else { jobs };
        let (mut parts, mut rest, mut unknown) = (Halves::new([jobs]), Unsettled::default(), None);
        let mut is_answered = false;
        while let Some(part) = parts.next() {
            let started_at = self.clock.now();
            let answer = self.call(call, context, &part).await;
            let timing = Timing { started_at, ended_at: self.clock.now() };
            let error = match answer {
                Ok(entries) => {
                    parts.answered();
                    is_answered = true;
                    let held = hold::of_entries(context, call, &part, &entries);
                    let alone = part.len() == 1;
                    let mut again = Vec::new();
                    for (mut job, entry) in part.into_iter().zip(entries) {
                        match entry {
                            RecordAnswer::Refused(refusal) if held.is_some() && refusal.class.concerns_others() => {
                                // The others are released. A lone one makes room for another to be tried.
                                if alone {
                                    delivery.settled.push(self.retry(job, outcome::of_refusal(&refusal), timing));
                                }
                            }
                            entry if remarks::leave_out(context, &mut job, &entry) => again.push(job),
                            entry => self.settle(call, context, job, entry, timing, (&mut rest, delivery)),
                        }
                    }
                    parts.again(again);
                    let Some(failure) = held else { continue };
                    self.settle_unknown(unknown, parts.rest(), delivery);
                    return Err(failure);
                }
                Err(error) => error,
            };
            let reason = outcome::of_call(&error);
            if matches!(error, CallError::Unknown { .. }) {
                unknown = Some((reason.clone(), timing));
            }
            let part = match error {
                CallError::Invalid { .. } => {
                    let alone = parts.refused(part);
                    is_answered = true;
                    delivery.settled.extend(alone.map(|job| outcome::failed(job.item, reason, Some(timing))));
                    continue;
                }
                _ if may_be_one_record(&error, &part) => match parts.failed(part) {
                    Failed::Halved => continue,
                    Failed::Alone(job) if is_answered || !parts.is_empty() || hold::has_failed_alone(&job) => {
                        delivery.settled.push(self.retry(job, reason, timing));
                        continue;
                    }
                    Failed::Alone(job) => vec![job],
                    Failed::GivenUp(part) => part,
                },
                _ => part,
            };
            self.settle_unknown(unknown, part.into_iter().chain(parts.rest()), delivery);
            return Err(self.failure_of(context, call.records(), call.in_words(), &error));
        }
        Ok(rest)
    }

    /// Records of a call with unknown outcome are retried; those that were never sent are released.
    fn settle_unknown(
        &self,
        unknown: Option<(Reason, Timing)>,
        jobs: impl Iterator<Item = Job>,
        delivery: &mut Delivery,
    ) {
        if let Some((reason, timing)) = unknown {
            delivery.settled.extend(jobs.map(|job| self.retry(job, reason.clone(), timing)));
        }
    }

    async fn call(
        &self,
        call: WriteCall,
        context: &DeliveryContext<'_>,
        jobs: &[Job],
    ) -> Result<Vec<RecordAnswer>, CallError> {
        let ModuleMapping { module, trigger, .. } = context.module;
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
            WriteCall::Insert => self.client.insert(module, &bodies, trigger).await,
            _ => self.client.update(module, &bodies, trigger).await,
        }
    }

    /// Settles one item by its entry in the answer, unless something is left to do.
    fn settle(
        &self,
        call: WriteCall,
        context: &DeliveryContext<'_>,
        job: Job,
        entry: RecordAnswer,
        timing: Timing,
        (rest, delivery): (&mut Unsettled, &mut Delivery),
    ) {
        let refusal = match entry {
            RecordAnswer::Done { id, .. } if job.remote_id.as_ref().is_some_and(|meant| *meant != id) => {
                let words = format!("Zoho says that it wrote the record {id} instead. Look at both records there.");
                delivery.settled.push(outcome::failed(job.item, ("wrong_record".to_owned(), words), Some(timing)));
                return;
            }
            RecordAnswer::Done { id, action, .. } if job.leaves.is_some() => {
                rest.gone.extend(Self::settle_erased(call, job, (id, action), timing, delivery));
                return;
            }
            RecordAnswer::Done { id, modified_at, .. } => {
                rest.gone.extend(Self::done(call, context, job, (id, modified_at), timing, delivery));
                return;
            }
            RecordAnswer::Refused(refusal) => refusal,
        };
        let settled = match refusal.class {
            Class::Gone if job.removes && may_be_elsewhere(call, &job) => {
                return rest.perhaps_elsewhere.push(Job { remote_id: None, ..job });
            }
            Class::Gone if job.removes => outcome::synced(job.item, None, None, job.outcome, timing),
            Class::Gone if call == WriteCall::Update => return rest.gone.push(job),
            Class::Gone => self.retry(job, outcome::of_refusal(&refusal), timing),
            Class::Duplicate if call == WriteCall::Insert => return rest.duplicates.push((job, refusal, timing)),
            class if outcome::passes(class) => self.retry(job, outcome::of_refusal(&refusal), timing),
            _ => match dangling(context, &job, &refusal) {
                Some(related) => {
                    delivery.redeliver.push(related);
                    let words = format!("Zoho no longer has {}; this one waits for it.", context.batch.name(related));
                    self.retry(job, ("related_gone".to_owned(), words), timing)
                }
                None => outcome::failed(job.item, outcome::of_refusal(&refusal), Some(timing)),
            },
        };
        delivery.settled.push(settled);
    }

    /// Settles a record that Zoho wrote; returns the job when the record is to be deleted next: it was inserted, or found
    /// by its key, because an earlier attempt may have created it.
    fn done(
        call: WriteCall,
        context: &DeliveryContext<'_>,
        job: Job,
        (id, written_at): (String, Option<Timestamp>),
        timing: Timing,
        delivery: &mut Delivery,
    ) -> Option<Job> {
        let deletes = context.module.on_delete == OnDelete::Delete;
        let settled = match (job.removes, call) {
            (false, _) => {
                let Job { item, digest, outcome, remarks, .. } = job;
                Settled { remarks, written_at, ..outcome::synced(item, Some(id), Some(digest), outcome, timing) }
            }
            (true, WriteCall::Delete) => outcome::synced(job.item, None, None, "removed", timing),
            (true, _) if deletes => return Some(Job { remote_id: Some(id), ..job }),
            (true, _) => {
                let synced = outcome::synced(job.item, Some(id), Some(job.digest), "removed", timing);
                Settled { written_at, ..synced }
            }
        };
        delivery.settled.push(settled);
        None
    }

    pub(super) fn retry(&self, job: Job, reason: (String, String), timing: Timing) -> Settled {
        let due_at = backoff::retry_at(self.clock.now(), job.item.attempts.saturating_add(1), &self.random);
        outcome::retried(job.item, reason, due_at, timing)
    }
}

/// Whether an earlier attempt, whose answer is unknown, may have created a record again that Zoho no longer has.
fn may_be_elsewhere(call: WriteCall, job: &Job) -> bool {
    let was_blanked = call == WriteCall::Delete && job.leaves.is_some();
    job.tried && job.remote_id == job.item.remote_id && !was_blanked
}

/// Whether a failed call may succeed without one of its records.
fn may_be_one_record(error: &CallError, jobs: &[Job]) -> bool {
    // At first, a problem of Zoho is more likely; only repeated failures are narrowed down.
    error.is_server_error() && jobs.iter().any(|job| job.item.attempts >= 2)
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
