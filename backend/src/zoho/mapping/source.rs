//! The sources of values: named in the mapping file, resolved to functions for rendering.

use std::borrow::Cow;

use rust_decimal::Decimal as Number;

use super::{
    StateRef, Subject,
    datum::{AsDatum, Datum, Shape},
    key_value,
};
use crate::model::{Completion, Course, CustomFields, Decimal, Enrolment, Grade, GradeItem, Kind, Names, Time, User};

/// A named field of a `T`.
pub(super) struct Accessor<T: 'static> {
    name: &'static str,
    shape: Shape,
    get: for<'a> fn(&'a T) -> Option<Datum<'a>>,
}

const fn shape_of<T, D: AsDatum>(_: fn(&T) -> &D) -> Shape {
    D::SHAPE
}

macro_rules! accessors {
    ($table:ident: $type:ident { $($field:ident)* } $($name:literal = $get:ident;)*) => {
        static $table: &[Accessor<$type>] = &[
            $(Accessor {
                name: stringify!($field),
                shape: shape_of(|state: &$type| &state.$field),
                get: |state| state.$field.datum(),
            },)*
            $(Accessor { name: $name, shape: Shape::Text, get: $get },)*
        ];
    };
}

accessors! { USER: User {
    userid username firstname lastname email idnumber phone1 phone2 institution department city country lang timezone auth
    confirmed suspended timecreated timemodified
} "name" = user_name; "cohorts" = cohorts; }

accessors! { COURSE: Course {
    courseid fullname shortname idnumber categoryid categoryname format visible startdate enddate timecreated timemodified
} "categorypath" = category_path; "topcategory" = top_category; }

accessors! { ENROLMENT: Enrolment {
    enrollmentid userid courseid enrol enabled timestart timeend timecreated timemodified
} "roles" = enrolment_roles; "groups" = groups; }

accessors! { GRADE: Grade {
    gradeid userid itemid finalgrade gradetext feedback grader hidden timecreated timemodified
} }

accessors! { COMPLETION: Completion { completionid userid courseid timecompleted } }

accessors! { ITEM: GradeItem {
    courseid itemname itemtype itemmodule iteminstance itemidnumber gradetype grademin grademax gradepass scaleid scale
} "name" = item_name; }

const ACTIVE: &str = "Active";
const SUSPENDED: &str = "Suspended";
const NOT_STARTED: &str = "Not started";
const ENDED: &str = "Ended";

/// What an enrolment can be.
const STATUSES: &[&str] = &[ACTIVE, SUSPENDED, NOT_STARTED, ENDED];

fn user_name(user: &User) -> Option<Datum<'_>> {
    let part =
        |text: &'_ Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    match (part(&user.firstname), part(&user.lastname)) {
        (Some(first), Some(last)) => Some(Datum::Text(Cow::Owned(format!("{first} {last}")))),
        (Some(name), None) | (None, Some(name)) => Some(Datum::Text(Cow::Owned(name))),
        (None, None) => user.username.datum(),
    }
}

fn cohorts(user: &User) -> Option<Datum<'_>> {
    listed(user.cohorts.as_ref())
}

fn groups(enrolment: &Enrolment) -> Option<Datum<'_>> {
    listed(enrolment.groups.as_ref())
}

fn listed(names: Option<&Names>) -> Option<Datum<'_>> {
    names.filter(|names| !names.0.is_empty()).map(|names| Datum::Text(Cow::Owned(names.0.join(", "))))
}

fn category_path(course: &Course) -> Option<Datum<'_>> {
    let names: Vec<_> =
        course.categories.iter().flat_map(|path| &path.0).map(|category| category.name.trim()).collect();
    (!names.is_empty()).then(|| Datum::Text(Cow::Owned(names.join(" / "))))
}

fn top_category(course: &Course) -> Option<Datum<'_>> {
    course.categories.as_ref()?.0.first()?.name.datum()
}

fn custom<'a>(fields: Option<&'a CustomFields>, name: &str) -> Option<Datum<'a>> {
    fields?.get(name)?.datum()
}

