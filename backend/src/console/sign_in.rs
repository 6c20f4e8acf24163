//! Signing in with an API token, and out.

use std::sync::Arc;

use askama::Template;
use poem::{
    IntoResponse, Request, Response, handler,
    http::{StatusCode, header},
    web::{Data, Form, Html, Query, cookie::CookieJar},
};
use serde::Deserialize;

use super::{
    assets::FINGERPRINT,
    error::PageError,
    session::{self, COOKIE, SignedIn},
};
use crate::{
    api::Context,
    limits,
    secret::{self, TokenKind},
    store::{Scope, Token},
};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    version: &'static str,
    next: String,
    error: Option<&'static str>,
}

#[derive(Deserialize)]
pub(super) struct SignInQuery {
    next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct SignInForm {
    token: String,
    next: Option<String>,
}

#[handler]
pub(super) fn page(Query(SignInQuery { next }): Query<SignInQuery>) -> Result<Html<String>, PageError> {
    Ok(Html(SignInPage { version: FINGERPRINT.as_str(), next: safe(next), error: None }.render()?))
}

#[handler]
pub(super) async fn sign_in(
    context: Data<&Arc<Context>>,
    request: &Request,
    cookies: &CookieJar,
    Form(SignInForm { token, next }): Form<SignInForm>,
) -> Result<Response, PageError> {
    let (next, token) = (safe(next), token.trim());
    let is_link = TokenKind::of(token) == Some(TokenKind::Link);
    let now = context.clock.now();
    let Some(token) = find(&context, token).await? else {
        if is_link && session::find(request).await?.is_some() {
            // Somebody who is signed in followed it again.
            return Ok(StatusCode::SEE_OTHER.with_header(header::LOCATION, next).into_response());
        }
        let error = Some(match is_link {
            true => "This link was used already, or is too old. Sign in with an API token.",
            false => {
                "This token is unknown, revoked or expired. API tokens begin with bsa_; a site token (bss_) does not open the console."
            }
        });
        let html = SignInPage { version: FINGERPRINT.as_str(), next, error }.render()?;
        let mut response = Html(html).into_response();
        response.set_status(StatusCode::UNAUTHORIZED);
        return Ok(response);
    };
    // A new secret for each sign-in, against session fixation.
    let secret = secret::new_token(TokenKind::Console, &mut getrandom::fill).map_err(|_| PageError::Internal)?;
    let expires_at = now.after(limits::CONSOLE_SESSION);
    context.store.add_console_session(&secret::hash(&secret), token.id, now, expires_at).await?;
    if let Some(old) = cookies.get(COOKIE) {
        context.store.end_console_session(&secret::hash(old.value_str())).await?;
    }
    tracing::info!(token = token.id, scope = token.scope.as_str(), "signed in to the console");
    let secure = request.headers().get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    cookies.add(session::cookie(&secret, secure));
    Ok(StatusCode::SEE_OTHER.with_header(header::LOCATION, next).into_response())
}

#[handler]
pub(super) async fn sign_out(
    context: Data<&Arc<Context>>,
    who: SignedIn,
    cookies: &CookieJar,
) -> Result<Response, PageError> {
    context.store.end_console_session(&who.0.hash).await?;
    cookies.remove(COOKIE);
    Ok(StatusCode::SEE_OTHER.with_header(header::LOCATION, "/sign-in").into_response())
}

/// The API token that this is, or that a link with this secret stands for.
async fn find(context: &Context, secret: &str) -> Result<Option<Token>, PageError> {
    if secret.len() > limits::TOKEN_BYTES {
        return Ok(None);
    }
    let now = context.clock.now();
    let hash = match TokenKind::of(secret) {
        Some(TokenKind::Link) => context.links.take(secret, now),
        _ => Some(secret::hash(secret)),
    };
    let Some(hash) = hash else { return Ok(None) };
    let found = context.store.token(&hash, now).await?;
    Ok(found.filter(|token| token.scope != Scope::Ingest && secret::same_hash(&token.hash, &hash)))
}

/// Where to go afterwards: a page of this console only. `//host` and `/\host` would lead to another site.
fn safe(next: Option<String>) -> String {
    let ours = |next: &String| {
        next.starts_with('/')
            && !next.starts_with("//")
            && !next.contains(['\\', '\r', '\n'])
            && next.bytes().all(|byte| byte.is_ascii_graphic())
    };
    next.filter(ours).unwrap_or_else(|| "/".to_owned())
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn a_sign_in_leads_to_our_own_pages_alone() {
        assert_eq!(safe(Some("/people?q=ann".to_owned())), "/people?q=ann");
        for other in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nb", ""]
        {
            assert_eq!(safe(Some(other.to_owned())), "/", "{other}");
        }
    }
}
