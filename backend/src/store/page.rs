//! Filters for readers, and pages in a stable order.

use std::{fmt, str::FromStr};

use super::bounded::fitting;
use crate::{
    clock::Timestamp,
    model::{EventType, Id, Outcome},
};

/// A user, by site and Moodle id.
#[derive(Clone, Copy, Debug)]
pub struct UserFilter {
    /// The site's row id.
    pub site_id: i64,
    /// The user's Moodle id.
    pub userid: Id,
}

/// A course, by site and Moodle id.
#[derive(Clone, Copy, Debug)]
pub struct CourseFilter {
    /// The site's row id.
    pub site_id: i64,
    /// The course's Moodle id.
    pub courseid: Id,
}

/// Selects records; all conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// The site's row id.
    pub site_id: Option<i64>,
    /// About this user.
    pub user: Option<UserFilter>,
    /// In this course.
    pub course: Option<CourseFilter>,
    /// With exactly this e-mail address.
    pub email: Option<String>,
    /// Only deleted records, or only those that are not.
    pub deleted: Option<bool>,
    /// Changed at this time or later.
    pub changed_since: Option<Timestamp>,
}

/// Selects events; all conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// The site's row id.
    pub site_id: Option<i64>,
    /// About this user.
    pub user: Option<UserFilter>,
    /// Of this type.
    pub event_type: Option<EventType>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
}

/// A place in the order of records: by site, then by Moodle id. Its text form is a reader's cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The site's row id.
    pub site_id: i64,
    /// The record's Moodle id.
    pub moodle_id: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.site_id, self.moodle_id)
    }
}

/// The text is not one of our cursors.
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

/// Where a page begins and its length.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest<P> {
    /// The cursor: rows after this place; `None` for the first page.
    pub after: Option<P>,
    /// The most rows.
    pub limit: u64,
}

/// One page.
pub struct Page<T, P> {
    /// At most `limit` rows, and fewer when they are long or hard to find.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<P>,
}

impl<T, P> Page<T, P> {
    /// Makes a page from up to `limit + 1` rows; the extra row shows that there is a next page.
    pub(crate) fn cut(items: Vec<T>, limit: u64, position: impl Fn(&T) -> P) -> Self {
        Self::fit(items, limit, |_| 0, position, None)
    }

    /// The same for rows that have so many bytes: the page ends where they no longer fit into one read. If it does not
    /// end before, the next one begins where the search `stopped`.
    pub(super) fn fit(
        mut items: Vec<T>,
        limit: u64,
        bytes: impl Fn(&T) -> u64,
        position: impl Fn(&T) -> P,
        stopped: Option<P>,
    ) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(fitting(items.iter().map(bytes)));
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(position) } else { stopped };
        Self { items, next }
    }
}
