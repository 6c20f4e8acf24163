//! What a batch of events does to the records, in one transaction.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use futures_util::future::{try_join, try_join3, try_join5};
use uuid::Uuid;

use crate::{
    clock::Timestamp,
    model::{Change, Course, Event, GradeItem, Id, Incoming, Kind, Outcome, Record, State, Version},
    store::{
        NO_DATA, NewChange, NewEvent, RecordTable, Site, Store, StoreError, StoredRecord, WriteTransaction, completion,
        course, enrolment, grade, user,
    },
};

/// An event on its way to the database.
pub struct Arrival {
    /// Who sent it.
    pub site: Arc<Site>,
    /// What was sent.
    pub event: Event,
    /// When it reached us.
    pub received_at: Timestamp,
}

/// An event in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its place in the event log; of a duplicate, the place of the first.
    pub event_id: i64,
    /// What it did.
    pub outcome: Outcome,
}

type Key = (i64, Id);

/// Stores `arrivals` in their order and commits. Nothing is stored when it fails, unless the commit itself failed.
///
/// Arrivals sent with a token that has been revoked meanwhile are left out: their places hold `None`.
pub(super) async fn store_arrivals(
    store: &Store,
    arrivals: &[&Arrival],
    tokens: &[i64],
    repeat_ms: i64,
) -> Result<Vec<Option<Written>>, StoreError> {
    let (transaction, first_id) = store.begin_write(arrivals.len()).await?;
    let distinct: Vec<i64> = tokens.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let valid = transaction.valid_tokens(&distinct).await?;
    let mut known = transaction.known_events(&client_ids(arrivals)).await?;
    let erased = transaction.erased_people(&people(arrivals)).await?;
    let mut records = Records::load(&transaction, arrivals).await?;
    let (mut changes, mut mentioned) = (HashMap::new(), BTreeSet::new());
    let mut rows = Vec::with_capacity(arrivals.len());
    let mut written = Vec::with_capacity(arrivals.len());
    for ((arrival, token), id) in arrivals.iter().zip(tokens).zip(first_id..) {
        if !valid.contains(token) {
            written.push(None);
            continue;
        }
        let Arrival { site, event, received_at } = arrival;
        if let Some(client_id) = event.client_id {
            if let Some(&event_id) = known.get(&(site.id, client_id)) {
                written.push(Some(Written { event_id, outcome: Outcome::Duplicate }));
                continue;
            }
            known.insert((site.id, client_id), id);
        }
        let (moodle_id, userid) = event.change.subject();
        // Of an erased person nothing is kept but the fact that something arrived.
        let is_erased = userid.is_some_and(|userid| erased.contains(&(site.id, userid)));
        let (outcome, deleted) =
            if is_erased { (Outcome::Superseded, true) } else { records.apply(site.id, event, *received_at) };
        if outcome == Outcome::Applied {
            let change = NewChange { position: id, deleted, changed_at: *received_at };
            changes.insert((site.id, event.event_type.kind(), moodle_id), change);
            mentioned.extend(records.mention(site.id, event, *received_at));
        }
        rows.push(NewEvent {
            id,
            site_id: site.id,
            client_id: event.client_id,
            event_type: event.event_type,
            moodle_id,
            userid,
            version: event.version,
            received_at: *received_at,
            outcome,
            data: if is_erased { NO_DATA } else { &event.data },
        });
        written.push(Some(Written { event_id: id, outcome }));
    }
    let changed_items: Vec<Key> = records.items.changed.iter().copied().collect();
    let new_grades = records.grades.new_references(|grade| (grade.userid, grade.itemid));
    try_join(transaction.insert_events(rows), records.save(&transaction)).await?;
    if let Some(last) = arrivals.last().filter(|_| !changed_items.is_empty()) {
        transaction.touch_grades(&changed_items, last.received_at, &mut changes).await?;
    }
    if let Some(last) = arrivals.last() {
        transaction.add_changes(&mentioned, Kind::Course, last.received_at, &mut changes).await?;
    }
    transaction.mark_pending(&changes, &new_grades, repeat_ms).await?;
    transaction.save_changes(changes).await?;
    transaction.commit().await?;
    Ok(written)
}

