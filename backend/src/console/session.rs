//! Sessions: the browser's cookie holds a random secret, the database its hash and the API token that signed in.

use std::sync::Arc;

use poem::{
    Error, FromRequest, IntoResponse, Request, RequestBody, Response,
    http::{StatusCode, header},
    web::cookie::{Cookie, SameSite},
};

use super::{error::PageError, words};
use crate::{
    api::Context,
    limits, secret, server,
    store::{ConsoleSession, Scope},
};

pub(super) const COOKIE: &str = "backend_sync_session";

/// A session that may read every page.
#[derive(Clone, Debug)]
pub(super) struct SignedIn(pub(super) ConsoleSession);

/// A session that may also act.
#[derive(Clone, Debug)]
pub(super) struct Operator(pub(super) ConsoleSession);

impl<'a> FromRequest<'a> for SignedIn {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        find(request).await?.map(Self).ok_or_else(|| Error::from_response(to_sign_in(request)))
    }
}

impl<'a> FromRequest<'a> for Operator {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        match find(request).await? {
            Some(session) if session.scope == Scope::Operate => Ok(Self(session)),
            Some(_) => Err(PageError::Forbidden.into()),
            None => Err(Error::from_response(to_sign_in(request))),
        }
    }
}

/// What [`crate::api::endpoint`] attaches to every request.
pub(super) fn context(request: &Request) -> Result<&Arc<Context>, PageError> {
    request.data::<Arc<Context>>().ok_or(PageError::NotFound)
}

/// The session of the browser's cookie.
pub(super) async fn find(request: &Request) -> Result<Option<ConsoleSession>, PageError> {
    let Some(cookie) = request.cookie().get(COOKIE) else { return Ok(None) };
    if cookie.value_str().len() > limits::TOKEN_BYTES {
        return Ok(None);
    }
    let hash = secret::hash(cookie.value_str());
    let context = context(request)?;
    let session = context.store.console_session(&hash, context.clock.now()).await?;
    let session = session.filter(|session| secret::same_hash(&session.hash, &hash));
    if let Some(session) = &session {
        // Working in the console counts as using the token.
        context.tokens.used(session.token_id, context.clock.now());
        server::make_known(request);
    }
    Ok(session)
}

/// Redirects to the sign-in, which leads back to the requested page.
pub(super) fn to_sign_in(request: &Request) -> Response {
    let requested = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let address = match request.method() == poem::http::Method::GET && requested != "/" {
        true => format!("/sign-in?{}", words::query(&[("next", requested)])),
        false => "/sign-in".to_owned(),
    };
    // A fragment cannot show a whole page, so htmx is told to load it.
    if request.headers().contains_key("hx-request") {
        return StatusCode::UNAUTHORIZED.with_header("HX-Redirect", "/sign-in").into_response();
    }
    StatusCode::SEE_OTHER.with_header(header::LOCATION, address).into_response()
}

/// The cookie of a new session. Set `secure` when the browser came by https, so that it is never sent in plain text.
pub(super) fn cookie(value: &str, secure: bool) -> Cookie {
    let mut cookie = Cookie::new_with_str(COOKIE, value);
    cookie.set_path("/");
    cookie.set_http_only(true);
    // Lax, not Strict: a link in an alert's e-mail should lead to a page, not to the sign-in. `guard` protects actions.
    cookie.set_same_site(SameSite::Lax);
    cookie.set_secure(secure);
    cookie.set_max_age(limits::CONSOLE_SESSION);
    cookie
}
