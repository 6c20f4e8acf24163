//! The mapping on the payloads that the tests of both sides share.

mod around;
mod custom;
mod digest;
mod examples;
mod mistakes;
mod properties;
mod remarks;
mod rules;

use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::{Mapping, StateRef, Subject};
use crate::{
    model::{Change, Completion, Course, Enrolment, EventType, Grade, GradeItem, Kind, User},
    zoho::metadata::{Module, ModuleField},
};

pub(crate) struct Thing {
    pub(crate) state: Owned,
    pub(crate) item: Option<GradeItem>,
}

pub(crate) enum Owned {
    User(User),
    Course(Course),
    Enrolment(Enrolment),
    Grade(Grade),
    Completion(Completion),
}

impl Thing {
    /// Parses an event's payload.
    pub(crate) fn read(event_type: &str, data: Value) -> Self {
        let Value::Object(data) = data else { panic!("an object is needed") };
        let mut item = None;
        let state = match Change::read(event_type.parse::<EventType>().unwrap(), data).unwrap() {
            Change::User(incoming) => Owned::User(incoming.state),
            Change::Course(incoming) => Owned::Course(incoming.state),
            Change::Enrolment(incoming) => Owned::Enrolment(incoming.state),
            Change::Grade(incoming, of) => {
                item = of;
                Owned::Grade(incoming.state)
            }
            Change::Completion(incoming) => Owned::Completion(incoming.state),
        };
        Self { state, item }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.state {
            Owned::User(_) => Kind::User,
            Owned::Course(_) => Kind::Course,
            Owned::Enrolment(_) => Kind::Enrolment,
            Owned::Grade(_) => Kind::Grade,
            Owned::Completion(_) => Kind::Completion,
        }
    }

    /// The record alone, without related records.
    pub(crate) fn subject(&self) -> Subject<'_> {
        let state = match &self.state {
            Owned::User(user) => StateRef::User(user),
            Owned::Course(course) => StateRef::Course(course),
            Owned::Enrolment(enrolment) => StateRef::Enrolment(enrolment),
            Owned::Grade(grade) => StateRef::Grade(grade),
            Owned::Completion(completion) => StateRef::Completion(completion),
        };
        let item = self.item.as_ref();
        Subject {
            site: "college",
            state,
            item,
            user: None,
            course: None,
            user_id: None,
            course_id: None,
            time_zone: Tz::UTC,
            // In the term of the examples.
            now: 1_796_000_000,
        }
    }
}

/// The metadata of an organisation that has everything the mapping needs.
pub(crate) fn metadata(mapping: &Mapping, kind: Kind) -> Module {
    let module = mapping.module(kind).unwrap();
    let field = |expected: super::ExpectedField| ModuleField {
        length: expected.length,
        unique: expected.unique,
        picklist: expected.values.into_iter().map(Into::into).collect(),
        lookup: expected.lookup,
        system_mandatory: matches!(expected.name.as_str(), "Last_Name" | "Product_Name" | "Name"),
        ..ModuleField::new(expected.name, expected.data_type.zoho_name())
    };
    mapping.expected(module).into_iter().map(field).collect()
}

/// A mapping of users with these fields, and a module with these fields.
pub(crate) fn users(fields: &str, types: &[ModuleField]) -> (Mapping, Module) {
    let text = format!("[user]\nmodule = \"Contacts\"\nkey = \"Key\"\n[user.fields]\n{fields}\n");
    (Mapping::parse(&text).unwrap_or_else(|error| panic!("{error}")), module(types))
}

/// A module with a key.
pub(crate) fn module(types: &[ModuleField]) -> Module {
    types.iter().cloned().chain([ModuleField::new("Key", "text")]).collect()
}

pub(crate) fn user(data: Value) -> Thing {
    let Value::Object(mut data) = data else { panic!("an object is needed") };
    data.insert("userid".to_owned(), json!(3));
    Thing::read("user_updated", Value::Object(data))
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => panic!("an object is needed"),
    }
}
