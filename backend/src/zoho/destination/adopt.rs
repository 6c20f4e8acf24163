//! People who are already in Zoho, imported by admissions: they are recognised by their e-mail address and adopted, not
//! duplicated.
//!
//! We look for the address before a person's first write. Zoho's search lags by seconds, so what we wrote ourselves is
//! known from our own items.

use std::collections::HashMap;

use super::{
    Zoho,
    find::{AdoptionChoice, distinct, grouped},
    job::{DeliveryContext, Job},
    outcome::{self, Timing},
    unreadable,
};
use crate::{
    delivery::{Delivery, Destination, DestinationFailure},
    model::{ItemState, Kind, RecordKey},
    store::ItemRow,
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
        let holders = self.holders(context, &jobs).await.map_err(unreadable)?;
        let found = self.contacts(context, &jobs).await?;
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
            match found.choose(context.module, &job) {
                AdoptionChoice::New => new.push(job),
                AdoptionChoice::Ours(id) if self.is_ours(&job, &id).await.map_err(unreadable)? => {
                    existing.push(Job { remote_id: Some(id), ..job });
                }
                AdoptionChoice::Ours(id) => failure = Some(self.other_writer(context, &id)),
                AdoptionChoice::Adopt(id) => existing.extend(job.of_existing(context, id, "adopted")),
                AdoptionChoice::Ask(code, words) => {
                    delivery.settled.push(outcome::failed(job.item, (code.to_owned(), words), Some(timing)));
                }
            }
        }
        Ok(Adoption { existing, new, failure })
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

fn same_address(context: &DeliveryContext<'_>, job: Job, other: RecordKey, timing: Timing) -> crate::store::Settled {
    let words = format!(
        "{} has the same e-mail address and is already in Zoho. Correct one of the two in Moodle, or delete the unused account; then \
         retry.",
        context.batch.name(other)
    );
    outcome::failed(job.item, ("email_taken".to_owned(), words), Some(timing))
}