fn enrolment_roles(enrolment: &Enrolment) -> Option<Datum<'_>> {
    let names: Vec<_> = enrolment.roles.iter().flat_map(|roles| &roles.0).map(|role| role.shortname.as_str()).collect();
    (!names.is_empty()).then(|| Datum::Text(Cow::Owned(names.join(", "))))
}

/// What an enrolment is at a moment, in Unix seconds.
fn enrolment_status(enrolment: &Enrolment, now: i64) -> Option<&'static str> {
    let not_suspended = match (enrolment.status, enrolment.enabled) {
        (None, None) => return None,
        (status, enabled) => status.unwrap_or(0) == 0 && enabled.unwrap_or(true),
    };
    Some(match (moment(enrolment.timestart), moment(enrolment.timeend)) {
        _ if !not_suspended => SUSPENDED,
        (_, Some(end)) if end <= now => ENDED,
        (Some(start), _) if start > now => NOT_STARTED,
        _ => ACTIVE,
    })
}

/// The next moment after `now` at which [`enrolment_status`] changes by itself: no event of Moodle says so.
pub(super) fn next_status(enrolment: &Enrolment, now: i64) -> Option<i64> {
    let status = enrolment_status(enrolment, now)?;
    let boundaries = [moment(enrolment.timestart), moment(enrolment.timeend)].into_iter().flatten();
    let later = boundaries.filter(|moment| *moment > now).min()?;
    (enrolment_status(enrolment, later) != Some(status)).then_some(later)
}

/// A time that is given: 0 stands for none.
fn moment(time: Option<Time>) -> Option<i64> {
    time.map(|time| time.0).filter(|time| *time != 0)
}

fn item_name(item: &GradeItem) -> Option<Datum<'_>> {
    item.itemname.datum().or(match item.itemtype.as_deref() {
        Some("course") => Some(Datum::Text(Cow::Borrowed("Course total"))),
        Some("category") => Some(Datum::Text(Cow::Borrowed("Category total"))),
        _ => None,
    })
}

/// The grade between the item's minimum and maximum in percent, unrounded: bands are decided by the exact value, as in
/// Moodle.
fn percentage<'a>(grade: &Grade, item: Option<&GradeItem>) -> Option<Datum<'a>> {
    let read = |decimal: &Decimal| decimal.as_str().parse::<Number>().ok();
    let item = item?;
    let min = item.grademin.as_ref().map_or(Some(Number::ZERO), read)?;
    let max = read(item.grademax.as_ref()?)?;
    let grade = read(grade.finalgrade.as_ref()?)?;
    let ratio = grade.checked_sub(min)?.checked_mul(Number::ONE_HUNDRED)?.checked_div(max.checked_sub(min)?)?;
    Some(Datum::Number(ratio))
}

