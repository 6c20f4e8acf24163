//! The id of a request: in the answer, in problem documents, and in every log line about it.

use std::{sync::Arc, time::Instant};

use poem::{
    Endpoint, Error, IntoResponse, PathPattern, Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, Method},
};
use tracing::Instrument;
use uuid::{Builder, Uuid};

use super::{matched_pattern, problem, strangers::Strangers};
use crate::{clock::Clock, random::Random, server, telemetry::trace};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Maximum characters of a sender's id: twice a UUID, but not enough to flood the log.
const LENGTH: usize = 72;

/// The outermost middleware, which every answer passes through.
pub(super) async fn identified<E: Endpoint>(
    endpoint: E,
    request: Request,
    clock: Clock,
    random: Random,
    strangers: Arc<Strangers>,
) -> poem::Result<Response> {
    let (started, is_known) = (Instant::now(), server::knowing(&request));
    let id = of_sender(request.headers()).unwrap_or_else(|| new(&clock, &random).to_string());
    let method = name(request.method());
    let span = trace::request(&id, request.headers());
    let answered = endpoint.call(request).instrument(span.clone()).await;
    let mut response = answered.map_or_else(Error::into_response, IntoResponse::into_response);
    problem::name_request(&mut response, &id);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, id);
    }
    let status = response.status().as_u16();
    if status >= 400 || trace::is_recorded(&span) {
        let route = route(&response);
        trace::answered(&span, method, route.as_deref(), status);
        let is_logged = !(400..500).contains(&status) || is_known() || strangers.may_log(started);
        if is_logged {
            span.in_scope(|| log_failure(method, route.as_deref(), status, started));
        }
    }
    Ok(response)
}

/// The sender's id, if it is safe to log: letters, digits, dashes and dots. Every token of ours has an underscore, and
/// every e-mail address an at sign, so neither can get in.
fn of_sender(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(&HEADER)?.to_str().ok()?;
    let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    (!id.is_empty() && id.len() <= LENGTH && id.chars().all(is_good)).then(|| id.to_owned())
}

/// A UUID of version 7, so that ids sort by time.
fn new(clock: &Clock, random: &Random) -> Uuid {
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&random.number().to_le_bytes());
    bytes[8..].copy_from_slice(&random.number().to_le_bytes()[..2]);
    Builder::from_unix_timestamp_millis(u64::try_from(clock.now().0).unwrap_or_default(), &bytes).into_uuid()
}

/// The method, if it is a known one: a sender may put any text there.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

/// The requested route, with a star for each variable part; none if no route matched.
fn route(response: &Response) -> Option<String> {
    let pattern = matched_pattern(response.data::<PathPattern>())?;
    // The framework numbers path parameters.
    let parts = pattern.split('/').map(|part| if part.starts_with(':') { "*" } else { part });
    Some(parts.collect::<Vec<_>>().join("/"))
}

/// Logs a failed request. Client errors are the sender's problem, but a person who was given the request id finds it
/// here.
fn log_failure(method: &str, route: Option<&str>, status: u16, started: Instant) {
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match status {
        ..400 => {}
        400..500 => tracing::info!(method, route, status, duration_ms, "request refused"),
        503 => tracing::warn!(method, route, status, duration_ms, "request deferred"),
        _ => tracing::error!(method, route, status, duration_ms, "request failed"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use poem::{
        Endpoint, EndpointExt, Request,
        endpoint::make_sync,
        http::{HeaderMap, HeaderValue},
        middleware::CatchPanic,
    };
    use serde_json::Value;

    use super::{HEADER, LENGTH, identified, new, of_sender};
    use crate::{
        api::problem,
        clock::{Clock, Timestamp},
        random::Random,
    };

    fn given(id: &str) -> Option<String> {
        of_sender(&HeaderMap::from_iter([(HEADER, HeaderValue::from_str(id).unwrap())]))
    }

    #[test]
    fn an_id_of_the_sender_is_taken_if_it_is_harmless() {
        let longest = "x".repeat(LENGTH);
        for good in ["018f6b1c-0d7e-7aaa-8bbb-1234567890ab", "01J8Z3KQ", "a.b-C", &longest] {
            assert_eq!(given(good).as_deref(), Some(good));
        }
        let too_long = "x".repeat(LENGTH + 1);
        for bad in ["", "a b", "ann@example.org", "bss_0123", "a\"b", "a;b", "<b>", &too_long] {
            assert_eq!(given(bad), None, "{bad}");
        }
        assert_eq!(of_sender(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn a_panic_is_answered_with_its_id() {
        let endpoint = make_sync(|_| -> &'static str { panic!("on purpose") })
            .with(CatchPanic::new().with_handler(problem::panicked))
            .around(problem::as_documents)
            .around(|endpoint, request| {
                identified(endpoint, request, Clock::system(), Random::system(), Arc::default())
            });
        let response = endpoint.call(Request::builder().header(HEADER, "mine").finish()).await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()[HEADER]), (500, &HeaderValue::from_static("mine")));
        let problem: Value = serde_json::from_slice(&response.into_body().into_bytes().await.unwrap()).unwrap();
        assert_eq!((&problem["code"], &problem["request_id"]), (&"internal_error".into(), &"mine".into()));
    }

    #[test]
    fn a_new_id_is_of_its_time() {
        let clock = Clock::from_fn(|| Timestamp(0x018f_6b1c_0d7e));
        let id = new(&clock, &Random::new(|| u64::MAX));
        assert_eq!(id.to_string(), "018f6b1c-0d7e-7fff-bfff-ffffffffffff");
        assert_ne!(new(&clock, &Random::system()), new(&clock, &Random::system()));
    }
}
