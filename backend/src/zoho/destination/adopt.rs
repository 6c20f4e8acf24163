//! People who are already in Zoho, imported by admissions: they are recognised by their e-mail address and adopted, not
//! duplicated.
//!
//! We look for the address before a person's first write. Zoho's search lags by seconds, so what we wrote ourselves is
//! known from our own items.

use std::collections::HashMap;

use super::{
    Zoho,
    decide::UNDONE,
    find::{AdoptionChoice, FoundPeople, distinct},
    holders::{Gone, Holder},
    job::{DeliveryContext, Job},
    outcome::{self, Timing},
    same_address::{self, goes_without, is_by_address, without_address},
    undo, unreadable, user_key,
};
use crate::{
    delivery::{Delivery, Destination, DestinationFailure},
    model::{AdoptionState, Kind, RecordKey, Records},
    store::Settled,
    zoho::mapping::Adopt,
};

/// People, by what is known about them.
#[derive(Default)]
pub(super) struct Adoption {
    /// Those found in Zoho, who are updated.
    pub(super) existing: Vec<Job>,
    /// Those who are new.
    pub(super) new: Vec<Job>,
    /// Accounts with the contacts about which a person is asked.
    pub(super) questions: Vec<(RecordKey, String)>,
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
            return Ok(Adoption { new: jobs, ..Adoption::default() });
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
        let adoption = Adoption::default();
        let mut sorter = Sorter { zoho: self, context, holders, gone, writers, found, timing, delivery, adoption };
        for job in jobs {
            if let Some(job) = sorter.past_holders(job) {
                sorter.sort(job).await?;
            }
        }
        Ok(sorter.adoption)
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
            let choice = found.choose(context.module, job, &HashMap::new(), |_| None);
            adopts(context, job) && matches!(choice, AdoptionChoice::Adopt(_))
        };
        let (never, perhaps): (Vec<Job>, Vec<Job>) =
            removed.into_iter().partition(|job| never_sent.contains(&job.item.key) || would_be_adopted(job));
        let reason = || ("deleted".to_owned(), "It was deleted in Moodle.".to_owned());
        delivery.settled.extend(never.into_iter().map(|job| outcome::never_there(job.item, reason())));
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
}

/// Sorts people by what is known about them.
struct Sorter<'a> {
    zoho: &'a Zoho,
    context: &'a DeliveryContext<'a>,
    holders: HashMap<RecordKey, Holder>,
    gone: Gone,
    /// The items that write the contacts of others.
    writers: HashMap<String, RecordKey>,
    found: FoundPeople,
    timing: Timing,
    delivery: &'a mut Delivery,
    adoption: Adoption,
}

