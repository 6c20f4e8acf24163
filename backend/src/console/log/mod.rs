//! What both logs share: filters and pages in the address, live rows, export.

mod export;
mod live;

use std::collections::BTreeMap;

pub(super) use self::{
    export::{export, without_formula},
    live::{Feed, Live, stream},
};
use super::{error::PageError, words};
use crate::{
    api::Context,
    clock::Timestamp,
    limits,
    model::{RecordId, SiteName},
    store::{Log, LogPage, LogPlace, Site, Store, StoreError, UserFilter},
    views::Renderer,
};

/// How a log is filtered, read and shown.
pub(super) trait LogView: Sized + Send + Sync + 'static {
    type Filter: Clone + Default + Send + Sync + 'static;
    /// An entry of the log.
    type Row: Clone + Send + Sync + 'static;
    /// An entry as it is exported, which may have more than a row shows.
    type Exported: Send;
    /// The page's address.
    const ADDRESS: &'static str;
    const LOG: Log;
    /// The columns of the export.
    const COLUMNS: &'static [&'static str];

    /// Parses the filter of an address.
    fn filter(query: &LogQuery, store: &Store) -> impl Future<Output = Result<Self::Filter, PageError>> + Send;
    fn page(
        store: &Store,
        filter: &Self::Filter,
        place: LogPlace,
        limit: u64,
    ) -> impl Future<Output = Result<LogPage<Self::Row>, StoreError>> + Send;
    /// A page to export.
    fn export_page(
        store: &Store,
        filter: &Self::Filter,
        place: LogPlace,
        limit: u64,
    ) -> impl Future<Output = Result<LogPage<Self::Exported>, StoreError>> + Send;
    fn id(row: &Self::Row) -> i64;
    /// Whether an entry matches, by the same rules as [`Self::page`].
    fn matches(filter: &Self::Filter, row: &Self::Row) -> bool;
    /// The table rows of these entries.
    fn html(rows: &[Self::Row], renderer: &Renderer, now: Timestamp) -> Result<String, askama::Error>;
    /// The export's cells, in the order of [`Self::COLUMNS`].
    fn cells(entry: &Self::Exported, renderer: &Renderer) -> Vec<String>;
}

/// The query string of a log's address.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct LogQuery(BTreeMap<String, String>);

/// The names of all filters, which links between pages keep.
const FILTERS: [&str; 6] = ["site", "type", "kind", "outcome", "user", "code"];

impl LogQuery {
    /// The value of a parameter; none if it is absent or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// A parameter that takes one of these words.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, PageError> {
        let Some(chosen) = self.get(name) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == chosen).map(|(_, value)| *value);
        found.map(Some).ok_or_else(|| PageError::Bad(format!("The filter \"{name}\" has no such choice.")))
    }

    fn number(&self, name: &str) -> Result<Option<i64>, PageError> {
        let wrong = |_| PageError::Bad(format!("\"{name}\" takes the id of a log entry, which is a number."));
        self.get(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// The site to filter by.
    pub(super) async fn site(&self, store: &Store) -> Result<Option<Site>, PageError> {
        match self.get("site") {
            Some(name) => find_site(store, name).await.map(Some),
            None => Ok(None),
        }
    }

    /// The user to filter by, written `college:3`.
    pub(super) async fn user(&self, store: &Store) -> Result<Option<UserFilter>, PageError> {
        let Some(text) = self.get("user") else { return Ok(None) };
        let wrong = |_| PageError::Bad("Write a user as SITE:ID with the Moodle id, as in college:3.".to_owned());
        let id: RecordId = text.parse().map_err(wrong)?;
        let site = find_site(store, id.site.as_str()).await?;
        Ok(Some(UserFilter { site_id: site.id, userid: id.moodle_id }))
    }

    /// Where the page starts.
    async fn place(&self, store: &Store, log: Log) -> Result<LogPlace, PageError> {
        if let Some(before) = self.number("before")? {
            return Ok(LogPlace::Before(before));
        }
        if let Some(after) = self.number("after")? {
            return Ok(LogPlace::After(after));
        }
        if let Some(from) = self.number("from")? {
            return Ok(LogPlace::Before(from.saturating_add(1)));
        }
        let Some(until) = self.get("until") else { return Ok(LogPlace::Newest) };
        let wrong = || PageError::Bad("Write a time as in 2026-11-22T08:00, in UTC.".to_owned());
        let until = moment(until).ok_or_else(wrong)?;
        Ok(LogPlace::Before(store.log_until(log, until).await?.saturating_add(1)))
    }

    /// `path` with the filters and more parameters.
    fn address(&self, path: &str, more: &[(&str, &str)]) -> String {
        let mut pairs: Vec<(&str, &str)> = FILTERS.iter().filter_map(|name| Some((*name, self.get(name)?))).collect();
        pairs.extend(more);
        match pairs.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{}", words::query(&pairs)),
        }
    }
}