/// The people whom the events are about.
fn people(arrivals: &[&Arrival]) -> Vec<Key> {
    let people = arrivals.iter().filter_map(|arrival| Some((arrival.site.id, arrival.event.change.subject().1?)));
    people.collect::<BTreeSet<_>>().into_iter().collect()
}

fn client_ids(arrivals: &[&Arrival]) -> BTreeMap<i64, Vec<Uuid>> {
    let mut client_ids: BTreeMap<i64, Vec<Uuid>> = BTreeMap::new();
    for arrival in arrivals {
        if let Some(client_id) = arrival.event.client_id {
            client_ids.entry(arrival.site.id).or_default().push(client_id);
        }
    }
    client_ids
}

/// The records of one kind that a batch touches.
struct Table<T: RecordTable> {
    held: HashMap<Key, StoredRecord<T::State>>,
    /// Those that were not there before.
    new: HashSet<Key>,
    /// The records to save, and whether an indexed column of them may differ from the database's.
    touched: HashMap<Key, bool>,
}

impl<T: RecordTable> Table<T> {
    async fn load(transaction: &WriteTransaction, keys: &BTreeSet<Key>) -> Result<Self, StoreError> {
        let keys: Vec<Key> = keys.iter().copied().collect();
        Ok(Self { held: transaction.records::<T>(&keys).await?, new: HashSet::new(), touched: HashMap::new() })
    }

    /// Returns the outcome, and whether the record is now deleted. `changed` tells that what belongs to the record changed.
    fn apply(
        &mut self,
        site_id: i64,
        incoming: &Incoming<T::State>,
        version: Version,
        now: Timestamp,
        changed: bool,
    ) -> (Outcome, bool) {
        let key = (site_id, incoming.state.moodle_id());
        let held = self.held.get(&key);
        let applied = Record::apply(held.map(|stored| &stored.record), incoming.clone(), version);
        let outcome = if changed { Outcome::Applied } else { applied.outcome };
        let changed_at = match held {
            Some(stored) if outcome != Outcome::Applied => stored.changed_at,
            _ => now,
        };
        if let Some(record) = applied.record.or_else(|| held.filter(|_| changed).map(|stored| stored.record.clone())) {
            let same_indexed = held.is_some_and(|held| T::same_indexed(&held.record.state, &record.state));
            *self.touched.entry(key).or_default() |= !same_indexed;
            if self.held.insert(key, StoredRecord { site_id, record, changed_at }).is_none() {
                self.new.insert(key);
            }
        }
        (outcome, self.held.get(&key).is_some_and(|stored| stored.record.deleted))
    }

    /// What the records refer to that were not there before.
    fn new_references<R>(&self, references: impl Fn(&T::State) -> R) -> HashMap<Key, R> {
        let new = self.new.iter().filter_map(|key| self.held.get(key).map(|stored| (*key, stored)));
        new.map(|(key, stored)| (key, references(&stored.record.state))).collect()
    }

    async fn save(mut self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        for indexed in [true, false] {
            let touched = self.touched.iter().filter(|(_, differs)| **differs == indexed);
            let records: Vec<_> = touched.filter_map(|(key, _)| self.held.remove(key)).collect();
            transaction.save_records::<T>(records, indexed).await?;
        }
        Ok(())
    }
}

/// The grade items that a batch touches, each with the version of the event that described it last.
struct Items {
    held: HashMap<Key, (GradeItem, Version)>,
    touched: HashSet<Key>,
    /// Those that mean something else now: all their grades changed.
    changed: BTreeSet<Key>,
}

impl Items {
    /// Returns whether the item changed.
    fn apply(&mut self, key: Key, item: &GradeItem, version: Version) -> bool {
        let Some((held, held_version)) = self.held.get(&key) else {
            self.save(key, item, version);
            return false;
        };
        let version = version.or_as_new_as(*held_version);
        if !version.replaces(Some(*held_version)) {
            return false;
        }
        let changed = held != item;
        if changed {
            self.changed.insert(key);
        }
        self.save(key, item, version);
        changed
    }

    fn save(&mut self, key: Key, item: &GradeItem, version: Version) {
        self.held.insert(key, (item.clone(), version));
        self.touched.insert(key);
    }
}

