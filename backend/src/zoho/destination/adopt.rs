//! People who are already in Zoho, imported by admissions: they are recognised by their e-mail address and adopted, not
//! duplicated.
//!
//! We search for the address before a person's first write, because an upsert that matches by it would take over a
//! contact that belongs to somebody else. Zoho's search lags by seconds, so what we wrote ourselves is known from our
//! own items.

use std::{collections::HashMap, hash::Hash};

use serde_json::{Map, Value};

use super::{
    Zoho,
    deliver::{DeliveryContext, Job},
    outcome::{self, Timing},
};
use crate::{
    delivery::{Delivery, Destination, DestinationFailure},
    model::{ItemState, Kind, RecordKey},
    store::ItemRow,
    zoho::mapping::{Rendered, Write},
};

/// Who else has a person's address.
enum Holder {
    /// Nobody.
    Nobody,
    /// Another user, who is in Zoho.
    Other(RecordKey),
    /// Another user, who is being delivered right now.
    InFlight,
}

impl Zoho {
    /// Splits people who may be new into those found in Zoho, who are updated, and those who are new. Settles those
    /// about whom a person must decide.
    pub(super) async fn adopt(
        &self,
        context: &DeliveryContext<'_>,
        jobs: Vec<Job>,
        delivery: &mut Delivery,
    ) -> Result<(Vec<Job>, Vec<Job>), DestinationFailure> {
        let Some(field) = context.module.matches.as_deref().filter(|_| context.batch.kind == Kind::User) else {
            return Ok((Vec::new(), jobs));
        };
        let emails = distinct(jobs.iter().filter_map(|job| address(job, field)));
        if emails.is_empty() {
            return Ok((Vec::new(), jobs));
        }
        let started_at = self.clock.now();
        let holders = match self.holders(context, &jobs).await {
            Ok(holders) => holders,
            Err(error) => {
                return Err(DestinationFailure::Outage { reason: format!("the records could not be read: {error}") });
            }
        };
        let key = context.module.key.as_str();
        let found = self.client.find_equal(&context.module.module, field, &emails, &["id", field, key]).await;
        let found = found.map_err(|error| self.failure(&error))?;
        let timing = Timing { started_at, ended_at: self.clock.now() };
        let found = grouped(found.into_iter().filter_map(|contact| Some((lower(contact.get(field)?)?, contact))));
        let (mut existing, mut new) = (Vec::new(), Vec::new());
        for job in jobs {
            let Some(email) = job.body.get(field).and_then(lower) else {
                new.push(job);
                continue;
            };
            match holders.get(&job.item.key).unwrap_or(&Holder::Nobody) {
                Holder::Nobody => {}
                Holder::Other(other) => {
                    delivery.settled.push(same_address(context, job, *other, timing));
                    continue;
                }
                Holder::InFlight => {
                    let words = "Another user with the same e-mail address is being delivered; this one follows.";
                    delivery.settled.push(self.retry(
                        job,
                        ("same_email_in_flight".to_owned(), words.to_owned()),
                        timing,
                    ));
                    continue;
                }
            }
            match choose(&job, key, found.get(&email).map_or(&[], Vec::as_slice)) {
                AdoptionChoice::New => new.push(job),
                AdoptionChoice::Ours(id) => existing.push(Job { remote_id: Some(id), ..job }),
                AdoptionChoice::Adopt(id) => existing.extend(adopted(context, job, id)),
                AdoptionChoice::Ask(words) => {
                    let reason = ("email_taken".to_owned(), words);
                    delivery.settled.push(outcome::failed(job.item, reason, Some(timing)));
                }
            }
        }
        Ok((existing, new))
    }

