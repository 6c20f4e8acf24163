//! The term of one student.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    DAY, Story, WEEK, WEEKS,
    courses::{Course, ITEMS, Item, item_data},
    enrolment_data,
    people::Person,
};
use crate::model::EventType;

// The numbers of students with a planned incident. Admissions imported every fourth student, from the second on.
const IMPORTED: (usize, usize) = (4, 1);
const AMBIGUOUS: usize = 17;
const SUSPENDED: usize = 40;
const LATE: [usize; 2] = [57, 142];
const DELETED: usize = 90;
const DELAYED: usize = 120;

/// The week in which the late students arrive: after the first marks.
const LATE_WEEK: i64 = 4;

/// One point, or one per cent, in steps of 0.00001, which is what Moodle stores.
const UNIT: i64 = 100_000;

/// The total that completes a course, in per cent.
const COMPLETE: i64 = 50 * UNIT;

const FEEDBACK: [&str; 8] = [
    "Clear, well ordered, and the sources are good ones.",
    "You see the problem, <strong>NAME</strong>. Now show the steps that lead to your answer.",
    "Good work &mdash; the second half is the stronger one.",
    "NAME, please come to my office hour: the idea is right and the calculation is not.",
    "Excellent. I would like to show this to next year&rsquo;s group.",
    "Too short: the question asks for <em>two</em> examples.",
    "The drawing is careful, the text is not. Read it aloud once before you hand it in.",
    "Much better than last time. Mind the units.",
];

const SURNAMES: [(&str, &str); 4] =
    [("Lindqvist", "lindqvist"), ("Hernández", "hernandez"), ("Mbeki", "mbeki"), ("Strand", "strand")];

pub(super) struct Student {
    number: usize,
    person: Person,
    /// When the account is deleted, in Unix seconds.
    deleted: Option<i64>,
}

/// A mark for one item.
struct Mark {
    time: i64,
    place: i64,
    item: Item,
    /// In [`UNIT`]s of points.
    points: i64,
    feedback: Option<String>,
}

impl Student {
    pub(super) fn new(number: usize, person: Person) -> Self {
        Self { number, person, deleted: None }
    }

    pub(super) fn id(&self) -> i64 {
        self.person.id
    }

    pub(super) fn is_ambiguous(&self) -> bool {
        self.number == AMBIGUOUS
    }

    fn is_imported(&self) -> bool {
        self.number % IMPORTED.0 == IMPORTED.1
    }

    /// The contacts that admissions imported for this student.
    pub(super) fn imported(&self) -> Vec<Value> {
        if !self.is_imported() {
            return Vec::new();
        }
        let Person { first, last, email, .. } = &self.person;
        let contact = |first: &str, email: &str| json!({ "First_Name": first, "Last_Name": last, "Email": email, "Description": "Imported by admissions" });
        // Some addresses are written with capitals.
        let typed = email.get(..1).map(|initial| initial.to_uppercase() + email.get(1..).unwrap_or_default());
        let email = typed.filter(|_| self.number.is_multiple_of(3)).unwrap_or_else(|| email.clone());
        let mut contacts = vec![contact(first, &email)];
        if self.is_ambiguous() {
            contacts.push(contact(&first.chars().take(1).collect::<String>(), &email));
        }
        contacts
    }

    /// The whole term of the student.
    pub(super) fn live(mut self, story: &mut Story, courses: &[Course]) {
        let day = story.dice.below(4);
        let late = LATE.contains(&self.number);
        let created = if late { story.moment_on(LATE_WEEK, 0) } else { story.moment_on(0, day) };
        self.person.created = created;
        story.add(created, EventType::UserCreated, self.person.data(created));
        if self.number == DELETED {
            self.deleted = Some(story.moment(9));
        }
        let dropped = story.dice.percent(12).then(|| (story.dice.below(4), 4 + story.dice.below(6)));
        let ability = 45 + story.dice.below(45);
        for (place, course) in (0..).zip(courses) {
            let dropped = dropped.filter(|(which, _)| *which == place).map(|(_, week)| story.moment(week));
            let left = dropped.into_iter().chain(self.deleted).min();
            self.attend(story, course, left, ability);
        }
        self.change(story);
        if let Some(time) = self.deleted {
            story.add(time, EventType::UserDeleted, json!({ "userid": self.person.id.to_string() }));
        }
    }

    /// Changes of the profile.
    fn change(&mut self, story: &mut Story) {
        if self.number == SUSPENDED {
            let time = story.moment(7);
            self.person.suspended = true;
            story.add(time, EventType::UserUpdated, self.person.data(time));
        } else if self.number == DELAYED {
            let (first, second, sent) = (story.moment_on(6, 1), story.moment_on(6, 3), story.moment_on(7, 2));
            self.person.city = "Sheffield";
            story.add_late(sent, first, EventType::UserUpdated, self.person.data(first));
            self.person.phone = "+44 114 496 0123".to_owned();
            story.add(second, EventType::UserUpdated, self.person.data(second));
        } else if self.deleted.is_none() && story.dice.percent(8) {
            let week = 5 + story.dice.below(6);
            let time = story.moment(week);
            // Only students whom admissions did not import change their address, because adoption matches by it.
            if !self.is_imported() && story.dice.percent(40) {
                let (last, latin) = story.dice.pick(&SURNAMES, ("Berg", "berg"));
                self.person.rename(last, &format!("{latin}{}", self.number));
            } else {
                self.person.phone = format!("+44 113 496 0{:03}", story.dice.below(1_000));
            }
            story.add(time, EventType::UserUpdated, self.person.data(time));
        }
    }

