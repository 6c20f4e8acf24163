//! What the pages of both logs share: filters and pages in the address, live rows, export.

mod export;
mod live;

use std::collections::BTreeMap;

pub(super) use self::{
    export::{export, harmless},
    live::{Feed, Live, stream},
};
use super::{error::PageError, words};
use crate::{
    api::Context,
    clock::Timestamp,
    limits,
    model::{RecordId, SiteName},
    store::{LOOK_BACK, Log, LogPage, LogPlace, Site, Store, StoreError, UserFilter},
    views::Renderer,
};

/// One of the logs, as its page shows it.
pub(super) trait LogView: Sized + Send + Sync + 'static {
    /// Which rows are asked for.
    type Filter: Clone + Default + Send + Sync + 'static;
    /// An entry.
    type Row: Clone + Send + Sync + 'static;
    /// The page's address.
    const ADDRESS: &'static str;
    /// Which log.
    const LOG: Log;
    /// The columns of the export.
    const COLUMNS: &'static [&'static str];

    /// The filter that an address names.
    fn filter(query: &LogQuery, store: &Store) -> impl Future<Output = Result<Self::Filter, PageError>> + Send;
    /// A page.
    fn page(
        store: &Store,
        filter: &Self::Filter,
        place: LogPlace,
        limit: u64,
    ) -> impl Future<Output = Result<LogPage<Self::Row>, StoreError>> + Send;
    /// The place of an entry in the log.
    fn id(row: &Self::Row) -> i64;
    /// Whether an entry is asked for, by the same rules as [`Self::page`].
    fn matches(filter: &Self::Filter, row: &Self::Row) -> bool;
    /// The rows of the table.
    fn html(rows: &[Self::Row], renderer: &Renderer, now: Timestamp) -> Result<String, askama::Error>;
    /// The cells of the export.
    fn cells(row: &Self::Row, renderer: &Renderer) -> Vec<String>;
}

/// The part of the address behind `?`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct LogQuery(BTreeMap<String, String>);

/// The names of all filters, which the links from page to page keep.
const FILTERS: [&str; 6] = ["site", "type", "kind", "outcome", "user", "code"];

impl LogQuery {
    /// What is asked for by that name; what is empty is not asked.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, PageError> {
        let Some(wanted) = self.get(name) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == wanted).map(|(_, value)| *value);
        found.map(Some).ok_or_else(|| PageError::Bad(format!("The filter \"{name}\" has no such choice.")))
    }

    fn number(&self, name: &str) -> Result<Option<i64>, PageError> {
        let wrong = |_| PageError::Bad(format!("\"{name}\" takes a number: the id of an entry of the log."));
        self.get(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// The site that is asked for.
    pub(super) async fn site(&self, store: &Store) -> Result<Option<Site>, PageError> {
        match self.get("site") {
            Some(name) => find_site(store, name).await.map(Some),
            None => Ok(None),
        }
    }

    /// The user that is asked for: `college:3`.
    pub(super) async fn user(&self, store: &Store) -> Result<Option<UserFilter>, PageError> {
        let Some(text) = self.get("user") else { return Ok(None) };
        let wrong = |_| PageError::Bad("A user is written SITE:ID with the id in Moodle, as in college:3.".to_owned());
        let id: RecordId = text.parse().map_err(wrong)?;
        let site = find_site(store, id.site.as_str()).await?;
        Ok(Some(UserFilter { site_id: site.id, userid: id.moodle_id }))
    }

    /// Where the page begins.
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
        let wrong = || PageError::Bad("A time is written as in 2026-11-22T08:00, in UTC.".to_owned());
        let until = moment(until).ok_or_else(wrong)?;
        Ok(LogPlace::Before(store.log_until(log, until).await?.saturating_add(1)))
    }

    /// An address below that of the page, with the filters and what else is given.
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
    let unknown = || PageError::Bad("There is no site of that name.".to_owned());
    // Only a text that can be a name goes to the database.
    let name: SiteName = name.parse().map_err(|_| unknown())?;
    store.site(name.as_str()).await?.ok_or_else(unknown)
}

/// The end of the second that is written `2026-11-22T08:00:00`, or of the minute when it has no seconds; in UTC unless it says otherwise.
fn moment(text: &str) -> Option<Timestamp> {
    let last_of = |time: Timestamp, ms: i64| Timestamp(time.0.saturating_add(ms - 1));
    Timestamp::from_rfc3339(text)
        .or_else(|| Timestamp::from_rfc3339(&format!("{text}:00Z")).map(|time| last_of(time, 60_000)))
        .or_else(|| Timestamp::from_rfc3339(&format!("{text}Z")).map(|time| last_of(time, 1_000)))
}

/// What stands around the table: where else to go, and whether it is live.
pub(super) struct Around {
    /// The page with the newest entries, unless this is it.
    pub(super) newest: Option<String>,
    pub(super) newer: Option<String>,
    pub(super) older: Option<String>,
    /// How far it was looked, when the page ends because of that.
    pub(super) looked_through: Option<String>,
    pub(super) export: String,
    /// How many rows an export has at most.
    pub(super) export_rows: String,
    /// Where the live rows come from, when this page is live.
    pub(super) live: Option<String>,
    /// The page that is live, when this one is paused.
    pub(super) resume: Option<String>,
    /// The page that is paused, when this one is live.
    pub(super) pause: Option<String>,
    /// How many rows a live page keeps.
    pub(super) keep: u64,
}

/// A page of a log, made from its address.
pub(super) struct LogTable {
    /// The rows of the table as HTML.
    pub(super) rows: String,
    /// Whether there are none.
    pub(super) empty: bool,
    pub(super) around: Around,
}

impl LogTable {
    pub(super) async fn read<L: LogView>(query: &LogQuery, context: &Context) -> Result<Self, PageError> {
        let store = &context.store;
        let filter = L::filter(query, store).await?;
        let place = query.place(store, L::LOG).await?;
        let page = L::page(store, &filter, place, limits::CONSOLE_ROWS).await?;
        let rows = L::html(&page.items, &Renderer::new(store).await?, context.clock.now())?;
        let around = Around::new::<L>(query, place, &page);
        Ok(Self { rows, empty: page.items.is_empty(), around })
    }
}

impl Around {
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
            looked_through: page.stopped.then(|| words::number(LOOK_BACK)),
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
    /// Where the page begins, as it stands in the address, so that an export begins there too.
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
