//! Which records are delivered at all.

use crate::model::{Course, Enrolment, GradeItem};

/// The role that an enrolment is taken for when nobody told its roles.
const ROLE_WHEN_UNKNOWN: &str = "student";

/// Which records are delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    pub(super) roles: Vec<String>,
    pub(super) courses: Vec<String>,
    pub(super) categories: Vec<String>,
    pub(super) only_enrolled: bool,
    pub(super) grades: Grades,
}

/// Which grades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Grades {
    #[default]
    All,
    Totals,
    Items,
}

impl DeliveryFilter {
    /// Whether the course is one of those chosen.
    pub fn wants_course(&self, course: &Course) -> bool {
        fn has(list: &[String], value: Option<&str>) -> bool {
            value.is_some_and(|value| list.iter().any(|each| each == value.trim()))
        }
        let category_id = course.categoryid.map(|id| id.to_string());
        !self.restricts_courses()
            || has(&self.courses, course.shortname.as_deref())
            || has(&self.courses, course.idnumber.as_deref())
            || has(&self.categories, course.categoryname.as_deref())
            || has(&self.categories, category_id.as_deref())
    }

    /// Whether the person has one of the roles chosen. The course is another matter.
    pub fn wants_enrolment(&self, enrolment: &Enrolment) -> bool {
        if self.roles.is_empty() {
            return true;
        }
        let wanted = |role: &str| self.roles.iter().any(|each| each == role);
        match &enrolment.roles {
            Some(roles) => roles.0.iter().any(|role| wanted(&role.shortname) || wanted(&role.archetype)),
            None => wanted(ROLE_WHEN_UNKNOWN),
        }
    }

    /// Whether grades for such an item are chosen. An item that has neither type nor name is a total; of one that is not known at all,
    /// nothing can be said.
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

    /// Whether some courses are left out.
    pub fn restricts_courses(&self) -> bool {
        !self.courses.is_empty() || !self.categories.is_empty()
    }

    /// Whether people without an enrolment that is delivered are left out.
    pub fn only_enrolled(&self) -> bool {
        self.only_enrolled
    }
}
