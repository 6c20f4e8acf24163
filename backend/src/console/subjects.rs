//! What records are about: names of people, courses and grade items instead of ids.

use std::collections::{BTreeSet, HashMap};

use crate::{
    model::{Completion, Course, Enrolment, Grade, GradeItem, Id, Kind, RecordKey, User},
    store::{RecordTable, Store, StoreError, StoredRecord, completion, course, enrolment, grade, user},
};

/// A site and a Moodle id.
pub(super) type Key = (i64, Id);

type RecordsByKey<S> = HashMap<Key, StoredRecord<S>>;

/// Records with the people, courses and grade items that they belong to.
pub(super) struct Subjects {
    users: RecordsByKey<User>,
    courses: RecordsByKey<Course>,
    enrolments: RecordsByKey<Enrolment>,
    grades: RecordsByKey<Grade>,
    completions: RecordsByKey<Completion>,
    items: HashMap<Key, GradeItem>,
}

impl Subjects {
    /// Reads everything that names these records.
    pub(super) async fn read(store: &Store, keys: &[RecordKey]) -> Result<Self, StoreError> {
        let enrolments = of_kind::<enrolment::Entity>(store, keys, Kind::Enrolment).await?;
        let grades = of_kind::<grade::Entity>(store, keys, Kind::Grade).await?;
        let completions = of_kind::<completion::Entity>(store, keys, Kind::Completion).await?;
        let items: BTreeSet<Key> = grades.values().map(|grade| (grade.site_id, grade.record.state.itemid)).collect();
        let items = store.grade_items_by_key(&Vec::from_iter(items)).await?;
        let mut subjects =
            Self { users: RecordsByKey::new(), courses: RecordsByKey::new(), enrolments, grades, completions, items };
        let users: BTreeSet<Key> = keys.iter().filter_map(|key| subjects.person(*key)).collect();
        let courses: BTreeSet<Key> = keys.iter().filter_map(|key| subjects.course(*key)).collect();
        subjects.users = store.records_by_key::<user::Entity>(&Vec::from_iter(users)).await?;
        subjects.courses = store.records_by_key::<course::Entity>(&Vec::from_iter(courses)).await?;
        Ok(subjects)
    }

    /// The person that a record is about.
    pub(super) fn person(&self, key: RecordKey) -> Option<Key> {
        let id = (key.site_id, key.moodle_id);
        let userid = match key.kind {
            Kind::User => key.moodle_id,
            Kind::Course => return None,
            Kind::Enrolment => self.enrolments.get(&id)?.record.state.userid,
            Kind::Grade => self.grades.get(&id)?.record.state.userid,
            Kind::Completion => self.completions.get(&id)?.record.state.userid,
        };
        Some((key.site_id, userid))
    }

    /// The course that a record belongs to.
    pub(super) fn course(&self, key: RecordKey) -> Option<Key> {
        let id = (key.site_id, key.moodle_id);
        let courseid = match key.kind {
            Kind::User => return None,
            Kind::Course => key.moodle_id,
            Kind::Enrolment => self.enrolments.get(&id)?.record.state.courseid,
            Kind::Grade => self.item(key)?.courseid?,
            Kind::Completion => self.completions.get(&id)?.record.state.courseid,
        };
        Some((key.site_id, courseid))
    }

    fn item(&self, key: RecordKey) -> Option<&GradeItem> {
        let grade = self.grades.get(&(key.site_id, key.moodle_id))?;
        self.items.get(&(key.site_id, grade.record.state.itemid))
    }

    /// The name of a person, or `person 3`.
    pub(super) fn person_name(&self, key: Key) -> String {
        self.users.get(&key).map_or_else(|| format!("person {}", key.1), |user| name_of(&user.record.state))
    }

    /// The name of a course, or `course 7`.
    pub(super) fn course_name(&self, key: Key) -> String {
        let name = |course: &StoredRecord<Course>| {
            let Course { fullname, shortname, .. } = &course.record.state;
            non_empty(fullname.as_ref()).or(non_empty(shortname.as_ref())).map(str::to_owned)
        };
        self.courses.get(&key).and_then(name).unwrap_or_else(|| format!("course {}", key.1))
    }

