//! The filter: which records are delivered.

use super::{Subject, key_of_user, source::Path, text::text};
use crate::model::{Course, Enrolment, GradeItem, Id, Kind};

/// The role assumed for an enrolment with unknown roles.
const ROLE_WHEN_UNKNOWN: &str = "student";

/// Which records are delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    pub(super) roles: Vec<String>,
    pub(super) courses: Vec<String>,
    pub(super) categories: Vec<String>,
    pub(super) only_enrolled: bool,
    pub(super) grades: Grades,
    /// The keys of people who are not synchronised.
    pub(super) excluded_users: Vec<String>,
    /// Values of people's fields; who has one of them is not synchronised.
    pub(super) excluded_values: Vec<(String, Vec<String>)>,
}

/// Which grades are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Grades {
    #[default]
    All,
    Totals,
    Items,
}

/// The setting by which an operator excludes a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion<'a> {
    /// `exclude_users`.
    ByKey,
    /// `exclude`, by the value of this field.
    ByField(&'a str),
}

impl DeliveryFilter {
    /// Whether the course passes.
    pub fn wants_course(&self, course: &Course) -> bool {
        fn has(list: &[String], value: Option<&str>) -> bool {
            value.is_some_and(|value| list.iter().any(|each| each == value.trim()))
        }
        let category_id = course.categoryid.map(|id| id.to_string());
        // A plugin of an earlier version names the course's own category only.
        let mut above = course.categories.iter().flat_map(|path| &path.0);
        !self.restricts_courses()
            || has(&self.courses, course.shortname.as_deref())
            || has(&self.courses, course.idnumber.as_deref())
            || has(&self.categories, course.categoryname.as_deref())
            || has(&self.categories, category_id.as_deref())
            || above.any(|level| {
                has(&self.categories, Some(&level.name)) || has(&self.categories, Some(&level.id.to_string()))
            })
    }

    /// Whether the enrolment has one of the chosen roles. Does not judge its course.
    pub fn wants_enrolment(&self, enrolment: &Enrolment) -> bool {
        if self.roles.is_empty() {
            return true;
        }
        let is_selected = |role: &str| self.roles.iter().any(|each| each == role);
        match &enrolment.roles {
            Some(roles) => roles.0.iter().any(|role| is_selected(&role.shortname) || is_selected(&role.archetype)),
            None => is_selected(ROLE_WHEN_UNKNOWN),
        }
    }

    /// Whether grades for this item pass. An item without type and name counts as a total; an unknown item is neither
    /// total nor item.
    pub fn wants_grade(&self, item: Option<&GradeItem>) -> bool {
        let is_total = item.map(|item| match item.itemtype.as_deref() {
            Some(itemtype) => matches!(itemtype, "course" | "category"),
            None => item.itemname.as_deref().unwrap_or_default().trim().is_empty(),
        });
        match self.grades {
            Grades::All => true,
            Grades::Totals => is_total == Some(true),
            Grades::Items => is_total == Some(false),
        }
    }

    /// By which setting an operator excludes this person, if so. `subject` is the person or a record of theirs.
    pub fn exclusion(&self, site: &str, userid: Id, subject: &Subject<'_>) -> Option<Exclusion<'_>> {
        let has = |name: &str, values: &[String]| {
            let Some(path) = Path::resolve(Kind::User, name) else { return false };
            path.read(subject).is_some_and(|datum| values.contains(&text(&datum).trim().to_lowercase()))
        };
        if !self.excluded_users.is_empty() && self.excluded_users.contains(&key_of_user(site, userid)) {
            return Some(Exclusion::ByKey);
        }
        let found = self.excluded_values.iter().find(|(name, values)| has(name, values));
        found.map(|(name, _)| Exclusion::ByField(name))
    }

    /// Whether people are excluded by their fields, so that these must be read.
    pub fn reads_people(&self) -> bool {
        !self.excluded_values.is_empty()
    }

    /// Whether the filter restricts courses.
    pub fn restricts_courses(&self) -> bool {
        !self.courses.is_empty() || !self.categories.is_empty()
    }

    /// Whether the filter restricts enrolments by their roles.
    pub fn restricts_roles(&self) -> bool {
        !self.roles.is_empty()
    }

    /// Whether the filter restricts grades by their items.
    pub fn restricts_grades(&self) -> bool {
        self.grades != Grades::All
    }

    /// Whether people need an enrolment that is delivered.
    pub fn only_enrolled(&self) -> bool {
        self.only_enrolled
    }
}
