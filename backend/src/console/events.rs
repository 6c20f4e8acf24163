//! The event log: all received events, and each event's page.

use std::sync::Arc;

use askama::Template;
use poem::{
    Request, Response, handler,
    web::{Data, Html, Path, Query},
};
use serde_json::Value;

use super::{
    error::PageError,
    frame::Frame,
    log::{self, Feed, Live, LogQuery, LogTable, LogView},
    session::SignedIn,
    words::Moment,
};
use crate::{
    api::Context,
    clock::Timestamp,
    model::{EventType, Outcome},
    store::{EventFilter, EventHead, Log, LogPage, LogPlace, Store, StoreError, StoredEvent},
    views::Renderer,
};

const ADDRESS: &str = "/events";

/// The outcomes in the log: duplicate and rejected events are not stored.
const OUTCOMES: [Outcome; 3] = [Outcome::Applied, Outcome::Unchanged, Outcome::Superseded];

/// The event log, see [`LogView`].
pub(super) struct Events;

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    frame: Frame,
    query: LogQuery,
    sites: Vec<String>,
    types: Vec<&'static str>,
    outcomes: Vec<&'static str>,
    rows: String,
    empty: bool,
    links: log::LogLinks,
}

#[derive(Template)]
#[template(path = "event_rows.html")]
struct EventRows<'a> {
    rows: Vec<EventRow<'a>>,
}

struct EventRow<'a> {
    id: i64,
    at: Moment,
    site: String,
    event_type: &'a str,
    kind: &'a str,
    record: String,
    user: Option<String>,
    outcome: &'a str,
}

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage<'a> {
    frame: Frame,
    row: EventRow<'a>,
    received_at: String,
    client_id: Option<String>,
    version_time: Option<Moment>,
    version_sequence: Option<i64>,
    data: String,
}

impl<'a> EventRow<'a> {
    fn new<D>(event: &'a StoredEvent<D>, renderer: &Renderer, now: Timestamp) -> Self {
        Self {
            id: event.id,
            at: Moment::new(event.received_at, now),
            site: renderer.site(event.site_id),
            event_type: &event.event_type,
            kind: &event.kind,
            record: renderer.id(event.site_id, event.moodle_id),
            user: event.userid.map(|userid| renderer.id(event.site_id, userid)),
            outcome: &event.outcome,
        }
    }

    fn tone(&self) -> &'static str {
        if self.outcome == Outcome::Applied.as_str() { "good" } else { "" }
    }
}

impl LogView for Events {
    type Filter = EventFilter;
    type Row = EventHead;
    type Exported = StoredEvent;
    const ADDRESS: &'static str = ADDRESS;
    const LOG: Log = Log::Events;
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "received_at",
        "site",
        "type",
        "kind",
        "record",
        "user",
        "outcome",
        "version_time",
        "version_sequence",
        "client_id",
        "data",
    ];

    async fn filter(query: &LogQuery, store: &Store) -> Result<EventFilter, PageError> {
        let types: Vec<_> = EventType::ALL.iter().map(|event_type| (event_type.as_str(), *event_type)).collect();
        Ok(EventFilter {
            site_id: query.site(store).await?.map(|site| site.id),
            user: query.user(store).await?,
            event_type: query.word("type", &types)?,
            outcome: query.word("outcome", &OUTCOMES.map(|outcome| (outcome.as_str(), outcome)))?,
        })
    }

    async fn page(
        store: &Store,
        filter: &EventFilter,
        place: LogPlace,
        limit: u64,
    ) -> Result<LogPage<EventHead>, StoreError> {
        store.event_log(filter, place, limit).await
    }

    async fn export_page(
        store: &Store,
        filter: &EventFilter,
        place: LogPlace,
        limit: u64,
    ) -> Result<LogPage<StoredEvent>, StoreError> {
        store.event_log_with_data(filter, place, limit).await
    }

    fn id(event: &EventHead) -> i64 {
        event.id
    }

    fn matches(filter: &EventFilter, event: &EventHead) -> bool {
        filter.site_id.is_none_or(|site_id| event.site_id == site_id)
            && filter.user.is_none_or(|user| event.site_id == user.site_id && event.userid == Some(user.userid))
            && filter.event_type.is_none_or(|event_type| event.event_type == event_type.as_str())
            && filter.outcome.is_none_or(|outcome| event.outcome == outcome.as_str())
    }

    fn html(events: &[EventHead], renderer: &Renderer, now: Timestamp) -> Result<String, askama::Error> {
        EventRows { rows: events.iter().map(|event| EventRow::new(event, renderer, now)).collect() }.render()
    }

    fn cells(event: &StoredEvent, renderer: &Renderer) -> Vec<String> {
        vec![
            event.id.to_string(),
            event.received_at.to_rfc3339(),
            renderer.site(event.site_id),
            event.event_type.clone(),
            event.kind.clone(),
            renderer.id(event.site_id, event.moodle_id),
            event.userid.map(|userid| renderer.id(event.site_id, userid)).unwrap_or_default(),
            event.outcome.clone(),
            event.version.time.to_string(),
            event.version.sequence.map(|sequence| sequence.to_string()).unwrap_or_default(),
            event.idempotency_key.map(|id| id.to_string()).unwrap_or_default(),
            event.data.clone(),
        ]
    }
}