    /// What distinguishes a record from the others of its person and course, as in `Grade: Essay 1`.
    pub(super) fn what(&self, key: RecordKey) -> String {
        let id = (key.site_id, key.moodle_id);
        match key.kind {
            Kind::User => "Profile".to_owned(),
            Kind::Course => "Course".to_owned(),
            Kind::Completion => "Completion".to_owned(),
            Kind::Enrolment => {
                let method = self.enrolments.get(&id).and_then(|row| non_empty(row.record.state.enrol.as_ref()));
                method.map_or_else(|| "Enrolment".to_owned(), |method| format!("Enrolment ({method})"))
            }
            Kind::Grade => {
                let item = self.item(key);
                match item.and_then(|item| non_empty(item.itemname.as_ref())) {
                    Some(name) => format!("Grade: {name}"),
                    None if item.is_some_and(|item| item.itemtype.as_deref() == Some("course")) => {
                        "Grade: course total".to_owned()
                    }
                    None => "Grade".to_owned(),
                }
            }
        }
    }

    /// The value of a record in a few words, as in `85 of 100`.
    pub(super) fn detail(&self, key: RecordKey) -> String {
        let id = (key.site_id, key.moodle_id);
        let detail = match key.kind {
            Kind::Grade => self.grades.get(&id).map(|row| {
                let Grade { finalgrade, gradetext, .. } = &row.record.state;
                let most = self.item(key).and_then(|item| item.grademax.as_ref());
                let most = most.map(|most| format!(" of {}", short(most.as_str()))).unwrap_or_default();
                match (non_empty(gradetext.as_ref()), finalgrade) {
                    (Some(words), _) => words.to_owned(),
                    (None, Some(grade)) => format!("{}{most}", short(grade.as_str())),
                    (None, None) => "no grade".to_owned(),
                }
            }),
            Kind::Enrolment => self.enrolments.get(&id).map(|row| {
                let active = row.record.state.status.is_none_or(|status| status == 0);
                if active { "active".to_owned() } else { "suspended".to_owned() }
            }),
            _ => None,
        };
        detail.unwrap_or_default()
    }

    /// The full name of a record, for lists of several kinds.
    pub(super) fn label(&self, key: RecordKey) -> String {
        let person = self.person(key).map(|person| self.person_name(person));
        let course = self.course(key).map(|course| self.course_name(course));
        match (key.kind, person, course) {
            (Kind::User, Some(name), _) | (Kind::Course, _, Some(name)) => name,
            (_, Some(person), Some(course)) => format!("{person} – {} – {course}", self.what(key)),
            (_, Some(person), None) => format!("{person} – {}", self.what(key)),
            (_, None, _) => self.what(key),
        }
    }

    /// Whether the record is deleted in Moodle.
    pub(super) fn is_deleted(&self, key: RecordKey) -> bool {
        let id = (key.site_id, key.moodle_id);
        let deleted = match key.kind {
            Kind::User => self.users.get(&id).map(|row| row.record.deleted),
            Kind::Course => self.courses.get(&id).map(|row| row.record.deleted),
            Kind::Enrolment => self.enrolments.get(&id).map(|row| row.record.deleted),
            Kind::Grade => self.grades.get(&id).map(|row| row.record.deleted),
            Kind::Completion => self.completions.get(&id).map(|row| row.record.deleted),
        };
        deleted.unwrap_or_default()
    }
}

async fn of_kind<T: RecordTable>(
    store: &Store,
    keys: &[RecordKey],
    kind: Kind,
) -> Result<RecordsByKey<T::State>, StoreError> {
    let of_kind = keys.iter().filter(|key| key.kind == kind);
    let keys: Vec<Key> = of_kind.map(|key| (key.site_id, key.moodle_id)).collect();
    store.records_by_key::<T>(&keys).await
}

/// A decimal without trailing zeros, as in `85` for `85.00000`.
fn short(decimal: &str) -> &str {
    if decimal.contains('.') { decimal.trim_end_matches('0').trim_end_matches('.') } else { decimal }
}

fn non_empty(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.trim().is_empty())
}

/// The name of a person, or else the user name, or else `person 3`.
pub(super) fn name_of(user: &User) -> String {
    let name = [&user.firstname, &user.lastname].map(|name| non_empty(name.as_ref()).unwrap_or_default().trim());
    let name = name.join(" ").trim().to_owned();
    match (name.is_empty(), non_empty(user.username.as_ref())) {
        (false, _) => name,
        (true, Some(username)) => username.to_owned(),
        (true, None) => format!("person {}", user.userid),
    }
}
