//! The records of one module: their current and recent versions, and indexes to find them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::history::{Action, History, Source, changes};
use chrono::{DateTime, TimeDelta, Utc};

/// How long deleted records lie in the recycle bin; Zoho's.
const IN_BIN: TimeDelta = TimeDelta::days(60);

/// A record's non-null fields by API name.
pub(super) type Fields = Map<String, Value>;

/// A record with its earlier versions, as far back as the lagging search needs them.
pub(super) struct Record {
    pub(super) created: DateTime<Utc>,
    versions: VecDeque<Version>,
    pub(super) history: History,
    /// What keeps the API from changing it.
    pub(super) hold: Option<Hold>,
    /// `None`: it can be had back.
    gone: Option<Gone>,
}

/// A state in which the API cannot change a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Hold {
    Approval,
    Blueprint,
    /// A lead that became a contact.
    #[serde(skip)]
    Converted,
}

/// How a record was deleted permanently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// Somebody purged it from the recycle bin, or merged it into another.
    Purged,
    /// Its days in the recycle bin were over.
    Expired,
}

struct Version {
    from: DateTime<Utc>,
    /// `None`: it is in the recycle bin.
    fields: Option<Arc<Fields>>,
}

impl Record {
    /// The current fields; `None` for a deleted record.
    pub(super) fn fields(&self) -> Option<&Arc<Fields>> {
        self.versions.back().and_then(|version| version.fields.as_ref())
    }

    /// The fields at a time in the past.
    pub(super) fn fields_at(&self, time: DateTime<Utc>) -> Option<&Arc<Fields>> {
        self.versions.iter().rev().find(|version| version.from <= time).and_then(|version| version.fields.as_ref())
    }

    /// When it last changed; for a deleted record, when it was deleted.
    pub(super) fn modified(&self) -> DateTime<Utc> {
        self.versions.back().map_or(self.created, |version| version.from)
    }

    /// How it was deleted permanently, if it was.
    pub(super) fn gone(&self) -> Option<Gone> {
        self.gone
    }

    pub(super) fn is_converted(&self) -> bool {
        self.hold == Some(Hold::Converted)
    }

    /// Its last fields, even if it is in the recycle bin.
    pub(super) fn last_fields(&self) -> Option<&Arc<Fields>> {
        if self.gone.is_some() {
            return None;
        }
        self.versions.iter().rev().find_map(|version| version.fields.as_ref())
    }
}

/// The ids of records that have, or recently had, a value in a field. Readers check the record, so outdated entries do
/// no harm.
type Index = HashMap<String, BTreeSet<u64>>;

/// All records of a module, including deleted ones.
#[derive(Default)]
pub(super) struct Records {
    by_id: BTreeMap<u64, Record>,
    indexes: HashMap<String, Index>,
    /// What lies in the recycle bin, by the time of deletion.
    bin: BTreeSet<(DateTime<Utc>, u64)>,
    /// Where changes come from at the moment.
    pub(super) source: Source,
}

impl Records {
    /// A record that is not deleted.
    pub(super) fn live(&self, id: u64) -> Option<(&Record, &Arc<Fields>)> {
        let record = self.by_id.get(&id)?;
        record.fields().map(|fields| (record, fields))
    }

    /// All records that are not deleted, ordered by id.
    pub(super) fn all_live(&self) -> impl DoubleEndedIterator<Item = (u64, &Record, &Arc<Fields>)> {
        self.by_id.iter().filter_map(|(id, record)| record.fields().map(|fields| (*id, record, fields)))
    }

    /// All records at a time in the past, with their ids.
    pub(super) fn all_at(&self, time: DateTime<Utc>) -> impl Iterator<Item = (u64, &Record, &Arc<Fields>)> {
        self.by_id.iter().filter_map(move |(id, record)| record.fields_at(time).map(|fields| (*id, record, fields)))
    }

    /// The deleted records, the newest id first.
    pub(super) fn deleted(&self) -> impl Iterator<Item = (u64, &Record)> {
        self.by_id.iter().rev().filter(|(_, record)| record.fields().is_none()).map(|(id, record)| (*id, record))
    }

    pub(super) fn get(&self, id: u64) -> Option<&Record> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Record> {
        self.by_id.get_mut(&id)
    }

    /// The number of records in the recycle bin.
    pub(super) fn recycled(&self) -> usize {
        self.bin.len()
    }

    /// The number of records that take room: those in the recycle bin, too.
    pub(super) fn stored(&self) -> usize {
        self.all_live().count() + self.bin.len()
    }

    /// What lies in the recycle bin, with the time of deletion.
    pub(super) fn in_bin(&self) -> impl Iterator<Item = (DateTime<Utc>, u64, &Record)> {
        self.bin.iter().filter_map(|(time, id)| self.by_id.get(id).map(|record| (*time, *id, record)))
    }

    pub(super) fn is_in_bin(&self, id: u64) -> bool {
        self.by_id.get(&id).is_some_and(|record| self.bin.contains(&(record.modified(), id)))
    }

