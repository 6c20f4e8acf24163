//! The log of attempts: each try to deliver a record, and the destination's answer.

use std::sync::Arc;

use askama::Template;
use poem::{
    Request, Response, handler,
    web::{Data, Html, Query},
};

use super::{
    error::PageError,
    frame::Frame,
    log::{self, Feed, Live, LogQuery, LogTable, LogView},
    session::SignedIn,
    words::{self, Moment},
};
use crate::{
    api::Context,
    clock::Timestamp,
    model::Kind,
    store::{AttemptFilter, Log, LogPage, LogPlace, Store, StoreError, TimelineAttempt},
    views::Renderer,
};

const ADDRESS: &str = "/attempts";

/// The outcomes of an attempt, each with its CSS class.
const OUTCOMES: [(&str, &str); 6] = [
    ("inserted", "good"),
    ("updated", "good"),
    ("removed", "good"),
    ("retry", "warn"),
    ("failed", "bad"),
    ("lost", "warn"),
];

/// The log of attempts, see [`LogView`].
pub(super) struct Attempts;

#[derive(Template)]
#[template(path = "attempts.html")]
struct AttemptsPage {
    frame: Frame,
    query: LogQuery,
    sites: Vec<String>,
    kinds: Vec<&'static str>,
    outcomes: Vec<&'static str>,
    rows: String,
    empty: bool,
    links: log::LogLinks,
}

#[derive(Template)]
#[template(path = "attempt_rows.html")]
struct AttemptRows<'a> {
    rows: Vec<ShownAttempt<'a>>,
}

struct ShownAttempt<'a> {
    at: Moment,
    destination: &'a str,
    kind: Kind,
    record: String,
    outcome: &'a str,
    tone: &'static str,
    code: Option<&'a str>,
    message: Option<&'a str>,
    duration: String,
    remote_id: Option<&'a str>,
}

impl<'a> ShownAttempt<'a> {
    fn new(TimelineAttempt { destination, attempt }: &'a TimelineAttempt, renderer: &Renderer, now: Timestamp) -> Self {
        Self {
            at: Moment::new(attempt.started_at, now),
            destination,
            kind: attempt.key.kind,
            record: renderer.id(attempt.key.site_id, attempt.key.moodle_id),
            outcome: &attempt.outcome,
            tone: OUTCOMES.iter().find(|(word, _)| *word == attempt.outcome).map_or("", |(_, tone)| tone),
            code: attempt.code.as_deref(),
            message: attempt.message.as_deref(),
            duration: format!("{} ms", words::number(attempt.duration_ms)),
            remote_id: attempt.remote_id.as_deref(),
        }
    }
}

impl LogView for Attempts {
    type Filter = AttemptFilter;
    type Row = TimelineAttempt;
    type Exported = TimelineAttempt;
    const ADDRESS: &'static str = ADDRESS;
    const LOG: Log = Log::Attempts;
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "started_at",
        "destination",
        "kind",
        "record",
        "outcome",
        "code",
        "message",
        "duration_ms",
        "remote_id",
    ];

    async fn filter(query: &LogQuery, store: &Store) -> Result<AttemptFilter, PageError> {
        Ok(AttemptFilter {
            site_id: query.site(store).await?.map(|site| site.id),
            kind: query.word("kind", &Kind::ALL.map(|kind| (kind.as_str(), kind)))?,
            outcome: query.word("outcome", &OUTCOMES.map(|(word, _)| (word, word)))?.map(str::to_owned),
            code: query.get("code").filter(|code| !code.contains('\0')).map(str::to_owned),
        })
    }

    async fn page(
        store: &Store,
        filter: &AttemptFilter,
        place: LogPlace,
        limit: u64,
    ) -> Result<LogPage<TimelineAttempt>, StoreError> {
        store.attempt_log(filter, place, limit).await
    }

    async fn export_page(
        store: &Store,
        filter: &AttemptFilter,
        place: LogPlace,
        limit: u64,
    ) -> Result<LogPage<TimelineAttempt>, StoreError> {
        Self::page(store, filter, place, limit).await
    }

    fn id(attempt: &TimelineAttempt) -> i64 {
        attempt.attempt.id
    }

    fn matches(filter: &AttemptFilter, TimelineAttempt { attempt, .. }: &TimelineAttempt) -> bool {
        filter.site_id.is_none_or(|site_id| attempt.key.site_id == site_id)
            && filter.kind.is_none_or(|kind| attempt.key.kind == kind)
            && filter.outcome.as_ref().is_none_or(|outcome| attempt.outcome == *outcome)
            && filter.code.as_ref().is_none_or(|code| attempt.code.as_ref() == Some(code))
    }

    fn html(attempts: &[TimelineAttempt], renderer: &Renderer, now: Timestamp) -> Result<String, askama::Error> {
        AttemptRows { rows: attempts.iter().map(|attempt| ShownAttempt::new(attempt, renderer, now)).collect() }
            .render()
    }

    fn cells(TimelineAttempt { destination, attempt }: &TimelineAttempt, renderer: &Renderer) -> Vec<String> {
        vec![
            attempt.id.to_string(),
            attempt.started_at.to_rfc3339(),
            destination.clone(),
            attempt.key.kind.to_string(),
            renderer.id(attempt.key.site_id, attempt.key.moodle_id),
            attempt.outcome.clone(),
            attempt.code.clone().unwrap_or_default(),
            attempt.message.clone().unwrap_or_default(),
            attempt.duration_ms.to_string(),
            attempt.remote_id.clone().unwrap_or_default(),
        ]
    }
}

#[handler]
pub(super) async fn page(
    who: SignedIn,
    Query(query): Query<LogQuery>,
    context: Data<&Arc<Context>>,
) -> Result<Html<String>, PageError> {
    let LogTable { rows, empty, links } = LogTable::read::<Attempts>(&query, &context).await?;
    let html = AttemptsPage {
        frame: Frame::new("Attempts", ADDRESS, &who),
        query,
        sites: context.store.sites().await?.into_iter().map(|site| site.name).collect(),
        kinds: Kind::ALL.map(Kind::as_str).to_vec(),
        outcomes: OUTCOMES.map(|(word, _)| word).to_vec(),
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
    feed: Data<&Arc<Feed<Attempts>>>,
    context: Data<&Arc<Context>>,
) -> Result<Response, PageError> {
    log::stream::<Attempts>(&query, who, request, &live, &feed, &context).await
}

#[handler]
pub(super) async fn export(
    _who: SignedIn,
    Query(query): Query<LogQuery>,
    context: Data<&Arc<Context>>,
) -> Result<Response, PageError> {
    log::export::<Attempts>(query, &context).await
}
