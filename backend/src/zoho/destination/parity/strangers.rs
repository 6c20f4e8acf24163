//! Records in Zoho that no item here writes, and which have a key of ours, or a person's address.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::{ParityError, confirm::modified_at};
use crate::{
    clock::Timestamp,
    delivery::Destination,
    model::{FindingSort, FoundBy, Id, ItemState, Kind, RecordKey},
    store::{ItemRow, NewFinding},
    zoho::{destination::Zoho, mapping::ModuleMapping},
};

/// What was found out about remote records that no item writes.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// Those that are a finding.
    pub(super) found: u64,
    /// When the first of those was changed whose record here is just being delivered, and may turn out to be it.
    pub(super) busy: Option<Timestamp>,
}

/// What a remote record is.
enum Stranger {
    /// A finding: how it differs, and the record here.
    Found(FindingSort, Option<RecordKey>),
    /// Perhaps the record's own, which is just being delivered.
    Busy,
    /// Nobody's concern.
    Fine,
}

impl Zoho {
    /// Keeps those of these remote records, by id, that are doubles of ours, or that have a key of ours which no record
    /// here has. Those of other installations are theirs.
    pub(super) async fn judge_strangers<'a>(
        &self,
        (kind, module): (Kind, &ModuleMapping),
        strangers: impl Iterator<Item = (&'a String, &'a Map<String, Value>)>,
        found_by: FoundBy,
    ) -> Result<Strangers, ParityError> {
        let (mut judged, mut found) = (Strangers::default(), Vec::new());
        let sites = self.store.site_names().await?;
        for (id, record) in strangers {
            let Some(text) = record.get(&module.key).and_then(Value::as_str).filter(|key| !key.is_empty()) else {
                continue;
            };
            let Some((site, rest)) = text.split_once(':') else { continue };
            let Some(site_id) = sites.iter().find(|(_, name)| *name == site).map(|(id, _)| *id) else { continue };
            let key = self.key_of(kind, site_id, rest).await?;
            if self.store.take_back(Self::NAME, id, self.clock.now()).await? {
                continue;
            }
            match self.stranger(key, id).await? {
                Stranger::Found(sort, key) => found.push(new(kind, key, id, sort, found_by)),
                Stranger::Busy => judged.busy = modified_at(record).into_iter().chain(judged.busy).min(),
                Stranger::Fine => {}
            }
        }
        judged.found = found.len() as u64;
        self.store.record_findings(Self::NAME, &found, self.clock.now()).await?;
        Ok(judged)
    }

    /// Keeps those of these contacts that no item writes and that have the address of a person here, who has another
    /// contact: Zoho's queries lag, so a contact may have been made while there was one already.
    pub(super) async fn judge_namesakes(
        &self,
        module: &ModuleMapping,
        contacts: &[&Map<String, Value>],
        people: &[ItemRow],
        found_by: FoundBy,
    ) -> Result<u64, ParityError> {
        let addresses = self.addresses(module, people).await?;
        let (mut found, mut asked) = (Vec::new(), Vec::new());
        for contact in contacts {
            let Some(id) = contact.get("id").and_then(Value::as_str) else { continue };
            let has_key = contact.get(&module.key).and_then(Value::as_str).is_some_and(|key| !key.is_empty());
            let values = module.matches.iter().filter_map(|field| contact.get(&field.field)?.as_str());
            let mut owners = values.filter_map(|value| addresses.get(&value.to_lowercase()));
            let Some(row) = owners.next().filter(|row| !has_key && row.remote_id.as_deref() != Some(id)) else {
                continue;
            };
            asked.push(row.key);
            found.push(new(Kind::User, Some(row.key), id, FindingSort::Doubled, found_by));
        }
        // A person has said already that it is somebody else.
        let standings = self.store.standings(Self::NAME, &asked).await?;
        found.retain(|found: &NewFinding| {
            let standing = found.key.and_then(|key| standings.get(&(key, found.remote_id.clone())));
            !standing.is_some_and(|standing| standing.state.is_declined())
        });
        self.store.record_findings(Self::NAME, &found, self.clock.now()).await?;
        Ok(found.len() as u64)
    }

    /// The record with a key, without the name of the site.
    async fn key_of(&self, kind: Kind, site_id: i64, rest: &str) -> Result<Option<RecordKey>, ParityError> {
        let key = |moodle_id: Id| RecordKey { kind, site_id, moodle_id };
        let number = |text: &str| text.parse().ok().map(Id);
        if kind != Kind::Grade {
            return Ok(number(rest).map(key));
        }
        let Some((user, item)) = rest.split_once(':').and_then(|(user, item)| Some((number(user)?, number(item)?)))
        else {
            return Ok(None);
        };
        let groups = self.store.grade_groups(&[(site_id, user, item)]).await?;
        let grade = groups.into_values().flatten().find(|grade| !grade.record.deleted);
        Ok(grade.map(|grade| key(grade.record.state.gradeid)))
    }

    /// What a remote record is that has this record's key.
    async fn stranger(&self, key: Option<RecordKey>, id: &str) -> Result<Stranger, ParityError> {
        let Some(key) = key else { return Ok(Stranger::Found(FindingSort::Surplus, None)) };
        let items = self.store.sync_items_of(Self::NAME, &[key]).await?;
        Ok(match items.first() {
            None => Stranger::Found(FindingSort::Surplus, None),
            // It has become the writer meanwhile.
            Some(item) if item.remote_id.as_deref() == Some(id) => Stranger::Fine,
            Some(item) if matches!(item.state, ItemState::Pending | ItemState::InFlight) => Stranger::Busy,
            Some(item) if item.state == ItemState::Synced && item.remote_id.is_some() => {
                Stranger::Found(FindingSort::Doubled, Some(key))
            }
            Some(item) if item.state == ItemState::Synced => Stranger::Found(FindingSort::Surplus, Some(key)),
            // It needs a person, or another record, before it is known which one is its own.
            Some(_) => Stranger::Fine,
        })
    }

    /// The people who have contacts, by the values that contacts are recognised by.
    async fn addresses<'a>(
        &self,
        module: &ModuleMapping,
        people: &'a [ItemRow],
    ) -> Result<BTreeMap<String, &'a ItemRow>, ParityError> {
        let mut addresses = BTreeMap::new();
        let expected: HashMap<RecordKey, Map<String, Value>> = self.expected_of(Kind::User, people).await?;
        for row in people {
            let Some(body) = expected.get(&row.key) else { continue };
            for field in &module.matches {
                let value = body.get(&field.value_of).and_then(Value::as_str);
                addresses.extend(value.map(|value| (value.to_lowercase(), row)));
            }
        }
        Ok(addresses)
    }
}

fn new(kind: Kind, key: Option<RecordKey>, id: &str, sort: FindingSort, found_by: FoundBy) -> NewFinding {
    NewFinding {
        kind,
        key,
        remote_id: id.to_owned(),
        sort,
        fields: Vec::new(),
        modified_at: None,
        modified_by: None,
        found_by,
    }
}