impl Sorter<'_> {
    /// The person, unless another one who is known here has the same address.
    fn past_holders(&mut self, job: Job) -> Option<Job> {
        match self.holders.get(&job.item.key).unwrap_or(&Holder::Nobody) {
            Holder::Nobody => return Some(job),
            Holder::Other(_) if goes_without(self.context) => {
                self.adoption.new.push(without_address(self.context, job));
            }
            Holder::Other(other) => {
                self.delivery.settled.push(same_address::failed(self.context, job, *other, self.timing));
            }
            Holder::InFlight => {
                let words = "Another user with the same e-mail address is being delivered; this one follows.";
                self.later(job, SAME_EMAIL_IN_FLIGHT, words);
            }
        }
        None
    }

    /// What a person decided about an account and a contact.
    fn decided(&self, key: RecordKey, contact: &str) -> Option<AdoptionState> {
        self.context.batch.standing(key, contact).map(|standing| standing.state)
    }

    async fn sort(&mut self, job: Job) -> Result<(), DestinationFailure> {
        let (context, key) = (self.context, job.item.key);
        let decided = |id: &str| self.decided(key, id);
        match self.found.choose(context.module, &job, &keys_of(context, &self.gone), decided) {
            AdoptionChoice::New => self.adoption.new.push(job),
            AdoptionChoice::Ours(id) => self.ours(job, id).await?,
            AdoptionChoice::Adopt(id) => self.adopt(job, id),
            AdoptionChoice::Several { ids, reason } => {
                self.adoption.questions.extend(ids.into_iter().map(|id| (key, id)));
                self.fail(job, "email_taken", reason);
            }
            AdoptionChoice::Declined(id) if self.goes_without(&job, &id) => {
                self.delivery.edges.moved.push(key);
                self.adoption.new.push(without_address(context, job));
            }
            AdoptionChoice::Declined(id) => self.delivery.settled.push(declined(context, job, &id, self.timing)),
            AdoptionChoice::Taken { id, .. } if self.goes_without(&job, &id) => {
                self.adoption.new.push(without_address(context, job));
            }
            AdoptionChoice::Taken { id, owner, reason } => {
                // Without a writer, an attempt of unknown outcome may have created it for the owner of its key.
                let blocked_by = self.writers.get(&id).copied().or_else(|| context.batch.user_of_key(&owner));
                // A key of nobody here: a person may say that the contact is this account's.
                self.adoption.questions.extend(blocked_by.is_none().then_some((key, id)));
                let failed = outcome::failed(job.item, ("email_taken".to_owned(), reason), Some(self.timing));
                self.delivery.settled.push(Settled { blocked_by, ..failed });
            }
            AdoptionChoice::Later => {
                self.later(job, SEARCH_FAILED, "Zoho fails to look for this person, but looks for others.");
            }
            AdoptionChoice::Ask(code, words) => self.fail(job, code, words),
        }
        Ok(())
    }

    /// A contact that has the person's key.
    async fn ours(&mut self, job: Job, id: String) -> Result<(), DestinationFailure> {
        let decided = self.decided(job.item.key, &id);
        let job = self.taking_over(job, &id);
        // Whoever was asked has answered by writing the key into the contact.
        if matches!(decided, Some(AdoptionState::Waiting | AdoptionState::Approved)) {
            self.adoption.existing.extend(Job { decided: true, ..job }.of_existing(self.context, id, "adopted"));
        } else if self.zoho.is_ours(&job, &id).await.map_err(unreadable)? {
            self.adoption.existing.push(Job { remote_id: Some(id), ..job });
        } else {
            self.adoption.failure = Some(self.zoho.other_writer(self.context, &id));
        }
        Ok(())
    }

    /// The only contact with the person's address.
    fn adopt(&mut self, job: Job, id: String) {
        let (key, state) = (job.item.key, self.decided(job.item.key, &id));
        let decided = state == Some(AdoptionState::Approved);
        if !decided && !adopts(self.context, &job) {
            self.delivery.settled.push(ask(self.context, job, &id, self.timing));
            self.adoption.questions.push((key, id));
            return;
        }
        // What was removed when an earlier adoption was undone is written again.
        self.delivery.edges.moved.extend(state.map(|_| key));
        let job = Job { decided, ..self.taking_over(job, &id) };
        self.adoption.existing.extend(job.of_existing(self.context, id, "adopted"));
    }

    fn taking_over(&self, job: Job, id: &str) -> Job {
        Job { takes_over_from: self.gone.get(id).copied().into_iter().collect(), ..job }
    }

    fn goes_without(&self, job: &Job, id: &str) -> bool {
        goes_without(self.context) && is_by_address(self.context, &self.found, job, id)
    }

    fn later(&mut self, job: Job, code: &str, words: &str) {
        let reason = (code.to_owned(), words.to_owned());
        self.delivery.settled.push(self.zoho.retry(job, reason, self.timing));
    }

    fn fail(&mut self, job: Job, code: &str, words: String) {
        self.delivery.settled.push(outcome::failed(job.item, (code.to_owned(), words), Some(self.timing)));
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

/// The code of people who must not have the contact with their address.
pub(super) const REFUSED: &str = "adoption_refused";

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
        "The contact {id} in Zoho has the e-mail address of {name}, and {why}. If it is the same person, approve the adoption: in the \
         console under Adoptions, by backend-sync sync adoptions, or write {own} into the field {key} there, then retry. Otherwise \
         refuse it, or correct one of the addresses, then retry."
    );
    outcome::failed(job.item, (ASKS.to_owned(), words), Some(timing))
}

/// The end of an account that must not have the contact with its address: a failure, until its adoption was undone,
/// after which it is left out.
fn declined(context: &DeliveryContext<'_>, job: Job, id: &str, timing: Timing) -> Settled {
    let key = job.item.key;
    if let Some(words) = undo::words(context, key, id) {
        return outcome::left_alone(job.item, (UNDONE.to_owned(), words), None);
    }
    let standing = context.batch.standing(key, id);
    let by = standing.and_then(|standing| standing.decided_by.as_deref()).unwrap_or("Somebody");
    let words = format!(
        "{by} refused to adopt the contact {id} in Zoho, which has this e-mail address. Correct one of the addresses, then retry; or \
         approve it after all: backend-sync sync adoptions approve {}. same_address = \"without\" in the mapping file gives this \
         account a contact of its own without the address.",
        standing.map_or(0, |standing| standing.id)
    );
    outcome::failed(job.item, (REFUSED.to_owned(), words), Some(timing))
}

/// The keys of deleted users in Zoho, by the ids of their contacts.
fn keys_of(context: &DeliveryContext<'_>, gone: &Gone) -> HashMap<String, String> {
    let key = |(id, key): (&String, &RecordKey)| (id.clone(), user_key(context.batch.site(key.site_id), key.moodle_id));
    gone.iter().map(key).collect()
}