    /// One course, from the enrolment to the completion.
    fn attend(&self, story: &mut Story, course: &Course, left: Option<i64>, ability: i64) {
        let enrolled = story.moment_on(i64::from(LATE.contains(&self.number)), 4);
        let ids = (story.new_id(), self.person.id, course.id);
        let state = |active, modified| enrolment_data(ids, "student", active, enrolled, modified);
        story.add(enrolled, EventType::UserEnrolled, state(true, enrolled));
        let mut suspended = false;
        if left.is_none() && story.dice.percent(2) {
            suspended = true;
            let time = story.moment(6);
            story.add(time, EventType::EnrolmentUpdated, state(false, time));
            if story.dice.percent(50) {
                suspended = false;
                let time = story.moment(8);
                story.add(time, EventType::EnrolmentUpdated, state(true, time));
            }
        }
        let marks = self.marks(story, ability, left);
        let (grades, whole) = self.graded(story, course, &marks);
        if let Some(time) = left {
            // Moodle deletes the grades of a student who leaves a course.
            let ids = json!({ "enrollmentid": ids.0.to_string(), "userid": ids.1.to_string(), "courseid": ids.2.to_string() });
            story.add(time, EventType::EnrolmentDeleted, ids);
            for grade in grades {
                story.add(time, EventType::GradeDeleted, grade);
            }
        } else if whole >= COMPLETE && marks.len() >= ITEMS.len() && !suspended {
            let (id, time) = (story.new_id(), story.moment(WEEKS));
            let data = json!({
                "completionid": id.to_string(), "userid": self.person.id.to_string(), "courseid": course.id.to_string(),
                "timecompleted": time.to_string(),
            });
            story.add(time, EventType::CourseCompleted, data);
        }
    }

    /// The marks until the student leaves, in order of time.
    fn marks(&self, story: &mut Story, ability: i64, left: Option<i64>) -> Vec<Mark> {
        let mut marks = Vec::new();
        for (place, item) in (0..).zip(ITEMS) {
            // Some students hand in nothing.
            if !story.dice.percent(95) {
                continue;
            }
            let (week, luck) = (item.week + story.dice.below(2), story.dice.below(25) - 12);
            let time = story.moment(week);
            let halves = (2 * item.max * (ability + luck) / 100).clamp(0, 2 * item.max);
            let points = if item.is_assignment() { halves / 2 * UNIT } else { halves * UNIT / 2 };
            let words = item.is_assignment() && story.dice.percent(70);
            let feedback = words.then(|| story.dice.pick(&FEEDBACK, "Well done."));
            let feedback = feedback.map(|text| format!("<p>{}</p>", text.replace("NAME", &self.person.first)));
            marks.push(Mark { time, place, item, points, feedback });
            if item.is_assignment() && story.dice.percent(5) {
                let more = (3 + story.dice.below(6)) * UNIT;
                let feedback =
                    Some("<p>Marked a second time, by a colleague: there is more in it than I saw.</p>".to_owned());
                marks.push(Mark {
                    time: time + 6 * DAY,
                    place,
                    item,
                    points: (points + more).min(item.max * UNIT),
                    feedback,
                });
            }
        }
        marks.retain(|mark| left.is_none_or(|left| mark.time < left));
        marks.sort_by_key(|mark| mark.time);
        marks
    }

    /// Sends the marks, and the course total after each. Returns the ids of the grades, and the last total.
    fn graded(&self, story: &mut Story, course: &Course, marks: &[Mark]) -> (Vec<Value>, i64) {
        let mut grades: BTreeMap<Option<i64>, (i64, i64)> = BTreeMap::new();
        let mut total = 0;
        for mark in marks {
            let percent = mark.points * 100 / mark.item.max;
            let id = grades.get(&Some(mark.place)).map_or_else(|| story.new_id(), |(id, _)| *id);
            grades.insert(Some(mark.place), (id, percent));
            // The grader does not matter here, so the first teacher marks everything.
            let grade = (id, mark.points, mark.feedback.as_deref(), Some(3));
            self.add_grade(story, mark.time, grade, &item_data(course.id, Some((mark.place, mark.item))));
            let marked = grades.iter().filter(|(place, _)| place.is_some()).map(|(_, (_, percent))| *percent);
            let (sum, count) = marked.fold((0, 0), |(sum, count), percent| (sum + percent, count + 1));
            total = sum / count.max(1);
            let id = grades.get(&None).map_or_else(|| story.new_id(), |(id, _)| *id);
            grades.insert(None, (id, total));
            self.add_grade(story, mark.time, (id, total, None, None), &item_data(course.id, None));
        }
        let name = |(place, (id, _)): (Option<i64>, (i64, i64))| {
            let item = place.and_then(|place| Some((place, *ITEMS.get(usize::try_from(place).ok()?)?)));
            let item = item_data(course.id, item);
            json!({ "gradeid": id.to_string(), "userid": self.person.id.to_string(), "itemid": item["itemid"] })
        };
        (grades.into_iter().map(name).collect(), total)
    }

    /// Sends a grade: its id, points, feedback and grader.
    fn add_grade(&self, story: &mut Story, time: i64, grade: (i64, i64, Option<&str>, Option<i64>), item: &Value) {
        let (id, points, feedback, grader) = grade;
        let mut data = item.clone();
        data["gradeid"] = json!(id.to_string());
        data["userid"] = json!(self.person.id.to_string());
        data["finalgrade"] = json!(format!("{}.{:05}", points / UNIT, points % UNIT));
        data["gradetext"] = Value::Null;
        data["feedback"] = json!(feedback);
        data["grader"] = json!(grader.map(|grader| grader.to_string()));
        data["hidden"] = json!(false);
        data["timecreated"] = json!((time - WEEK / 2).to_string());
        data["timemodified"] = json!(time.to_string());
        story.add(time, EventType::GradeUpdated, data);
    }
}
