//! The console: pages for operators, rendered on the server. The only scripts are htmx, the charts and a little of our own;
//! nothing loads from another host.
//!
//! One file per page. A page takes [`session::SignedIn`], an action [`session::Operator`]; a handler that takes neither is
//! open to everyone.

mod adoptions;
mod alerts;
mod assets;
mod attempts;
mod attention;
mod brake;
mod done;
mod error;
mod events;
mod finding;
mod frame;
mod guard;
mod lines;
mod log;
mod mapping;
mod overview;
mod parity;
mod people;
mod person;
mod record;
mod records;
mod session;
mod sign_in;
mod sites;
mod subjects;
mod take_over;
mod why;
mod words;

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, Route, get, middleware::CookieJarManager, post};
use tokio::sync::watch;

use crate::api::Context;

/// All pages, which read with this context. Live streams end when `stop` becomes true.
pub fn endpoint(context: Arc<Context>, stop: watch::Receiver<bool>) -> impl Endpoint {
    let assets = Route::new().at("/:name", get(assets::asset));
    Route::new()
        .nest("/assets", assets)
        .at("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .at("/sign-out", post(sign_in::sign_out))
        .at("/", get(overview::page))
        .at("/events", get(events::page))
        .at("/events.csv", get(events::export))
        .at("/events/live", get(events::live_rows))
        .at("/events/:id", get(events::one_event))
        .at("/attempts", get(attempts::page))
        .at("/attempts.csv", get(attempts::export))
        .at("/attempts/live", get(attempts::live_rows))
        .at("/sites", get(sites::page).post(sites::add_site))
        .at("/sites/:site/rotate", post(sites::rotate))
        .at("/sites/:site/tokens/:id/revoke", get(sites::confirm_site).post(sites::revoke_site))
        .at("/tokens", post(sites::add_api_token))
        .at("/tokens/:id/revoke", get(sites::confirm_api).post(sites::revoke_api))
        .at("/mapping", get(mapping::page))
        .at("/mapping/check", post(mapping::check))
        .at("/mapping/reload", post(mapping::reload))
        .at("/mapping/try", post(mapping::attempt))
        .at("/attention", get(attention::page))
        .at("/attention/retry", post(attention::retry_group))
        .at("/attention/pause", post(attention::pause_delivery))
        .at("/attention/resume", post(attention::resume_delivery))
        .at("/attention/accept", post(attention::accept_question))
        .at("/brake", get(brake::page))
        .at("/brake/approve", post(brake::approve))
        .at("/brake/refuse", post(brake::refuse))
        .at("/brake/withdraw", post(brake::withdraw))
        .at("/parity", get(parity::page))
        .at("/parity/decide", post(parity::decide))
        .at("/parity/all", post(parity::decide_all))
        .at("/parity/prove", post(parity::prove))
        .at("/adoptions", get(adoptions::page).post(adoptions::decide))
        .at("/adoptions/:number", get(adoptions::one))
        .at("/alerts", get(alerts::page))
        .at("/alerts/test", post(alerts::test))
        .at("/alerts/:id", get(alerts::one))
        .at("/alerts/:id/acknowledge", post(alerts::acknowledge))
        .at("/people", get(people::page))
        .at("/people/:id", get(person::page))
        .at("/people/:id/send", post(person::send))
        .at("/records", get(records::page))
        .at("/records.csv", get(records::export::download))
        .at("/records/:id", get(record::page))
        .at("/records/:id/state", get(record::state_now))
        .at("/records/:id/why", get(why::why_now))
        .at("/records/:id/send", post(record::send))
        .at("/records/:id/take-over", post(take_over::take_over))
        .data(Arc::new(log::Live::new(stop)))
        .data(Arc::<log::Feed<events::Events>>::default())
        .data(Arc::<log::Feed<attempts::Attempts>>::default())
        .around(guard::protect)
        .with(CookieJarManager::new())
        .data(context)
}
