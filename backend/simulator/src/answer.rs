//! Answers: a status and a body, and Zoho's two shapes of errors.

use poem::{Response, http::StatusCode};
use serde_json::{Map, Value, json};

/// The header with the number of credits left.
pub(super) const CREDITS_HEADER: &str = "X-API-CREDITS-REMAINING";

/// An error page of a gateway.
const GATEWAY_PAGE: &str =
    "<html><head><title>Error</title></head><body><h1>The server did not answer</h1></body></html>";

/// An answer before it is sent.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    Empty,
    Json(Value),
    /// JSON that is already serialized.
    Text(String),
    Html,
}

impl Answer {
    pub(super) fn json(status: StatusCode, body: Value) -> Self {
        Self { status, body: Body::Json(body) }
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(super) fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: Body::Empty }
    }

    pub(super) fn gateway(status: StatusCode) -> Self {
        Self { status, body: Body::Html }
    }

    /// Cuts the body in the middle.
    pub(super) fn truncated(self) -> Self {
        let mut text = match self.body {
            Body::Json(value) => value.to_string(),
            Body::Text(text) => text,
            Body::Empty | Body::Html => String::new(),
        };
        let middle = text.floor_char_boundary(text.len() / 2);
        text.truncate(middle);
        Self { status: self.status, body: Body::Text(text) }
    }

    pub(super) fn into_response(self, credits_left: Option<u64>) -> Response {
        let mut builder = Response::builder().status(self.status);
        if let Some(credits) = credits_left {
            builder = builder.header(CREDITS_HEADER, credits);
        }
        match self.body {
            Body::Empty => builder.finish(),
            Body::Json(value) => builder.content_type("application/json;charset=UTF-8").body(value.to_string()),
            Body::Text(text) => builder.content_type("application/json;charset=UTF-8").body(text),
            Body::Html => builder.content_type("text/html").body(GATEWAY_PAGE),
        }
    }
}

/// An error in Zoho's format, for a whole call or one record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: &'static str,
    pub(super) details: Map<String, Value>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message, details: Map::new() }
    }

    pub(super) fn bad(code: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Adds a detail.
    pub(super) fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// One entry of an answer to a write, or the whole body of an error.
    pub(super) fn entry(&self) -> Value {
        json!({ "code": self.code, "details": self.details, "message": self.message, "status": "error" })
    }

    /// The answer to a writing call, or to one about settings.
    pub(super) fn flat(self) -> Answer {
        Answer::json(self.status, self.entry())
    }

    /// The answer to a call that reads records: according to Zoho's documentation, the error is a list there, with its
    /// own details.
    pub(super) fn of_read(self) -> Answer {
        let mut entry = json!({ "code": self.code, "message": self.message, "status": "error" });
        match self.status {
            StatusCode::BAD_REQUEST => entry["details"] = json!({ "resource_path_index": 0 }),
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::INTERNAL_SERVER_ERROR => {}
            _ => return self.flat(),
        }
        Answer::json(self.status, json!({ "data": [entry] }))
    }

    pub(super) fn invalid_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "INVALID_TOKEN", "invalid oauth token")
    }

    pub(super) fn scope_mismatch() -> Self {
        let message = "invalid oauth scope to access this URL";
        Self::new(StatusCode::UNAUTHORIZED, "OAUTH_SCOPE_MISMATCH", message)
    }

    pub(super) fn no_permission() -> Self {
        Self::new(StatusCode::FORBIDDEN, "NO_PERMISSION", "permission denied")
            .detail("permissions", json!(["Crm_Implied_Api_Access"]))
    }

    pub(super) fn limit_exceeded() -> Self {
        let message = "the credits of the last 24 hours are used up";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "LIMIT_EXCEEDED", message)
    }

    pub(super) fn too_many_requests() -> Self {
        let message = "too many requests at the same time";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", message)
    }

    pub(super) fn internal_error() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "internal error")
    }

    pub(super) fn invalid_module() -> Self {
        Self::bad("INVALID_MODULE", "the module name given seems to be invalid").detail("resource_path_index", 0)
    }

    pub(super) fn invalid_url() -> Self {
        let message = "please check if the URL is correct";
        Self::new(StatusCode::NOT_FOUND, "INVALID_URL_PATTERN", message)
    }

    pub(super) fn invalid_method() -> Self {
        Self::bad("INVALID_REQUEST_METHOD", "the http request method type is not a valid one")
    }

    pub(super) fn record_locked() -> Self {
        Self::bad("RECORD_LOCKED", "the record is locked")
    }
}
