//! The event log and the attempt log as people browse them: the newest first, with filters that have no index.
//!
//! A page scans a bounded stretch of the log ([`LOOK_BACK`]): ids have no gaps, so the stretch is a range of the
//! primary key. If a filter finds nothing there, the reader asks for the next page. So no filter needs an index, which
//! every event would pay for, and none makes the database read the whole log.

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Value};

use crate::{
    clock::Timestamp,
    model::Kind,
    store::{
        EventFilter, Store, StoreError, StoredEvent, TimelineAttempt, entity::event, sql::query,
        sync_items::timeline_attempt_of,
    },
};

/// The most ids that a page scans: some 50 ms when nothing matches.
pub const LOOK_BACK: i64 = 25_000;

/// One of the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// Received events.
    Events,
    /// Attempts to deliver.
    Attempts,
}

impl Log {
    fn table(self) -> (&'static str, &'static str) {
        match self {
            Self::Events => ("events", "received_at"),
            Self::Attempts => ("sync_attempts", "started_at"),
        }
    }
}

/// Where a page of a log begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogPlace {
    /// At the newest entry.
    Newest,
    /// At the newest entry before this id.
    Before(i64),
    /// At the oldest entry after this id; the page still shows the newest first.
    After(i64),
}

/// One page of a log.
pub struct LogPage<T> {
    /// The newest first.
    pub items: Vec<T>,
    /// Older entries are before this id; `None` at the beginning of the log.
    pub older: Option<i64>,
    /// Newer entries are after this id; `None` at the end of the log.
    pub newer: Option<i64>,
    /// The newest id of the whole log; 0 when it is empty.
    pub newest: i64,
    /// The page ends because the scan reached its bound, not because it is full.
    pub stopped: bool,
}

/// Selects attempts; all conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct AttemptFilter {
    /// The site's row id.
    pub site_id: Option<i64>,
    /// The record's kind.
    pub kind: Option<Kind>,
    /// For example `failed`.
    pub outcome: Option<String>,
    /// The destination's code.
    pub code: Option<String>,
}

/// The range of ids that a page scans, inclusive, and the direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    low: i64,
    high: i64,
    newest_first: bool,
}

/// The oldest and the newest id of a log that is not empty.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    oldest: i64,
    newest: i64,
}

impl Stretch {
    fn new(bounds: Bounds, place: LogPlace, look_back: i64) -> Self {
        match place {
            LogPlace::Newest => Self::new(bounds, LogPlace::Before(i64::MAX), look_back),
            LogPlace::Before(before) => {
                let high = before.saturating_sub(1).min(bounds.newest);
                Self { low: high.saturating_sub(look_back - 1).max(bounds.oldest), high, newest_first: true }
            }
            LogPlace::After(after) => {
                let low = after.saturating_add(1).max(bounds.oldest);
                Self { low, high: low.saturating_add(look_back - 1).min(bounds.newest), newest_first: false }
            }
        }
    }

    /// Makes the page from the matches in scan order: up to `limit + 1`, where the extra one shows that there is more.
    fn page<T>(self, bounds: Bounds, mut items: Vec<T>, limit: u64, id: impl Fn(&T) -> i64) -> LogPage<T> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let full = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| full).map(&id);
        let (low, high) = match self.newest_first {
            true => (last.unwrap_or(self.low), self.high),
            false => (self.low, last.unwrap_or(self.high)),
        };
        if !self.newest_first {
            items.reverse();
        }
        let older = (low > bounds.oldest).then_some(low);
        let newer = (high < bounds.newest).then_some(high);
        let more = if self.newest_first { older } else { newer };
        LogPage { items, older, newer, newest: bounds.newest, stopped: !full && more.is_some() }
    }
}

