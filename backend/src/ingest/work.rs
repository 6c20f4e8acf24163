//! The unit of work of one transaction: the records that it touches, changed in memory and saved once.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures_util::future::{try_join, try_join3, try_join5};

use super::{
    Arrival,
    touched::{Touched, items_of, keys_of, mentioned_course},
};
use crate::{
    clock::Timestamp,
    model::{Change, Course, Event, GradeItem, Incoming, Kind, Outcome, Record, State, Version},
    store::{
        Changes, Key, Moved, RecordTable, StoreError, StoredRecord, WriteTransaction, completion, course, enrolment,
        grade, user,
    },
};

/// What an event did to its record.
pub(super) struct Effect {
    pub(super) outcome: Outcome,
    /// Whether the record is now deleted.
    pub(super) deleted: bool,
    /// Whether the record now holds the event's state.
    pub(super) holds_state: bool,
}

/// The records of one kind that a batch touches.
pub(super) struct TouchedRecords<T: RecordTable> {
    loaded: HashMap<Key, StoredRecord<T::State>>,
    /// The keys of records that did not exist before, or were other ones.
    new: HashSet<Key>,
    /// What they were.
    former: Vec<StoredRecord<T::State>>,
    /// The records to save, and whether an indexed column may differ from the database's.
    touched: HashMap<Key, bool>,
}

impl<T: RecordTable> TouchedRecords<T> {
    async fn load(transaction: &WriteTransaction, keys: Vec<Key>) -> Result<Self, StoreError> {
        let loaded = transaction.records::<T>(&keys).await?;
        Ok(Self { loaded, new: HashSet::new(), former: Vec::new(), touched: HashMap::new() })
    }

    /// `changed` means that something belonging to the record changed.
    fn apply(
        &mut self,
        site_id: i64,
        incoming: &Incoming<T::State>,
        version: Version,
        now: Timestamp,
        changed: bool,
    ) -> Effect {
        let key = (site_id, incoming.state.moodle_id());
        let loaded = self.loaded.get(&key);
        let applied = Record::apply(loaded.map(|stored| &stored.record), incoming.clone(), version);
        let outcome = if changed { Outcome::Applied } else { applied.outcome };
        let changed_at = match loaded {
            Some(stored) if outcome != Outcome::Applied => stored.changed_at,
            _ => now,
        };
        if let Some(record) = applied.record.or_else(|| loaded.filter(|_| changed).map(|stored| stored.record.clone()))
        {
            let same_indexed = loaded.is_some_and(|loaded| T::same_indexed(&loaded.record.state, &record.state));
            *self.touched.entry(key).or_default() |= !same_indexed;
            let is_another = loaded.is_some_and(|loaded| loaded.record.state.is_replaced_by(&record.state));
            let old = self.loaded.insert(key, StoredRecord { site_id, record, changed_at });
            // The first one of a batch is what was stored.
            if (old.is_none() || is_another) && self.new.insert(key) {
                self.former.extend(old);
            }
        }
        let deleted = self.loaded.get(&key).is_some_and(|stored| stored.record.deleted);
        Effect { outcome, deleted, holds_state: applied.holds_state }
    }

    /// The references of records that did not exist before.
    pub(super) fn new_references<R>(&self, references: impl Fn(&T::State) -> R) -> HashMap<Key, R> {
        let new = self.new.iter().filter_map(|key| self.loaded.get(key).map(|stored| (*key, stored)));
        new.map(|(key, stored)| (key, references(&stored.record.state))).collect()
    }

    async fn save(mut self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        for indexed in [true, false] {
            let touched = self.touched.iter().filter(|(_, differs)| **differs == indexed);
            let records: Vec<_> = touched.filter_map(|(key, _)| self.loaded.remove(key)).collect();
            transaction.save_records::<T>(records, indexed).await?;
        }
        Ok(())
    }
}

/// The grade items that a batch touches, each with the version of the event that described it last.
pub(super) struct TouchedItems {
    loaded: HashMap<Key, (GradeItem, Version)>,
    touched: HashSet<Key>,
    /// Items whose meaning changed, so that all their grades changed.
    pub(super) changed: BTreeSet<Key>,
}

