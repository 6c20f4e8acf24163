//! People who are already in Zoho, imported by admissions: they are recognised by their e-mail address and adopted, not
//! duplicated.
//!
//! We look for the address before a person's first write. Zoho's search lags by seconds, so what we wrote ourselves is
//! known from our own items.

use std::collections::HashMap;

use super::{
    Zoho,
    find::{AdoptionChoice, FoundPeople, distinct},
    holders::{Gone, Holder},
    job::{DeliveryContext, Job},
    outcome::{self, Timing},
    same_address::{self, goes_without, is_by_address, without_address},
    unreadable, user_key,
};
use crate::{
    delivery::{Delivery, Destination, DestinationFailure},
    model::{Kind, RecordKey, Records},
    store::{ItemRow, Settled, StoreError},
    zoho::mapping::Adopt,
};

/// People, by what is known about them.
pub(super) struct Adoption {
    /// Those found in Zoho, who are updated.
    pub(super) existing: Vec<Job>,
    /// Those who are new.
    pub(super) new: Vec<Job>,
    /// Somebody else seems to write under our keys.
    pub(super) failure: Option<DestinationFailure>,
}

impl Zoho {
    /// Splits people who may be new into those found in Zoho, who are updated, and those who are new. Settles those
    /// about whom a person must decide.
    pub(super) async fn adopt(
        &self,
        context: &DeliveryContext<'_>,
        jobs: Vec<Job>,
        delivery: &mut Delivery,
    ) -> Result<Adoption, DestinationFailure> {
        if context.module.matches.is_empty() || context.batch.kind != Kind::User || jobs.is_empty() {
            return Ok(Adoption { existing: Vec::new(), new: jobs, failure: None });
        }
        let started_at = self.clock.now();
        let (holders, mut gone) = self.holders(context, &jobs).await.map_err(unreadable)?;
        let mut found = match self.contacts(context, &jobs).await {
            Ok(found) => found,
            Err(failure) => {
                let timing = Timing { started_at, ended_at: self.clock.now() };
                self.settle_unfound(&failure, jobs, timing, delivery);
                return Err(failure);
            }
        };
        let writers = self.confirm(context, &jobs, &mut found, &mut gone).await?;
        let timing = Timing { started_at, ended_at: self.clock.now() };
        let (mut existing, mut new, mut failure) = (Vec::new(), Vec::new(), None);
        for job in jobs {
            match holders.get(&job.item.key).unwrap_or(&Holder::Nobody) {
                Holder::Nobody => {}
                Holder::Other(_) if goes_without(context) => {
                    new.push(without_address(context, job));
                    continue;
                }
                Holder::Other(other) => {
                    delivery.settled.push(same_address::failed(context, job, *other, timing));
                    continue;
                }
                Holder::InFlight => {
                    let words = "Another user with the same e-mail address is being delivered; this one follows.";
                    let reason = (SAME_EMAIL_IN_FLIGHT.to_owned(), words.to_owned());
                    delivery.settled.push(self.retry(job, reason, timing));
                    continue;
                }
            }
            let handed_over = |id: &String| gone.get(id).copied().into_iter().collect();
            match found.choose(context.module, &job, &keys_of(context, &gone)) {
                AdoptionChoice::New => new.push(job),
                AdoptionChoice::Ours(id) => {
                    let job = Job { takes_over_from: handed_over(&id), ..job };
                    if self.was_asked_about(&job, &id).await.map_err(unreadable)? {
                        existing.extend(Job { decided: true, ..job }.of_existing(context, id, "adopted"));
                    } else if self.is_ours(&job, &id).await.map_err(unreadable)? {
                        existing.push(Job { remote_id: Some(id), ..job });
                    } else {
                        failure = Some(self.other_writer(context, &id));
                    }
                }
                AdoptionChoice::Adopt(id) if adopts(context, &job) => {
                    let job = Job { takes_over_from: handed_over(&id), ..job };
                    existing.extend(job.of_existing(context, id, "adopted"));
                }
                AdoptionChoice::Adopt(id) => delivery.settled.push(ask(context, job, &id, timing)),
                AdoptionChoice::Taken { id, .. }
                    if goes_without(context) && is_by_address(context, &found, &job, &id) =>
                {
                    new.push(without_address(context, job));
                }
                AdoptionChoice::Taken { id, owner, reason } => {
                    // Without a writer, an attempt of unknown outcome may have created it for the owner of its key.
                    let blocked_by = writers.get(&id).copied().or_else(|| context.batch.user_of_key(&owner));
                    let failed = outcome::failed(job.item, ("email_taken".to_owned(), reason), Some(timing));
                    delivery.settled.push(Settled { blocked_by, ..failed });
                }
                AdoptionChoice::Later => {
                    let words = "Zoho fails to look for this person, but looks for others.";
                    delivery.settled.push(self.retry(job, (SEARCH_FAILED.to_owned(), words.to_owned()), timing));
                }
                AdoptionChoice::Ask(code, words) => {
                    delivery.settled.push(outcome::failed(job.item, (code.to_owned(), words), Some(timing)));
                }
            }
        }
        Ok(Adoption { existing, new, failure })
    }

    /// When Zoho fails to look for people, they are tried again later: one of them may be the reason.
    fn settle_unfound(&self, failure: &DestinationFailure, jobs: Vec<Job>, timing: Timing, delivery: &mut Delivery) {
        if let DestinationFailure::Outage { reason, .. } = failure {
            let reason = || (SEARCH_FAILED.to_owned(), reason.clone());
            delivery.settled.extend(jobs.into_iter().map(|job| self.retry(job, reason(), timing)));
        }
    }

