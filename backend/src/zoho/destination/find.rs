//! Finding people in Zoho by what the mapping says: their addresses, their ID numbers; among the contacts, and among the
//! leads.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use serde_json::{Map, Value};

use super::{
    Zoho,
    job::{DeliveryContext, Job},
};
use crate::{
    delivery::DestinationFailure,
    model::{AdoptionState, Records},
    zoho::mapping::{MatchField, ModuleMapping},
};

/// The module of people who are not contacts yet.
pub(super) const LEADS: &str = "Leads";

/// What fails when people cannot be found, in words.
const SEARCH: &str = "people cannot be looked for";

/// The records found by one field.
struct FoundBy {
    field: MatchField,
    /// By the field's value in lower case.
    records: HashMap<String, Vec<Map<String, Value>>>,
    /// Values that Zoho refuses to look for.
    refused: HashSet<String>,
    /// Values that Zoho fails to look for.
    failed: HashSet<String>,
}

impl FoundBy {
    /// The records for a person.
    fn of(&self, job: &Job) -> &[Map<String, Value>] {
        let records = job.body.get(&self.field.value_of).and_then(lower).and_then(|value| self.records.get(&value));
        records.map_or(&[], Vec::as_slice)
    }

    /// Whether a person's value is one of these.
    fn has(&self, values: &HashSet<String>, job: &Job) -> bool {
        job.body.get(&self.field.value_of).and_then(Value::as_str).is_some_and(|value| values.contains(value))
    }
}

/// What was found about some people.
pub(super) struct FoundPeople {
    contacts: Vec<FoundBy>,
    leads: Vec<FoundBy>,
}

/// What to do with a person.
pub(super) enum AdoptionChoice {
    New,
    /// A contact that already has this person's key; with its id.
    Ours(String),
    /// The only contact, which has no key; with its id.
    Adopt(String),
    /// A contact has another one's key.
    Taken {
        id: String,
        /// The other one's key.
        owner: String,
        reason: String,
    },
    /// A person must decide between contacts; with their ids and the reason.
    Several {
        ids: Vec<String>,
        reason: String,
    },
    /// A person said that it must not be this contact, and there is no other one; with its id.
    Declined(String),
    /// Zoho failed to look for this person.
    Later,
    /// An operator must decide; with the code and the reason.
    Ask(&'static str, String),
}

impl Zoho {
    /// Looks for people by the fields of the mapping.
    pub(super) async fn contacts(
        &self,
        context: &DeliveryContext<'_>,
        jobs: &[Job],
    ) -> Result<FoundPeople, DestinationFailure> {
        let ModuleMapping { module, key, matches, match_leads, .. } = context.module;
        let mut found = FoundPeople { contacts: Vec::new(), leads: Vec::new() };
        for field in matches {
            found.contacts.extend(self.found_by(context, module, field, &["id", key], jobs).await?);
        }
        if let Some(field) = matches.first().filter(|_| *match_leads) {
            found.leads.extend(self.found_by(context, LEADS, field, &["id"], jobs).await?);
        }
        Ok(found)
    }

    async fn found_by(
        &self,
        context: &DeliveryContext<'_>,
        module: &str,
        field: &MatchField,
        columns: &[&str],
        jobs: &[Job],
    ) -> Result<Option<FoundBy>, DestinationFailure> {
        let value_of = |job: &Job| job.body.get(&field.value_of).and_then(Value::as_str).map(str::to_owned);
        let values = distinct(jobs.iter().filter_map(value_of));
        if values.is_empty() {
            return Ok(None);
        }
        let found = self.client.find_equal(module, &field.field, &values, columns).await;
        let found = found.map_err(|error| self.failure_of(context, Records::New, SEARCH, &error))?;
        let by_value = found.records.into_iter().filter_map(|record| Some((lower(record.get(&field.field)?)?, record)));
        Ok(Some(FoundBy {
            field: field.clone(),
            records: grouped(by_value),
            refused: found.refused.into_iter().collect(),
            failed: found.failed.into_iter().collect(),
        }))
    }
}

impl FoundPeople {
    /// The contacts found for a person.
    pub(super) fn contacts(&self, job: &Job) -> Vec<&Map<String, Value>> {
        let mut ids = HashSet::new();
        let all = self.contacts.iter().flat_map(|found| found.of(job));
        all.filter(|contact| ids.insert(contact.get("id"))).collect()
    }

    /// The ids of contacts that were found for a person and have another one's key, or none although that person may not
    /// adopt them.
    pub(super) fn doubtful(&self, module: &ModuleMapping, jobs: &[Job], adopts: impl Fn(&Job) -> bool) -> Vec<String> {
        let mut ids = Vec::new();
        for job in jobs {
            let (own, adopts) = (own_key(job, &module.key), adopts(job));
            for contact in self.contacts(job) {
                let is_doubtful = match key_of(contact, &module.key) {
                    Some(key) => Some(key) != own,
                    None => !adopts,
                };
                ids.extend(id(contact).filter(|_| is_doubtful));
            }
        }
        ids
    }

    /// The fields by which a contact was found for a person.
    pub(super) fn fields(&self, job: &Job, contact: &str) -> impl Iterator<Item = &str> {
        let by = move |found: &&FoundBy| found.of(job).iter().any(|each| id(each).as_deref() == Some(contact));
        self.contacts.iter().filter(by).map(|found| found.field.value_of.as_str())
    }

    /// Whether a contact was found that is not the person's own.
    pub(super) fn has_another(&self, job: &Job) -> bool {
        self.contacts(job).into_iter().any(|contact| id(contact) != job.remote_id)
    }

