//! What a site sends: types of events, their contents, and reading them.

use serde_json::{Map, Value};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use uuid::Uuid;

use super::{
    Completion, Course, Digest, Enrolment, FieldError, FieldErrorCode, Fields, Grade, GradeItem, Id, Incoming, Kind,
    State, Time, User, Version,
};

/// The accepted event types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(poem_openapi::Enum, Display, EnumString, IntoStaticStr, VariantArray)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownEventType, parse_err_fn = unknown_event_type)]
pub enum EventType {
    /// A user was created.
    UserCreated,
    /// A user's profile changed, or the account was suspended or activated.
    UserUpdated,
    /// A user was deleted.
    UserDeleted,
    /// A user was enrolled in a course.
    UserEnrolled,
    /// An enrolment changed: its status, its dates, its method, or the person's roles.
    EnrolmentUpdated,
    /// A user was unenrolled.
    EnrolmentDeleted,
    /// A course was created.
    CourseCreated,
    /// A course changed.
    CourseUpdated,
    /// A course was deleted.
    CourseDeleted,
    /// A grade was given or changed, or its grade item changed.
    GradeUpdated,
    /// A grade was deleted.
    GradeDeleted,
    /// A user completed a course.
    CourseCompleted,
    /// A completion was removed: the course was reset or deleted, or the completion withdrawn.
    CompletionDeleted,
}

impl EventType {
    /// All types.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word used in the API, the database and the logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The kind of record it changes.
    pub fn kind(self) -> Kind {
        match self {
            Self::UserCreated | Self::UserUpdated | Self::UserDeleted => Kind::User,
            Self::UserEnrolled | Self::EnrolmentUpdated | Self::EnrolmentDeleted => Kind::Enrolment,
            Self::CourseCreated | Self::CourseUpdated | Self::CourseDeleted => Kind::Course,
            Self::GradeUpdated | Self::GradeDeleted => Kind::Grade,
            Self::CourseCompleted | Self::CompletionDeleted => Kind::Completion,
        }
    }

    fn is_deletion(self) -> bool {
        matches!(
            self,
            Self::UserDeleted
                | Self::EnrolmentDeleted
                | Self::CourseDeleted
                | Self::GradeDeleted
                | Self::CompletionDeleted
        )
    }
}

/// No event type has this name.
#[derive(Debug, thiserror::Error)]
#[error("unknown event type")]
pub struct UnknownEventType;

fn unknown_event_type(_: &str) -> UnknownEventType {
    UnknownEventType
}

/// An event from a site, parsed and checked.
#[derive(Clone)]
pub struct Event {
    /// The sender's id of the event; the original plugin sends none.
    pub idempotency_key: Option<Uuid>,
    /// The type of the event.
    pub event_type: EventType,
    /// Orders it among the events about the same record.
    pub version: Version,
    /// Its data, byte for byte as sent.
    pub data: Box<str>,
    /// The digest of its data; none from the original plugin, which cannot compare.
    pub digest: Option<Digest>,
    /// What it says about a record.
    pub change: Change,
}

/// What an event says about one record.
#[derive(Clone)]
pub enum Change {
    /// About a user.
    User(Incoming<User>),
    /// About a course.
    Course(Incoming<Course>),
    /// About an enrolment.
    Enrolment(Incoming<Enrolment>),
    /// About a grade, and, unless it was deleted, about its grade item.
    Grade(Incoming<Grade>, Option<GradeItem>),
    /// About a completion.
    Completion(Incoming<Completion>),
}

impl Change {
    /// The ids of the record and of its user.
    pub fn subject(&self) -> (Id, Option<Id>) {
        fn of<S: State>(incoming: &Incoming<S>) -> (Id, Option<Id>) {
            (incoming.state.moodle_id(), incoming.state.userid())
        }
        match self {
            Self::User(incoming) => of(incoming),
            Self::Course(incoming) => of(incoming),
            Self::Enrolment(incoming) => of(incoming),
            Self::Grade(incoming, _) => of(incoming),
            Self::Completion(incoming) => of(incoming),
        }
    }

    /// Reads the data of an event of `event_type`; the error lists every invalid field.
    pub fn read(event_type: EventType, data: Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::new(data);
        // The original plugin repeats Moodle's name of the event in the data; the type already says it.
        fields.ignore("eventname");
        match event_type.kind() {
            Kind::User => incoming(event_type, fields).map(Self::User),
            Kind::Course => incoming(event_type, fields).map(Self::Course),
            Kind::Enrolment => incoming(event_type, fields).map(Self::Enrolment),
            Kind::Completion => incoming(event_type, fields).map(Self::Completion),
            Kind::Grade if event_type.is_deletion() => {
                incoming(event_type, fields).map(|incoming| Self::Grade(incoming, None))
            }
            Kind::Grade => {
                let item = GradeItem::read(&mut fields);
                incoming(event_type, fields).map(|incoming| Self::Grade(incoming, item))
            }
        }
    }

    /// When the record last changed in Moodle, according to the data: the version of an event that carries none.
    pub fn time(&self) -> Time {
        let (first, second) = match self {
            Self::User(user) => (user.state.timemodified, user.state.timecreated),
            Self::Course(course) => (course.state.timemodified, course.state.timecreated),
            Self::Enrolment(enrolment) => (enrolment.state.timemodified, enrolment.state.timecreated),
            Self::Grade(grade, _) => (grade.state.timemodified, grade.state.timecreated),
            Self::Completion(completion) => (completion.state.timecompleted, None),
        };
        first.or(second).unwrap_or(Time(0))
    }
}

fn incoming<S: State>(event_type: EventType, mut fields: Fields) -> Result<Incoming<S>, Vec<FieldError>> {
    if event_type.is_deletion() {
        let state = S::read_references(&mut fields);
        // Other fields of a deletion are kept with the event; the record keeps its last state.
        fields.finish()?;
        let state = state.ok_or_else(Vec::new)?;
        return Ok(Incoming { state, extra: None, is_state: false, deleted: true });
    }
    let state = S::read(&mut fields);
    let deleted = fields.optional("deleted");
    let extra = fields.finish()?.map(|rest| Value::Object(rest).to_string());
    match (state, deleted) {
        (Some(state), Some(deleted)) => {
            Ok(Incoming { state, extra, is_state: true, deleted: deleted.unwrap_or_default() })
        }
        // Unreachable: a reader that returns None has recorded an error, which `finish` has returned.
        _ => Err(vec![FieldError::new("", FieldErrorCode::WrongType)]),
    }
}
