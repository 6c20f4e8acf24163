//! Generates a term of an imaginary college, as its Moodle would report it. Deterministic: the same seed and the same end give the
//! same events.

mod courses;
mod dice;
mod names;
mod people;
mod student;

use serde_json::{Value, json};
use uuid::{Builder, Uuid};

use self::{
    courses::Course,
    dice::Dice,
    people::{Person, TEACHERS},
    student::Student,
};
use crate::model::EventType;

/// Weeks of teaching. Week 0 before them is for preparation.
pub const WEEKS: i64 = 12;

/// Seconds of a day.
pub const DAY: i64 = 24 * 60 * 60;
const WEEK: i64 = 7 * DAY;

/// The course to rename, its new name, and the week; the course that stays hidden until the term begins.
const RENAMED: (usize, &str, i64) = (6, "Nutrition, Public Health and Sport", 6);
const HIDDEN: usize = 9;

/// A term.
#[derive(Debug)]
pub struct Term {
    /// When teaching begins, in Unix seconds.
    pub start: i64,
    /// In the order of sending.
    pub events: Vec<TermEvent>,
    /// The fields of the contacts that admissions imported into Zoho before the term.
    pub imported: Vec<Value>,
    /// The number of these contacts that are never adopted: of people who are not in Moodle, and of the ambiguous student.
    pub untouched: usize,
    /// The Moodle id of the student whose address two contacts share, and the index of the second one in `imported`.
    pub ambiguous: (i64, usize),
}

/// An event as the plugin sends it.
#[derive(Clone, Debug, PartialEq)]
pub struct TermEvent {
    /// When it is sent, in Unix seconds; for most events, when it happens.
    pub sent: i64,
    /// The idempotency key.
    pub id: Uuid,
    /// The type.
    pub event_type: EventType,
    /// When it happened, in Unix seconds.
    pub time: i64,
    /// The second part of the version.
    pub sequence: i64,
    /// The fields of the record.
    pub data: Value,
}

impl TermEvent {
    /// As part of a batch.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id, "type": self.event_type.as_str(), "time": self.time, "sequence": self.sequence,
            "data": self.data,
        })
    }
}

impl Term {
    /// The term that ends at `end`, in Unix seconds.
    pub fn generate(seed: u64, end: i64) -> Self {
        let start = end - WEEKS * WEEK;
        let mut story = Story::new(seed, start);
        let mut people = people::people(&mut story.dice);
        let students = people.split_off(TEACHERS);
        let courses = courses::courses(start - WEEK);
        story.courses(&courses);
        story.teachers(&people, &courses);
        let mut imported = story.outsiders();
        let (mut untouched, mut ambiguous) = (imported.len(), (0, 0));
        for (number, person) in students.into_iter().enumerate() {
            let student = Student::new(number, person);
            let contacts = student.imported();
            if student.is_ambiguous() {
                untouched += contacts.len();
                ambiguous = (student.id(), imported.len() + contacts.len() - 1);
            }
            imported.extend(contacts);
            let of_category =
                courses.iter().filter(|course| course.category == number % 3).cloned().collect::<Vec<_>>();
            student.live(&mut story, &of_category);
        }
        Self { start, events: story.end(), imported, untouched, ambiguous }
    }

    /// The week in which an event is sent; 0 is before the term.
    pub fn week(&self, event: &TermEvent) -> i64 {
        week_of(self.start, event.sent)
    }

    /// What is worth knowing about a week.
    pub fn note(week: i64) -> Option<&'static str> {
        Some(match week {
            0 => {
                "Admissions imported some students into Zoho before: they are adopted by their e-mail address, not duplicated. \
                 Two contacts share one address: that student fails, with the reason, and the student's other records are parked."
            }
            1 => "The events of two students are late: their enrolments arrive before they do, and are parked.",
            4 => "The two students arrive, and their parked records go to Zoho at once.",
            5 => {
                "A request is sent a second time, as after a lost answer. Its events are recognised as duplicates and change nothing."
            }
            6 => "A course is renamed, and some enrolments are suspended.",
            7 => {
                "An account is suspended. An event arrives a week late and changes nothing, because the record has a newer state."
            }
            9 => "An account is deleted: its contact, enrolments and grades stay in Zoho, marked as deleted.",
            12 => {
                "Courses are completed. The default mapping has no module for completions: they are stored but not delivered."
            }
            _ => return None,
        })
    }
}

fn week_of(start: i64, time: i64) -> i64 {
    ((time - start).div_euclid(WEEK) + 1).clamp(0, WEEKS)
}

/// An event without a sequence number.
struct Draft {
    sent: i64,
    time: i64,
    event_type: EventType,
    data: Value,
}

/// The events so far.
struct Story {
    dice: Dice,
    start: i64,
    drafts: Vec<Draft>,
    /// The last id of an enrolment, a grade or a completion.
    last_id: i64,
}