async fn find_site(store: &Store, name: &str) -> Result<Site, PageError> {
    let unknown = || PageError::Bad("There is no site with that name.".to_owned());
    let name: SiteName = name.parse().map_err(|_| unknown())?;
    store.site(name.as_str()).await?.ok_or_else(unknown)
}

/// Parses `2026-11-22T08:00:00` to the end of that second, or without seconds to the end of that minute; UTC unless it has an offset.
fn moment(text: &str) -> Option<Timestamp> {
    let last_of = |time: Timestamp, ms: i64| Timestamp(time.0.saturating_add(ms - 1));
    Timestamp::from_rfc3339(text)
        .or_else(|| Timestamp::from_rfc3339(&format!("{text}:00Z")).map(|time| last_of(time, 60_000)))
        .or_else(|| Timestamp::from_rfc3339(&format!("{text}Z")).map(|time| last_of(time, 1_000)))
}

/// The links around a log's table. Each is an address, or none where it does not apply.
pub(super) struct LogLinks {
    /// The page with the newest entries, unless this is it.
    pub(super) newest: Option<String>,
    pub(super) newer: Option<String>,
    pub(super) older: Option<String>,
    /// How many entries were searched, if the page ends because the search stopped.
    pub(super) searched: Option<String>,
    pub(super) export: String,
    /// The row limit of an export.
    pub(super) export_rows: String,
    /// The event stream, if this page is live.
    pub(super) live: Option<String>,
    /// The live page, if this one is paused.
    pub(super) resume: Option<String>,
    /// The paused page, if this one is live.
    pub(super) pause: Option<String>,
    /// How many rows a live page keeps.
    pub(super) keep: u64,
}

/// The table of one page of a log.
pub(super) struct LogTable {
    /// The rows as HTML.
    pub(super) rows: String,
    pub(super) empty: bool,
    pub(super) links: LogLinks,
}

impl LogTable {
    pub(super) async fn read<L: LogView>(query: &LogQuery, context: &Context) -> Result<Self, PageError> {
        let store = &context.store;
        let filter = L::filter(query, store).await?;
        let place = query.place(store, L::LOG).await?;
        let page = L::page(store, &filter, place, limits::CONSOLE_ROWS).await?;
        let rows = L::html(&page.items, &Renderer::new(store).await?, context.clock.now())?;
        let links = LogLinks::new::<L>(query, place, &page);
        Ok(Self { rows, empty: page.items.is_empty(), links })
    }
}

impl LogLinks {
    fn new<L: LogView>(query: &LogQuery, place: LogPlace, page: &LogPage<L::Row>) -> Self {
        let at = |name: &str, id: i64| query.address(L::ADDRESS, &[(name, &id.to_string())]);
        let newest = query.address(L::ADDRESS, &[]);
        let at_newest = place == LogPlace::Newest;
        let live = at_newest && query.get("live") != Some("off");
        let stream = || query.address(&format!("{}/live", L::ADDRESS), &[("after", &page.newest.to_string())]);
        let paused = || query.address(L::ADDRESS, &[("live", "off")]);
        Self {
            newer: page.newer.filter(|_| !at_newest).map(|id| at("after", id)),
            older: page.older.map(|id| at("before", id)),
            searched: page.stopped.then(|| words::number(limits::LOOK_ROWS)),
            export: query.address(&format!("{}.csv", L::ADDRESS), &query.place_pairs()),
            export_rows: words::number(limits::EXPORT_ROWS as i128),
            live: live.then(stream),
            resume: (at_newest && !live).then(|| newest.clone()),
            pause: live.then(paused),
            newest: (!at_newest).then_some(newest),
            keep: limits::LIVE_ROWS,
        }
    }
}

impl LogQuery {
    /// The parameters that say where the page starts, so that an export starts there too.
    fn place_pairs(&self) -> Vec<(&str, &str)> {
        ["before", "from", "until"].into_iter().filter_map(|name| Some((name, self.get(name)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{LogQuery, moment};
    use crate::clock::Timestamp;

    #[test]
    fn moments_without_seconds_are_whole_minutes() {
        let minute = Timestamp::from_rfc3339("2026-11-22T08:00:59.999Z");
        assert_eq!(moment("2026-11-22T08:00"), minute);
        assert_eq!(moment("2026-11-22T08:00:59"), minute);
        assert_eq!(moment("2026-11-22T09:00:59.999+01:00"), minute);
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn links_keep_the_filters_and_nothing_else() {
        let pairs = [("site", "a&b"), ("type", " "), ("before", "7"), ("evil", "1")];
        let query = LogQuery(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
        assert_eq!(query.address("/events", &[("after", "3")]), "/events?site=a%26b&after=3");
        assert_eq!(LogQuery::default().address("/events", &[]), "/events");
    }
}