impl TouchedItems {
    /// Returns whether the item changed.
    fn apply(&mut self, key: Key, item: &GradeItem, version: Version) -> bool {
        let Some((loaded, loaded_version)) = self.loaded.get(&key) else {
            self.save(key, item, version);
            return false;
        };
        let version = version.or_as_new_as(*loaded_version);
        if !version.replaces(Some(*loaded_version)) {
            return false;
        }
        let changed = loaded != item;
        if changed {
            self.changed.insert(key);
        }
        self.save(key, item, version);
        changed
    }

    fn save(&mut self, key: Key, item: &GradeItem, version: Version) {
        self.loaded.insert(key, (item.clone(), version));
        self.touched.insert(key);
    }
}

/// The records of all kinds that a batch touches.
pub(super) struct WorkUnit {
    users: TouchedRecords<user::Entity>,
    courses: TouchedRecords<course::Entity>,
    enrolments: TouchedRecords<enrolment::Entity>,
    pub(super) grades: TouchedRecords<grade::Entity>,
    pub(super) items: TouchedItems,
    completions: TouchedRecords<completion::Entity>,
}

impl WorkUnit {
    pub(super) async fn load(transaction: &WriteTransaction, arrivals: &[&Arrival]) -> Result<Self, StoreError> {
        let touched: BTreeSet<Touched> = arrivals.iter().flat_map(|arrival| Touched::by(arrival)).collect();
        let (users, courses, enrolments, grades, completions) = try_join5(
            TouchedRecords::load(transaction, keys_of(&touched, Kind::User)),
            TouchedRecords::load(transaction, keys_of(&touched, Kind::Course)),
            TouchedRecords::load(transaction, keys_of(&touched, Kind::Enrolment)),
            TouchedRecords::load(transaction, keys_of(&touched, Kind::Grade)),
            TouchedRecords::load(transaction, keys_of(&touched, Kind::Completion)),
        )
        .await?;
        let loaded = transaction.grade_items(&items_of(&touched)).await?;
        let items = TouchedItems { loaded, touched: HashSet::new(), changed: BTreeSet::new() };
        Ok(Self { users, courses, enrolments, grades, items, completions })
    }

    pub(super) fn apply(&mut self, site_id: i64, event: &Event, now: Timestamp) -> Effect {
        let version = event.version;
        match &event.change {
            Change::User(user) => self.users.apply(site_id, user, version, now, false),
            Change::Course(course) => self.courses.apply(site_id, course, version, now, false),
            Change::Enrolment(enrolment) => self.enrolments.apply(site_id, enrolment, version, now, false),
            Change::Completion(completion) => self.completions.apply(site_id, completion, version, now, false),
            Change::Grade(grade, item) => {
                let key = (site_id, grade.state.itemid);
                // A new maximum or scale of the item changes what the grade means, so the grade changed too.
                let changed = item.as_ref().is_some_and(|item| self.items.apply(key, item, version));
                self.grades.apply(site_id, grade, version, now, changed)
            }
        }
    }

    /// Adds the course that an event mentions, if it is unknown; returns its key if added.
    pub(super) fn mention(&mut self, site_id: i64, event: &Event, now: Timestamp) -> Option<Key> {
        let key = (site_id, mentioned_course(event)?);
        if self.courses.loaded.contains_key(&key) {
            return None;
        }
        let record = Record::mentioned(Course::unknown(key.1));
        self.courses.loaded.insert(key, StoredRecord { site_id, record, changed_at: now });
        self.courses.touched.insert(key, true);
        Some(key)
    }

    /// Keeps what is at a destination of records whose ids are other ones' now.
    pub(super) async fn keep_former(
        &mut self,
        transaction: &WriteTransaction,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<Vec<Moved>, StoreError> {
        let users = std::mem::take(&mut self.users.former);
        let grades = std::mem::take(&mut self.grades.former);
        let mut moved = transaction.keep_former::<user::Entity>(users, now, changes).await?;
        moved.extend(transaction.keep_former::<grade::Entity>(grades, now, changes).await?);
        Ok(moved)
    }

    pub(super) async fn save(self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        let TouchedItems { mut loaded, touched, .. } = self.items;
        let item = |key: &Key| loaded.remove(key).map(|(item, version)| (*key, item, version));
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