impl Story {
    fn new(seed: u64, start: i64) -> Self {
        Self { dice: Dice::new(seed), start, drafts: Vec::new(), last_id: 0 }
    }

    /// A random moment on a working day of that week.
    fn moment(&mut self, week: i64) -> i64 {
        let day = self.dice.below(5);
        self.moment_on(week, day)
    }

    /// A random moment in the working hours of that day.
    fn moment_on(&mut self, week: i64, day: i64) -> i64 {
        self.start + (week - 1) * WEEK + day * DAY + 8 * 60 * 60 + self.dice.below(10 * 60 * 60)
    }

    fn new_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    fn add(&mut self, time: i64, event_type: EventType, data: Value) {
        self.add_late(time, time, event_type, data);
    }

    /// Adds an event that happened at `time` and is sent later.
    fn add_late(&mut self, sent: i64, time: i64, event_type: EventType, data: Value) {
        self.drafts.push(Draft { sent, time, event_type, data });
    }

    fn courses(&mut self, courses: &[Course]) {
        let (start, end) = (self.start, self.start + WEEKS * WEEK);
        for (number, course) in courses.iter().enumerate() {
            let mut course = course.clone();
            course.visible = number != HIDDEN;
            let created = self.moment_on(0, 0);
            self.add(created, EventType::CourseCreated, course.data(start, end, created));
            if number == HIDDEN {
                course.visible = true;
                let shown = self.moment_on(1, 0);
                self.add(shown, EventType::CourseUpdated, course.data(start, end, shown));
            }
            if number == RENAMED.0 {
                course.fullname = RENAMED.1.to_owned();
                let renamed = self.moment(RENAMED.2);
                self.add(renamed, EventType::CourseUpdated, course.data(start, end, renamed));
            }
        }
    }

    fn teachers(&mut self, teachers: &[Person], courses: &[Course]) {
        for teacher in teachers {
            let created = self.moment_on(0, 0);
            let mut teacher = teacher.clone();
            teacher.created = created;
            self.add(created, EventType::UserCreated, teacher.data(created));
        }
        for (number, course) in courses.iter().enumerate() {
            // Each course has a teacher; later ones of a category also have an assistant.
            for (offset, role) in [(0, "editingteacher"), (3, "teacher")] {
                let assisted = number % courses::IN_CATEGORY >= 2;
                if let Some(teacher) = teachers.get((number + offset) % TEACHERS).filter(|_| offset == 0 || assisted) {
                    let (id, time) = (self.new_id(), self.moment_on(0, 1));
                    self.add(
                        time,
                        EventType::UserEnrolled,
                        enrolment_data((id, teacher.id, course.id), role, true, time, time),
                    );
                }
            }
        }
    }

    /// Contacts of the college who have no account in Moodle.
    fn outsiders(&self) -> Vec<Value> {
        let outsider =
            |first: &str, last: &str, email: &str| json!({ "First_Name": first, "Last_Name": last, "Email": email });
        vec![
            outsider("Margaret", "Thistlewood", "m.thistlewood@county-schools.example"),
            outsider("Kwame", "Boateng", "kwame.boateng@placements.example"),
            outsider("Sigrún", "Jónsdóttir", "sigrun@alumni.example"),
        ]
    }

    /// All events with sequence numbers and ids, in the order of sending.
    fn end(self) -> Vec<TermEvent> {
        let Self { mut dice, mut drafts, .. } = self;
        drafts.sort_by_key(|draft| draft.time);
        let number = |(sequence, draft): (i64, Draft)| {
            let mut random = [0; 10];
            random.iter_mut().zip(dice.number().to_be_bytes()).for_each(|(place, byte)| *place = byte);
            let moment = u64::try_from(draft.sent).unwrap_or_default() * 1_000;
            let id = Builder::from_unix_timestamp_millis(moment, &random).into_uuid();
            let Draft { sent, time, event_type, data } = draft;
            TermEvent { sent, id, event_type, time, sequence, data }
        };
        let mut events: Vec<TermEvent> = (1..).zip(drafts).map(number).collect();
        events.sort_by_key(|event| event.sent);
        events
    }
}

/// The data of an enrolment event. `ids` are those of the enrolment, the person and the course.
fn enrolment_data(ids: (i64, i64, i64), role: &str, active: bool, created: i64, modified: i64) -> Value {
    json!({
        "enrollmentid": ids.0.to_string(), "userid": ids.1.to_string(), "courseid": ids.2.to_string(),
        "roles": [{ "shortname": role, "archetype": role }], "enrol": "manual", "enabled": true,
        "status": if active { "0" } else { "1" }, "timestart": created.to_string(), "timeend": "0",
        "timecreated": created.to_string(), "timemodified": modified.to_string(),
    })
}

#[cfg(test)]
mod tests;