    /// Of people who are gone, those whom an attempt of unknown outcome may have inserted. The others are left alone: an
    /// attempt would have adopted the contact that has their address.
    pub(super) async fn perhaps_inserted(
        &self,
        context: &DeliveryContext<'_>,
        removed: Vec<Job>,
        delivery: &mut Delivery,
    ) -> Result<Vec<Job>, DestinationFailure> {
        if context.module.matches.is_empty() || context.batch.kind != Kind::User || removed.is_empty() {
            return Ok(removed);
        }
        let keys: Vec<RecordKey> = removed.iter().map(|job| job.item.key).collect();
        let never_sent = self.store.never_sent(Self::NAME, &keys, &NOT_SENT).await.map_err(unreadable)?;
        let found = self.contacts(context, &removed).await?;
        let would_be_adopted = |job: &Job| {
            let choice = found.choose(context.module, job, &HashMap::new());
            adopts(context, job) && matches!(choice, AdoptionChoice::Adopt(_))
        };
        let (never, perhaps): (Vec<Job>, Vec<Job>) =
            removed.into_iter().partition(|job| never_sent.contains(&job.item.key) || would_be_adopted(job));
        let reason = || ("deleted".to_owned(), "It was deleted in Moodle.".to_owned());
        delivery.settled.extend(never.into_iter().map(|job| outcome::left_alone(job.item, reason(), None)));
        Ok(perhaps)
    }

    /// Reads the contacts by id that are about to be taken for another person's or asked about, and those of deleted
    /// users: Zoho's search lags by seconds. Adds the deleted users whom only their contact shows: those who are erased
    /// here. Returns the items that write the contacts of others.
    async fn confirm(
        &self,
        context: &DeliveryContext<'_>,
        jobs: &[Job],
        found: &mut FoundPeople,
        gone: &mut Gone,
    ) -> Result<HashMap<String, RecordKey>, DestinationFailure> {
        let module = context.module;
        let mut ids = found.doubtful(module, jobs, |job| adopts(context, job));
        let writers = self.store.writers_of(Self::NAME, &ids).await.map_err(unreadable)?;
        let unknown = writers.iter().filter(|(id, _)| !gone.contains_key(*id)).map(|(id, key)| (id.clone(), *key));
        for (id, writer) in unknown.collect::<Vec<_>>() {
            if self.store.is_gone(Self::NAME, writer).await.map_err(unreadable)? {
                gone.insert(id, writer);
            }
        }
        ids.extend(gone.keys().cloned());
        if ids.is_empty() {
            return Ok(writers);
        }
        let ids = distinct(ids.into_iter());
        let mut fields = vec![module.key.as_str()];
        fields.extend(module.matches.iter().map(|field| field.field.as_str()));
        let records = self.client.get(&module.module, &ids, &fields).await;
        found.replace(
            &ids,
            &records.map_err(|error| self.failure_of(context, Records::New, "contacts cannot be read", &error))?,
        );
        Ok(writers)
    }

    /// Whether a person was asked whether this contact may be adopted, and so has answered by writing the key into it.
    async fn was_asked_about(&self, job: &Job, id: &str) -> Result<bool, StoreError> {
        let rows = self.store.sync_items_of(Self::NAME, &[job.item.key]).await?;
        let names = |row: &ItemRow| row.reason.as_ref().is_some_and(|reason| reason.contains(id));
        Ok(rows.iter().any(|row| row.code.as_deref() == Some(ASKS) && names(row)))
    }
}

/// The code of people whom Zoho fails to look for.
const SEARCH_FAILED: &str = "search_failed";

/// The codes of attempts that ended before anything of a person was sent.
const NOT_SENT: [&str; 2] = [SEARCH_FAILED, SAME_EMAIL_IN_FLIGHT];

/// The code of people who wait for another one with the same address.
pub(super) const SAME_EMAIL_IN_FLIGHT: &str = "same_email_in_flight";

/// The code of people whose contact is only adopted if a person approves.
const ASKS: &str = "adoption_asks";

/// Whether this person's contact is adopted without asking.
fn adopts(context: &DeliveryContext<'_>, job: &Job) -> bool {
    context.batch.user(job.item.key).is_some_and(|user| context.module.adopts(user))
}

fn ask(context: &DeliveryContext<'_>, job: Job, id: &str, timing: Timing) -> Settled {
    let (name, key) = (context.batch.name(job.item.key), &context.module.key);
    let why = match context.module.adopt {
        Adopt::Never => "the mapping never adopts a contact without asking",
        _ => "the account registered itself, which anybody can do with this address",
    };
    let own = user_key(context.batch.site(job.item.key.site_id), job.item.key.moodle_id);
    let words = format!(
        "The contact {id} in Zoho has the e-mail address of {name}, and {why}. If it is the same person, write {own} into the field {key} \
         there, then retry: the contact is adopted. Otherwise correct one of the addresses, then retry."
    );
    outcome::failed(job.item, (ASKS.to_owned(), words), Some(timing))
}

/// The keys of deleted users in Zoho, by the ids of their contacts.
fn keys_of(context: &DeliveryContext<'_>, gone: &Gone) -> HashMap<String, String> {
    let key = |(id, key): (&String, &RecordKey)| (id.clone(), user_key(context.batch.site(key.site_id), key.moodle_id));
    gone.iter().map(key).collect()
}
