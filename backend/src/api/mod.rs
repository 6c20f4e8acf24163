//! The HTTP API: the operations under `/api/v1`, their types and errors, and the OpenAPI document made from them.

mod adoptions;
mod alerts;
mod answer;
mod auth;
mod batch;
mod body;
mod brake;
mod changes;
mod coding;
mod completions;
mod courses;
mod cursor;
mod decisions;
mod destinations;
mod docs;
mod enrolments;
mod erasures;
mod events;
mod examples;
mod explanation;
mod failure;
mod findings;
mod grades;
mod handshake;
mod health;
mod items;
mod metrics;
mod moodle;
mod parameters;
mod parity;
mod plan;
mod problem;
mod receive;
mod related;
mod request_id;
mod retry;
mod schema;
mod strangers;
mod timeline;
mod users;

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, IntoEndpoint, PathPattern, Route, middleware::CatchPanic};
use poem_openapi::{LicenseObject, OpenApiService, Tags};

pub use auth::SiteTokens;
use strangers::Strangers;

use tokio::sync::{Notify, watch};

use crate::{
    activity::Tally,
    alerts::Alerts,
    clock::Clock,
    health::Health,
    ingest::Ingest,
    live::{Live, Reloading},
    metrics::{Counters, Metrics},
    random::Random,
    sign_in_links::SignInLinks,
    store::{Readers, Store},
    zoho::destination::Zoho,
};

/// Version of the API contract, `major.minor`: a new major breaks senders or readers, a new minor adds.
pub const CONTRACT_VERSION: &str = "1.0";

/// What the operations need. Clones share everything.
#[derive(Clone)]
pub struct Context {
    /// The database.
    pub store: Store,
    /// The entrance to the ingest queue.
    pub ingest: Ingest,
    /// Whether this process can store what it is sent.
    pub health: Health,
    /// The site tokens, cached.
    pub tokens: Arc<SiteTokens>,
    /// Links that sign in to the console once.
    pub links: SignInLinks,
    /// Activity counts, for charts.
    pub activity: Tally,
    /// Metrics for Prometheus.
    pub metrics: Metrics,
    /// What is built from settings that are read again.
    pub live: watch::Receiver<Arc<Live>>,
    /// Reads the settings again.
    pub reloading: Reloading,
    /// Wakes this process's delivery when items are due.
    pub due: Arc<Notify>,
    /// The server's clock.
    pub clock: Clock,
    /// Randomness for request ids.
    pub random: Random,
}

impl Context {
    /// The same, reading as this class of readers.
    pub fn for_readers(&self, readers: Readers) -> Arc<Self> {
        Arc::new(Self { store: self.store.for_readers(readers), ..self.clone() })
    }

    /// What is built from the settings as they were read last.
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.borrow())
    }

    /// Zoho, if it is configured.
    pub fn zoho(&self) -> Option<Arc<Zoho>> {
        self.live.borrow().zoho.clone()
    }

    /// Finds what is wrong, and notifies.
    pub fn alerts(&self) -> Arc<Alerts> {
        Arc::clone(&self.live.borrow().alerts)
    }

    /// The database for what must not wait for API consumers: the senders' authentication, metrics.
    fn own_store(&self) -> Store {
        self.store.for_readers(Readers::Work)
    }

    /// Metrics and activity together.
    fn counters(&self) -> Counters {
        Counters { metrics: self.metrics.clone(), activity: self.activity.clone() }
    }
}

#[derive(Tags)]
enum Tag {
    /// What a Moodle site sends. Authorize with the site token in `X-Moodle-Token`.
    #[oai(rename = "Moodle events")]
    Moodle,
    /// The current records, for API consumers. Authorize with an API token as `Bearer`.
    Records,
    /// The events received, and the records that changed. Authorize with an API token as `Bearer`.
    #[oai(rename = "Log and changes")]
    Log,
    /// Delivery to destinations: the state of each record, why, and what to do about it. Authorize with an API token of
    /// scope `operate`.
    Delivery,
    /// Erasing people's data, with certificates. Authorize with an API token of scope `operate`.
    Erasure,
    /// What is wrong, and who has been notified. Authorize with an API token of scope `operate`.
    Alerts,
    /// Whether the server is up and ready. No authorization.
    Health,
}

type Operations = (
    (moodle::Operations, batch::Operations, handshake::Operations, parity::Operations),
    (users::Operations, courses::Operations, enrolments::Operations),
    (grades::Operations, completions::Operations),
    (events::Operations, changes::Operations, parity::Readings, health::Operations),
    (destinations::Operations, items::Operations, retry::Operations, brake::Operations, adoptions::Operations),
    (findings::Operations, plan::Operations, explanation::Operations, timeline::Operations),
    (erasures::Operations, alerts::Operations),
);

fn service() -> OpenApiService<Operations, ()> {
    let operations = (
        (moodle::Operations, batch::Operations, handshake::Operations, parity::Operations),
        (users::Operations, courses::Operations, enrolments::Operations),
        (grades::Operations, completions::Operations),
        (events::Operations, changes::Operations, parity::Readings, health::Operations),
        (destinations::Operations, items::Operations, retry::Operations, brake::Operations, adoptions::Operations),
        (findings::Operations, plan::Operations, explanation::Operations, timeline::Operations),
        (erasures::Operations, alerts::Operations),
    );
    OpenApiService::new(operations, "Backend Sync", env!("CARGO_PKG_VERSION"))
        .summary("Stores what happens in Moodle durably, makes it readable, and delivers it to Zoho CRM")
        .description(include_str!("description.md"))
        .license(LicenseObject::new("GPL-3.0-or-later").url("https://www.gnu.org/licenses/gpl-3.0.html"))
}

/// The OpenAPI document, as it is committed in `openapi/openapi.json`.
pub fn openapi_document() -> String {
    let mut document = service().spec();
    document.push('\n');
    document
}

/// The pattern of the route that matched. Without a match, the console's pattern remains, which is empty.
fn matched_pattern(pattern: Option<&PathPattern>) -> Option<&Arc<str>> {
    pattern.map(|PathPattern(pattern)| pattern).filter(|pattern| !pattern.is_empty())
}

/// Everything the server answers: the API, its documentation, and `pages` at all other addresses.
pub fn endpoint(context: Arc<Context>, pages: impl Endpoint + 'static) -> impl Endpoint {
    let (service, measured) = (service(), context.metrics.clone());
    let (clock, random) = (context.clock.clone(), context.random.clone());
    let strangers = Arc::<Strangers>::default();
    metrics::prepare(&measured);
    Route::new()
        .at("/docs", docs::swagger_ui(&service.swagger_ui_html(), &service.spec()))
        .at("/openapi.json", docs::openapi(openapi_document()))
        .at("/metrics", metrics::page())
        .nest_no_strip("/api/v1", service.into_endpoint())
        .nest_no_strip("/", pages)
        .data(context)
        .around(metrics::note_route)
        .with(CatchPanic::new().with_handler(problem::panicked))
        .around(problem::as_documents)
        .around(move |endpoint, request| metrics::observe(measured.clone(), endpoint, request))
        .around(move |endpoint, request| {
            let (clock, random, strangers) = (clock.clone(), random.clone(), Arc::clone(&strangers));
            request_id::identified(endpoint, request, clock, random, strangers)
        })
}
