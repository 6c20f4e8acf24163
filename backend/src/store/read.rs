//! Queries for readers: pages of records, one record, the event log and the change feed.

use std::collections::HashSet;

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use super::{
    CourseFilter, EventFilter, Page, PageRequest, Position, RecordFilter, StoreError, UserFilter,
    connection::connect::Store,
    entity::{
        change, event, grade_item,
        records::{RecordTable, StoredRecord, completion, course, enrolment, grade, user},
    },
    lookup,
    records::{Key, by_site, load_grade_items},
};
use crate::{
    clock::Timestamp,
    limits,
    model::{Completion, Course, Enrolment, Grade, GradeItem, Id, RecordKey, State, User, Version},
};

/// A grade with its grade item.
pub struct GradeWithItem {
    /// The grade's record.
    pub grade: StoredRecord<Grade>,
    /// `None` when only the grade's deletion has arrived.
    pub item: Option<GradeItem>,
}

/// An event in the log. Types and outcomes stay text: a newer version may have written others.
#[derive(Clone)]
pub struct StoredEvent {
    /// Its place in the log.
    pub id: i64,
    /// The site's row id.
    pub site_id: i64,
    /// The sender's id of the event.
    pub idempotency_key: Option<Uuid>,
    /// For example `user_updated`.
    pub event_type: String,
    /// The record's kind.
    pub kind: String,
    /// The record's Moodle id.
    pub moodle_id: Id,
    /// The user that it is about, if any.
    pub userid: Option<Id>,
    /// When it happened in Moodle.
    pub version: Version,
    /// When this server received it.
    pub received_at: Timestamp,
    /// For example `applied`.
    pub outcome: String,
    /// The sender's JSON, byte for byte.
    pub data: String,
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
        let mut condition = Condition::all();
        if let Some(email) = &filter.email {
            condition = condition.add(user::Column::Email.eq(email.as_str()));
        }
        self.page::<user::Entity>(filter, condition, page).await
    }

    /// A page of courses.
    pub async fn courses(
        &self,
        filter: &RecordFilter,
        page: PageRequest<Position>,
    ) -> Result<RecordPage<Course>, StoreError> {
        self.page::<course::Entity>(filter, Condition::all(), page).await
    }

    /// A page of enrolments.
    pub async fn enrolments(
        &self,
        filter: &RecordFilter,
        page: PageRequest<Position>,
    ) -> Result<RecordPage<Enrolment>, StoreError> {
        use enrolment::Column;
        let condition = Condition::all()
            .add_option(filter.user.map(|user| of_user(Column::SiteId, Column::Userid, user)))
            .add_option(filter.course.map(|course| in_course(Column::SiteId, Column::Courseid, course)));
        self.page::<enrolment::Entity>(filter, condition, page).await
    }

    /// A page of completions.
    pub async fn completions(
        &self,
        filter: &RecordFilter,
        page: PageRequest<Position>,
    ) -> Result<RecordPage<Completion>, StoreError> {
        use completion::Column;
        let condition = Condition::all()
            .add_option(filter.user.map(|user| of_user(Column::SiteId, Column::Userid, user)))
            .add_option(filter.course.map(|course| in_course(Column::SiteId, Column::Courseid, course)));
        self.page::<completion::Entity>(filter, condition, page).await
    }

    /// A page of grades with their items.
    pub async fn grades(
        &self,
        filter: &RecordFilter,
        page: PageRequest<Position>,
    ) -> Result<Page<GradeWithItem, Position>, StoreError> {
        use grade::Column;
        let mut condition =
            Condition::all().add_option(filter.user.map(|user| of_user(Column::SiteId, Column::Userid, user)));
        if let Some(course) = filter.course {
            let items = grade_item::Entity::find()
                .select_only()
                .column(grade_item::Column::MoodleId)
                .filter(in_course(grade_item::Column::SiteId, grade_item::Column::Courseid, course))
                .into_query();
            condition = condition.add(Column::SiteId.eq(course.site_id)).add(Column::Itemid.in_subquery(items));
        }
        let Page { items, next } = self.page::<grade::Entity>(filter, condition, page).await?;
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

    async fn page<T: RecordTable>(
        &self,
        filter: &RecordFilter,
        condition: Condition,
        page: PageRequest<Position>,
    ) -> Result<RecordPage<T::State>, StoreError> {
        let mut query = T::find().filter(condition);
        if let Some(site_id) = filter.site_id {
            query = query.filter(T::SITE_ID.eq(site_id));
        }
        if let Some(deleted) = filter.deleted {
            query = query.filter(T::DELETED.eq(deleted));
        }
        if let Some(since) = filter.changed_since {
            query = query.filter(T::CHANGED_AT.gte(since.0));
            if let Some(last_before) = self.last_change_before(since).await? {
                let changed = change::Entity::find()
                    .select_only()
                    .columns([change::Column::SiteId, change::Column::MoodleId])
                    .filter(change::Column::Kind.eq(T::State::KIND.as_str()))
                    .filter(change::Column::Position.gt(last_before))
                    .into_query();
                query = query.filter(key::<T>().in_subquery(changed));
            }
        }
        if let Some(after) = page.after {
            query =
                query.filter(key::<T>().gt(Expr::tuple([Expr::value(after.site_id), Expr::value(after.moodle_id)])));
        }
        let query = query.order_by_asc(T::SITE_ID).order_by_asc(T::MOODLE_ID).limit(page.limit + 1);
        let items: Vec<_> = query.all(&self.read).await?.into_iter().map(T::from_row).collect();
        let position = |stored: &StoredRecord<T::State>| Position {
            site_id: stored.site_id,
            moodle_id: stored.record.state.moodle_id().0,
        };
        Ok(Page::cut(items, page.limit, position))
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

    /// A page of the event log, in commit order.
    pub async fn events(
        &self,
        filter: &EventFilter,
        page: PageRequest<i64>,
    ) -> Result<Page<StoredEvent, i64>, StoreError> {
        use event::Column;
        let condition =
            Condition::all().add(filter.condition()).add_option(page.after.map(|after| Column::Id.gt(after)));
        let query = event::Entity::find().filter(condition).order_by_asc(Column::Id).limit(page.limit + 1);
        let items: Vec<_> = query.all(&self.read).await?.into_iter().map(StoredEvent::from).collect();
        Ok(Page::cut(items, page.limit, |event| event.id))
    }

    /// One event.
    pub async fn event(&self, id: i64) -> Result<Option<StoredEvent>, StoreError> {
        Ok(event::Entity::find_by_id(id).one(&self.read).await?.map(StoredEvent::from))
    }

    /// The events about one record with ids below `before`, the newest first. Uses the index by person, or by no person
    /// for courses.
    pub async fn record_events(
        &self,
        key: RecordKey,
        userid: Option<Id>,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        use event::Column;
        let person = match userid {
            Some(userid) => Column::Userid.eq(userid),
            None => Column::Userid.is_null(),
        };
        let query = event::Entity::find()
            .filter(Column::SiteId.eq(key.site_id))
            .filter(person)
            .filter(Column::Kind.eq(key.kind.as_str()))
            .filter(Column::MoodleId.eq(key.moodle_id))
            .filter(Column::Id.lt(before.unwrap_or(i64::MAX)))
            .order_by_desc(Column::Id)
            .limit(limit);
        Ok(query.all(&self.read).await?.into_iter().map(StoredEvent::from).collect())
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
        use change::Column;
        let condition = Condition::all()
            .add_option(site_id.map(|site_id| Column::SiteId.eq(site_id)))
            .add_option(page.after.map(|after| Column::Position.gt(after)));
        let query = change::Entity::find().filter(condition).order_by_asc(Column::Position).limit(page.limit + 1);
        let items: Vec<_> = query.all(&self.read).await?.into_iter().map(StoredChange::from).collect();
        Ok(Page::cut(items, page.limit, |change| change.position))
    }
}

impl EventFilter {
    /// The filter as a condition.
    pub(super) fn condition(&self) -> Condition {
        use event::Column;
        Condition::all()
            .add_option(self.site_id.map(|site_id| Column::SiteId.eq(site_id)))
            .add_option(self.user.map(|user| of_user(Column::SiteId, Column::Userid, user)))
            .add_option(self.event_type.map(|event_type| Column::EventType.eq(event_type.as_str())))
            .add_option(self.outcome.map(|outcome| Column::Outcome.eq(outcome.as_str())))
    }
}

/// The primary key of a table of records, as a tuple to compare.
fn key<T: RecordTable>() -> Expr {
    Expr::tuple([Expr::col(T::SITE_ID.as_column_ref()), Expr::col(T::MOODLE_ID.as_column_ref())])
}

fn of_user<C: ColumnTrait>(site: C, user: C, filter: UserFilter) -> Condition {
    Condition::all().add(site.eq(filter.site_id)).add(user.eq(filter.userid))
}

fn in_course<C: ColumnTrait>(site: C, course: C, filter: CourseFilter) -> Condition {
    Condition::all().add(site.eq(filter.site_id)).add(course.eq(filter.courseid))
}

impl From<event::Model> for StoredEvent {
    fn from(row: event::Model) -> Self {
        Self {
            id: row.id,
            site_id: row.site_id,
            idempotency_key: row.idempotency_key,
            event_type: row.event_type,
            kind: row.kind,
            moodle_id: Id(row.moodle_id),
            userid: row.userid.map(Id),
            version: Version { time: row.version_time, sequence: row.version_sequence },
            received_at: Timestamp(row.received_at),
            outcome: row.outcome,
            data: row.data,
        }
    }
}

impl From<change::Model> for StoredChange {
    fn from(row: change::Model) -> Self {
        Self {
            position: row.position,
            site_id: row.site_id,
            kind: row.kind,
            moodle_id: Id(row.moodle_id),
            deleted: row.deleted,
            changed_at: Timestamp(row.changed_at),
        }
    }
}
