//! The console: pages for whoever runs this. Made on the server, with no more script than htmx and charts need; nothing is
//! loaded from anywhere else.
//!
//! One file per page. A page takes [`session::SignedIn`], an action [`session::Operator`]; what is in neither is not protected.

mod assets;
mod error;
mod frame;
mod guard;
mod overview;
mod session;
mod sign_in;
mod words;

use poem::{Endpoint, EndpointExt, Route, get, middleware::CookieJarManager, post};

/// All pages.
pub fn endpoint() -> impl Endpoint {
    let assets = Route::new().at("/:name", get(assets::asset));
    Route::new()
        .nest("/assets", assets)
        .at("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .at("/sign-out", post(sign_in::sign_out))
        .at("/", get(overview::page))
        .around(guard::protect)
        .with(CookieJarManager::new())
}
