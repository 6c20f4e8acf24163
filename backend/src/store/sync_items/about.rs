//! The sync items of all records about one person or one course.

use sea_orm::Value;

use super::{
    ItemFilter, ItemRow,
    view::{ITEM_COLUMNS, item_of},
};
use crate::{
    model::{Kind, RecordKey},
    store::{CourseFilter, Store, StoreError, UserFilter, sql::query},
};

/// The subject of records.
#[derive(Clone, Copy, Debug)]
pub enum About {
    /// A person: the account, its enrolments, grades and completions.
    User(UserFilter),
    /// A course: the course itself, its enrolments, grades and completions.
    Course(CourseFilter),
}

impl About {
    fn site_id(self) -> i64 {
        match self {
            Self::User(user) => user.site_id,
            Self::Course(course) => course.site_id,
        }
    }

    /// SQL for the records of one kind, and its parameters; `None` when there can be no such records.
    fn condition(self, kind: Kind) -> Option<(&'static str, Vec<Value>)> {
        let (sql, id) = match (self, kind) {
            (Self::User(user), Kind::User) => return Some(("moodle_id = ?", vec![user.userid.0.into()])),
            (Self::Course(course), Kind::Course) => return Some(("moodle_id = ?", vec![course.courseid.0.into()])),
            (Self::User(_), Kind::Course) | (Self::Course(_), Kind::User) => return None,
            (Self::User(user), kind) => {
                let sql = match kind {
                    Kind::Grade => "moodle_id IN (SELECT moodle_id FROM grades WHERE site_id = ? AND userid = ?)",
                    Kind::Completion => {
                        "moodle_id IN (SELECT moodle_id FROM completions WHERE site_id = ? AND userid = ?)"
                    }
                    _ => "moodle_id IN (SELECT moodle_id FROM enrolments WHERE site_id = ? AND userid = ?)",
                };
                (sql, user.userid)
            }
            (Self::Course(course), kind) => {
                let sql = match kind {
                    Kind::Grade => {
                        "moodle_id IN (SELECT g.moodle_id FROM grade_items i JOIN grades g ON g.site_id = i.site_id \
                         AND g.itemid = i.moodle_id WHERE i.site_id = ? AND i.courseid = ?)"
                    }
                    Kind::Completion => {
                        "moodle_id IN (SELECT moodle_id FROM completions WHERE site_id = ? AND courseid = ?)"
                    }
                    _ => "moodle_id IN (SELECT moodle_id FROM enrolments WHERE site_id = ? AND courseid = ?)",
                };
                (sql, course.courseid)
            }
        };
        Some((sql, vec![self.site_id().into(), id.0.into()]))
    }
}

/// The kinds in the order in which items are listed.
fn kinds() -> [Kind; 5] {
    let mut kinds = Kind::ALL;
    kinds.sort_unstable_by_key(|kind| kind.as_str());
    kinds
}

impl Store {
    /// Like [`Store::items`], but only for the records about one person or course.
    pub async fn items_about(
        &self,
        destination: &str,
        filter: &ItemFilter,
        about: About,
        after: Option<RecordKey>,
        limit: u64,
    ) -> Result<Vec<ItemRow>, StoreError> {
        let mut items = Vec::new();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if filter.site_id.is_some_and(|site_id| site_id != about.site_id()) {
            return Ok(items);
        }
        let selected = |kind: &Kind| filter.kind.is_none_or(|only| only == *kind);
        let to_come = |kind: &Kind| after.is_none_or(|after| kind.as_str() >= after.kind.as_str());
        for kind in kinds().into_iter().filter(selected).filter(to_come) {
            let Some((of_about, more)) = about.condition(kind) else { continue };
            let filter = ItemFilter { site_id: Some(about.site_id()), kind: Some(kind), ..filter.clone() };
            let (mut condition, mut values) = filter.condition(destination);
            condition = format!("{condition} AND {of_about}");
            values.extend(more);
            if let Some(after) = after.filter(|after| after.kind == kind) {
                condition += " AND moodle_id > ?";
                values.push(after.moodle_id.0.into());
            }
            values.push(i64::try_from(limit - items.len()).unwrap_or(i64::MAX).into());
            let sql = format!("SELECT {ITEM_COLUMNS} FROM sync_items WHERE {condition} ORDER BY moodle_id LIMIT ?");
            for row in query(&self.read, &sql, values).await? {
                items.push(item_of(&row)?);
            }
            if items.len() >= limit {
                break;
            }
        }
        Ok(items)
    }
}
