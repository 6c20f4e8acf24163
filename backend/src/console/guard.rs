//! What holds for every page: security headers, no action that another site's page asked for, errors as pages.

use poem::{
    Endpoint, Error, IntoResponse, Request, Response,
    http::{HeaderName, HeaderValue, Method, header},
};

use super::error::PageError;
use crate::limits;

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

/// Lets a request through to a page, or refuses it.
pub(super) async fn protect<E: Endpoint>(endpoint: E, request: Request) -> poem::Result<Response> {
    // Somebody who is no browser gets the API's errors.
    let browser = request
        .headers()
        .get(header::ACCEPT)
        .is_some_and(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")))
        || request.headers().contains_key("hx-request");
    let result = match check(&request) {
        Ok(()) => endpoint.call(request).await.map(IntoResponse::into_response),
        Err(error) => Err(error.into()),
    };
    let mut response = match result {
        Ok(response) => response,
        Err(error) if error.is_from_response() || error.is::<PageError>() || !browser => {
            match error.is::<PageError>() {
                true => error.into_response(),
                false if error.is_from_response() => error.into_response(),
                false => return Err(error),
            }
        }
        Err(error) => PageError::of_framework(&error).into_response(),
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

/// An action must come from a page of ours, and be of a size that we take.
fn check(request: &Request) -> Result<(), PageError> {
    if [Method::GET, Method::HEAD].contains(request.method()) {
        return Ok(());
    }
    if !is_same_origin(request) {
        return Err(PageError::CrossSite);
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    match length {
        Some(0..=limits::CONSOLE_FORM_BYTES) => Ok(()),
        Some(_) => Err(PageError::TooLarge),
        None => Err(PageError::Bad("The request has no Content-Length.".to_owned())),
    }
}

/// Every browser says where a request came from; it cannot be made to say something else by a page.
fn is_same_origin(request: &Request) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    // Older browsers, and those that came by plain http to a name that is not localhost.
    let host = text("host").unwrap_or_default();
    let origin = text("origin").and_then(|origin| origin.split_once("://"));
    !host.is_empty() && origin.is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host))
}

impl From<PageError> for Response {
    fn from(error: PageError) -> Self {
        Error::from(error).into_response()
    }
}
