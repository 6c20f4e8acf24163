//! The items of one delivery with everything needed to decide about them, read in a few queries.

use std::collections::{HashMap, HashSet};

use chrono_tz::Tz;

use crate::{
    clock::Timestamp,
    model::{
        AdoptionState, Course, Enrolment, ErasurePolicy, Grade, GradeItem, Id, ItemState, Kind, Record, RecordKey,
        State, User, Version,
    },
    store::{
        Claimed, Finding, ItemRow, Standing, Store, StoreError, StoredRecord, completion, course, enrolment, grade,
        user,
    },
    zoho::mapping::{Mapping, StateRef, Subject},
};

/// A record's key within its kind: site and Moodle id.
type Place = (i64, Id);
type Records<S> = HashMap<Place, StoredRecord<S>>;

/// The records of one delivery, all of one kind, and the records that they refer to.
pub(super) struct DeliveryBatch {
    pub(super) kind: Kind,
    users: Records<User>,
    courses: Records<Course>,
    enrolments: Records<Enrolment>,
    grades: Records<Grade>,
    completions: Records<crate::model::Completion>,
    grade_items: HashMap<Place, GradeItem>,
    /// Sibling grades by site, user and item.
    siblings: HashMap<(i64, Id, Id), Vec<StoredRecord<Grade>>>,
    /// The sync items of the users, courses and sibling grades.
    related: HashMap<RecordKey, ItemRow>,
    /// Users with an enrolment that is delivered; only read if the mapping's filter needs it.
    enrolled: HashSet<Place>,
    sites: HashMap<i64, String>,
    /// What was decided about the people of these items and contacts.
    standings: HashMap<(RecordKey, String), Standing>,
    /// What differs in Zoho of these items.
    findings: HashMap<RecordKey, Finding>,
    /// The erased people among those of these items.
    erased: HashMap<Place, ErasurePolicy>,
    time_zone: Tz,
    now: Timestamp,
    /// The items' records.
    claimed: HashSet<RecordKey>,
}

/// What is known about a record of any kind.
pub(super) struct Facts<'a> {
    pub(super) state: StateRef<'a>,
    pub(super) deleted: bool,
    /// The time of its newest change in Moodle, in Unix seconds.
    pub(super) time: i64,
    pub(super) user: Option<RecordKey>,
    pub(super) course: Option<RecordKey>,
    pub(super) item: Option<&'a GradeItem>,
}

impl DeliveryBatch {
    pub(super) async fn load(
        store: &Store,
        mapping: &Mapping,
        (time_zone, now): (Tz, Timestamp),
        destination: &str,
        items: &[Claimed],
    ) -> Result<Self, StoreError> {
        let kind = items.first().map_or(Kind::User, |item| item.key.kind);
        let places: Vec<Place> = items.iter().map(|item| (item.key.site_id, item.key.moodle_id)).collect();
        let mut batch = Self {
            kind,
            users: Records::new(),
            courses: Records::new(),
            enrolments: Records::new(),
            grades: Records::new(),
            completions: Records::new(),
            grade_items: HashMap::new(),
            siblings: HashMap::new(),
            related: HashMap::new(),
            enrolled: HashSet::new(),
            sites: store.site_names().await?,
            standings: HashMap::new(),
            findings: HashMap::new(),
            erased: HashMap::new(),
            time_zone,
            now,
            claimed: items.iter().map(|item| item.key).collect(),
        };
        match kind {
            Kind::User => {
                batch.users = store.records_by_key::<user::Entity>(&places).await?;
                let keys: Vec<RecordKey> = items.iter().map(|item| item.key).collect();
                batch.standings = store.standings(destination, &keys).await?;
            }
            Kind::Course => batch.courses = store.records_by_key::<course::Entity>(&places).await?,
            Kind::Enrolment => batch.enrolments = store.records_by_key::<enrolment::Entity>(&places).await?,
            Kind::Grade => batch.load_grades(store, &places).await?,
            Kind::Completion => batch.completions = store.records_by_key::<completion::Entity>(&places).await?,
        }
        let people: HashSet<Place> =
            items.iter().filter(|item| item.erasures).filter_map(|item| batch.person(item.key)).collect();
        batch.erased = store.erased_people(&people.into_iter().collect::<Vec<_>>()).await?;
        if items.iter().any(|item| item.findings) {
            let keys: Vec<RecordKey> = items.iter().map(|item| item.key).collect();
            batch.findings = store.findings_of(destination, &keys).await?;
        }
        batch.load_related(store, mapping, destination, items).await?;
        if kind == Kind::User && mapping.filter().only_enrolled() {
            batch.load_enrolled(store, mapping, &places).await?;
        }
        Ok(batch)
    }

