//! The problems with which an operation can fail, for the OpenAPI document.

use std::marker::PhantomData;

use poem::Error;
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::{ToJSON, Type},
};

use super::problem::{Code, Problem};
use crate::model::{FieldError, FieldErrorCode};

/// The statuses with which an operation can fail, for the OpenAPI document.
pub(super) trait Statuses: Send + Sync + 'static {
    const STATUSES: &'static [u16];
    /// What 409 means.
    const CONFLICT: Code = Code::NotConfigured;
}

/// A problem of an operation that fails only with the statuses of `S`.
pub(super) struct Failure<S>(Problem, PhantomData<S>);

/// Sending one event.
pub(super) struct SendEvent;

impl Statuses for SendEvent {
    const STATUSES: &'static [u16] = &[400, 401, 408, 413, 415, 422, 500, 503];
}

/// Sending events that carry versions.
pub(super) struct SendBatch;

impl Statuses for SendBatch {
    const STATUSES: &'static [u16] = &[400, 401, 408, 409, 413, 415, 422, 500, 503];
    const CONFLICT: Code = Code::ClockAhead;
}

/// Reading a list.
pub(super) struct ReadList;

impl Statuses for ReadList {
    const STATUSES: &'static [u16] = &[400, 401, 410, 500, 503];
}

/// Reading one record or event.
pub(super) struct ReadOne;

impl Statuses for ReadOne {
    const STATUSES: &'static [u16] = &[400, 401, 404, 500, 503];
}

/// A site's question about the server.
pub(super) struct SiteQuery;

impl Statuses for SiteQuery {
    const STATUSES: &'static [u16] = &[400, 401, 500, 503];
}

/// Reading, as an operator, without parameters.
pub(super) struct OperatorRead;

impl Statuses for OperatorRead {
    const STATUSES: &'static [u16] = &[401, 403, 500, 503];
}

/// Reading or acting, as an operator, with parameters but no body.
pub(super) struct OperatorQuery;

impl Statuses for OperatorQuery {
    const STATUSES: &'static [u16] = &[400, 401, 403, 404, 500, 503];
}

/// An operator's action on something that a path names.
pub(super) struct OperatorAction;

impl Statuses for OperatorAction {
    const STATUSES: &'static [u16] = &[401, 403, 404, 500, 503];
}

/// An operator's action that a body describes.
pub(super) struct OperatorCommand;

impl Statuses for OperatorCommand {
    const STATUSES: &'static [u16] = &[400, 401, 403, 404, 408, 413, 415, 422, 500, 503];
}

/// An operator's decision, which may not be possible in the present state.
pub(super) struct OperatorDecision;

impl Statuses for OperatorDecision {
    const STATUSES: &'static [u16] = &[400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 503];
    const CONFLICT: Code = Code::NotPossible;
}

/// An operator's question that the destination has to answer.
pub(super) struct DestinationQuery;

impl Statuses for DestinationQuery {
    const STATUSES: &'static [u16] = &[400, 401, 403, 404, 409, 500, 503];
}

/// The readiness check.
pub(super) struct ReadinessCheck;

impl Statuses for ReadinessCheck {
    const STATUSES: &'static [u16] = &[503];
}

impl<S, P: Into<Problem>> From<P> for Failure<S> {
    fn from(problem: P) -> Self {
        Self(problem.into(), PhantomData)
    }
}

impl<S> From<Failure<S>> for Error {
    fn from(failure: Failure<S>) -> Self {
        failure.0.into()
    }
}

/// The code that represents a status in the document's examples.
fn usual_code(status: u16) -> Code {
    match status {
        400 => Code::MalformedJson,
        401 => Code::Unauthorized,
        403 => Code::Forbidden,
        404 => Code::NotFound,
        408 => Code::RequestTimeout,
        410 => Code::CursorGone,
        413 => Code::PayloadTooLarge,
        415 => Code::UnsupportedMediaType,
        422 => Code::ValidationFailed,
        503 => Code::QueueFull,
        _ => Code::InternalError,
    }
}

/// The id of a request, in the document's examples.
const REQUEST_ID: &str = "019aaccb-4d2c-7d27-9d8a-5c1b0f3a4e21";

/// The schema of a problem, with an example for one status.
fn schema(status: u16, conflict: Code) -> MetaSchemaRef {
    let problem = match if status == 409 { conflict } else { usual_code(status) } {
        Code::ValidationFailed => Problem::validation(vec![FieldError::new("/userid", FieldErrorCode::Required)]),
        code => Problem::new(code),
    };
    let example = problem.of_request(REQUEST_ID);
    let all_of = vec![Problem::schema_ref()];
    MetaSchemaRef::Inline(Box::new(MetaSchema { all_of, example: example.to_json(), ..MetaSchema::ANY }))
}

fn description(status: u16, conflict: Code) -> &'static str {
    match status {
        400 => {
            "The body is not JSON, or not gzip as it says, or a parameter is invalid (`malformed_json`, `invalid_parameter`)."
        }
        401 => "The token is missing, unknown, revoked or expired (`unauthorized`).",
        403 => "The token only allows reading (`forbidden`).",
        404 => "It does not exist (`not_found`).",
        409 if conflict == Code::ClockAhead => {
            "The newest event is more than ten minutes ahead of the server's clock: one of the two clocks is wrong. \
             Nothing was stored; correct the clock and send the same again (`clock_ahead`)."
        }
        409 if conflict == Code::NotPossible => {
            "It is not possible in the present state, or this server does not deliver to that destination; the detail \
             says why (`not_possible`, `not_configured`)."
        }
        409 => "This server does not deliver to that destination (`not_configured`).",
        408 => "The body did not arrive in time (`request_timeout`).",
        410 => {
            "The cursor is of an earlier life of the database, which was restored since. Begin again without a cursor \
             (`cursor_gone`)."
        }
        413 => "The body is larger than 5 MiB, unpacked (`payload_too_large`).",
        415 => "The Content-Type is not JSON, or the Content-Encoding not gzip (`unsupported_media_type`).",
        422 => "Fields are invalid; `errors` lists all of them (`validation_failed`, `event_not_storable`).",
        503 => {
            "Temporarily unavailable: retry the same request after Retry-After seconds (`queue_full`, `draining`, \
             `database_unavailable`, \
             `not_migrated`, `destination_unavailable`)."
        }
        _ => "A server error (`internal_error`).",
    }
}

impl<S: Statuses> ApiResponse for Failure<S> {
    fn meta() -> MetaResponses {
        let response = |status: &u16| MetaResponse {
            description: description(*status, S::CONFLICT),
            status: Some(*status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: "application/problem+json",
                schema: schema(*status, S::CONFLICT),
            }],
            headers: if *status == 503 { vec![retry_after()] } else { vec![] },
        };
        MetaResponses { responses: S::STATUSES.iter().map(response).collect() }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}

fn retry_after() -> MetaHeader {
    MetaHeader {
        name: "Retry-After".to_owned(),
        description: Some("Seconds to wait before retrying the same request.".to_owned()),
        required: true,
        deprecated: false,
        schema: u64::schema_ref(),
    }
}