    /// Replaces contacts by what was read about them by id.
    pub(super) fn replace(&mut self, ids: &[String], records: &[Map<String, Value>]) {
        for FoundBy { field, records: found, .. } in &mut self.contacts {
            for contacts in found.values_mut() {
                contacts.retain(|contact| id(contact).is_none_or(|id| !ids.contains(&id)));
            }
            for record in records {
                let Some(value) = record.get(&field.field).and_then(lower) else { continue };
                found.entry(value).or_default().push(record.clone());
            }
        }
    }

    /// What to do with a person. `gone` are the keys of deleted users, by the ids of the contacts that they hand over;
    /// `decided` is what a person decided about a contact.
    pub(super) fn choose(
        &self,
        module: &ModuleMapping,
        job: &Job,
        gone: &HashMap<String, String>,
        decided: impl Fn(&str) -> Option<AdoptionState>,
    ) -> AdoptionChoice {
        let all = || self.contacts.iter().chain(&self.leads);
        if all().any(|found| found.has(&found.failed, job)) {
            return AdoptionChoice::Later;
        }
        if let Some(found) = all().find(|found| found.has(&found.refused, job)) {
            return AdoptionChoice::Ask(
                "not_searchable",
                format!(
                    "Zoho refuses to look for this value of {}. Correct it in Moodle; then retry.",
                    found.field.value_of
                ),
            );
        }
        let state = |contact: &Map<String, Value>| id(contact).and_then(|id| decided(&id));
        let is_declined = |contact: &&Map<String, Value>| state(contact).is_some_and(AdoptionState::is_declined);
        let (declined, contacts): (Vec<_>, Vec<_>) = self.contacts(job).into_iter().partition(is_declined);
        let is_approved = |contact: &Map<String, Value>| state(contact) == Some(AdoptionState::Approved);
        let declined = declined.first().copied().and_then(id);
        match (choose(job, &module.key, &contacts, gone, is_approved), declined) {
            (AdoptionChoice::New, Some(id)) => AdoptionChoice::Declined(id),
            (AdoptionChoice::New, None) => {
                match self.leads.iter().find_map(|found| found.of(job).first()).and_then(id) {
                    Some(lead) => AdoptionChoice::Ask(
                        "lead",
                        format!(
                            "The lead {lead} in Zoho has this e-mail address. Convert it in Zoho into a contact, or delete it; then retry."
                        ),
                    ),
                    None => AdoptionChoice::New,
                }
            }
            (choice, _) => choice,
        }
    }
}

fn own_key<'a>(job: &'a Job, key: &str) -> Option<&'a str> {
    job.body.get(key).and_then(Value::as_str)
}

fn key_of<'a>(contact: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    contact.get(key).and_then(Value::as_str).filter(|key| !key.is_empty())
}

fn choose(
    job: &Job,
    key: &str,
    contacts: &[&Map<String, Value>],
    gone: &HashMap<String, String>,
    is_approved: impl Fn(&Map<String, Value>) -> bool,
) -> AdoptionChoice {
    let own = own_key(job, key);
    if let Some(id) = contacts.iter().find(|contact| key_of(contact, key) == own).and_then(|contact| id(contact)) {
        return AdoptionChoice::Ours(id);
    }
    if let Some(id) = contacts.iter().find(|contact| is_approved(contact)).and_then(|contact| id(contact)) {
        return AdoptionChoice::Adopt(id);
    }
    let is_handed_over = |contact: &Map<String, Value>| {
        let old = id(contact).and_then(|id| gone.get(&id));
        old.is_some_and(|old| key_of(contact, key) == Some(old))
    };
    let (handed_over, others): (Vec<_>, Vec<_>) =
        contacts.iter().copied().partition(|contact: &&Map<String, Value>| is_handed_over(contact));
    let (taken, free): (Vec<_>, Vec<_>) = others.into_iter().partition(|contact| key_of(contact, key).is_some());
    // Somebody's account may have been deleted and made again several times.
    let newest = handed_over.into_iter().filter_map(id).max_by_key(|id| (id.len(), id.clone()));
    match (taken.first(), newest, free.as_slice()) {
        (None, Some(id), _) => AdoptionChoice::Adopt(id),
        (None, None, []) => AdoptionChoice::New,
        (None, None, [contact]) => id(contact).map_or(AdoptionChoice::New, AdoptionChoice::Adopt),
        (None, None, several) => AdoptionChoice::Several {
            ids: several.iter().filter_map(|contact| id(contact)).collect(),
            reason: format!(
                "{} contacts in Zoho have this e-mail address. Choose one in the console under Adoptions, or by backend-sync sync \
                 adoptions; or merge them in Zoho, or write {} into the field {key} of the right one, then retry.",
                several.len(),
                own.unwrap_or_default()
            ),
        },
        (Some(contact), ..) => {
            let (id, owner) = (id(contact).unwrap_or_default(), key_of(contact, key).unwrap_or_default());
            let reason = format!(
                "The contact {id} in Zoho has this e-mail address and belongs to {owner}. If they are the same person, clear the field \
                 {key} there; otherwise correct one of the addresses. Then retry."
            );
            AdoptionChoice::Taken { id, owner: owner.to_owned(), reason }
        }
    }
}

fn id(record: &Map<String, Value>) -> Option<String> {
    record.get("id").and_then(Value::as_str).map(str::to_owned)
}

fn lower(value: &Value) -> Option<String> {
    value.as_str().map(str::to_lowercase)
}

pub(super) fn distinct(values: impl Iterator<Item = String>) -> Vec<String> {
    values.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// Groups values by key.
pub(super) fn grouped<K: Hash + Eq, V>(pairs: impl IntoIterator<Item = (K, V)>) -> HashMap<K, Vec<V>> {
    let mut groups: HashMap<K, Vec<V>> = HashMap::new();
    for (key, value) in pairs {
        groups.entry(key).or_default().push(value);
    }
    groups
}
