//! New records: they are inserted, never upserted. An upsert looks at every field that the organisation marked unique,
//! so it could take over another one's record; an insert changes nothing that exists, and names what is in its way.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    Zoho,
    job::{DeliveryContext, Job, WriteCall},
    outcome::{self, SAME_ADDRESS, Timing},
    same_address, unreadable,
};
use crate::{
    delivery::{Delivery, Destination, DestinationFailure},
    model::Records,
    store::StoreError,
    zoho::client::{Duplicate, Refusal},
};

/// After this many attempts, a key that seems to be free and is refused even so is for a person.
const KEY_ATTEMPTS: u32 = 3;

/// What is known about a record that is in the way of a new one.
enum Obstacle {
    /// It has our key: an attempt of ours created it. With its id.
    Ours(String),
    /// It has our key, and we do not know that we created it. With its id.
    Unknown(String),
    /// It has our key until the record that had its Moodle id before is delivered.
    Formers,
    /// It is another one's; with the words for a person.
    Anothers(String),
    /// It is not there any more: somebody may just have deleted it.
    Vanished,
}

impl Zoho {
    /// Inserts records. Those that exist already, because the answer to an earlier attempt was lost, are updated
    /// instead. Returns those that are to be deleted next.
    pub(super) async fn insert(
        &self,
        context: &DeliveryContext<'_>,
        jobs: Vec<Job>,
        delivery: &mut Delivery,
    ) -> Result<Vec<Job>, DestinationFailure> {
        let rest = self.send(WriteCall::Insert, context, jobs, delivery).await?;
        let mut to_delete = rest.gone;
        let (existing, failure) = self.existing(context, rest.duplicates, delivery).await?;
        let timings: HashMap<_, _> = existing.iter().map(|(job, timing)| (job.item.key, *timing)).collect();
        let existing = existing.into_iter().map(|(job, _)| job).collect();
        let gone = self.send(WriteCall::Update, context, existing, delivery).await?.gone;
        for job in gone {
            match timings.get(&job.item.key).filter(|_| !job.removes) {
                Some(timing) => {
                    let words = "The record vanished from Zoho while it was being delivered.".to_owned();
                    delivery.settled.push(self.retry(job, ("vanished".to_owned(), words), *timing));
                }
                None => to_delete.push(job),
            }
        }
        failure.map_or(Ok(to_delete), Err)
    }

    /// Of new records that something is in the way of, those that exist already and are ours. Settles the others, unless
    /// somebody else seems to write under our keys.
    async fn existing(
        &self,
        context: &DeliveryContext<'_>,
        duplicates: Vec<(Job, Refusal, Timing)>,
        delivery: &mut Delivery,
    ) -> Result<(Vec<(Job, Timing)>, Option<DestinationFailure>), DestinationFailure> {
        let (module, key) = (&context.module.module, context.module.key.as_str());
        let ids: Vec<String> =
            duplicates.iter().flat_map(|(_, refusal, _)| &refusal.duplicates).map(|other| other.id.clone()).collect();
        let mut held = HashMap::new();
        if !ids.is_empty() {
            let records = self.client.get(module, &ids, &[key]).await;
            let records =
                records.map_err(|error| self.failure_of(context, Records::New, "records cannot be read", &error))?;
            held.extend(
                records.into_iter().filter_map(|record| Some((record.get("id")?.as_str()?.to_owned(), record))),
            );
        }
        let (mut existing, mut failure) = (Vec::new(), None);
        for (job, refusal, timing) in duplicates {
            match self.obstacle(context, &job, &refusal, &held).await.map_err(unreadable)? {
                Obstacle::Ours(id) => existing.extend(again(context, job, id).map(|job| (job, timing))),
                Obstacle::Unknown(id) => failure = Some(self.other_writer(context, &id)),
                Obstacle::Formers => {
                    let words = "Moodle gave its id to another record before; that one's key in Zoho is changed first.";
                    delivery.settled.push(self.retry(job, ("former".to_owned(), words.to_owned()), timing));
                }
                Obstacle::Vanished => {
                    delivery.settled.push(self.retry(job, outcome::of_refusal(&refusal), timing));
                }
                Obstacle::Anothers(words) => {
                    delivery.settled.push(outcome::failed(job.item, (refusal.code, words), Some(timing)));
                }
            }
        }
        Ok((existing, failure))
    }