/// The course that the original plugin mentions: it tells nothing of courses but the ids in its enrolments. A plugin that sends
/// batches reports its courses, so theirs are waited for.
fn mentioned_course(event: &Event) -> Option<Id> {
    match &event.change {
        Change::Enrolment(enrolment) if event.client_id.is_none() => Some(enrolment.state.courseid),
        _ => None,
    }
}

/// The records of all kinds that a batch touches.
struct Records {
    users: Table<user::Entity>,
    courses: Table<course::Entity>,
    enrolments: Table<enrolment::Entity>,
    grades: Table<grade::Entity>,
    items: Items,
    completions: Table<completion::Entity>,
}

impl Records {
    async fn load(transaction: &WriteTransaction, arrivals: &[&Arrival]) -> Result<Self, StoreError> {
        let mut keys: HashMap<Kind, BTreeSet<Key>> = HashMap::new();
        let mut items = BTreeSet::new();
        for arrival in arrivals {
            let (moodle_id, _) = arrival.event.change.subject();
            keys.entry(arrival.event.event_type.kind()).or_default().insert((arrival.site.id, moodle_id));
            if let Change::Grade(grade, Some(_)) = &arrival.event.change {
                items.insert((arrival.site.id, grade.state.itemid));
            }
            if let Some(courseid) = mentioned_course(&arrival.event) {
                keys.entry(Kind::Course).or_default().insert((arrival.site.id, courseid));
            }
        }
        let items: Vec<Key> = items.into_iter().collect();
        let mut keys = |kind| keys.remove(&kind).unwrap_or_default();
        let (users, courses, enrolments) = (keys(Kind::User), keys(Kind::Course), keys(Kind::Enrolment));
        let (grades, completions) = (keys(Kind::Grade), keys(Kind::Completion));
        let (users, courses, enrolments, grades, completions) = try_join5(
            Table::load(transaction, &users),
            Table::load(transaction, &courses),
            Table::load(transaction, &enrolments),
            Table::load(transaction, &grades),
            Table::load(transaction, &completions),
        )
        .await?;
        let held = transaction.grade_items(&items).await?;
        let items = Items { held, touched: HashSet::new(), changed: BTreeSet::new() };
        Ok(Self { users, courses, enrolments, grades, items, completions })
    }

    fn apply(&mut self, site_id: i64, event: &Event, now: Timestamp) -> (Outcome, bool) {
        let version = event.version;
        match &event.change {
            Change::User(user) => self.users.apply(site_id, user, version, now, false),
            Change::Course(course) => self.courses.apply(site_id, course, version, now, false),
            Change::Enrolment(enrolment) => self.enrolments.apply(site_id, enrolment, version, now, false),
            Change::Completion(completion) => self.completions.apply(site_id, completion, version, now, false),
            Change::Grade(grade, item) => {
                let key = (site_id, grade.state.itemid);
                // A grade means something else when the item's maximum or scale changes: then the grade changed too.
                let changed = item.as_ref().is_some_and(|item| self.items.apply(key, item, version));
                self.grades.apply(site_id, grade, version, now, changed)
            }
        }
    }

    /// Makes the course that an event mentions, if nothing is known of it; returns its key if it did.
    fn mention(&mut self, site_id: i64, event: &Event, now: Timestamp) -> Option<Key> {
        let key = (site_id, mentioned_course(event)?);
        if self.courses.held.contains_key(&key) {
            return None;
        }
        let record = Record::mentioned(Course::unknown(key.1));
        self.courses.held.insert(key, StoredRecord { site_id, record, changed_at: now });
        self.courses.touched.insert(key, true);
        Some(key)
    }

    async fn save(self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        let Items { mut held, touched, .. } = self.items;
        let item = |key: &Key| held.remove(key).map(|(item, version)| (*key, item, version));
        let items = touched.iter().filter_map(item).collect();
        let people =
            try_join3(self.users.save(transaction), self.courses.save(transaction), self.enrolments.save(transaction));
        let results = try_join3(
            transaction.save_grade_items(items),
            self.grades.save(transaction),
            self.completions.save(transaction),
        );
        try_join(people, results).await?;
        Ok(())
    }
}
