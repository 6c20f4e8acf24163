//! Live logs: new entries, sent to open pages as server-sent events.
//!
//! One reader per log and process polls the database, and only while a page is open; it feeds all pages. A page that falls behind or
//! reconnects catches up from the database.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{StreamExt, stream};
use poem::{
    IntoResponse, Request, Response,
    web::sse::{Event, SSE},
};
use tokio::{
    sync::{
        OwnedSemaphorePermit, Semaphore,
        broadcast::{self, error::RecvError},
        watch,
    },
    time::{Instant, sleep, sleep_until},
};

use super::{
    super::{error::PageError, session::SignedIn},
    LogQuery, LogView,
};
use crate::{
    api::Context,
    clock::Clock,
    limits,
    store::{LogPlace, Store, StoreError},
    views::Renderer,
};

/// Batches that a slow page may fall behind before it catches up from the database.
const BATCHES: usize = 16;

/// The name of the event after which the browser does not reconnect; its data says why.
const ENDED: &str = "ended";

/// Limits the live streams of this process, of all logs together.
pub(in crate::console) struct Live {
    places: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

impl Live {
    /// Streams end when `stop` becomes true.
    pub(in crate::console) fn new(stop: watch::Receiver<bool>) -> Self {
        let places = Arc::new(Semaphore::new(limits::LIVE_STREAMS));
        Self { places, stop }
    }
}

/// New entries of one poll.
struct LiveBatch<L: LogView> {
    rows: Vec<L::Row>,
    renderer: Renderer,
}

/// Feeds the live pages of one log.
pub(in crate::console) struct Feed<L: LogView> {
    batches: broadcast::Sender<Arc<LiveBatch<L>>>,
    /// Whether the reader task runs.
    reading: Mutex<bool>,
}

impl<L: LogView> Default for Feed<L> {
    fn default() -> Self {
        Self { batches: broadcast::Sender::new(BATCHES), reading: Mutex::default() }
    }
}

impl<L: LogView> Feed<L> {
    fn subscribe(
        self: &Arc<Self>,
        store: &Store,
        stop: &watch::Receiver<bool>,
    ) -> broadcast::Receiver<Arc<LiveBatch<L>>> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = self.batches.subscribe();
        if !std::mem::replace(&mut *reading, true) {
            tokio::spawn(Arc::clone(self).read(store.clone(), stop.clone()));
        }
        receiver
    }