    async fn load_grades(&mut self, store: &Store, places: &[Place]) -> Result<(), StoreError> {
        self.grades = store.records_by_key::<grade::Entity>(places).await?;
        let groups: Vec<_> = self.grades.values().map(group_of).collect();
        self.siblings = store.grade_groups(&groups).await?;
        // The representative may be a grade that was not claimed.
        for grade in self.siblings.values().flatten() {
            let place = (grade.site_id, grade.record.state.gradeid);
            self.grades.entry(place).or_insert_with(|| copy(grade));
        }
        let items: HashSet<Place> =
            self.grades.values().map(|grade| (grade.site_id, grade.record.state.itemid)).collect();
        self.grade_items = store.grade_items_by_key(&items.into_iter().collect::<Vec<_>>()).await?;
        Ok(())
    }

    async fn load_related(
        &mut self,
        store: &Store,
        mapping: &Mapping,
        destination: &str,
        items: &[Claimed],
    ) -> Result<(), StoreError> {
        if matches!(self.kind, Kind::User | Kind::Course) {
            return Ok(());
        }
        let (mut users, mut courses, mut keys) = (HashSet::new(), HashSet::new(), HashSet::new());
        for facts in items.iter().filter_map(|item| self.facts(item.key)) {
            users.extend(facts.user.map(|key| (key.site_id, key.moodle_id)));
            courses.extend(facts.course.map(|key| (key.site_id, key.moodle_id)));
            keys.extend(facts.user);
            keys.extend(facts.course);
        }
        for group in self.siblings.values().filter(|group| group.len() > 1) {
            keys.extend(group.iter().map(grade_key));
        }
        let reads_user = mapping.module(self.kind).is_some_and(|module| module.reads_user());
        if reads_user || mapping.filter().reads_people() {
            self.users = store.records_by_key::<user::Entity>(&users.into_iter().collect::<Vec<_>>()).await?;
        }
        if mapping.filter().restricts_courses() || mapping.module(self.kind).is_some_and(|module| module.reads_course())
        {
            self.courses = store.records_by_key::<course::Entity>(&courses.into_iter().collect::<Vec<_>>()).await?;
        }
        let rows = store.sync_items_of(destination, &keys.into_iter().collect::<Vec<_>>()).await?;
        self.related = rows.into_iter().map(|row| (row.key, row)).collect();
        Ok(())
    }

    async fn load_enrolled(&mut self, store: &Store, mapping: &Mapping, users: &[Place]) -> Result<(), StoreError> {
        let filter = mapping.filter();
        let enrolments = store.enrolments_of(users).await?;
        let mut courses = Records::new();
        if filter.restricts_courses() {
            let places: HashSet<Place> = enrolments.iter().map(|e| (e.site_id, e.record.state.courseid)).collect();
            courses = store.records_by_key::<course::Entity>(&places.into_iter().collect::<Vec<_>>()).await?;
        }
        for enrolment in enrolments {
            let state = &enrolment.record.state;
            let in_course = || {
                courses.get(&(enrolment.site_id, state.courseid)).is_some_and(|c| filter.wants_course(&c.record.state))
            };
            if filter.wants_enrolment(state) && (!filter.restricts_courses() || in_course()) {
                self.enrolled.insert((enrolment.site_id, state.userid));
            }
        }
        Ok(())
    }