/// A resolved source: a field of the record itself, or of a related record.
#[derive(Clone)]
pub(super) enum Path {
    Key,
    Site,
    Percentage,
    /// Of an enrolment, by the clock.
    Status,
    User(&'static Accessor<User>),
    /// A person's custom profile field, by short name.
    Profile(String),
    Course(&'static Accessor<Course>),
    /// A course's custom field, by short name.
    CourseField(String),
    Enrolment(&'static Accessor<Enrolment>),
    Grade(&'static Accessor<Grade>),
    Completion(&'static Accessor<Completion>),
    Item(&'static Accessor<GradeItem>),
}

fn find<T>(table: &'static [Accessor<T>], name: &str) -> Option<&'static Accessor<T>> {
    table.iter().find(|accessor| accessor.name == name)
}

impl Path {
    /// Resolves `name` in the mapping of `kind`.
    pub(super) fn resolve(kind: Kind, name: &str) -> Option<Self> {
        let has_person = matches!(kind, Kind::Enrolment | Kind::Grade | Kind::Completion);
        match (name.split_once('.'), kind) {
            (Some(("user", name)), _) if has_person => Self::of_user(name),
            (Some(("course", name)), _) if has_person => Self::of_course(name),
            (Some(("item", name)), Kind::Grade) => find(ITEM, name).map(Self::Item),
            (Some(_), Kind::User) => Self::of_user(name),
            (Some(_), Kind::Course) => Self::of_course(name),
            (Some(_), _) => None,
            (None, _) if name == "key" => Some(Self::Key),
            (None, _) if name == "site" => Some(Self::Site),
            (None, Kind::Grade) if name == "percentage" => Some(Self::Percentage),
            (None, Kind::User) => find(USER, name).map(Self::User),
            (None, Kind::Course) => find(COURSE, name).map(Self::Course),
            (None, Kind::Enrolment) if name == "status" => Some(Self::Status),
            (None, Kind::Enrolment) => find(ENROLMENT, name).map(Self::Enrolment),
            (None, Kind::Grade) => find(GRADE, name).map(Self::Grade),
            (None, Kind::Completion) => find(COMPLETION, name).map(Self::Completion),
        }
    }

    fn of_user(name: &str) -> Option<Self> {
        match name.split_once('.') {
            Some(("profile", name)) if !name.is_empty() => Some(Self::Profile(name.to_owned())),
            Some(_) => None,
            None => find(USER, name).map(Self::User),
        }
    }

    fn of_course(name: &str) -> Option<Self> {
        match name.split_once('.') {
            Some(("customfields", name)) if !name.is_empty() => Some(Self::CourseField(name.to_owned())),
            Some(_) => None,
            None => find(COURSE, name).map(Self::Course),
        }
    }

    /// Its name in the mapping of `kind`; the inverse of [`Self::resolve`].
    pub(super) fn name(&self, kind: Kind) -> String {
        let of = |other: Kind, name: &str| if kind == other { name.to_owned() } else { format!("{other}.{name}") };
        match self {
            Self::Key => "key".to_owned(),
            Self::Site => "site".to_owned(),
            Self::Percentage => "percentage".to_owned(),
            Self::Status => "status".to_owned(),
            Self::User(accessor) => of(Kind::User, accessor.name),
            Self::Profile(name) => of(Kind::User, &format!("profile.{name}")),
            Self::Course(accessor) => of(Kind::Course, accessor.name),
            Self::CourseField(name) => of(Kind::Course, &format!("customfields.{name}")),
            Self::Enrolment(accessor) => accessor.name.to_owned(),
            Self::Grade(accessor) => accessor.name.to_owned(),
            Self::Completion(accessor) => accessor.name.to_owned(),
            Self::Item(accessor) => format!("item.{}", accessor.name),
        }
    }

    /// Whether it is a value of a person.
    pub(super) fn is_of_user(&self) -> bool {
        matches!(self, Self::User(_) | Self::Profile(_))
    }

    /// Whether it is a value of a course.
    pub(super) fn is_of_course(&self) -> bool {
        matches!(self, Self::Course(_) | Self::CourseField(_))
    }

    /// Whether it is a person's country.
    pub(super) fn is_country(&self) -> bool {
        matches!(self, Self::User(accessor) if accessor.name == "country")
    }

    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::Key | Self::Site | Self::Status => Shape::Text,
            Self::Percentage => Shape::Decimal,
            Self::Profile(_) | Self::CourseField(_) => Shape::Any,
            Self::User(accessor) => accessor.shape,
            Self::Course(accessor) => accessor.shape,
            Self::Enrolment(accessor) => accessor.shape,
            Self::Grade(accessor) => accessor.shape,
            Self::Completion(accessor) => accessor.shape,
            Self::Item(accessor) => accessor.shape,
        }
    }

    /// All possible values, if there are only a few.
    pub(super) fn values(&self) -> &'static [&'static str] {
        if matches!(self, Self::Status) { STATUSES } else { &[] }
    }

    /// The value of a person or course by itself.
    pub(super) fn read_from<'a>(&self, state: StateRef<'a>) -> Option<Datum<'a>> {
        match (self, state) {
            (Self::User(accessor), StateRef::User(user)) => (accessor.get)(user),
            (Self::Profile(name), StateRef::User(user)) => custom(user.profile.as_ref(), name),
            (Self::Course(accessor), StateRef::Course(course)) => (accessor.get)(course),
            (Self::CourseField(name), StateRef::Course(course)) => custom(course.customfields.as_ref(), name),
            _ => None,
        }
    }

    pub(super) fn read<'a>(&self, subject: &Subject<'a>) -> Option<Datum<'a>> {
        match (self, subject.state) {
            (Self::Key, state) => Some(Datum::Text(Cow::Owned(key_value(subject.site, state)))),
            (Self::Site, _) => Some(Datum::Text(Cow::Borrowed(subject.site))),
            (Self::Percentage, StateRef::Grade(grade)) => percentage(grade, subject.item),
            (Self::Status, StateRef::Enrolment(enrolment)) => {
                enrolment_status(enrolment, subject.now).map(|status| Datum::Text(Cow::Borrowed(status)))
            }
            (Self::User(accessor), StateRef::User(user)) => (accessor.get)(user),
            (Self::User(accessor), _) => subject.user.and_then(accessor.get),
            (Self::Profile(name), StateRef::User(user)) => custom(user.profile.as_ref(), name),
            (Self::Profile(name), _) => subject.user.and_then(|user| custom(user.profile.as_ref(), name)),
            (Self::Course(accessor), StateRef::Course(course)) => (accessor.get)(course),
            (Self::Course(accessor), _) => subject.course.and_then(accessor.get),
            (Self::CourseField(name), StateRef::Course(course)) => custom(course.customfields.as_ref(), name),
            (Self::CourseField(name), _) => {
                subject.course.and_then(|course| custom(course.customfields.as_ref(), name))
            }
            (Self::Enrolment(accessor), StateRef::Enrolment(enrolment)) => (accessor.get)(enrolment),
            (Self::Grade(accessor), StateRef::Grade(grade)) => (accessor.get)(grade),
            (Self::Completion(accessor), StateRef::Completion(completion)) => (accessor.get)(completion),
            (Self::Item(accessor), _) => subject.item.and_then(accessor.get),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ACTIVE, ENDED, NOT_STARTED, SUSPENDED, enrolment_status, next_status};
    use crate::model::{Enrolment, Id, Time};

    fn between(status: i64, start: i64, end: i64) -> Enrolment {
        let (timestart, timeend) = (Some(Time(start)), Some(Time(end)));
        Enrolment { status: Some(status), timestart, timeend, ..Enrolment::unknown(Id(1), Id(2), Id(3)) }
    }

    #[test]
    fn an_enrolment_begins_and_ends_by_the_clock() {
        let enrolment = between(0, 100, 200);
        for (now, status, next) in [
            (99, NOT_STARTED, Some(100)),
            (100, ACTIVE, Some(200)),
            (199, ACTIVE, Some(200)),
            (200, ENDED, None),
            (300, ENDED, None),
        ] {
            assert_eq!(enrolment_status(&enrolment, now), Some(status), "at {now}");
            assert_eq!(next_status(&enrolment, now), next, "at {now}");
        }
        let for_ever = between(0, 0, 0);
        assert_eq!((enrolment_status(&for_ever, 5), next_status(&for_ever, 5)), (Some(ACTIVE), None));
    }

    #[test]
    fn what_the_clock_does_not_change_has_no_moment() {
        let suspended = between(1, 100, 200);
        assert_eq!((enrolment_status(&suspended, 50), next_status(&suspended, 50)), (Some(SUSPENDED), None));
        // It ends before it begins: it has ended.
        let reversed = between(0, 200, 100);
        assert_eq!((enrolment_status(&reversed, 150), next_status(&reversed, 150)), (Some(ENDED), None));
        assert_eq!(next_status(&reversed, 50), Some(100));
        let unknown = Enrolment { status: None, ..between(0, 100, 200) };
        assert_eq!((enrolment_status(&unknown, 50), next_status(&unknown, 50)), (None, None));
    }
}
