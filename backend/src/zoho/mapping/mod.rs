//! The mapping file: what goes where.
//!
//! [`Mapping::parse`] reads it, reports everything that is wrong with it, and resolves names to functions.
//! [`ModuleMapping::render`] then converts a record to what Zoho accepts, by the module's live metadata, or says which
//! field is the problem.

mod country;
mod datum;
mod describe;
mod edges;
mod email;
mod erase;
mod error;
mod expected;
mod filter;
mod fit;
mod html;
mod parse;
mod phone;
mod problem;
mod reader;
mod render;
mod rule;
mod source;
mod text;
mod tracking;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono_tz::Tz;
use sha2::{Digest, Sha256};

pub(crate) use datum::Shape;
pub(crate) use erase::is_erased;
pub use error::RenderError;
pub(crate) use expected::{ExpectedField, KEY_CHARACTERS};
pub use filter::{DeliveryFilter, Exclusion};
pub(crate) use fit::takes;
pub use problem::{MappingError, Problem};
pub use render::Rendered;
pub(crate) use render::{FieldOutcome, KeptBecause};
pub(crate) use rule::{Constant, FieldType, Owner, Related, Rule};
pub(crate) use tracking::STATUSES;
pub use tracking::{ERROR_CHARACTERS, Tracking};

use crate::model::{Completion, Course, Enrolment, Grade, GradeItem, Id, Kind, ParityPolicy, User};

/// Which data from Moodle goes where in Zoho.
pub struct Mapping {
    modules: BTreeMap<Kind, ModuleMapping>,
    filter: DeliveryFilter,
    tracking: Option<Tracking>,
    time_zone: Option<Tz>,
    text: String,
}

impl Mapping {
    /// The mapping that applies unless a file is configured; it documents everything that a mapping can contain.
    pub const DEFAULT: &str = include_str!("default.toml");

    /// Reads a mapping file.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        parse::mapping(text)
    }

    /// The file that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Equal digests mean that the files say the same, whatever their comments and their order.
    pub fn digest(&self) -> String {
        let content = self.text.parse::<toml::Table>().map(|table| table.to_string());
        // Cannot fail: it was parsed before.
        let content = content.unwrap_or_else(|_| self.text.clone());
        hex::encode(&Sha256::digest(content)[..16])
    }

    /// The module for records of that kind; `None` when they are not delivered.
    pub fn module(&self, kind: Kind) -> Option<&ModuleMapping> {
        self.modules.get(&kind)
    }

    /// The kinds that are delivered, those that others refer to first.
    pub fn modules(&self) -> impl Iterator<Item = (Kind, &ModuleMapping)> {
        self.modules.iter().map(|(kind, module)| (*kind, module))
    }

    /// Which records are delivered.
    pub fn filter(&self) -> &DeliveryFilter {
        &self.filter
    }

    /// The time zone of dates; `None` for the organisation's.
    pub fn time_zone(&self) -> Option<Tz> {
        self.time_zone
    }

    /// The tracking fields; `None` when they are off.
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
    /// The fields by which an existing record in Zoho is recognised.
    pub matches: Vec<MatchField>,
    /// Whether people are looked for among the leads too.
    pub match_leads: bool,
    /// Whose contacts are adopted without asking.
    pub adopt: Adopt,
    /// The login methods of accounts that people make themselves.
    pub self_registration: Vec<String>,
    /// What becomes of a second person with one address.
    pub same_address: SameAddress,
    /// Which of Zoho's automations run.
    pub trigger: Vec<String>,
    /// Who decides when somebody changed a field in Zoho.
    pub parity: ParityPolicy,
    /// What happens in Zoho when the record is gone in Moodle.
    pub on_delete: OnDelete,
    /// The module's labels, if `zoho setup` may create it.
    pub labels: Option<Labels>,
    pub(crate) rules: Vec<Rule>,
    /// What is written when the record is gone; `None` clears the field.
    pub(crate) deleted: Vec<(String, Option<Constant>)>,
}

