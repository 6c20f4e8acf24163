//! A made-up college: one person in one course, with a grade.

use chrono_tz::Tz;

use crate::{
    model::{
        Categories, Category, Completion, Course, Decimal, Enrolment, Grade, GradeItem, Id, Kind, Names, Role, Roles,
        Time, User,
    },
    zoho::mapping::{StateRef, Subject},
};

/// The site's name, by which the records are recognised. No site can be called so: it has blanks.
pub(super) const SITE: &str = "backend sync check";

/// The id of each record in the made-up Moodle.
const ID: Id = Id(1);

/// Moments of the made-up term, in Unix seconds: 2026-09-01, 2026-12-18 and a lesson between them.
const BEGIN: Time = Time(1_788_220_800);
const END: Time = Time(1_797_552_000);
const LESSON: Time = Time(1_791_192_615);

pub(super) struct Sample {
    user: User,
    course: Course,
    enrolment: Enrolment,
    grade: Grade,
    item: GradeItem,
    completion: Completion,
    time_zone: Tz,
}

impl Sample {
    pub(super) fn new(time_zone: Tz) -> Self {
        Self {
            time_zone,
            user: user(),
            course: course(),
            enrolment: enrolment(),
            grade: grade(),
            item: item(),
            completion: completion(),
        }
    }

    /// What a record is rendered from. The ids are those of its person and course in Zoho.
    pub(super) fn subject<'a>(
        &'a self,
        kind: Kind,
        user_id: Option<&'a str>,
        course_id: Option<&'a str>,
    ) -> Subject<'a> {
        let state = match kind {
            Kind::User => StateRef::User(&self.user),
            Kind::Course => StateRef::Course(&self.course),
            Kind::Enrolment => StateRef::Enrolment(&self.enrolment),
            Kind::Grade => StateRef::Grade(&self.grade),
            Kind::Completion => StateRef::Completion(&self.completion),
        };
        let item = (kind == Kind::Grade).then_some(&self.item);
        let (user, course, time_zone) = (Some(&self.user), Some(&self.course), self.time_zone);
        Subject { site: SITE, state, item, user, course, user_id, course_id, time_zone, now: LESSON.0 }
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn names(names: &[&str]) -> Option<Names> {
    Some(Names(names.iter().map(|name| (*name).to_owned()).collect()))
}

fn decimal(digits: &str) -> Option<Decimal> {
    digits.parse().ok()
}

/// Address and number are reserved for examples: nobody has them.
fn user() -> User {
    User {
        username: text("backend-sync-check"),
        firstname: text("Check"),
        lastname: text("Backend Sync"),
        email: text("backend-sync-check@example.com"),
        idnumber: text("CHECK-1"),
        phone1: text("+44 20 7946 0000"),
        phone2: text("+44 7700 900000"),
        institution: text("Example College"),
        department: text("Examples"),
        city: text("London"),
        country: text("GB"),
        lang: text("en"),
        timezone: text("Europe/London"),
        auth: text("manual"),
        confirmed: Some(true),
        suspended: Some(false),
        timecreated: Some(BEGIN),
        timemodified: Some(LESSON),
        cohorts: names(&["Examples"]),
        ..User::unknown(ID)
    }
}

fn course() -> Course {
    Course {
        fullname: text("Check of Backend Sync"),
        shortname: text("backend-sync-check"),
        idnumber: text("CHECK-1"),
        categoryid: Some(ID),
        categoryname: text("Examples"),
        categories: Some(Categories(vec![Category { id: ID, name: "Examples".to_owned() }])),
        format: text("topics"),
        visible: Some(true),
        startdate: Some(BEGIN),
        enddate: Some(END),
        timecreated: Some(BEGIN),
        timemodified: Some(LESSON),
        ..Course::unknown(ID)
    }
}

fn enrolment() -> Enrolment {
    let student = Role { shortname: "student".to_owned(), archetype: "student".to_owned() };
    Enrolment {
        roles: Some(Roles(vec![student])),
        enrol: text("manual"),
        enabled: Some(true),
        status: Some(0),
        timestart: Some(BEGIN),
        timeend: Some(END),
        timecreated: Some(BEGIN),
        timemodified: Some(LESSON),
        groups: names(&["Examples"]),
        ..Enrolment::unknown(ID, ID, ID)
    }
}

fn grade() -> Grade {
    Grade {
        finalgrade: decimal("66.66667"),
        gradetext: text("Good"),
        feedback: text("<p>Well done.</p><p>A second paragraph, with &amp; and \u{e9}.</p>"),
        grader: Some(1),
        hidden: Some(false),
        timecreated: Some(LESSON),
        timemodified: Some(LESSON),
        ..Grade::unknown(ID, ID, ID)
    }
}

fn item() -> GradeItem {
    GradeItem {
        courseid: Some(ID),
        itemname: text("Essay of the check"),
        itemtype: text("mod"),
        itemmodule: text("assign"),
        iteminstance: Some(ID),
        itemidnumber: text("CHECK-1"),
        gradetype: Some(1),
        grademin: decimal("0.00000"),
        grademax: decimal("100.00000"),
        gradepass: decimal("40.00000"),
        scaleid: Some(ID),
        scale: text("Poor,Fair,Good"),
    }
}

fn completion() -> Completion {
    Completion { timecompleted: Some(LESSON), ..Completion::unknown(ID, ID, ID) }
}
