//! Rules for every page: security headers, no action from another site or a stranger, errors as pages.

use poem::{
    Endpoint, Error, IntoResponse, Request, Response,
    http::{HeaderName, HeaderValue, Method, header},
};

use super::{error::PageError, session};
use crate::{limits, server::BodyReader};

/// Where strangers send a form.
const SIGN_IN: &str = "/sign-in";

const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Checks a request before the page sees it, and adds the headers to the answer.
pub(super) async fn protect<E: Endpoint>(endpoint: E, mut request: Request) -> poem::Result<Response> {
    let browser = is_browser(&request);
    let result = match check(&mut request).await {
        Ok(()) => endpoint.call(request).await.map(IntoResponse::into_response),
        Err(error) => Err(error),
    };
    let mut response = match result {
        Ok(response) => response,
        Err(error) if error.is_from_response() || error.is::<PageError>() => error.into_response(),
        Err(error) if browser => PageError::of_framework(&error).into_response(),
        // Other clients get the API's problem documents.
        Err(error) => return Err(error),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

fn is_browser(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.contains("text/html") || request.headers().contains_key("hx-request")
}

/// An action must come from one of our pages, by somebody who is signed in, unless it is to sign in. Only then is its
/// form read: strangers send a small one.
async fn check(request: &mut Request) -> poem::Result<()> {
    if [Method::GET, Method::HEAD].contains(request.method()) {
        return Ok(());
    }
    if !is_same_origin(request) {
        return Err(PageError::CrossSite.into());
    }
    let limit = match request.uri().path() {
        SIGN_IN => limits::SIGN_IN_FORM_BYTES,
        _ if session::find(request).await?.is_some() => limits::CONSOLE_FORM_BYTES,
        _ => {
            // Its form was not read, so the browser needs another connection.
            let response = session::to_sign_in(request).with_header(header::CONNECTION, "close").into_response();
            return Err(Error::from_response(response));
        }
    };
    let form = read_form(request, limit).await?;
    request.set_body(form);
    Ok(())
}

/// Reads a form, bounded in size and time.
async fn read_form(request: &mut Request, limit: usize) -> Result<Vec<u8>, PageError> {
    let body = request.take_body();
    let (mut reader, mut form) = (BodyReader::new(request, body), Vec::new());
    let incomplete = |_| PageError::Bad("The form did not arrive completely.".to_owned());
    while let Some(piece) = reader.next().await.map_err(incomplete)? {
        if form.len() + piece.len() > limit {
            return Err(PageError::TooLarge);
        }
        form.extend_from_slice(&piece);
    }
    Ok(form)
}

/// Browsers say where a request comes from, and no page can change these headers.
fn is_same_origin(request: &Request) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    // Older browsers, and plain http to a host other than localhost, send no Sec-Fetch-Site.
    let host = text("host").unwrap_or_default();
    let origin = text("origin").and_then(|origin| origin.split_once("://"));
    !host.is_empty() && origin.is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host))
}
