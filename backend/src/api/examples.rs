//! The examples of the OpenAPI document, made from the committed examples of events: what the document shows for
//! reading is what its own requests lead to.

use poem_openapi::types::{Any, Example, ParseFromJSON, ToJSON, Type};
use serde_json::{Map, Value};

use super::{changes::ChangeView, events::EventView, grades::GradeView};
use crate::{
    model::{Completion, Course, Enrolment, EventType, Fields, Grade, GradeItem, Id, User},
    views::{RecordView, Related, VersionView},
};

const RECEIVED_AT: &str = "2026-11-22T08:26:48.345Z";

fn text(event_type: EventType) -> &'static str {
    match event_type {
        EventType::UserCreated => include_str!("../../../openapi/examples/user_created.json"),
        EventType::UserUpdated => include_str!("../../../openapi/examples/user_updated.json"),
        EventType::UserDeleted => include_str!("../../../openapi/examples/user_deleted.json"),
        EventType::UserEnrolled => include_str!("../../../openapi/examples/user_enrolled.json"),
        EventType::EnrolmentUpdated => include_str!("../../../openapi/examples/enrolment_updated.json"),
        EventType::EnrolmentDeleted => include_str!("../../../openapi/examples/enrolment_deleted.json"),
        EventType::CourseCreated => include_str!("../../../openapi/examples/course_created.json"),
        EventType::CourseUpdated => include_str!("../../../openapi/examples/course_updated.json"),
        EventType::CourseDeleted => include_str!("../../../openapi/examples/course_deleted.json"),
        EventType::GradeUpdated => include_str!("../../../openapi/examples/grade_updated.json"),
        EventType::GradeDeleted => include_str!("../../../openapi/examples/grade_deleted.json"),
        EventType::CourseCompleted => include_str!("../../../openapi/examples/course_completed.json"),
        EventType::CompletionDeleted => include_str!("../../../openapi/examples/completion_deleted.json"),
    }
}

/// The data of an event of this type.
pub(super) fn data(event_type: EventType) -> Value {
    serde_json::from_str(text(event_type)).unwrap_or_default()
}

/// A batch with an event of every type.
pub(super) fn batch() -> Value {
    serde_json::from_str(include_str!("../../../openapi/examples/batch.json")).unwrap_or_default()
}

#[expect(clippy::expect_used, reason = "the examples are part of the program; a test reads each of them")]
fn read<T>(event_type: EventType, read: impl FnOnce(&mut Fields) -> Option<T>) -> T {
    let map: Map<String, Value> = serde_json::from_str(text(event_type)).expect("an object");
    read(&mut Fields::new(map)).expect("all required fields")
}

fn record<S: Type + ParseFromJSON + ToJSON>(moodle_id: Id, state: S) -> RecordView<S> {
    RecordView {
        id: format!("college:{moodle_id}"),
        site: "college".to_owned(),
        state,
        extra: None,
        deleted: false,
        version: Some(VersionView { time: 1_795_333_607, sequence: Some(12) }),
        changed_at: RECEIVED_AT.to_owned(),
    }
}

fn related<S: Type + ParseFromJSON + ToJSON>(state: S, course_known: bool) -> Related<S> {
    Related { state, user_known: true, course_known }
}

impl Example for RecordView<User> {
    fn example() -> Self {
        let user = read(EventType::UserCreated, User::read);
        record(user.userid, user)
    }
}

impl Example for RecordView<Course> {
    fn example() -> Self {
        let course = read(EventType::CourseCreated, Course::read);
        record(course.courseid, course)
    }
}

impl Example for RecordView<Related<Enrolment>> {
    fn example() -> Self {
        let enrolment = read(EventType::EnrolmentUpdated, Enrolment::read);
        record(enrolment.enrollmentid, related(enrolment, true))
    }
}

impl Example for RecordView<Related<GradeView>> {
    fn example() -> Self {
        let grade = read(EventType::GradeUpdated, Grade::read);
        let item = read(EventType::GradeUpdated, GradeItem::read);
        record(grade.gradeid, related(GradeView { grade, item }, false))
    }
}

impl Example for RecordView<Related<Completion>> {
    fn example() -> Self {
        let completion = read(EventType::CourseCompleted, Completion::read);
        record(completion.completionid, related(completion, true))
    }
}

impl Example for EventView {
    fn example() -> Self {
        Self {
            id: 17,
            idempotency_key: None,
            site: "college".to_owned(),
            event_type: EventType::GradeUpdated.as_str().to_owned(),
            kind: EventType::GradeUpdated.kind().as_str().to_owned(),
            record: "college:1".to_owned(),
            user: Some("college:3".to_owned()),
            version: VersionView { time: 1_795_333_608, sequence: None },
            received_at: RECEIVED_AT.to_owned(),
            outcome: "applied".to_owned(),
            data: Any(data(EventType::GradeUpdated)),
        }
    }
}

impl Example for ChangeView {
    fn example() -> Self {
        Self {
            position: 17,
            site: "college".to_owned(),
            kind: EventType::GradeUpdated.kind().as_str().to_owned(),
            id: "college:1".to_owned(),
            href: "/api/v1/grades/college:1".to_owned(),
            deleted: false,
            changed_at: RECEIVED_AT.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::{batch, data};
    use crate::model::{Change, EventType};

    #[test]
    fn every_example_is_valid_and_the_batch_has_every_type() {
        for event_type in EventType::ALL {
            let Value::Object(map) = data(*event_type) else { panic!("{event_type} is no object") };
            assert!(Change::read(*event_type, map).is_ok(), "{event_type}");
        }
        let batch = batch();
        let types: BTreeSet<_> =
            batch["events"].as_array().unwrap().iter().map(|event| event["type"].as_str()).collect();
        assert_eq!(types, EventType::ALL.iter().map(|event_type| Some(event_type.as_str())).collect());
    }
}
