//! Queries for readers: pages of records, one record, and the change feed.

use std::collections::HashSet;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect};

use super::{
    Page, PageRequest, Position, RecordFilter, StoreError,
    bounded::{Conditions, Search},
    connection::connect::Store,
    entity::{
        change,
        records::{RecordTable, StoredRecord, completion, course, enrolment, grade, user},
    },
    lookup,
    records::{Key, by_site, bytes_of, load_grade_items, load_records},
};
use crate::{
    clock::Timestamp,
    limits,
    model::{Completion, Course, Enrolment, Grade, GradeItem, Id, State, User},
};

/// A grade with its grade item.
pub struct GradeWithItem {
    /// The grade's record.
    pub grade: StoredRecord<Grade>,
    /// `None` when only the grade's deletion has arrived.
    pub item: Option<GradeItem>,
}

/// The newest change of one record.
pub struct StoredChange {
    /// Its place in the feed.
    pub position: i64,
    /// The site's row id.
    pub site_id: i64,
    /// The record's kind.
    pub kind: String,
    /// The record's Moodle id.
    pub moodle_id: Id,
    /// Whether the record is deleted.
    pub deleted: bool,
    /// When it changed, by the server's clock.
    pub changed_at: Timestamp,
}

type RecordPage<S> = Page<StoredRecord<S>, Position>;

impl Store {
    /// A page of users.
    pub async fn users(
        &self,
        filter: &RecordFilter,
        page: PageRequest<Position>,
    ) -> Result<RecordPage<User>, StoreError> {
        let mut wanted = Conditions::default();
        if let Some(email) = &filter.email {
            wanted.add("email = ?", [email.as_str().into()]);
        }
        self.page::<user::Entity>(filter, wanted, page).await
    }

    /// A page of courses.
    pub async fn courses(
        &self,
        filter: &RecordFilter,
        page: PageRequest<Position>,
    ) -> Result<RecordPage<Course>, StoreError> {
        self.page::<course::Entity>(filter, Conditions::default(), page).await
    }

    /// A page of enrolments.
    pub async fn enrolments(
        &self,
        filter: &RecordFilter,
        page: PageRequest<Position>,
    ) -> Result<RecordPage<Enrolment>, StoreError> {
        self.page::<enrolment::Entity>(filter, of_user_in_course(filter), page).await
    }

    /// A page of completions.
    pub async fn completions(
        &self,
        filter: &RecordFilter,
        page: PageRequest<Position>,
    ) -> Result<RecordPage<Completion>, StoreError> {
        self.page::<completion::Entity>(filter, of_user_in_course(filter), page).await
    }

    /// A page of grades with their items.
    pub async fn grades(
        &self,
        filter: &RecordFilter,
        page: PageRequest<Position>,
    ) -> Result<Page<GradeWithItem, Position>, StoreError> {
        let mut wanted = of_user(filter);
        if let Some(course) = filter.course {
            wanted.add(
                "site_id = ? AND itemid IN (SELECT moodle_id FROM grade_items WHERE site_id = ? AND courseid = ?)",
                [course.site_id.into(), course.site_id.into(), course.courseid.0.into()],
            );
        }
        let Page { items, next } = self.page::<grade::Entity>(filter, wanted, page).await?;
        Ok(Page { items: self.with_items(items).await?, next })
    }

    /// One grade with its item.
    pub async fn grade(&self, site: &str, id: Id) -> Result<Option<GradeWithItem>, StoreError> {
        let found: Vec<_> = self.record::<grade::Entity>(site, id).await?.into_iter().collect();
        Ok(self.with_items(found).await?.pop())
    }

    async fn with_items(&self, grades: Vec<StoredRecord<Grade>>) -> Result<Vec<GradeWithItem>, StoreError> {
        let keys: Vec<Key> = grades.iter().map(|grade| (grade.site_id, grade.record.state.itemid)).collect();
        let items = load_grade_items(&self.read, &keys).await?;
        let with_item = |grade: StoredRecord<Grade>| {
            let item = items.get(&(grade.site_id, grade.record.state.itemid)).map(|(item, _)| item.clone());
            GradeWithItem { grade, item }
        };
        Ok(grades.into_iter().map(with_item).collect())
    }

    /// One record.
    pub(crate) async fn record<T: RecordTable>(
        &self,
        site: &str,
        id: Id,
    ) -> Result<Option<StoredRecord<T::State>>, StoreError> {
        let Some(site) = self.site(site).await? else { return Ok(None) };
        let row = T::find().filter(T::SITE_ID.eq(site.id)).filter(T::MOODLE_ID.eq(id)).one(&self.read).await?;
        Ok(row.map(T::from_row))
    }

    /// Which of these records exist.
    pub(crate) async fn existing<T: RecordTable>(&self, keys: &[Key]) -> Result<HashSet<Key>, StoreError> {
        let mut existing = HashSet::new();
        for (site_id, ids) in by_site(keys) {
            let site = (T::SITE_ID, site_id);
            for row in lookup::columns::<T>(&self.read, &[T::MOODLE_ID], site, T::MOODLE_ID, &ids).await? {
                existing.insert((site_id, Id(row.try_get_by_index(0)?)));
            }
        }
        Ok(existing)
    }

