//! Errors as problem documents (RFC 9457), each with a stable code.

use std::sync::Arc;

use poem::{
    Endpoint, Error, IntoResponse, PathPattern, Request, Response,
    error::{MethodNotAllowedError, NotFoundError},
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    Enum, Object,
    error::{AuthorizationError, ContentTypeError, ParseParamError, ParsePathError},
    payload::Json,
    types::ToJSON,
};

use crate::{
    ingest::IngestError,
    limits,
    model::{FieldError, FieldErrorCode},
    store::StoreError,
};

/// What went wrong; stable, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename = "ProblemCode", rename_all = "snake_case")]
pub(super) enum Code {
    /// The body is not valid JSON.
    MalformedJson,
    /// A parameter of the query or path is invalid.
    InvalidParameter,
    /// The token is missing, unknown, revoked or expired.
    Unauthorized,
    /// The token's scope does not allow this.
    Forbidden,
    /// Nothing exists at this address.
    NotFound,
    /// The address exists, but not with this method.
    MethodNotAllowed,
    /// The cursor is of an earlier life of the database, which was restored from a backup since, or lost what came after
    /// it. Begin again without a cursor.
    CursorGone,
    /// This server does not deliver to that destination.
    NotConfigured,
    /// It is not possible in the present state; the detail says why.
    NotPossible,
    /// The sender's clock is ahead of the server's, or the server's is behind. Nothing of the batch was stored; the
    /// detail says how far they are apart.
    ClockAhead,
    /// The body did not arrive in time.
    RequestTimeout,
    /// The body is larger than allowed.
    PayloadTooLarge,
    /// The `Content-Type` is not JSON, or the `Content-Encoding` is not gzip.
    UnsupportedMediaType,
    /// Fields of the body are invalid; `errors` lists all of them.
    ValidationFailed,
    /// The database rejected the event; the server's log says why.
    EventNotStorable,
    /// A server error; the server's log says more.
    InternalError,
    /// Too many events are waiting to be stored; retry later.
    QueueFull,
    /// The server is shutting down; retry later.
    Draining,
    /// The database is temporarily unavailable; the detail says why. Retry later.
    DatabaseUnavailable,
    /// The database lacks migrations.
    NotMigrated,
    /// The destination is temporarily unavailable; the detail says why.
    DestinationUnavailable,
}

