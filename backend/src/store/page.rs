//! What readers may ask for: filters, and pages in a stable order.

use std::{fmt, str::FromStr};

use crate::{
    clock::Timestamp,
    model::{EventType, Id, Outcome},
};

/// A user by its site and its id in Moodle.
#[derive(Clone, Copy, Debug)]
pub struct UserFilter {
    /// The site's id in our database.
    pub site_id: i64,
    /// The user's id in Moodle.
    pub userid: Id,
}

/// A course by its site and its id in Moodle.
#[derive(Clone, Copy, Debug)]
pub struct CourseFilter {
    /// The site's id in our database.
    pub site_id: i64,
    /// The course's id in Moodle.
    pub courseid: Id,
}

/// Which records are asked for; all conditions hold.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// Of this site.
    pub site_id: Option<i64>,
    /// About this user.
    pub user: Option<UserFilter>,
    /// In this course.
    pub course: Option<CourseFilter>,
    /// With exactly this e-mail address.
    pub email: Option<String>,
    /// Deleted ones, or those that are not.
    pub deleted: Option<bool>,
    /// Changed at this moment or later.
    pub changed_since: Option<Timestamp>,
}

/// Which events are asked for; all conditions hold.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Of this site.
    pub site_id: Option<i64>,
    /// About this user.
    pub user: Option<UserFilter>,
    /// Of this type.
    pub event_type: Option<EventType>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
}

/// A place in the order of records: by site, then by Moodle id. Its text form is the cursor that readers send back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The site's id in our database.
    pub site_id: i64,
    /// The id in Moodle.
    pub moodle_id: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.site_id, self.moodle_id)
    }
}

/// The text is no cursor of ours.
#[derive(Debug, thiserror::Error)]
#[error("not a cursor")]
pub struct InvalidCursor;

impl FromStr for Position {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (site_id, moodle_id) = text.split_once('.').ok_or(InvalidCursor)?;
        let number = |text: &str| text.parse().map_err(|_| InvalidCursor);
        Ok(Self { site_id: number(site_id)?, moodle_id: number(moodle_id)? })
    }
}

/// Where a page begins and how long it is.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest<P> {
    /// After this place; from the beginning when there is none.
    pub after: Option<P>,
    /// Rows at most.
    pub limit: u64,
}

/// One page.
pub struct Page<T, P> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins; none when this is the last.
    pub next: Option<P>,
}

impl<T, P> Page<T, P> {
    /// Makes a page of rows that were asked for with one more than `limit`, to see whether there is a next page.
    pub(crate) fn cut(mut items: Vec<T>, limit: u64, position: impl Fn(&T) -> P) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(position);
        Self { items, next }
    }
}