    /// A page of records. `wanted` is what an index finds.
    async fn page<T: RecordTable>(
        &self,
        filter: &RecordFilter,
        wanted: Conditions,
        page: PageRequest<Position>,
    ) -> Result<RecordPage<T::State>, StoreError> {
        let search = self.search::<T>(filter, wanted, page.after).await?;
        let found = search.run(&self.read, page.limit).await?;
        let heads = found.rows.iter().map(Head::of).collect::<Result<Vec<_>, _>>()?;
        let stopped = found.stopped.as_ref().map(position_of).transpose()?;
        let Page { items, next } = Page::fit(heads, page.limit, |head| head.bytes, |head| head.at, stopped);
        let keys: Vec<Key> = items.iter().map(|head| (head.at.site_id, Id(head.at.moodle_id))).collect();
        let mut records = load_records::<T>(&self.read, &keys).await?;
        Ok(Page { items: keys.iter().filter_map(|key| records.remove(key)).collect(), next })
    }

    /// The search for a page of records: their keys, with the bytes of their texts.
    async fn search<T: RecordTable>(
        &self,
        filter: &RecordFilter,
        wanted: Conditions,
        after: Option<Position>,
    ) -> Result<Search, StoreError> {
        let (mut range, mut tests, mut is_found) = (wanted.clone(), Conditions::default(), !wanted.is_empty());
        if let Some(site_id) = filter.site_id {
            range.add("site_id = ?", [site_id.into()]);
        }
        if let Some(after) = after {
            range.add("(site_id, moodle_id) > (?, ?)", [after.site_id.into(), after.moodle_id.into()]);
        }
        if let Some(deleted) = filter.deleted {
            // A literal, because a partial index does not apply to a parameter.
            tests.add(if deleted { "deleted" } else { "NOT deleted" }, []);
        }
        if let Some(since) = filter.changed_since {
            tests.add("changed_at >= ?", [since.0.into()]);
            if let Some(last_before) = self.last_change_before(since).await? {
                range.add(
                    "(site_id, moodle_id) IN (SELECT site_id, moodle_id FROM changes WHERE kind = ? AND position > ?)",
                    [T::State::KIND.as_str().into(), last_before.into()],
                );
                is_found = true;
            }
        }
        if is_found {
            range.extend(std::mem::take(&mut tests));
        }
        let columns = format!("site_id, moodle_id, deleted, changed_at, {} AS bytes", bytes_of::<T>());
        let table = T::default().table_name().to_owned();
        Ok(Search { table, table_values: Vec::new(), columns, key: &KEY, range, tests })
    }

    /// An event such that every change at `since` or later has a higher id; `None` when there are too many changes
    /// since then for it to help.
    ///
    /// This avoids an index on the time of the change in five tables that change with every event.
    async fn last_change_before(&self, since: Timestamp) -> Result<Option<i64>, StoreError> {
        let newest_first = change::Entity::find().order_by_desc(change::Column::Position);
        let row = newest_first.offset(limits::FEW_CHANGES).one(&self.read).await?;
        Ok(match row {
            None => Some(0),
            Some(row) if row.changed_at < since.0 - limits::CHANGE_ORDER_SLACK_MS => Some(row.position),
            Some(_) => None,
        })
    }

    /// The records that changed after the event `page.after`, in the commit order of their newest changes.
    ///
    /// A record is in the feed once, at its newest change. Ids are assigned under the writers' lock, so a later commit
    /// has higher ids: a reader that continues from the last id it saw misses nothing.
    pub async fn changes(
        &self,
        site_id: Option<i64>,
        page: PageRequest<i64>,
    ) -> Result<Page<StoredChange, i64>, StoreError> {
        let (mut range, mut tests) = (Conditions::default(), Conditions::default());
        range.add("position > ?", [page.after.unwrap_or(0).into()]);
        if let Some(site_id) = site_id {
            tests.add("site_id = ?", [site_id.into()]);
        }
        let columns = "site_id, kind, moodle_id, position, deleted, changed_at".to_owned();
        let table = "changes".to_owned();
        let search = Search { table, table_values: Vec::new(), columns, key: &["position"], range, tests };
        let found = search.run(&self.read, page.limit).await?;
        let changes = found.rows.iter().map(change_of).collect::<Result<Vec<_>, _>>()?;
        let stopped = found.stopped.map(|last| last.try_get("", "position")).transpose()?;
        Ok(Page::fit(changes, page.limit, |_| 0, |change| change.position, stopped))
    }
}

/// The primary key of the tables of records.
const KEY: [&str; 2] = ["site_id", "moodle_id"];

/// A record's place, and the bytes of its texts.
struct Head {
    at: Position,
    bytes: u64,
}

impl Head {
    fn of(row: &QueryResult) -> Result<Self, StoreError> {
        let bytes: i64 = row.try_get("", "bytes")?;
        Ok(Self { at: position_of(row)?, bytes: bytes.unsigned_abs() })
    }
}

fn position_of(row: &QueryResult) -> Result<Position, StoreError> {
    Ok(Position { site_id: row.try_get("", "site_id")?, moodle_id: row.try_get("", "moodle_id")? })
}

fn of_user(filter: &RecordFilter) -> Conditions {
    let mut wanted = Conditions::default();
    if let Some(user) = filter.user {
        wanted.add("site_id = ? AND userid = ?", [user.site_id.into(), user.userid.0.into()]);
    }
    wanted
}

fn of_user_in_course(filter: &RecordFilter) -> Conditions {
    let mut wanted = of_user(filter);
    if let Some(course) = filter.course {
        wanted.add("site_id = ? AND courseid = ?", [course.site_id.into(), course.courseid.0.into()]);
    }
    wanted
}

fn change_of(row: &QueryResult) -> Result<StoredChange, StoreError> {
    Ok(StoredChange {
        position: row.try_get("", "position")?,
        site_id: row.try_get("", "site_id")?,
        kind: row.try_get("", "kind")?,
        moodle_id: Id(row.try_get("", "moodle_id")?),
        deleted: row.try_get("", "deleted")?,
        changed_at: Timestamp(row.try_get("", "changed_at")?),
    })
}