#[handler]
pub(super) async fn page(
    who: SignedIn,
    Query(query): Query<LogQuery>,
    context: Data<&Arc<Context>>,
) -> Result<Html<String>, PageError> {
    let LogTable { rows, empty, links } = LogTable::read::<Events>(&query, &context).await?;
    let html = EventsPage {
        frame: Frame::new("Events", ADDRESS, &who),
        query,
        sites: context.store.sites().await?.into_iter().map(|site| site.name).collect(),
        types: EventType::ALL.iter().map(|event_type| event_type.as_str()).collect(),
        outcomes: OUTCOMES.map(Outcome::as_str).to_vec(),
        rows,
        empty,
        links,
    };
    Ok(Html(html.render()?))
}

#[handler]
pub(super) async fn live_rows(
    who: SignedIn,
    Query(query): Query<LogQuery>,
    request: &Request,
    live: Data<&Arc<Live>>,
    feed: Data<&Arc<Feed<Events>>>,
    context: Data<&Arc<Context>>,
) -> Result<Response, PageError> {
    log::stream::<Events>(&query, who, request, &live, &feed, &context).await
}

#[handler]
pub(super) async fn export(
    _who: SignedIn,
    Query(query): Query<LogQuery>,
    context: Data<&Arc<Context>>,
) -> Result<Response, PageError> {
    log::export::<Events>(query, &context).await
}

#[handler]
pub(super) async fn one_event(
    who: SignedIn,
    Path(id): Path<i64>,
    context: Data<&Arc<Context>>,
) -> Result<Html<String>, PageError> {
    let event = context.store.event(id).await?.ok_or(PageError::NotFound)?;
    let now = context.clock.now();
    let data: Option<Value> = serde_json::from_str(&event.data).ok();
    let html = EventPage {
        frame: Frame::new(format!("Event {id}"), ADDRESS, &who),
        row: EventRow::new(&event, &Renderer::new(&context.store).await?, now),
        received_at: event.received_at.to_rfc3339(),
        client_id: event.idempotency_key.map(|id| id.to_string()),
        // 0 means that Moodle sent no time: it has no events before 1970.
        version_time: Some(event.version.time)
            .filter(|time| *time != 0)
            .map(|time| Moment::new(Timestamp(time.saturating_mul(1000)), now)),
        version_sequence: event.version.sequence,
        data: data.and_then(|data| serde_json::to_string_pretty(&data).ok()).unwrap_or_else(|| event.data.clone()),
    };
    Ok(Html(html.render()?))
}
