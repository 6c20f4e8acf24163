//! The schemas of what sites send, derived from those of what readers get: the same fields, but every number and
//! boolean may also be a string, and unknown fields are allowed.

use std::marker::PhantomData;

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde_json::Value;

use super::examples;
use crate::model::{Completion, Course, Enrolment, EventType, Grade, GradeItem, User};

/// The schema of an event's data, for what readers get as `T`.
pub(super) struct EventData<T>(PhantomData<T>);

/// The source of the schema of an event's data.
pub(super) trait EventPayload: Send + Sync + 'static {
    /// The schema's name.
    const NAME: &'static str;

    /// The event whose example the schema shows.
    const EXAMPLE: EventType;

    /// The schema that readers see.
    fn read_schema(registry: &mut Registry) -> MetaSchema;
}

macro_rules! payload {
    ($type:ty, $name:literal, $example:ident, [$($part:ty),+]) => {
        impl EventPayload for $type {
            const NAME: &'static str = $name;
            const EXAMPLE: EventType = EventType::$example;

            fn read_schema(registry: &mut Registry) -> MetaSchema {
                let mut schema = MetaSchema::new("object");
                $(
                    let part = registry.create_fake_schema::<$part>();
                    schema.required.extend(part.required);
                    schema.properties.extend(part.properties);
                )+
                schema
            }
        }
    };
}

payload!(User, "UserData", UserCreated, [User]);
payload!(Course, "CourseData", CourseCreated, [Course]);
payload!(Enrolment, "EnrolmentData", UserEnrolled, [Enrolment]);
payload!(Grade, "GradeData", GradeUpdated, [Grade, GradeItem]);
payload!(Completion, "CompletionData", CourseCompleted, [Completion]);

named_type!([T: EventPayload] EventData<T>, T::NAME, event_data::<T>);

fn event_data<T: EventPayload>(registry: &mut Registry) -> MetaSchema {
    let mut schema = T::read_schema(registry);
    for (_, property) in &mut schema.properties {
        if let MetaSchemaRef::Inline(property) = property {
            **property = accepted_schema(std::mem::replace(property, MetaSchema::ANY));
        }
    }
    let mut deleted = accepted_schema(MetaSchema { nullable: true, ..MetaSchema::new("boolean") });
    deleted.description = Some("Whether it is deleted in Moodle.");
    schema.properties.push(("deleted", inline(deleted)));
    schema.additional_properties = Some(Box::new(inline(MetaSchema {
        description: Some("Any other field is kept with the event and shown in the record's `extra`."),
        ..MetaSchema::ANY
    })));
    schema.example = Some(examples::data(T::EXAMPLE));
    schema
}

fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}

/// The schema of a field as it may be sent.
fn accepted_schema(read: MetaSchema) -> MetaSchema {
    let text = |pattern: &str| MetaSchema { pattern: Some(pattern.to_owned()), ..MetaSchema::new("string") };
    let forms = match (read.ty, read.format) {
        ("integer", _) => {
            let number = MetaSchema {
                minimum: read.minimum,
                maximum: read.maximum,
                ..MetaSchema::new_with_format("integer", "int64")
            };
            let pattern = match read.minimum {
                Some(1.0) => "^[1-9][0-9]{0,17}$",
                Some(_) => "^[0-9]{1,11}$",
                None => "^-?[0-9]{1,18}$",
            };
            vec![number, text(pattern)]
        }
        (_, Some("decimal")) => vec![text("^-?[0-9]{1,10}(\\.[0-9]{1,5})?$"), MetaSchema::new("number")],
        ("boolean", _) => vec![MetaSchema::new("boolean"), text("^[01]$")],
        _ => return read,
    };
    MetaSchema {
        description: read.description,
        nullable: read.nullable,
        any_of: forms.into_iter().map(|form| MetaSchemaRef::Inline(Box::new(form))).collect(),
        ..MetaSchema::ANY
    }
}

fn data_of_any_type(registry: &mut Registry) -> MetaSchemaRef {
    EventData::<User>::register(registry);
    EventData::<Course>::register(registry);
    EventData::<Enrolment>::register(registry);
    EventData::<Grade>::register(registry);
    EventData::<Completion>::register(registry);
    inline(MetaSchema {
        description: Some(
            "Depends on the type: UserData, CourseData, EnrolmentData, GradeData or CompletionData. For a deletion \
             only the ids (the required fields) are read; the record keeps its last state.",
        ),
        any_of: vec![
            EventData::<User>::schema_ref(),
            EventData::<Course>::schema_ref(),
            EventData::<Enrolment>::schema_ref(),
            EventData::<Grade>::schema_ref(),
            EventData::<Completion>::schema_ref(),
        ],
        ..MetaSchema::ANY
    })
}

/// The schema of a batch, with an example of every type.
pub(super) fn batch(registry: &mut Registry) -> MetaSchema {
    let data = data_of_any_type(registry);
    let described = |schema: MetaSchema, description| inline(MetaSchema { description: Some(description), ..schema });
    let integer = || accepted_schema(MetaSchema { minimum: Some(0.0), ..MetaSchema::new("integer") });
    let event = MetaSchema {
        required: vec!["id", "type", "time", "sequence", "data"],
        properties: vec![
            (
                "id",
                described(
                    MetaSchema::new_with_format("string", "uuid"),
                    "The idempotency key. A second event with the same id is a `duplicate`. Ascending ids (version 7) \
                     are stored fastest.",
                ),
            ),
            (
                "type",
                inline(MetaSchema {
                    enum_items: EventType::ALL.iter().map(|event_type| Value::from(event_type.as_str())).collect(),
                    ..MetaSchema::new("string")
                }),
            ),
            ("time", described(integer(), "When it happened: Unix seconds by Moodle's clock.")),
            (
                "sequence",
                described(
                    integer(),
                    "A number that the sender increments with each event. It orders a site's events \
                                      within one second.",
                ),
            ),
            ("data", data),
        ],
        ..MetaSchema::new("object")
    };
    let events = MetaSchema {
        items: Some(Box::new(inline(event))),
        min_items: Some(1),
        max_items: Some(crate::limits::BATCH_EVENTS),
        ..MetaSchema::new("array")
    };
    MetaSchema {
        required: vec!["events"],
        properties: vec![("events", inline(events))],
        example: Some(examples::batch()),
        ..MetaSchema::new("object")
    }
}