impl Store {
    /// A page of the event log.
    pub async fn event_log(
        &self,
        filter: &EventFilter,
        place: LogPlace,
        limit: u64,
    ) -> Result<LogPage<StoredEvent>, StoreError> {
        use event::Column;
        let Some(bounds) = self.bounds(Log::Events).await? else { return Ok(LogPage::empty()) };
        // The events about one person have an index.
        let look_back = if filter.user.is_some() { i64::MAX } else { LOOK_BACK };
        let stretch = Stretch::new(bounds, place, look_back);
        let condition =
            Condition::all().add(filter.condition()).add(Column::Id.gte(stretch.low)).add(Column::Id.lte(stretch.high));
        let query = event::Entity::find().filter(condition).limit(limit + 1);
        let query = match stretch.newest_first {
            true => query.order_by_desc(Column::Id),
            false => query.order_by_asc(Column::Id),
        };
        let items: Vec<_> = query.all(&self.read).await?.into_iter().map(StoredEvent::from).collect();
        Ok(stretch.page(bounds, items, limit, |event| event.id))
    }

    /// A page of the attempt log.
    pub async fn attempt_log(
        &self,
        filter: &AttemptFilter,
        place: LogPlace,
        limit: u64,
    ) -> Result<LogPage<TimelineAttempt>, StoreError> {
        let Some(bounds) = self.bounds(Log::Attempts).await? else { return Ok(LogPage::empty()) };
        let stretch = Stretch::new(bounds, place, LOOK_BACK);
        let (mut sql, mut values) = (
            "SELECT * FROM sync_attempts WHERE id >= ? AND id <= ?".to_owned(),
            vec![stretch.low.into(), stretch.high.into()],
        );
        let conditions: [(&str, Option<Value>); 4] = [
            ("site_id", filter.site_id.map(Value::from)),
            ("kind", filter.kind.map(|kind| kind.as_str().into())),
            ("outcome", filter.outcome.as_deref().map(Value::from)),
            ("code", filter.code.as_deref().map(Value::from)),
        ];
        for (column, value) in conditions {
            let Some(value) = value else { continue };
            sql += &format!(" AND {column} = ?");
            values.push(value);
        }
        sql += &format!(" ORDER BY id {} LIMIT ?", if stretch.newest_first { "DESC" } else { "ASC" });
        values.push(i64::try_from(limit + 1).unwrap_or(i64::MAX).into());
        let rows = query(&self.read, &sql, values).await?;
        let items: Result<Vec<_>, _> = rows.iter().map(timeline_attempt_of).collect();
        Ok(stretch.page(bounds, items?, limit, |attempt| attempt.attempt.id))
    }

    /// The newest id of a log that is not later than `moment`; the id before the first when all are later.
    ///
    /// A binary search: times follow the order of ids, except among concurrent entries.
    pub async fn log_until(&self, log: Log, moment: Timestamp) -> Result<i64, StoreError> {
        let Some(bounds) = self.bounds(log).await? else { return Ok(0) };
        let (table, time) = log.table();
        let sql = format!("SELECT id, {time} AS at FROM {table} WHERE id <= ? ORDER BY id DESC LIMIT 1");
        let (mut low, mut high) = (bounds.oldest - 1, bounds.newest);
        while low < high {
            let middle = low + (high - low + 1) / 2;
            let rows = query(&self.read, &sql, vec![middle.into()]).await?;
            let Some(row) = rows.first() else { return Ok(low) };
            let (id, at): (i64, i64) = (row.try_get("", "id")?, row.try_get("", "at")?);
            if at <= moment.0 { low = middle } else { high = Ord::max(id - 1, low) }
        }
        Ok(low)
    }

    /// When the newest event of a site was received; `None` when it has none among the newest [`LOOK_BACK`] of all
    /// sites.
    pub async fn last_event_of(&self, site: &str) -> Result<Option<Timestamp>, StoreError> {
        let Some(bounds) = self.bounds(Log::Events).await? else { return Ok(None) };
        let sql = "SELECT received_at FROM events WHERE id > ? AND site_id = (SELECT id FROM sites WHERE name = ?) \
                   ORDER BY id DESC LIMIT 1";
        let rows = query(&self.read, sql, vec![(bounds.newest - LOOK_BACK).into(), site.into()]).await?;
        Ok(rows.first().map(|row| row.try_get("", "received_at")).transpose()?.map(Timestamp))
    }

