//! People who are already in Zoho, imported by admissions: they are recognised by their e-mail address and adopted, not
//! duplicated.
//!
//! We look for the address before a person's first write. Zoho's search lags by seconds, so what we wrote ourselves is
//! known from our own items.

use std::collections::HashMap;

use super::{
    Zoho,
    find::{AdoptionChoice, FoundPeople, distinct, grouped},
    job::{DeliveryContext, Job},
    outcome::{self, Timing},
    unreadable, user_key,
};
use crate::{
    delivery::{Delivery, Destination, DestinationFailure},
    model::{ItemState, Kind, RecordKey, Records},
    store::{ItemRow, Settled, StoreError},
    zoho::mapping::{Adopt, Rendered, Write},
};

/// Who else has a person's address.
enum Holder {
    /// Nobody who is in Zoho.
    Nobody,
    /// Another user, who is in Zoho.
    Other(RecordKey),
    /// Another user, who is being delivered right now.
    InFlight,
}

/// Deleted users, by the ids of their contacts in Zoho. Whoever has the same address is the same person with a new
/// account, and takes the contact over.
type Gone = HashMap<String, RecordKey>;

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
        let mut found = self.contacts(context, &jobs).await?;
        self.confirm(context, &jobs, &mut found, &mut gone).await?;
        let timing = Timing { started_at, ended_at: self.clock.now() };
        let (mut existing, mut new, mut failure) = (Vec::new(), Vec::new(), None);
        for job in jobs {
            match holders.get(&job.item.key).unwrap_or(&Holder::Nobody) {
                Holder::Nobody => {}
                Holder::Other(other) => {
                    delivery.settled.push(same_address(context, job, *other, timing));
                    continue;
                }
                Holder::InFlight => {
                    let words = "Another user with the same e-mail address is being delivered; this one follows.";
                    let reason = ("same_email_in_flight".to_owned(), words.to_owned());
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
                        existing.extend(adopted(context, job, id));
                    } else if self.is_ours(&job, &id).await.map_err(unreadable)? {
                        existing.push(Job { remote_id: Some(id), ..job });
                    } else {
                        failure = Some(self.other_writer(context, &id));
                    }
                }
                AdoptionChoice::Adopt(id) if adopts(context, &job) => {
                    let job = Job { takes_over_from: handed_over(&id), ..job };
                    existing.extend(adopted(context, job, id));
                }
                AdoptionChoice::Adopt(id) => delivery.settled.push(ask(context, job, &id, timing)),
                AdoptionChoice::Taken(id, words) => {
                    let blocked_by = self.store.writer_of(Self::NAME, &id).await.map_err(unreadable)?;
                    let failed = outcome::failed(job.item, ("email_taken".to_owned(), words), Some(timing));
                    delivery.settled.push(Settled { blocked_by, ..failed });
                }
                AdoptionChoice::Ask(code, words) => {
                    delivery.settled.push(outcome::failed(job.item, (code.to_owned(), words), Some(timing)));
                }
            }
        }
        Ok(Adoption { existing, new, failure })
    }

    /// Reads the contacts by id that are about to be taken for another person's or asked about, and those of deleted
    /// users: Zoho's search lags by seconds. Adds the deleted users whom only their contact shows: those who are erased here.
    async fn confirm(
        &self,
        context: &DeliveryContext<'_>,
        jobs: &[Job],
        found: &mut FoundPeople,
        gone: &mut Gone,
    ) -> Result<(), DestinationFailure> {
        let module = context.module;
        let mut ids = found.doubtful(module, jobs, |job| adopts(context, job));
        for id in ids.iter().filter(|id| !gone.contains_key(*id)).cloned().collect::<Vec<_>>() {
            let writer = self.store.writer_of(Self::NAME, &id).await.map_err(unreadable)?;
            if let Some(writer) = writer
                && self.store.is_gone(Self::NAME, writer).await.map_err(unreadable)?
            {
                gone.insert(id, writer);
            }
        }
        ids.extend(gone.keys().cloned());
        if ids.is_empty() {
            return Ok(());
        }
        let ids = distinct(ids.into_iter());
        let mut fields = vec![module.key.as_str()];
        fields.extend(module.matches.iter().map(|field| field.field.as_str()));
        let records = self.client.get(&module.module, &ids, &fields).await;
        found.replace(&ids, &records.map_err(|error| self.failure_of(context, Records::New, &error))?);
        Ok(())
    }

    /// Whether a person was asked whether this contact may be adopted, and so has answered by writing the key into it.
    async fn was_asked_about(&self, job: &Job, id: &str) -> Result<bool, StoreError> {
        let rows = self.store.sync_items_of(Self::NAME, &[job.item.key]).await?;
        let names = |row: &ItemRow| row.reason.as_ref().is_some_and(|reason| reason.contains(id));
        Ok(rows.iter().any(|row| row.code.as_deref() == Some(ASKS) && names(row)))
    }

    /// Who else has these people's addresses, among all users that we know; and those of them who are deleted.
    async fn holders(
        &self,
        context: &DeliveryContext<'_>,
        jobs: &[Job],
    ) -> Result<(HashMap<RecordKey, Holder>, Gone), StoreError> {
        let email_of = |key: RecordKey| context.batch.user(key).and_then(|user| user.email.clone());
        let addresses: Vec<(RecordKey, String)> =
            jobs.iter().filter_map(|job| Some((job.item.key, email_of(job.item.key)?))).collect();
        // Moodle normally stores addresses in lower case.
        let spellings = addresses.iter().flat_map(|(_, email)| [email.clone(), email.to_lowercase()]);
        let users = self.store.users_by_email(&distinct(spellings)).await?;
        let users = users.into_iter().filter_map(|user| {
            let key = RecordKey { kind: Kind::User, site_id: user.site_id, moodle_id: user.record.state.userid };
            Some((user.record.state.email?.to_lowercase(), (key, user.record.deleted)))
        });
        let users = grouped(users);
        let several = users.values().filter(|users| users.len() > 1).flatten();
        let rows = self.store.sync_items_of(Self::NAME, &several.map(|(key, _)| *key).collect::<Vec<_>>()).await?;
        let rows: HashMap<RecordKey, ItemRow> = rows.into_iter().map(|row| (row.key, row)).collect();
        let mut gone = Gone::new();
        let mut holder = |(key, email): (RecordKey, String)| {
            let others = users.get(&email.to_lowercase()).into_iter().flatten().filter(|(other, _)| *other != key);
            let mut holder = Holder::Nobody;
            for (row, deleted) in others.filter_map(|(other, deleted)| Some((rows.get(other)?, *deleted))) {
                match &row.remote_id {
                    // What becomes of its contact is not known before it is settled.
                    _ if deleted && is_unsettled(row) => holder = Holder::InFlight,
                    Some(id) if deleted && !row.linked => _ = gone.insert(id.clone(), row.key),
                    _ if deleted => {}
                    Some(_) => return (key, Holder::Other(row.key)),
                    None => {
                        // Of several in one delivery, the first one goes ahead.
                        let goes_first = !jobs.iter().any(|job| job.item.key == row.key) || row.key < key;
                        if row.state == ItemState::InFlight && goes_first {
                            holder = Holder::InFlight;
                        }
                    }
                }
            }
            (key, holder)
        };
        let holders = addresses.into_iter().map(&mut holder).collect();
        Ok((holders, gone))
    }
}