    /// Polls the log until no page is open. Transactions may commit out of the order of their ids, so new entries are those that the
    /// last poll did not see, not those above the highest id.
    async fn read(self: Arc<Self>, store: Store, mut stop: watch::Receiver<bool>) {
        let mut known = BTreeSet::new();
        loop {
            match Self::poll(&store, &known).await {
                Ok((ids, Some(batch))) => {
                    known = ids;
                    // Fails without receivers, which is checked below.
                    let _ = self.batches.send(Arc::new(batch));
                }
                Ok((_, None)) => {}
                Err(error) => tracing::warn!(%error, "could not read the log for live pages"),
            }
            let stopping = tokio::select! {
                () = sleep(limits::LIVE_POLL) => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
            if stopping || self.batches.receiver_count() == 0 {
                *reading = false;
                return;
            }
        }
    }

    async fn poll(store: &Store, known: &BTreeSet<i64>) -> Result<(BTreeSet<i64>, Option<LiveBatch<L>>), StoreError> {
        let mut rows = L::page(store, &L::Filter::default(), LogPlace::Newest, limits::LIVE_ROWS).await?.items;
        let ids = rows.iter().map(L::id).collect();
        rows.retain(|row| !known.contains(&L::id(row)));
        if rows.is_empty() {
            return Ok((ids, None));
        }
        Ok((ids, Some(LiveBatch { rows, renderer: Renderer::new(store).await? })))
    }
}

/// The stream of one open page.
struct LivePage<L: LogView> {
    batches: broadcast::Receiver<Arc<LiveBatch<L>>>,
    _place: OwnedSemaphorePermit,
    stop: watch::Receiver<bool>,
    store: Store,
    clock: Clock,
    /// The hash of the session's secret.
    session: String,
    filter: L::Filter,
    /// The newest id that the page showed when it opened.
    after: i64,
    /// The newest ids sent since.
    sent: BTreeSet<i64>,
    behind: bool,
    check_at: Instant,
    end_at: Instant,
    ended: bool,
}

/// The stream of new rows for a browser.
pub(in crate::console) async fn stream<L: LogView>(
    query: &LogQuery,
    who: SignedIn,
    request: &Request,
    live: &Live,
    feed: &Arc<Feed<L>>,
    context: &Context,
) -> Result<Response, PageError> {
    let Ok(place) = Arc::clone(&live.places).try_acquire_owned() else { return Ok(full()) };
    let seen = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let after = query.number("after")?.unwrap_or(0).max(seen.unwrap_or(0));
    let now = Instant::now();
    let page = LivePage::<L> {
        filter: L::filter(query, &context.store).await?,
        // Subscribes before it catches up, so that it misses nothing in between.
        batches: feed.subscribe(&context.store, &live.stop),
        _place: place,
        stop: live.stop.clone(),
        store: context.store.clone(),
        clock: context.clock.clone(),
        session: who.0.hash,
        after,
        sent: BTreeSet::new(),
        behind: true,
        check_at: now + limits::LIVE_SESSION_CHECK,
        end_at: now + limits::LIVE_TIME,
        ended: false,
    };
    let events = stream::unfold(page, async |mut page| page.next().await.map(|event| (event, page)));
    Ok(SSE::new(events).keep_alive(limits::LIVE_KEEP_ALIVE).into_response())
}

/// The answer when too many pages are live already.
fn full() -> Response {
    let row = format!(
        "<tr><td class=\"empty\" colspan=\"9\">This page is not live: {} others are. Reload it later.</td></tr>",
        limits::LIVE_STREAMS
    );
    let events = [Event::message(row), Event::message("full").event_type(ENDED)];
    SSE::new(stream::iter(events).boxed()).into_response()
}

impl<L: LogView> LivePage<L> {
    /// The next event; none ends the stream.
    async fn next(&mut self) -> Option<Event> {
        while !self.ended {
            if std::mem::take(&mut self.behind) {
                match self.catch_up().await {
                    Ok(Some(event)) => return Some(event),
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(%error, "a live page could not catch up");
                        return None;
                    }
                }
            }
            let woken = tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => return None,
                () = sleep_until(self.end_at) => return None,
                () = sleep_until(self.check_at) => None,
                batch = self.batches.recv() => Some(batch),
            };
            match woken {
                None => {
                    self.check_at += limits::LIVE_SESSION_CHECK;
                    if !self.is_signed_in().await {
                        self.ended = true;
                        return Some(Event::message("session").event_type(ENDED));
                    }
                }
                Some(Ok(batch)) => {
                    let rows = batch.rows.iter().filter(|row| L::matches(&self.filter, row)).cloned().collect();
                    if let Some(event) = self.new_rows(rows, &batch.renderer) {
                        return Some(event);
                    }
                }
                Some(Err(RecvError::Lagged(_))) => self.behind = true,
                Some(Err(RecvError::Closed)) => return None,
            }
        }
        None
    }

    /// A failing database does not end the session.
    async fn is_signed_in(&self) -> bool {
        self.store.console_session(&self.session, self.clock.now()).await.map_or(true, |session| session.is_some())
    }

    async fn catch_up(&mut self) -> Result<Option<Event>, StoreError> {
        let rows = L::page(&self.store, &self.filter, LogPlace::Newest, limits::LIVE_ROWS).await?.items;
        if rows.iter().all(|row| L::id(row) <= self.after) {
            return Ok(None);
        }
        let renderer = Renderer::new(&self.store).await?;
        Ok(self.new_rows(rows, &renderer))
    }

    /// The rows that the page does not have yet.
    fn new_rows(&mut self, mut rows: Vec<L::Row>, renderer: &Renderer) -> Option<Event> {
        rows.retain(|row| L::id(row) > self.after && !self.sent.contains(&L::id(row)));
        self.sent.extend(rows.iter().map(L::id));
        while self.sent.len() > 2 * limits::LIVE_ROWS as usize {
            self.sent.pop_first();
        }
        let newest = *self.sent.last()?;
        if rows.is_empty() {
            return None;
        }
        let html = L::html(&rows, renderer, self.clock.now()).ok()?;
        // One line: a carriage return would end the line of the event stream.
        let html = html.split(['\r', '\n']).collect::<Vec<_>>().join(" ");
        Some(Event::message(html).id(newest.to_string()))
    }
}