/// A field by which an existing record in Zoho is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchField {
    /// The field in Zoho.
    pub field: String,
    /// The field that the mapping fills with the value that it must have: itself, or the first of them.
    pub value_of: String,
}

/// What becomes of a second person with an address that another one has in Zoho.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameAddress {
    /// Somebody must decide.
    #[default]
    Fail,
    /// A contact of their own, without the address.
    Without,
}

/// Whether a contact that is already in Zoho is adopted without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adopt {
    /// By everybody with its address.
    Always,
    /// Unless somebody registered the account himself: anybody can do so with a stranger's address.
    #[default]
    Trusted,
    /// By nobody.
    Never,
}

impl ModuleMapping {
    /// The rules that write a person's e-mail address.
    pub(crate) fn address_rules(&self) -> impl Iterator<Item = &Rule> {
        let is_address = |path: &source::Path| path.name(Kind::User) == "email";
        self.rules.iter().filter(move |rule| rule.owner != Owner::Zoho && rule.paths().iter().any(is_address))
    }

    /// Who decides when somebody changed this field in Zoho.
    pub fn parity_of(&self, field: &str) -> ParityPolicy {
        let rule = self.rules.iter().find(|rule| rule.field == field);
        rule.and_then(|rule| rule.parity).unwrap_or(self.parity)
    }

    /// The fields that are written: the key first.
    pub fn written_fields(&self) -> Vec<&str> {
        let rules = self.rules.iter().filter(|rule| rule.owner == Owner::Moodle).map(|rule| rule.field.as_str());
        let deleted = self.deleted.iter().map(|(field, _)| field.as_str());
        let mut fields = vec![self.key.as_str()];
        for field in rules.chain(deleted) {
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
        fields
    }

    /// Whether this person's contact is adopted without asking.
    pub fn adopts(&self, user: &User) -> bool {
        let registered_itself = || user.auth.as_ref().is_some_and(|auth| self.self_registration.contains(auth));
        match self.adopt {
            Adopt::Always => true,
            Adopt::Trusted => !registered_itself(),
            Adopt::Never => false,
        }
    }
}

/// What happens in Zoho when a record is gone in Moodle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// The fields of the table `deleted` are written.
    Mark,
    /// Moodle's fields are cleared, except the key and what Zoho requires; then as `Mark`.
    Blank,
    /// The record is moved to Zoho's recycle bin.
    Delete,
    /// Nothing.
    Keep,
}

/// A module's names for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// One record.
    pub singular: String,
    /// The module.
    pub plural: String,
}

/// What a record is rendered from.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The site's name.
    pub site: &'a str,
    /// The record's state.
    pub state: StateRef<'a>,
    /// A grade's item.
    pub item: Option<&'a GradeItem>,
    /// The person that it is about.
    pub user: Option<&'a User>,
    /// The course that it is about.
    pub course: Option<&'a Course>,
    /// The person's id in Zoho.
    pub user_id: Option<&'a str>,
    /// The course's id in Zoho.
    pub course_id: Option<&'a str>,
    /// The time zone of dates.
    pub time_zone: Tz,
    /// The moment, in Unix seconds.
    pub now: i64,
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

/// The kind of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// The record is not in Zoho yet.
    Create,
    /// The record is in Zoho: we created it, or adopt it.
    Update,
}

fn key_value(site: &str, state: StateRef<'_>) -> String {
    match state {
        StateRef::User(user) => key_of_user(site, user.userid),
        StateRef::Course(course) => format!("{site}:{}", course.courseid),
        StateRef::Enrolment(enrolment) => format!("{site}:{}", enrolment.enrollmentid),
        // Moodle may delete a grade and create it again under another id; to people it is the same grade.
        StateRef::Grade(grade) => format!("{site}:{}:{}", grade.userid, grade.itemid),
        StateRef::Completion(completion) => format!("{site}:{}", completion.completionid),
    }
}

/// The key of a person.
pub(crate) fn key_of_user(site: &str, userid: Id) -> String {
    format!("{site}:{userid}")
}
