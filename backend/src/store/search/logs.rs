//! The event log and the attempt log, with filters that have no index: as people browse them, the newest first, and as
//! the API lists events, in commit order.
//!
//! A page scans a bounded stretch of the log ([`limits::LOOK_ROWS`]): ids hardly have gaps, so the stretch is a range of
//! the primary key. If a filter finds nothing there, the reader asks for the next page. So no filter needs an index, which
//! every event would pay for, and none makes the database read the whole log. A stretch begins at an entry: the gap that a
//! restored database leaves is wider than anybody could page through.

use sea_orm::Value;

use crate::{
    clock::Timestamp,
    limits,
    model::Kind,
    store::{
        EventFilter, EventHead, Page, PageRequest, Store, StoreError, StoredEvent, TimelineAttempt, bounded::fitting,
        sql::query, sync_items::timeline_attempt_of,
    },
};

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
    /// It ends before if their bytes no longer fit into one read.
    fn page<T>(
        self,
        bounds: Bounds,
        mut items: Vec<T>,
        limit: u64,
        id: impl Fn(&T) -> i64,
        bytes: impl Fn(&T) -> u64,
    ) -> LogPage<T> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(fitting(items.iter().map(bytes)));
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

impl EventFilter {
    /// How many ids a page scans. The events about one person have an index, and those of no filter match at once.
    fn look_back(&self) -> i64 {
        let Self { site_id, user, event_type, outcome } = self;
        let by_test = site_id.is_some() || event_type.is_some() || outcome.is_some();
        if user.is_none() && by_test { limits::LOOK_ROWS } else { i64::MAX }
    }
}

impl Store {
    /// A page of the event log, in commit order.
    pub async fn events(
        &self,
        filter: &EventFilter,
        page: PageRequest<i64>,
    ) -> Result<Page<StoredEvent, i64>, StoreError> {
        let Some(bounds) = self.bounds(Log::Events).await? else { return Ok(Page { items: Vec::new(), next: None }) };
        let place = LogPlace::After(page.after.unwrap_or(0));
        let stretch = self.stretch(Log::Events, bounds, place, filter.look_back()).await?;
        let heads = self.heads(filter, stretch, page.limit).await?;
        let stopped = (stretch.high < bounds.newest).then_some(stretch.high);
        let Page { items, next } = Page::fit(heads, page.limit, |head| head.data.0, |head| head.id, stopped);
        Ok(Page { items: self.with_data(items).await?, next })
    }

    /// The matching events of a stretch, in its order: up to one more than `limit`.
    async fn heads(&self, filter: &EventFilter, stretch: Stretch, limit: u64) -> Result<Vec<EventHead>, StoreError> {
        let mut conditions = filter.conditions();
        conditions.add("id >= ?", [stretch.low.into()]);
        conditions.add("id <= ?", [stretch.high.into()]);
        let order = if stretch.newest_first { "id DESC" } else { "id" };
        self.heads_where(conditions, order, limit.saturating_add(1)).await
    }

    /// A page of the event log, without the events' data.
    pub async fn event_log(
        &self,
        filter: &EventFilter,
        place: LogPlace,
        limit: u64,
    ) -> Result<LogPage<EventHead>, StoreError> {
        let Some(bounds) = self.bounds(Log::Events).await? else { return Ok(LogPage::empty()) };
        let stretch = self.stretch(Log::Events, bounds, place, filter.look_back()).await?;
        let heads = self.heads(filter, stretch, limit).await?;
        Ok(stretch.page(bounds, heads, limit, |event| event.id, |_| 0))
    }

    /// A page of the event log with the events' data, which ends where they no longer fit into one read.
    pub async fn event_log_with_data(
        &self,
        filter: &EventFilter,
        place: LogPlace,
        limit: u64,
    ) -> Result<LogPage<StoredEvent>, StoreError> {
        let Some(bounds) = self.bounds(Log::Events).await? else { return Ok(LogPage::empty()) };
        let stretch = self.stretch(Log::Events, bounds, place, filter.look_back()).await?;
        let heads = self.heads(filter, stretch, limit).await?;
        let page = stretch.page(bounds, heads, limit, |event| event.id, |event| event.data.0);
        let LogPage { items, older, newer, newest, stopped } = page;
        Ok(LogPage { items: self.with_data(items).await?, older, newer, newest, stopped })
    }

    /// A page of the attempt log.
    pub async fn attempt_log(
        &self,
        filter: &AttemptFilter,
        place: LogPlace,
        limit: u64,
    ) -> Result<LogPage<TimelineAttempt>, StoreError> {
        let Some(bounds) = self.bounds(Log::Attempts).await? else { return Ok(LogPage::empty()) };
        let stretch = self.stretch(Log::Attempts, bounds, place, limits::LOOK_ROWS).await?;
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
        Ok(stretch.page(bounds, items?, limit, |attempt| attempt.attempt.id, |_| 0))
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

    /// When the newest event of a site was received; `None` when it has none among the newest [`limits::LOOK_ROWS`] of all
    /// sites.
    pub async fn last_event_of(&self, site: &str) -> Result<Option<Timestamp>, StoreError> {
        let Some(bounds) = self.bounds(Log::Events).await? else { return Ok(None) };
        let sql = "SELECT received_at FROM events WHERE id > ? AND site_id = (SELECT id FROM sites WHERE name = ?) \
                   ORDER BY id DESC LIMIT 1";
        let rows = query(&self.read, sql, vec![(bounds.newest - limits::LOOK_ROWS).into(), site.into()]).await?;
        Ok(rows.first().map(|row| row.try_get("", "received_at")).transpose()?.map(Timestamp))
    }

    /// The stretch that a page scans.
    async fn stretch(&self, log: Log, bounds: Bounds, place: LogPlace, look_back: i64) -> Result<Stretch, StoreError> {
        let (table, _) = log.table();
        let (next, from) = match place {
            LogPlace::Before(before) => (format!("SELECT max(id) AS id FROM {table} WHERE id < ?"), before),
            LogPlace::After(after) => (format!("SELECT min(id) AS id FROM {table} WHERE id > ?"), after),
            LogPlace::Newest => return Ok(Stretch::new(bounds, place, look_back)),
        };
        let rows = query(&self.read, &next, vec![from.into()]).await?;
        let id: Option<i64> = rows.first().map(|row| row.try_get("", "id")).transpose()?.flatten();
        let place = match (place, id) {
            (LogPlace::Before(_), Some(id)) => LogPlace::Before(id.saturating_add(1)),
            (LogPlace::After(_), Some(id)) => LogPlace::After(id - 1),
            _ => place,
        };
        Ok(Stretch::new(bounds, place, look_back))
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
        let page = stretch.page(BOUNDS, found, limit as u64, |id| *id, |_| 0);
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