/// Whether it is being delivered, or an attempt of unknown outcome may have created a contact.
fn is_unsettled(row: &ItemRow) -> bool {
    let may_be_there = row.remote_id.is_none() && row.attempts > 0 && row.state == ItemState::Pending;
    row.state == ItemState::InFlight || may_be_there
}

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

/// The job that adopts a contact: fields that are only written at creation are left out.
fn adopted(context: &DeliveryContext<'_>, job: Job, id: String) -> Option<Job> {
    let facts = context.batch.facts(job.item.key)?;
    let subject = context.batch.subject(job.item.key, &facts);
    // Cannot fail after the creation was rendered: it has fewer fields.
    let rendered = context.module.render(&subject, Write::Adopt, context.metadata);
    let Rendered { fields: body, remarks } =
        rendered.unwrap_or_else(|_| Rendered { fields: job.body.clone(), remarks: job.remarks.clone() });
    Some(Job { remote_id: Some(id), body, remarks, outcome: "adopted", ..job })
}

fn same_address(context: &DeliveryContext<'_>, job: Job, other: RecordKey, timing: Timing) -> Settled {
    let words = format!(
        "{} has the same e-mail address and is already in Zoho. Correct one of the two in Moodle, or delete the unused account: then \
         this one is delivered by itself.",
        context.batch.name(other)
    );
    let failed = outcome::failed(job.item, ("email_taken".to_owned(), words), Some(timing));
    Settled { blocked_by: Some(other), ..failed }
}