impl Code {
    fn status(self) -> StatusCode {
        match self {
            Self::MalformedJson | Self::InvalidParameter => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NotConfigured | Self::NotPossible | Self::ClockAhead => StatusCode::CONFLICT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::CursorGone => StatusCode::GONE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ValidationFailed | Self::EventNotStorable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::QueueFull
            | Self::Draining
            | Self::DatabaseUnavailable
            | Self::NotMigrated
            | Self::DestinationUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn detail(self) -> &'static str {
        match self {
            Self::MalformedJson => "The body is not valid JSON in UTF-8.",
            Self::InvalidParameter => "A parameter is invalid; see errors.",
            Self::Unauthorized => "The token is missing or unknown, was revoked or has ended.",
            Self::Forbidden => {
                "The API token only allows reading. Create one that may operate: backend-sync token add NAME --scope operate."
            }
            Self::NotFound => "There is nothing at this address.",
            Self::NotConfigured => {
                "This server does not deliver to that destination: its section of the configuration is missing."
            }
            Self::NotPossible => "It is not possible in the present state.",
            Self::ClockAhead => {
                "The sender's clock is ahead of this server's. Nothing was stored. Set the clock that is wrong, and \
                 send again."
            }
            Self::MethodNotAllowed => "This address does not allow this method; see the header Allow.",
            Self::CursorGone => {
                "The database was restored from a backup since this cursor was given out, so what it would continue is no longer there. \
                 Begin again without a cursor."
            }
            Self::RequestTimeout => "The body did not arrive in time. Send it again.",
            Self::PayloadTooLarge => {
                "The body is too large: 5 MiB at most, unpacked. Send fewer events in one request."
            }
            Self::UnsupportedMediaType => "Send JSON with the header Content-Type: application/json.",
            Self::ValidationFailed => "Fields of the body are invalid; errors lists all of them.",
            Self::EventNotStorable => "The database rejected this event. Retrying will not help; see the server's log.",
            Self::InternalError => "A fault of the server. See its log.",
            Self::QueueFull => "Too much is waiting to be stored. Send the same again after Retry-After seconds.",
            Self::Draining => "The server is shutting down. Send the same again after Retry-After seconds.",
            Self::DatabaseUnavailable => {
                "The database is temporarily unavailable. Retry the same request after Retry-After seconds."
            }
            Self::NotMigrated => "The database lacks migrations. Run backend-sync migrate.",
            Self::DestinationUnavailable => "The destination is temporarily unavailable. Retry later.",
        }
    }
}

/// One invalid field or parameter. Never repeats the value that was sent.
#[derive(Clone, Object)]
pub(super) struct InvalidField {
    /// JSON pointer (RFC 6901) to the field in the body.
    #[oai(skip_serializing_if_is_none)]
    pub(super) pointer: Option<String>,
    /// The parameter's name.
    #[oai(skip_serializing_if_is_none)]
    pub(super) parameter: Option<String>,
    /// Why it is invalid: `required`, `wrong_type`, `out_of_range`, `too_long`, `invalid_character` or `unknown_value`.
    pub(super) code: String,
    /// What to do about it.
    pub(super) detail: String,
}

impl From<FieldError> for InvalidField {
    fn from(error: FieldError) -> Self {
        Self {
            pointer: Some(error.pointer),
            parameter: None,
            code: error.code.as_str().to_owned(),
            detail: error.code.detail().to_owned(),
        }
    }
}

/// A problem document (RFC 9457).
#[derive(Clone, Object)]
pub(super) struct Problem {
    /// `urn:backend-sync:problem:` followed by the code.
    #[oai(rename = "type")]
    kind: String,
    /// The HTTP status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What went wrong; stable, for programs.
    pub(super) code: Code,
    /// What went wrong and what to do, for people.
    detail: String,
    /// Every invalid field or parameter.
    pub(super) errors: Vec<InvalidField>,
    /// The request's id in the server's log; the same as the header `X-Request-Id`.
    // Behind a pointer to keep results small.
    #[oai(skip_serializing_if_is_none)]
    request_id: Option<Arc<String>>,
}

impl Problem {
    pub(super) fn new(code: Code) -> Self {
        Self::with_detail(code, code.detail())
    }

    pub(super) fn with_detail(code: Code, detail: impl Into<String>) -> Self {
        let (detail, status) = (detail.into(), code.status());
        let kind = format!(
            "urn:backend-sync:problem:{}",
            code.to_json().as_ref().and_then(|c| c.as_str()).unwrap_or_default()
        );
        let title = status.canonical_reason().unwrap_or_default().to_owned();
        Self { kind, title, status: status.as_u16(), code, detail, errors: Vec::new(), request_id: None }
    }

    /// A database problem: why, and what to do about it.
    fn of_database(error: &StoreError) -> Self {
        let detail = format!("{} Retry the same request after Retry-After seconds.", error.cause().sentence());
        Self::with_detail(Code::DatabaseUnavailable, detail)
    }

    /// All invalid fields of a body.
    pub(super) fn validation(errors: Vec<FieldError>) -> Self {
        let errors = errors.into_iter().map(InvalidField::from).collect();
        Self { errors, ..Self::new(Code::ValidationFailed) }
    }

    /// Adds the id of the request.
    pub(super) fn of_request(self, id: &str) -> Self {
        Self { request_id: Some(Arc::new(id.to_owned())), ..self }
    }

