//! What goes where: the mapping file.
//!
//! [`Mapping::parse`] reads it and finds everything that is wrong with it; names become functions there. [`ModuleMapping::render`]
//! then makes of a record what Zoho takes, by the live metadata of the module, or says which field is in the way.

mod describe;
mod erase;
mod error;
mod filter;
mod fit;
mod html;
mod parse;
mod problem;
mod reader;
mod render;
mod rule;
mod source;
mod text;
mod tracking;
mod wanted;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use erase::is_erased;
pub use error::RenderError;
pub use filter::DeliveryFilter;
pub use problem::{MappingError, Problem};
pub(crate) use rule::{Constant, FieldType, Owner, Related, Rule};
pub(crate) use source::Shape;
pub(crate) use tracking::STATUSES;
pub use tracking::{ERROR_CHARACTERS, Tracking};
pub(crate) use wanted::{KEY_CHARACTERS, WantedField};

use crate::model::{Completion, Course, Enrolment, Grade, GradeItem, Kind, User};

/// Which data of Moodle goes where in Zoho.
pub struct Mapping {
    modules: BTreeMap<Kind, ModuleMapping>,
    filter: DeliveryFilter,
    tracking: Option<Tracking>,
    text: String,
}

impl Mapping {
    /// The mapping that applies unless a file is named, with all that can be written explained.
    pub const DEFAULT: &str = include_str!("default.toml");

    /// Reads a mapping file.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        parse::mapping(text)
    }

    /// The file that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where records of that kind go; none when they are not delivered.
    pub fn module(&self, kind: Kind) -> Option<&ModuleMapping> {
        self.modules.get(&kind)
    }

    /// The kinds that are delivered, those that others point to first.
    pub fn modules(&self) -> impl Iterator<Item = (Kind, &ModuleMapping)> {
        self.modules.iter().map(|(kind, module)| (*kind, module))
    }

    /// Which records are delivered.
    pub fn filter(&self) -> &DeliveryFilter {
        &self.filter
    }

    /// The tracking fields; none when they are switched off.
    pub fn tracking(&self) -> Option<&Tracking> {
        self.tracking.as_ref()
    }
}

/// Where records of one kind go, and how.
pub struct ModuleMapping {
    /// The module's API name.
    pub module: String,
    /// The API name of the unique field that holds the record's key.
    pub key: String,
    /// The field by which a record that is in Zoho already is adopted.
    pub matches: Option<String>,
    /// Which of Zoho's automations run.
    pub trigger: Vec<String>,
    /// What happens in Zoho when the record is gone in Moodle.
    pub on_delete: OnDelete,
    /// What the module is called, when `zoho setup` may create it.
    pub labels: Option<Labels>,
    pub(crate) rules: Vec<Rule>,
    /// What is written when the record is gone; none clears the field.
    pub(crate) deleted: Vec<(String, Option<Constant>)>,
}

/// What happens in Zoho when a record is gone in Moodle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// The fields for that are written.
    Mark,
    /// Moodle's fields are cleared, except the key and what Zoho requires; then the fields for that are written.
    Blank,
    /// The record goes to Zoho's recycle bin.
    Delete,
    /// Nothing.
    Keep,
}

/// What a module is called by people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// One record.
    pub singular: String,
    /// The module.
    pub plural: String,
}

/// What a record of one kind is rendered from.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The site's name.
    pub site: &'a str,
    /// The record's state.
    pub state: StateRef<'a>,
    /// The grade's item.
    pub item: Option<&'a GradeItem>,
    /// The person that it is about.
    pub user: Option<&'a User>,
    /// The course that it is about.
    pub course: Option<&'a Course>,
    /// The id in Zoho of the person.
    pub user_id: Option<&'a str>,
    /// The id in Zoho of the course.
    pub course_id: Option<&'a str>,
}

/// The state of a record of any kind.
#[derive(Clone, Copy)]
pub enum StateRef<'a> {
    /// A user.
    User(&'a User),
    /// A course.
    Course(&'a Course),
    /// An enrolment.
    Enrolment(&'a Enrolment),
    /// A grade.
    Grade(&'a Grade),
    /// A completion.
    Completion(&'a Completion),
}

/// What a write is, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// The record is not in Zoho yet.
    Create,
    /// The record is in Zoho, but not by us.
    Adopt,
    /// The record is in Zoho by us.
    Update,
}

fn key_value(site: &str, state: StateRef<'_>) -> String {
    match state {
        StateRef::User(user) => format!("{site}:{}", user.userid),
        StateRef::Course(course) => format!("{site}:{}", course.courseid),
        StateRef::Enrolment(enrolment) => format!("{site}:{}", enrolment.enrollmentid),
        // Moodle may delete a grade and make it anew, under another id; to people it is the same grade.
        StateRef::Grade(grade) => format!("{site}:{}:{}", grade.userid, grade.itemid),
        StateRef::Completion(completion) => format!("{site}:{}", completion.completionid),
    }
}