    pub(super) fn insert(&mut self, id: u64, fields: Fields, now: DateTime<Utc>, hold: Option<Hold>) {
        for (name, index) in &mut self.indexes {
            add_to_index(index, fields.get(name), id);
        }
        let version = Version { from: now, fields: Some(Arc::new(fields)) };
        let mut history = History::default();
        history.add(now, Action::Added, self.source, Vec::new());
        let versions = VecDeque::from([version]);
        self.by_id.insert(id, Record { created: now, versions, history, hold, gone: None });
    }

    /// Replaces a record's fields; versions before `forget` are no longer needed.
    pub(super) fn replace(&mut self, id: u64, fields: Fields, now: DateTime<Utc>, forget: DateTime<Utc>) {
        let changes = self.live(id).map(|(_, before)| changes(before, &fields)).unwrap_or_default();
        self.overwrite(id, fields, now, forget);
        if let Some(record) = self.by_id.get_mut(&id).filter(|_| !changes.is_empty()) {
            record.history.add(now, Action::Updated, self.source, changes);
        }
    }

    /// Replaces a record's fields without a word in its timeline.
    pub(super) fn overwrite(&mut self, id: u64, fields: Fields, now: DateTime<Utc>, forget: DateTime<Utc>) {
        let Some(record) = self.by_id.get_mut(&id) else { return };
        for (name, index) in &mut self.indexes {
            let before = record.fields().and_then(|fields| fields.get(name));
            if before != fields.get(name) {
                add_to_index(index, fields.get(name), id);
            }
        }
        change(record, Some(Arc::new(fields)), now, forget);
    }

    /// Moves a record to the recycle bin. Returns whether there was one.
    pub(super) fn delete(&mut self, id: u64, now: DateTime<Utc>, forget: DateTime<Utc>) -> bool {
        let Some(record) = self.by_id.get_mut(&id) else { return false };
        if record.fields().is_none() {
            return false;
        }
        // Its last fields stay, so that the list of deleted records can name it.
        change(record, None, now, forget);
        record.history.add(now, Action::Deleted, self.source, Vec::new());
        self.bin.insert((now, id));
        true
    }

    /// Takes a record out of the recycle bin. Returns whether there was one.
    pub(super) fn restore(&mut self, id: u64, now: DateTime<Utc>, forget: DateTime<Utc>) -> bool {
        let Some(record) = self.by_id.get_mut(&id) else { return false };
        let (true, Some(fields)) = (self.bin.remove(&(record.modified(), id)), record.last_fields().cloned()) else {
            return false;
        };
        change(record, Some(fields), now, forget);
        record.history.add(now, Action::Restored, self.source, Vec::new());
        true
    }

    /// Deletes a record permanently: nothing of it remains but its id, once the search no longer lags.
    pub(super) fn purge(&mut self, id: u64, now: DateTime<Utc>, forget: DateTime<Utc>, gone: Gone) {
        let Some(record) = self.by_id.get_mut(&id) else { return };
        self.bin.remove(&(record.modified(), id));
        change(record, None, now, forget);
        record.history.clear();
        record.gone = Some(gone);
    }

    /// Deletes permanently what has been in the recycle bin too long.
    pub(super) fn expire(&mut self, now: DateTime<Utc>) {
        while self.bin.first().is_some_and(|(deleted, _)| *deleted + IN_BIN <= now) {
            let Some((deleted, id)) = self.bin.pop_first() else { return };
            self.purge(id, deleted + IN_BIN, now, Gone::Expired);
        }
    }

    /// Builds the index of this field, which [`Self::candidates`] needs.
    pub(super) fn index(&mut self, field: &str) {
        if self.indexes.contains_key(field) {
            return;
        }
        let mut index = Index::new();
        for (id, record) in &self.by_id {
            for fields in record.versions.iter().filter_map(|version| version.fields.as_ref()) {
                add_to_index(&mut index, fields.get(field), *id);
            }
        }
        self.indexes.insert(field.to_owned(), index);
    }

    /// The ids of records that may have this value in this indexed field, the oldest first.
    pub(super) fn candidates(&self, field: &str, value: &Value) -> impl Iterator<Item = u64> {
        let ids = self.indexes.get(field).zip(index_key(value)).and_then(|(index, key)| index.get(&key));
        ids.into_iter().flatten().copied()
    }
}

fn change(record: &mut Record, fields: Option<Arc<Fields>>, now: DateTime<Utc>, forget: DateTime<Utc>) {
    record.versions.push_back(Version { from: now, fields });
    // The version at `forget` is still visible; earlier ones are not. A deleted record keeps its last fields.
    let kept = if record.fields().is_some() { 1 } else { 2 };
    while record.versions.len() > kept && record.versions.get(1).is_some_and(|next| next.from <= forget) {
        record.versions.pop_front();
    }
}

fn add_to_index(index: &mut Index, value: Option<&Value>, id: u64) {
    let Some(key) = value.and_then(index_key) else { return };
    index.entry(key).or_default().insert(id);
}

/// The index key of a value: Zoho compares case-insensitively.
pub(super) fn index_key(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.to_lowercase()),
        Value::Object(lookup) => lookup.get("id").and_then(Value::as_str).map(str::to_owned),
        other => Some(other.to_string()),
    }
}
