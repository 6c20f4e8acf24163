//! What a person does on Zoho's pages, and the API has no call for: merging contacts, converting leads, holding a
//! record in an approval or a blueprint.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    history::{Action, Related, Source, changes},
    read::name_of,
    records::{Fields, Gone, Hold},
    schema::{Kind, Module, Organisation, id_in},
};

/// The most records that are merged into one; Zoho's limit.
const MERGED: usize = 3;

/// The records to merge.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Merge {
    module: String,
    /// The record that stays.
    survivor: Value,
    /// The records that vanish.
    merged: Vec<Value>,
}

/// The lead to convert.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conversion {
    lead: Value,
    /// Whether its company becomes an account.
    #[serde(default)]
    account: bool,
}

/// The record to hold, or, without a state, to let go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Holding {
    module: String,
    id: Value,
    state: Option<Hold>,
}

/// The time of a change, and the time before which versions are no longer needed.
#[derive(Clone, Copy)]
pub(super) struct When {
    pub(super) now: DateTime<Utc>,
    pub(super) forget: DateTime<Utc>,
}

/// A record that exists.
fn existing(organisation: &Organisation, module: &str, id: &Value) -> Result<(u64, Fields), String> {
    let records = &organisation.modules.get(module).ok_or_else(|| format!("there is no module {module}"))?.records;
    let found = id_in(id).and_then(|id| records.live(id).map(|(_, fields)| (id, fields.as_ref().clone())));
    found.ok_or_else(|| format!("{module} has no record {id}"))
}

impl Merge {
    /// Merges: the survivor keeps its values and takes those that it lacks; the others are gone for good, and lookups
    /// to them lead to the survivor.
    pub(super) fn perform(self, organisation: &mut Organisation, when: When) -> Result<Value, String> {
        let (survivor, mut fields) = existing(organisation, &self.module, &self.survivor)?;
        let merged: Result<Vec<_>, _> = self.merged.iter().map(|id| existing(organisation, &self.module, id)).collect();
        let merged = merged?;
        let ids: Vec<u64> = merged.iter().map(|(id, _)| *id).collect();
        if ids.is_empty() || ids.len() >= MERGED || ids.contains(&survivor) {
            return Err(format!("a merge is of 2 to {MERGED} records"));
        }
        let module = organisation.modules.get_mut(&self.module).ok_or("the module is gone")?;
        for (id, other) in merged {
            module.records.purge(id, when.now, when.forget, Gone::Purged);
            let before = fields.clone();
            let related = Related { module: self.module.clone(), id, name: name_of(module, &other) };
            for (name, value) in other {
                fields.entry(name).or_insert(value);
            }
            // The event of the merge names the changes.
            module.records.overwrite(survivor, fields.clone(), when.now, when.forget);
            if let Some(record) = module.records.get_mut(survivor) {
                record.history.add(when.now, Action::Merged, Source::Merge, changes(&before, &fields));
                record.history.relate(related);
            }
        }
        move_lookups(organisation, &self.module, &ids, survivor, when);
        Ok(json!({ "id": survivor.to_string() }))
    }
}

/// Makes the lookups to some records lead to another one.
fn move_lookups(organisation: &mut Organisation, target: &str, from: &[u64], to: u64, when: When) {
    for module in organisation.modules.values_mut() {
        let leads = |kind: &Kind| matches!(kind, Kind::Lookup(of) if of == target);
        let lookups: Vec<String> = module.fields.values().filter(|field| leads(&field.kind)).map(api_name).collect();
        let moved: Vec<(u64, Fields)> = module
            .records
            .all_live()
            .filter_map(|(id, _, fields)| moved(fields, &lookups, from, to).map(|fields| (id, fields)))
            .collect();
        module.records.source = Source::Merge;
        moved.into_iter().for_each(|(id, fields)| module.records.replace(id, fields, when.now, when.forget));
        module.records.source = Source::Api;
    }
}

fn api_name(field: &super::schema::Field) -> String {
    field.api_name.clone()
}

/// The fields with their lookups moved, if any leads to one of those records.
fn moved(fields: &Fields, lookups: &[String], from: &[u64], to: u64) -> Option<Fields> {
    let of = |name: &&String| fields.get(*name).and_then(|value| id_in(&value["id"]));
    let old: Vec<&String> = lookups.iter().filter(|name| of(name).is_some_and(|id| from.contains(&id))).collect();
    let mut fields = (!old.is_empty()).then(|| fields.clone())?;
    for name in old {
        fields.insert(name.clone(), json!({ "id": to.to_string() }));
    }
    Some(fields)
}

impl Conversion {
    /// Converts a lead: a contact takes its fields, and the lead stays, out of sight.
    pub(super) fn perform(self, organisation: &mut Organisation, when: When) -> Result<Value, String> {
        let (lead, fields) = existing(organisation, "Leads", &self.lead)?;
        if organisation
            .modules
            .get("Leads")
            .and_then(|leads| leads.records.get(lead))
            .is_some_and(|lead| lead.is_converted())
        {
            return Err("the lead is converted already".to_owned());
        }
        let company = fields.get("Company").filter(|_| self.account);
        let company = company.map(|name| Fields::from_iter([("Account_Name".to_owned(), name.clone())]));
        let account = company.map(|company| add(organisation, "Accounts", company, when)).transpose()?;
        let contacts = organisation.modules.get("Contacts").ok_or("there is no module Contacts")?;
        let mut taken: Fields = fields.into_iter().filter(|(name, _)| contacts.fields.contains_key(name)).collect();
        if let Some(account) = account {
            taken.insert("Account_Name".to_owned(), json!({ "id": account.to_string() }));
        }
        let contact = add(organisation, "Contacts", taken, when)?;
        let name = organisation
            .modules
            .get("Contacts")
            .and_then(|contacts| contacts.records.live(contact).map(|(_, fields)| name_of(contacts, fields)));
        let related = Related { module: "Contacts".to_owned(), id: contact, name: name.unwrap_or_default() };
        let lead = organisation.modules.get_mut("Leads").and_then(|leads| leads.records.get_mut(lead));
        if let Some(lead) = lead {
            lead.hold = Some(Hold::Converted);
            lead.history.add(when.now, Action::Converted, Source::Conversion, Vec::new());
            lead.history.relate(related);
        }
        Ok(json!({ "contact": contact.to_string(), "account": account.map(|account| account.to_string()) }))
    }
}

/// Adds a record as a conversion does, past all checks.
fn add(organisation: &mut Organisation, name: &str, fields: Fields, when: When) -> Result<u64, String> {
    let id = organisation.ids.next();
    let module: &mut Module = organisation.modules.get_mut(name).ok_or_else(|| format!("there is no module {name}"))?;
    module.records.source = Source::Conversion;
    module.records.insert(id, fields, when.now, None);
    module.records.source = Source::Api;
    Ok(id)
}

impl Holding {
    pub(super) fn perform(self, organisation: &mut Organisation) -> Result<Value, String> {
        let (id, _) = existing(organisation, &self.module, &self.id)?;
        let module = organisation.modules.get_mut(&self.module);
        if let Some(record) = module.and_then(|module| module.records.get_mut(id)) {
            record.hold = self.state;
        }
        Ok(json!({ "id": id.to_string() }))
    }
}
