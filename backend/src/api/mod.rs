//! HTTP alone: the operations under `/api/v1`, their types and errors, and the OpenAPI document made from them.

mod alerts;
mod answer;
mod auth;
mod batch;
mod body;
mod changes;
mod completions;
mod courses;
mod destinations;
mod docs;
mod enrolments;
mod events;
mod examples;
mod failure;
mod grades;
mod handshake;
mod health;
mod items;
mod moodle;
mod parameters;
mod plan;
mod problem;
mod record;
mod related;
mod retry;
mod schema;
mod timeline;
mod users;

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, IntoEndpoint, Route, middleware::CatchPanic};
use poem_openapi::{LicenseObject, OpenApiService, Tags};

pub use auth::Tokens;

pub(crate) use destinations::{
    AttentionView, ConservationView as Conservation, Destination, PauseView, StateCounts, operators_pause,
};
pub(crate) use items::ItemWithAttempts;
pub(crate) use plan::{PlanError, PlanView, PlannedItem, Subset};

use tokio::sync::Notify;

use crate::{activity::Tally, alerts::Alerts, clock::Clock, ingest::Ingest, store::Store, zoho::destination::Zoho};

/// Version of the contract, `major.minor`: a new major breaks senders or readers, a new minor adds.
pub const CONTRACT_VERSION: &str = "1.0";

/// What the operations work with.
pub struct Context {
    /// The database.
    pub store: Store,
    /// The entrance of the ingest queue.
    pub ingest: Ingest,
    /// The tokens in use.
    pub tokens: Tokens,
    /// Zoho, if it is configured.
    pub zoho: Option<Arc<Zoho>>,
    /// Counts how much happens.
    pub activity: Tally,
    /// Watches what may be wrong, and tells.
    pub alerts: Arc<Alerts>,
    /// Tells the delivery of this process that items are due.
    pub due: Arc<Notify>,
    /// The time.
    pub clock: Clock,
}

#[derive(Tags)]
enum Tag {
    /// What a Moodle site sends. Authorize with the site's token in `X-Moodle-Token`.
    #[oai(rename = "Moodle events")]
    Moodle,
    /// What is known, for API consumers. Authorize with an API token as `Bearer`.
    Records,
    /// What was received, and what changed.
    #[oai(rename = "Log and changes")]
    Log,
    /// The delivery: what is where on its way, why, and what to do about it. Authorize with an API token of scope `operate`.
    Delivery,
    /// What is wrong, and who knows of it. Authorize with an API token of scope `operate`.
    Alerts,
    /// Whether the server is well. No authorization.
    Health,
}

type Operations = (
    (moodle::Operations, batch::Operations, handshake::Operations),
    (users::Operations, courses::Operations, enrolments::Operations),
    (grades::Operations, completions::Operations),
    (events::Operations, changes::Operations, health::Operations),
    (destinations::Operations, items::Operations, retry::Operations),
    (plan::Operations, timeline::Operations, alerts::Operations),
);

fn service() -> OpenApiService<Operations, ()> {
    let operations = (
        (moodle::Operations, batch::Operations, handshake::Operations),
        (users::Operations, courses::Operations, enrolments::Operations),
        (grades::Operations, completions::Operations),
        (events::Operations, changes::Operations, health::Operations),
        (destinations::Operations, items::Operations, retry::Operations),
        (plan::Operations, timeline::Operations, alerts::Operations),
    );
    OpenApiService::new(operations, "Backend Sync", env!("CARGO_PKG_VERSION"))
        .summary("What happens in Moodle, kept durably and made readable, on its way to Zoho CRM")
        .description(include_str!("description.md"))
        .license(LicenseObject::new("GPL-3.0-or-later").url("https://www.gnu.org/licenses/gpl-3.0.html"))
}

/// The OpenAPI document, as it is committed in `openapi/openapi.json`.
pub fn openapi_document() -> String {
    let mut document = service().spec();
    document.push('\n');
    document
}

/// All that the server answers.
pub fn endpoint(context: Arc<Context>) -> impl Endpoint {
    let service = service();
    Route::new()
        .at("/", docs::home())
        .at("/docs", docs::swagger_ui(&service.swagger_ui_html(), &service.spec()))
        .at("/openapi.json", docs::openapi(openapi_document()))
        .nest_no_strip("/api/v1", service.into_endpoint())
        .data(context)
        .with(CatchPanic::new().with_handler(problem::panicked))
        .around(problem::as_documents)
}