    async fn obstacle(
        &self,
        context: &DeliveryContext<'_>,
        job: &Job,
        refusal: &Refusal,
        held: &HashMap<String, Map<String, Value>>,
    ) -> Result<Obstacle, StoreError> {
        let key = context.module.key.as_str();
        let own = job.body.get(key);
        let is_ours = |other: &&Duplicate| held.get(&other.id).is_some_and(|record| record.get(key) == own);
        if let Some(other) = refusal.duplicates.iter().find(is_ours) {
            let writers = self.store.writers_of(Self::NAME, std::slice::from_ref(&other.id)).await?;
            if writers.get(&other.id).is_some_and(|writer| writer.moodle_id.is_former()) {
                return Ok(Obstacle::Formers);
            }
            let ours = self.is_ours(job, &other.id).await?;
            return Ok(if ours { Obstacle::Ours(other.id.clone()) } else { Obstacle::Unknown(other.id.clone()) });
        }
        // Between the refusal and this look, the former record may have got its other key.
        let had_it = |other: &Duplicate| other.field.as_deref() == Some(key) && held.contains_key(&other.id);
        if refusal.duplicates.iter().any(had_it) && job.item.attempts < KEY_ATTEMPTS {
            return Ok(Obstacle::Vanished);
        }
        let is_there = refusal.duplicates.iter().any(|other| held.contains_key(&other.id));
        if !refusal.duplicates.is_empty() && !is_there && job.item.attempts == 0 {
            return Ok(Obstacle::Vanished);
        }
        Ok(Obstacle::Anothers(words(context, refusal, held)))
    }

    /// Whether a record with this item's key is one that this database wrote, or may have written. Keys are unique: if the
    /// item's own record is gone, somebody merged it into this one, which got the key.
    pub(super) async fn is_ours(&self, job: &Job, id: &str) -> Result<bool, StoreError> {
        Ok(job.tried
            || job.item.remote_id.is_some()
            || self.store.wrote(Self::NAME, job.item.key, id).await?
            || self.store.takes_over(Self::NAME).await?)
    }

    /// The failure when records have keys of our site that this database did not write.
    pub(super) fn other_writer(&self, context: &DeliveryContext<'_>, id: &str) -> DestinationFailure {
        let module = &context.module.module;
        let reason = format!(
            "{module}: the record {id} in Zoho has the key of a record here, but this database did not write it. Either another Backend \
             Sync delivers a site of the same name to this organisation: then rename one of them. Or this database is new, or older \
             than what Zoho has: then `backend-sync sync accept records` takes these records over."
        );
        let (kind, cause) = (context.batch.kind, "other_writer");
        DestinationFailure::Hold { kind, records: Records::New, cause, reason, may_end: false }
    }
}

/// The job that updates a record which an earlier attempt created.
fn again(context: &DeliveryContext<'_>, job: Job, id: String) -> Option<Job> {
    let is_without = job.remarks.iter().any(|remark| remark.code == SAME_ADDRESS);
    let mut job = job.of_existing(context, id, "updated")?;
    if is_without {
        same_address::leave_out(context, &mut job);
    }
    Some(job)
}

/// What is in the way, and what a person can do.
fn words(context: &DeliveryContext<'_>, refusal: &Refusal, held: &HashMap<String, Map<String, Value>>) -> String {
    let (module, key) = (&context.module.module, context.module.key.as_str());
    let Some(other) = refusal.duplicates.first() else {
        return format!("{}. {}", refusal.message, refusal.advice);
    };
    let field = other.field.as_deref().unwrap_or("a unique field");
    let id = &other.id;
    match held.get(id).map(|record| record.get(key).and_then(Value::as_str).filter(|key| !key.is_empty())) {
        Some(Some(owner)) => format!(
            "The record {id} of {module} in Zoho has the same value in {field}, which is unique there, and belongs to {owner}. Correct \
             one of the two in Moodle, or let Zoho allow duplicates in {field}; then retry."
        ),
        Some(None) => format!(
            "The record {id} of {module} in Zoho has the same value in {field}, which is unique there. If both are the same, enter this \
             record's key into the field {key} there; otherwise correct one of them, or let Zoho allow duplicates in {field}. Then \
             retry."
        ),
        None => format!(
            "The record {id} in Zoho has the same value in {field}. It is not in {module}, or not visible to the connection's user: \
             perhaps a lead, which somebody must convert or delete. Then retry."
        ),
    }
}