    /// One invalid parameter.
    pub(super) fn parameter(name: &str, code: FieldErrorCode, detail: impl Into<String>) -> Self {
        let parameter = Some(name.to_owned());
        let error = InvalidField { pointer: None, parameter, code: code.as_str().to_owned(), detail: detail.into() };
        Self { errors: vec![error], ..Self::new(Code::InvalidParameter) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let mut response = Json(&self).into_response();
        response.set_status(status);
        // For `name_request`, which knows the id.
        response.set_data(self);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(limits::RETRY_AFTER_SECONDS));
        }
        if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer, X-Moodle-Token"));
        }
        response
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        // The framework drops the data of an error's response.
        let mut error = Self::from_response(problem.clone().into_response());
        error.set_data(problem);
        error
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => {
                tracing::error!(%error, "the database is unavailable");
                Self::of_database(&error)
            }
            StoreError::Refused(error) => {
                tracing::error!(%error, "the database rejected a query");
                Self::new(Code::InternalError)
            }
        }
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::QueueFull => Self::new(Code::QueueFull),
            IngestError::Draining => Self::new(Code::Draining),
            IngestError::Unavailable(error) => Self::of_database(&error),
            IngestError::Revoked => Self::new(Code::Unauthorized),
        }
    }
}

/// Turns every error, including the framework's own, into a problem document.
pub(super) async fn as_documents<E: Endpoint>(endpoint: E, request: Request) -> poem::Result<Response> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let has_body = request.headers().get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
        || request.headers().contains_key(header::TRANSFER_ENCODING);
    let mut response = match endpoint.call(request).await {
        Ok(response) => response.into_response(),
        Err(error) if error.is_from_response() => error.into_response(),
        Err(error) => {
            let problem = of_framework(&error);
            if problem.code == Code::InternalError {
                tracing::error!(%method, status = error.status().as_u16(), "a request failed inside the framework");
            }
            let refused_method = problem.code == Code::MethodNotAllowed;
            let mut response = problem.into_response();
            if let Some(route) = error.data::<PathPattern>() {
                response.set_data(route.clone());
            }
            if refused_method {
                response.headers_mut().insert(header::ALLOW, allowed_method(&path));
            }
            response
        }
    };
    if has_body && matches!(response.status().as_u16(), 401 | 403 | 404 | 405 | 415) {
        // The body was not read, so the connection cannot be reused: say so, or the client's next request fails.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// Writes the id of its request into a problem document.
pub(super) fn name_request(response: &mut Response, id: &str) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response.set_body(problem.of_request(id).to_json_string());
    }
}

/// The only method of an address: sites send with POST, operators act with POST, everything else is read with GET.
fn allowed_method(path: &str) -> HeaderValue {
    let sends = path.starts_with("/api/v1/events/moodle/") && !path.ends_with("/handshake");
    let acts = path.starts_with("/api/v1/destinations/")
        && ["/pause", "/resume", "/retry", "/resync", "/prove", "/findings/all"]
            .iter()
            .any(|action| path.ends_with(action));
    HeaderValue::from_static(if sends || acts { "POST" } else { "GET" })
}

fn of_framework(error: &Error) -> Problem {
    // The framework's reasons repeat what was sent, so only names are used.
    if let Some(error) = error.downcast_ref::<ParseParamError>() {
        return Problem::parameter(error.name, FieldErrorCode::WrongType, "The value does not match the schema.");
    }
    if error.is::<ParsePathError>() {
        // The framework numbers path parameters; all of ours are called id.
        return Problem::parameter("id", FieldErrorCode::WrongType, "The value does not match the schema.");
    }
    if error.is::<AuthorizationError>() {
        return Problem::new(Code::Unauthorized);
    }
    if error.is::<ContentTypeError>() {
        return Problem::new(Code::UnsupportedMediaType);
    }
    // A path that is not valid UTF-8 cannot be one of ours.
    if error.is::<NotFoundError>() || error.is::<poem::error::ParsePathError>() {
        return Problem::new(Code::NotFound);
    }
    if error.is::<MethodNotAllowedError>() {
        return Problem::new(Code::MethodNotAllowed);
    }
    match error.status() {
        status if status.is_client_error() => Problem::with_detail(Code::InvalidParameter, "The request is malformed."),
        _ => Problem::new(Code::InternalError),
    }
}

/// The answer after a panic. The panic hook of [`crate::telemetry`] logs the panic itself.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    Problem::new(Code::InternalError).into_response()
}