    /// Who else has these people's addresses, among all users that we know.
    async fn holders(
        &self,
        context: &DeliveryContext<'_>,
        jobs: &[Job],
    ) -> Result<HashMap<RecordKey, Holder>, crate::store::StoreError> {
        let email_of = |key: RecordKey| context.batch.user(key).and_then(|user| user.email.clone());
        let addresses: Vec<(RecordKey, String)> =
            jobs.iter().filter_map(|job| Some((job.item.key, email_of(job.item.key)?))).collect();
        // Moodle normally stores addresses in lower case.
        let spellings = addresses.iter().flat_map(|(_, email)| [email.clone(), email.to_lowercase()]);
        let users = self.store.users_by_email(&distinct(spellings)).await?;
        let users = users.into_iter().filter_map(|user| {
            let key = RecordKey { kind: Kind::User, site_id: user.site_id, moodle_id: user.record.state.userid };
            Some((user.record.state.email?.to_lowercase(), key))
        });
        let users = grouped(users);
        let others: Vec<RecordKey> = users.values().filter(|users| users.len() > 1).flatten().copied().collect();
        let rows = self.store.sync_items_of(Self::NAME, &others).await?;
        let rows: HashMap<RecordKey, ItemRow> = rows.into_iter().map(|row| (row.key, row)).collect();
        let holder = |(key, email): (RecordKey, String)| {
            let others = users.get(&email.to_lowercase()).into_iter().flatten().filter(|other| **other != key);
            let mut holder = Holder::Nobody;
            for row in others.filter_map(|other| rows.get(other)) {
                if row.remote_id.is_some() {
                    return (key, Holder::Other(row.key));
                }
                // Of several in one delivery, the first one goes ahead.
                let goes_first = !jobs.iter().any(|job| job.item.key == row.key) || row.key < key;
                if row.state == ItemState::InFlight && goes_first {
                    holder = Holder::InFlight;
                }
            }
            (key, holder)
        };
        Ok(addresses.into_iter().map(holder).collect())
    }
}

/// What to do with a person, given the contacts with the same address.
enum AdoptionChoice {
    New,
    /// A contact that already has this person's key; with its id.
    Ours(String),
    /// The only contact, which has no key; with its id.
    Adopt(String),
    /// An operator must decide; with the reason.
    Ask(String),
}

fn choose(job: &Job, key: &str, contacts: &[Map<String, Value>]) -> AdoptionChoice {
    let id = |contact: &Map<String, Value>| contact.get("id").and_then(Value::as_str).map(str::to_owned);
    let key_of = |contact: &Map<String, Value>| {
        contact.get(key).and_then(Value::as_str).filter(|key| !key.is_empty()).map(str::to_owned)
    };
    let own = job.body.get(key).and_then(Value::as_str);
    if let Some(id) = contacts.iter().find(|contact| key_of(contact).as_deref() == own).and_then(id) {
        return AdoptionChoice::Ours(id);
    }
    let (taken, free): (Vec<_>, Vec<_>) = contacts.iter().partition(|contact| key_of(contact).is_some());
    match (taken.first(), free.as_slice()) {
        (None, []) => AdoptionChoice::New,
        (None, [contact]) => id(contact).map_or(AdoptionChoice::New, AdoptionChoice::Adopt),
        (None, several) => AdoptionChoice::Ask(format!(
            "{} contacts in Zoho have this e-mail address. Merge them there, or write {} into the field {key} of the right one; then \
             retry.",
            several.len(),
            own.unwrap_or_default()
        )),
        (Some(contact), _) => AdoptionChoice::Ask(format!(
            "The contact {} in Zoho has this e-mail address and belongs to {}. If they are the same person, clear the field {key} there; \
             otherwise correct one of the addresses. Then retry.",
            id(contact).unwrap_or_default(),
            key_of(contact).unwrap_or_default()
        )),
    }
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

fn same_address(context: &DeliveryContext<'_>, job: Job, other: RecordKey, timing: Timing) -> crate::store::Settled {
    let words = format!(
        "{} has the same e-mail address and is already in Zoho. Correct one of the two in Moodle, or delete the unused account; then \
         retry.",
        context.batch.name(other)
    );
    outcome::failed(job.item, ("email_taken".to_owned(), words), Some(timing))
}

fn address(job: &Job, field: &str) -> Option<String> {
    job.body.get(field).and_then(Value::as_str).map(str::to_owned)
}

fn lower(value: &Value) -> Option<String> {
    value.as_str().map(str::to_lowercase)
}

fn distinct(values: impl Iterator<Item = String>) -> Vec<String> {
    values.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// Groups values by key.
fn grouped<K: Hash + Eq, V>(pairs: impl IntoIterator<Item = (K, V)>) -> HashMap<K, Vec<V>> {
    let mut groups: HashMap<K, Vec<V>> = HashMap::new();
    for (key, value) in pairs {
        groups.entry(key).or_default().push(value);
    }
    groups
}
