//! A delivery: decides about each item, makes the calls, and settles each item by its own entry in the answer.

use std::{collections::HashSet, time::Duration};

use super::{
    Decider, Decision, DeliveryBatch, Zoho,
    adopt::Adoption,
    brake,
    decision::WriteTarget,
    findings::{self, Answers, Leave},
    job::{DeliveryContext, Job, WriteCall, job},
    outcome, readings,
    send::Unsettled,
    unreadable,
};
use crate::{
    clock::Timestamp,
    delivery::{Delivery, Destination, DestinationFailure},
    model::{Kind, RecordKey},
    store::{Claimed, CourseFilter, UserFilter},
    zoho::mapping::{OnDelete, Rendered, Write},
};

/// When to look again whether another worker has delivered a sibling: about the time of a call.
const SIBLING_WAIT: Duration = Duration::from_secs(1);

impl Zoho {
    pub(super) async fn deliver_part(&self, items: Vec<Claimed>) -> Result<Delivery, DestinationFailure> {
        let mut delivery = Delivery::default();
        let kind = items.first().map_or(Kind::User, |item| item.key.kind);
        let Some(module) = self.mapping.module(kind) else {
            let reason = ("not_mapped".to_owned(), format!("The mapping has no table for {kind} records."));
            delivery.edges.readings = self.readings_of(kind, &items).await.map_err(unreadable)?;
            delivery.settled = items.into_iter().map(|item| outcome::left_alone(item, reason.clone(), None)).collect();
            return Ok(delivery);
        };
        let metadata = &*self.metadata(kind, module).await?;
        let time_zone = self.time_zone(kind, module, metadata).await?;
        let moment = (time_zone, self.clock.now());
        let batch =
            DeliveryBatch::load(&self.store, &self.mapping, moment, Self::NAME, &items).await.map_err(unreadable)?;
        delivery.edges.readings = self.readings(&batch, &items);
        delivery.edges.moments = readings::moments(&batch, module, &items);
        let context = DeliveryContext { batch: &batch, module, metadata };
        let decider = Decider { mapping: &self.mapping, batch: &batch, module };
        let (mut writes, mut removals, mut erasures, mut undoes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        delivery.reconsider.extend(items.iter().filter_map(|item| decider.perhaps_not_enrolled(item.key)));
        let mut answers = Answers::default();
        for item in items {
            match decider.decide(&item, metadata, &mut ()) {
                Decision::Write(mut target) => match answers.leave(&batch, &module.key, &item, &mut target) {
                    Leave::Everything => delivery.settled.push(outcome::as_left(item, target.digest, target.remarks)),
                    Leave::Some => writes.push((item, target)),
                },
                Decision::Remove(target) => removals.push((item, target)),
                Decision::Erase(target, leaves) => erasures.push((item, target, leaves)),
                Decision::Undo => undoes.push(item),
                decision => settle_without_call(&mut delivery, item, decision, self.clock.now()),
            }
        }
        let effect = |(item, target): &(Claimed, WriteTarget)| brake::removal(&context, item, target);
        let removals = self.braked(&context, removals, effect, |(item, _)| item, &mut delivery).await?;
        let removed = match self.erase_all(&context, erasures, &mut delivery).await {
            Ok(()) => self.undo_all(&context, undoes, &mut delivery).await,
            failed => failed,
        };
        delivery.failure = match removed {
            Ok(()) => self.write_all(&context, writes, removals, &mut delivery).await.err(),
            Err(failure) => Some(failure),
        };
        self.answer_findings(answers, &delivery.settled).await;
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
        let is_restored = |job: &&Job| context.batch.finding(job.item.key).is_some_and(findings::is_restored);
        let restored = inserts.iter().filter(is_restored).map(|job| job.item.key).collect();
        self.reappear(restored, delivery).await;
        for (item, target) in removals {
            let job = job(item, target, "removed", true);
            match (job.remote_id.is_some(), context.module.on_delete) {
                (true, OnDelete::Delete) => deletes.push(job),
                (true, _) => updates.push(job),
                // An attempt of unknown outcome may have created it. If it did, the insert is refused and says so.
                (false, _) => inserts.push(job),
            }
        }
        let updates = self.without_shared_addresses(context, updates).await?;
        let Unsettled { gone, perhaps_elsewhere, .. } =
            self.send(WriteCall::Update, context, updates, delivery).await?;
        inserts.extend(perhaps_elsewhere);
        let mut merged: HashSet<RecordKey> = gone.iter().filter(|job| !job.removes).map(|job| job.item.key).collect();
        let mut gone = self.without_merged(context, gone, delivery).await?;
        gone.vanished.iter().for_each(|job| _ = merged.remove(&job.item.key));
        self.reappear(merged, delivery).await;
        gone.vanished = self.ask_about(context, gone.vanished, delivery).await?;
        inserts.extend(gone.vanished);
        let (removed, inserts): (Vec<_>, Vec<_>) =
            self.render_new(context, inserts, delivery).into_iter().partition(|job| job.removes);
        let Adoption { existing: mut found, mut new, questions, failure } =
            self.adopt(context, inserts, delivery).await?;
        self.store.ask_for(Self::NAME, &questions, self.clock.now()).await.map_err(unreadable)?;
        found.extend(gone.merged);
        let found = self.braked(context, found, brake::adoption, |job| job.item, delivery).await?;
        let vanished = self.send(WriteCall::Update, context, found, delivery).await?.gone;
        new.extend(self.render_new(context, vanished, delivery));
        new.extend(self.perhaps_inserted(context, removed, delivery).await?);
        deletes.extend(self.insert(context, new, delivery).await?);
        let elsewhere = self.send(WriteCall::Delete, context, deletes, delivery).await?.perhaps_elsewhere;
        let elsewhere = self.render_new(context, elsewhere, delivery);
        let deletes = self.insert(context, elsewhere, delivery).await?;
        self.send(WriteCall::Delete, context, deletes, delivery).await?;
        failure.map_or(Ok(()), Err)
    }

    /// Requests new deliveries of what refers to records that get another id: what was delivered of it names the old one.
    async fn reappear(&self, keys: HashSet<RecordKey>, delivery: &mut Delivery) {
        for key in keys {
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
    pub(super) fn render_new(
        &self,
        context: &DeliveryContext<'_>,
        jobs: Vec<Job>,
        delivery: &mut Delivery,
    ) -> Vec<Job> {
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
}

fn settle_without_call(delivery: &mut Delivery, item: Claimed, decision: Decision, now: Timestamp) {
    let settled = match decision {
        Decision::Same(remarks) => outcome::same(item, remarks),
        Decision::LeftOut { reason, waits_for } => outcome::left_alone(item, reason, waits_for),
        Decision::NeverThere { reason } => outcome::never_there(item, reason),
        Decision::Forgotten { reason } => outcome::forgotten(item, reason),
        Decision::HandOver { to } => {
            delivery.redeliver.push(to);
            let words = "A newer grade of the same user and item stands for it in Zoho.".to_owned();
            // It stays the writer until the newer one takes over.
            outcome::left_alone(item, ("replaced".to_owned(), words), None)
        }
        Decision::Park { waits_for, reason, reconsider } => {
            delivery.reconsider.extend(reconsider.then_some(waits_for));
            outcome::parked(item, waits_for, reason)
        }
        Decision::Wait { reason } => outcome::postponed(item, reason, now.after(SIBLING_WAIT)),
        Decision::Fail { reason } => outcome::failed(item, reason, None),
        // These need a call.
        Decision::Write(_) | Decision::Remove(_) | Decision::Erase(..) | Decision::Undo => return,
    };
    delivery.settled.push(settled);
}