    async fn bounds(&self, log: Log) -> Result<Option<Bounds>, StoreError> {
        let (table, _) = log.table();
        // Two subqueries: SQLite would read the whole table for min and max in one select list.
        let sql = format!("SELECT (SELECT min(id) FROM {table}) AS oldest, (SELECT max(id) FROM {table}) AS newest");
        let rows = query(&self.read, &sql, Vec::new()).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let oldest: Option<i64> = row.try_get("", "oldest")?;
        let newest: Option<i64> = row.try_get("", "newest")?;
        Ok(oldest.zip(newest).map(|(oldest, newest)| Bounds { oldest, newest }))
    }
}

impl<T> LogPage<T> {
    fn empty() -> Self {
        Self { items: Vec::new(), older: None, newer: None, newest: 0, stopped: false }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounds, LogPlace, Stretch};

    const BOUNDS: Bounds = Bounds { oldest: 11, newest: 100 };

    /// The page, where ids that are multiples of `every` match.
    fn page(place: LogPlace, look_back: i64, every: i64, limit: usize) -> (Vec<i64>, Option<i64>, Option<i64>, bool) {
        let stretch = Stretch::new(BOUNDS, place, look_back);
        let matching = (stretch.low..=stretch.high).filter(|id| id % every == 0);
        let found: Vec<i64> = match stretch.newest_first {
            true => matching.rev().take(limit + 1).collect(),
            false => matching.take(limit + 1).collect(),
        };
        let page = stretch.page(BOUNDS, found, limit as u64, |id| *id);
        (page.items, page.older, page.newer, page.stopped)
    }

    #[test]
    fn pages_follow_each_other_in_both_directions() {
        assert_eq!(page(LogPlace::Newest, 50, 1, 3), (vec![100, 99, 98], Some(98), None, false));
        assert_eq!(page(LogPlace::Before(98), 50, 1, 3), (vec![97, 96, 95], Some(95), Some(97), false));
        assert_eq!(page(LogPlace::After(97), 50, 1, 3), (vec![100, 99, 98], Some(98), None, false));
        assert_eq!(page(LogPlace::Before(13), 50, 1, 3), (vec![12, 11], None, Some(12), false));
    }

    #[test]
    fn a_bounded_scan_says_where_to_continue() {
        assert_eq!(page(LogPlace::Newest, 20, 1_000, 3), (vec![], Some(81), None, true));
        assert_eq!(page(LogPlace::Before(81), 70, 1_000, 3), (vec![], None, Some(80), false));
        assert_eq!(page(LogPlace::After(20), 20, 1_000, 3), (vec![], Some(21), Some(40), true));
        assert_eq!(page(LogPlace::After(0), i64::MAX, 50, 3), (vec![100, 50], None, None, false));
        assert_eq!(page(LogPlace::Newest, i64::MAX, 50, 3), (vec![100, 50], None, None, false));
    }

    /// Each id is on exactly one page, however the pages are cut.
    #[test]
    fn nothing_is_skipped() {
        for (look_back, every, limit) in [(7, 3, 2), (1, 1, 1), (50, 7, 100), (1_000, 1, 9)] {
            let (mut seen, mut place) = (Vec::new(), LogPlace::Newest);
            loop {
                let (items, older, ..) = page(place, look_back, every, limit);
                seen.extend(items);
                let Some(older) = older else { break };
                place = LogPlace::Before(older);
            }
            let all: Vec<i64> = (11..=100).rev().filter(|id| id % every == 0).collect();
            assert_eq!(seen, all);
        }
    }
}