    /// The facts about a record of this batch's kind.
    pub(super) fn facts(&self, key: RecordKey) -> Option<Facts<'_>> {
        let place = (key.site_id, key.moodle_id);
        let of = |kind: Kind, id: Id| Some(RecordKey { kind, site_id: key.site_id, moodle_id: id });
        Some(match key.kind {
            Kind::User => {
                let record = &self.users.get(&place)?.record;
                facts(record, StateRef::User(&record.state))
            }
            Kind::Course => {
                let record = &self.courses.get(&place)?.record;
                facts(record, StateRef::Course(&record.state))
            }
            Kind::Enrolment => {
                let record = &self.enrolments.get(&place)?.record;
                let (user, course) = (of(Kind::User, record.state.userid), of(Kind::Course, record.state.courseid));
                Facts { user, course, ..facts(record, StateRef::Enrolment(&record.state)) }
            }
            Kind::Grade => {
                let record = &self.grades.get(&place)?.record;
                let item = self.grade_items.get(&(key.site_id, record.state.itemid));
                let course = item.and_then(|item| item.courseid).and_then(|id| of(Kind::Course, id));
                Facts {
                    user: of(Kind::User, record.state.userid),
                    course,
                    item,
                    ..facts(record, StateRef::Grade(&record.state))
                }
            }
            Kind::Completion => {
                let record = &self.completions.get(&place)?.record;
                let (user, course) = (of(Kind::User, record.state.userid), of(Kind::Course, record.state.courseid));
                Facts { user, course, ..facts(record, StateRef::Completion(&record.state)) }
            }
        })
    }

    /// The person that a record is about.
    fn person(&self, key: RecordKey) -> Option<Place> {
        let facts = self.facts(key)?;
        let user = if key.kind == Kind::User { Some(key) } else { facts.user };
        user.map(|user| (user.site_id, user.moodle_id))
    }

    /// The erasure policy for a record's person; `None` when the person is not erased.
    pub(super) fn erased(&self, key: RecordKey, facts: &Facts<'_>) -> Option<ErasurePolicy> {
        let user = if key.kind == Kind::User { Some(key) } else { facts.user }?;
        self.erased.get(&(user.site_id, user.moodle_id)).copied()
    }

    /// What was decided about an account and a contact.
    pub(super) fn standing(&self, key: RecordKey, contact: &str) -> Option<&Standing> {
        self.standings.get(&(key, contact.to_owned()))
    }

    /// Whether the adoption of this contact was undone.
    pub(super) fn is_undone(&self, key: RecordKey, contact: &str) -> bool {
        self.standing(key, contact).is_some_and(|standing| standing.state == AdoptionState::Undone)
    }

    /// What differs in Zoho of this record.
    pub(super) fn finding(&self, key: RecordKey) -> Option<&Finding> {
        self.findings.get(&key)
    }

    /// What to render a record from.
    pub(super) fn subject<'a>(&'a self, key: RecordKey, facts: &Facts<'a>) -> Subject<'a> {
        let place = |key: &RecordKey| (key.site_id, key.moodle_id);
        let (mut user, mut course) = (
            facts.user.as_ref().and_then(|key| self.users.get(&place(key))).map(|user| &user.record.state),
            facts.course.as_ref().and_then(|key| self.courses.get(&place(key))).map(|course| &course.record.state),
        );
        match facts.state {
            StateRef::User(state) => user = Some(state),
            StateRef::Course(state) => course = Some(state),
            _ => {}
        }
        Subject {
            site: self.site(key.site_id),
            state: facts.state,
            item: facts.item,
            user,
            course,
            user_id: facts.user.and_then(|key| self.remote_id(key)),
            course_id: facts.course.and_then(|key| self.remote_id(key)),
            time_zone: self.time_zone,
            now: self.now.0.div_euclid(1_000),
        }
    }

    /// The user of one of our sites whose key in Zoho this is.
    pub(super) fn user_of_key(&self, key: &str) -> Option<RecordKey> {
        let (site, id) = key.rsplit_once(':')?;
        let site_id = self.sites.iter().find(|(_, name)| *name == site).map(|(id, _)| *id)?;
        Some(RecordKey { kind: Kind::User, site_id, moodle_id: Id(id.parse().ok()?) })
    }

    pub(super) fn site(&self, site_id: i64) -> &str {
        self.sites.get(&site_id).map_or("", String::as_str)
    }

    /// The record's name for people: kind, site and Moodle id.
    pub(super) fn name(&self, key: RecordKey) -> String {
        format!("{} {}:{}", key.kind, self.site(key.site_id), key.moodle_id)
    }

    /// The sync item of a related record.
    pub(super) fn related(&self, key: RecordKey) -> Option<&ItemRow> {
        self.related.get(&key)
    }

    fn remote_id(&self, key: RecordKey) -> Option<&str> {
        self.related.get(&key)?.remote_id.as_deref()
    }

    /// A course, if it was read.
    pub(super) fn course(&self, key: RecordKey) -> Option<&Course> {
        self.courses.get(&(key.site_id, key.moodle_id)).map(|course| &course.record.state)
    }

    /// A user, if it was read.
    pub(super) fn user(&self, key: RecordKey) -> Option<&User> {
        self.users.get(&(key.site_id, key.moodle_id)).map(|user| &user.record.state)
    }

    pub(super) fn is_enrolled(&self, key: RecordKey) -> bool {
        self.enrolled.contains(&(key.site_id, key.moodle_id))
    }

    /// The record that represents a remote record: of several sibling grades, the one that is not deleted, or else the
    /// one deleted last.
    pub(super) fn speaker(&self, key: RecordKey) -> RecordKey {
        let group = self.group(key);
        let rank = |grade: &&StoredRecord<Grade>| {
            let Version { time, sequence } = grade.record.presence;
            (!grade.record.deleted, time, sequence, grade.record.state.gradeid)
        };
        group.iter().max_by_key(rank).map_or(key, grade_key)
    }

    /// What the siblings know about the shared remote record: its id, and whether an attempt of theirs may have been
    /// delivered.
    pub(super) fn inherited(&self, key: RecordKey) -> (Option<String>, bool) {
        let others = self.siblings(key).into_iter();
        let rows: Vec<&ItemRow> = others.filter_map(|other| self.related.get(&other)).collect();
        let id = rows.iter().find_map(|row| row.remote_id.clone());
        (id, rows.iter().any(|row| row.attempts > 0))
    }

    /// Whether another worker is delivering a sibling, and perhaps creates the shared remote record right now.
    pub(super) fn sibling_is_in_flight(&self, key: RecordKey) -> bool {
        let others = self.siblings(key).into_iter().filter(|other| !self.claimed.contains(other));
        others.filter_map(|other| self.related.get(&other)).any(|row| row.state == ItemState::InFlight)
    }

    /// The other records that stand for the same remote record.
    pub(super) fn siblings(&self, key: RecordKey) -> Vec<RecordKey> {
        self.group(key).iter().map(grade_key).filter(|other| *other != key).collect()
    }

    fn group(&self, key: RecordKey) -> &[StoredRecord<Grade>] {
        let grade = (key.kind == Kind::Grade).then(|| self.grades.get(&(key.site_id, key.moodle_id))).flatten();
        grade.and_then(|grade| self.siblings.get(&group_of(grade))).map_or(&[], Vec::as_slice)
    }
}

fn group_of(grade: &StoredRecord<Grade>) -> (i64, Id, Id) {
    (grade.site_id, grade.record.state.userid, grade.record.state.itemid)
}

fn grade_key(grade: &StoredRecord<Grade>) -> RecordKey {
    RecordKey { kind: Kind::Grade, site_id: grade.site_id, moodle_id: grade.record.state.gradeid }
}

fn copy(grade: &StoredRecord<Grade>) -> StoredRecord<Grade> {
    StoredRecord { site_id: grade.site_id, record: grade.record.clone(), changed_at: grade.changed_at }
}

fn facts<'a, S: State>(record: &Record<S>, state: StateRef<'a>) -> Facts<'a> {
    let time = record.version.map_or(record.presence.time, |version| version.time.max(record.presence.time));
    Facts { state, deleted: record.deleted, time, user: None, course: None, item: None }
}
