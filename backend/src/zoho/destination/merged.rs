//! People whose contact somebody merged into another one in Zoho. That is this person's decision: the contact is not
//! created again.
//!
//! A merged record is gone, and nothing says into which one it went. But what referred to it refers to the survivor,
//! whose timeline names it.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    Zoho,
    find::distinct,
    job::{DeliveryContext, Job},
    outcome::{self, Timing},
    unreadable,
};
use crate::{
    delivery::{Delivery, Destination, DestinationFailure},
    model::{Kind, RecordKey, Records},
    store::{StoreError, UserFilter},
    zoho::mapping::Related,
};

/// Records that Zoho no longer has.
#[derive(Default)]
pub(super) struct Gone {
    /// Those that are created again.
    pub(super) vanished: Vec<Job>,
    /// Those that were merged into a record which nothing here writes: they write it from now on.
    pub(super) merged: Vec<Job>,
}

impl Zoho {
    /// Settles people whose contact was merged into another person's. Returns the others.
    pub(super) async fn without_merged(
        &self,
        context: &DeliveryContext<'_>,
        gone: Vec<Job>,
        delivery: &mut Delivery,
    ) -> Result<Gone, DestinationFailure> {
        if context.batch.kind != Kind::User || gone.is_empty() {
            return Ok(Gone { vanished: gone, ..Gone::default() });
        }
        let (started_at, jobs) = (self.clock.now(), gone.clone());
        let rest = self.survivors(context, gone, delivery).await;
        if let Err(DestinationFailure::Outage { reason, .. }) = &rest {
            // One of them may be the reason; the next try begins with others.
            let timing = Timing { started_at, ended_at: self.clock.now() };
            let settled: HashSet<RecordKey> = delivery.settled.iter().map(|settled| settled.item.key).collect();
            let open = jobs.into_iter().filter(|job| !settled.contains(&job.item.key));
            let reason = || ("unknown".to_owned(), reason.clone());
            delivery.settled.extend(open.map(|job| self.retry(job, reason(), timing)));
        }
        rest
    }

    async fn survivors(
        &self,
        context: &DeliveryContext<'_>,
        gone: Vec<Job>,
        delivery: &mut Delivery,
    ) -> Result<Gone, DestinationFailure> {
        let mut rest = Gone::default();
        let started_at = self.clock.now();
        let found = self.contacts(context, &gone).await?;
        for job in gone {
            let by_address = found.contacts(&job).into_iter().filter_map(|contact| contact.get("id")?.as_str());
            let mut candidates = distinct(by_address.map(str::to_owned));
            candidates.extend(self.dependants_contact(context, job.item.key).await?);
            let Some(survivor) = self.survivor(context, &job, candidates).await? else {
                rest.vanished.push(job);
                continue;
            };
            let writers =
                self.store.writers_of(Self::NAME, std::slice::from_ref(&survivor)).await.map_err(unreadable)?;
            match writers.get(&survivor).copied() {
                Some(other) if other != job.item.key => {
                    let timing = Timing { started_at, ended_at: self.clock.now() };
                    let words = format!("Its contact was merged in Zoho into that of {}.", context.batch.name(other));
                    let reason = ("merged".to_owned(), words);
                    delivery.settled.push(outcome::linked(job.item, survivor, reason, timing));
                }
                _ => rest.merged.push(Job { remote_id: Some(survivor), outcome: "adopted", ..job }),
            }
        }
        Ok(rest)
    }

    /// The one of these contacts into which this job's contact was merged.
    async fn survivor(
        &self,
        context: &DeliveryContext<'_>,
        job: &Job,
        candidates: Vec<String>,
    ) -> Result<Option<String>, DestinationFailure> {
        let Some(vanished) = job.item.remote_id.as_deref() else { return Ok(None) };
        for candidate in candidates.into_iter().filter(|candidate| candidate != vanished) {
            let merged = self.client.was_merged_into(&context.module.module, &candidate, vanished).await;
            if merged.map_err(|error| self.failure_of(context, Records::Known, "timelines cannot be read", &error))? {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    }

    /// The contact that one of the person's records refers to in Zoho now.
    async fn dependants_contact(
        &self,
        context: &DeliveryContext<'_>,
        user: RecordKey,
    ) -> Result<Option<String>, DestinationFailure> {
        let Some((kind, remote_id)) = self.dependant(user).await.map_err(unreadable)? else { return Ok(None) };
        let Some(module) = self.mapping.module(kind) else { return Ok(None) };
        let lookup = module.rules.iter().find(|rule| rule.lookup() == Some(Related::User));
        let Some(field) = lookup.map(|rule| rule.field.as_str()) else { return Ok(None) };
        let records = self.client.get(&module.module, &[remote_id], &[field]).await;
        let records =
            records.map_err(|error| self.failure_of(context, Records::Known, "records cannot be read", &error))?;
        let contact = records.first().and_then(|record| record.get(field)?.get("id")).and_then(Value::as_str);
        Ok(contact.map(str::to_owned))
    }

    /// One of the person's records that is in Zoho, with its id there.
    async fn dependant(&self, user: RecordKey) -> Result<Option<(Kind, String)>, StoreError> {
        let filter = UserFilter { site_id: user.site_id, userid: user.moodle_id };
        let keys = self.store.records_of_user(filter).await?;
        let keys: Vec<RecordKey> = keys.into_iter().filter(|key| *key != user).collect();
        let items = self.store.sync_items_of(Self::NAME, &keys).await?;
        Ok(items.into_iter().find_map(|item| Some((item.key.kind, item.remote_id?))))
    }
}
