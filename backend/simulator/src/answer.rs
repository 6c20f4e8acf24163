//! Answers: a status and a body, and Zoho's two shapes of errors.

use poem::{Response, http::StatusCode};
use serde_json::{Map, Value, json};

use super::{rules::Rule, settings::ErrorDetails};

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
    /// The rules that it is due to.
    pub(super) rules: Vec<Rule>,
}

#[derive(Debug)]
pub(super) enum Body {
    Empty,
    Json(Value),
    /// JSON that is already serialized.
    Text(String),
    Html,
    Zip(Vec<u8>),
}

impl Answer {
    pub(super) fn json(status: StatusCode, body: Value) -> Self {
        Self { status, body: Body::Json(body), rules: Vec::new() }
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(super) fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: Body::Empty, rules: Vec::new() }
    }

    pub(super) fn gateway(status: StatusCode) -> Self {
        Self { status, body: Body::Html, rules: Vec::new() }
    }

    /// Cuts the body in the middle.
    pub(super) fn truncated(self) -> Self {
        if let Body::Zip(mut file) = self.body {
            file.truncate(file.len() / 2);
            return Self { body: Body::Zip(file), ..self };
        }
        let mut text = match self.body {
            Body::Json(value) => value.to_string(),
            Body::Text(text) => text,
            Body::Empty | Body::Html | Body::Zip(_) => String::new(),
        };
        let middle = text.floor_char_boundary(text.len() / 2);
        text.truncate(middle);
        Self { body: Body::Text(text), ..self }
    }

    /// The same answer, with other details about ids and modules that do not exist.
    pub(super) fn with_details(mut self, details: ErrorDetails) -> Self {
        let details = match details {
            ErrorDetails::Usual => return self,
            ErrorDetails::ApiName => json!({ "api_name": "id" }),
            ErrorDetails::PathIndex => json!({ "resource_path_index": 0 }),
            ErrorDetails::Empty => json!({}),
        };
        let rules = [Rule::RecordExists, Rule::ModuleExists];
        let is_meant = |entry: &Value| {
            rules
                .iter()
                .map(|rule| rule.refusal())
                .any(|(_, code, says)| entry["code"] == code && entry["message"] == says)
        };
        if let Body::Json(body) = &mut self.body {
            set_details(body, &details, &is_meant);
        }
        self
    }

    /// The same answer, due to these rules.
    pub(super) fn due_to(self, rules: Vec<Rule>) -> Self {
        Self { rules, ..self }
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
            Body::Zip(file) => builder.content_type("application/zip").body(file),
        }
    }
}

/// Sets the details of the errors in an answer: of the answer itself, or of the entries of its list.
fn set_details(value: &mut Value, details: &Value, is_meant: &impl Fn(&Value) -> bool) {
    if is_meant(value) {
        value["details"] = details.clone();
        return;
    }
    let lists = value.as_object_mut().into_iter().flat_map(Map::values_mut).filter_map(Value::as_array_mut);
    for entry in lists.flatten().filter(|entry| is_meant(entry)) {
        entry["details"] = details.clone();
    }
}

/// An error in Zoho's format, for a whole call or one record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    /// The rule that was broken; faults break none.
    pub(super) rule: Option<Rule>,
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: &'static str,
    pub(super) details: Map<String, Value>,
}

impl Refusal {
    /// The refusal of a call or a record that breaks this rule.
    pub(super) fn of(rule: Rule) -> Self {
        let (status, code, message) = rule.refusal();
        Self { rule: Some(rule), status, code, message, details: Map::new() }
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
        Answer::json(self.status, self.entry()).due_to(self.rule.into_iter().collect())
    }

    /// The answer of the one call whose errors have no details when the token is refused.
    pub(super) fn without_details(self) -> Answer {
        let entry = json!({ "code": self.code, "message": self.message, "status": "error" });
        Answer::json(self.status, entry).due_to(self.rule.into_iter().collect())
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
        Answer::json(self.status, json!({ "data": [entry] })).due_to(self.rule.into_iter().collect())
    }

    pub(super) fn no_permission() -> Self {
        let (code, message) = ("NO_PERMISSION", "permission denied");
        let refusal = Self { rule: None, status: StatusCode::FORBIDDEN, code, message, details: Map::new() };
        refusal.detail("permissions", json!(["Crm_Implied_Api_Access"]))
    }

    pub(super) fn internal_error() -> Self {
        let (status, code, message) =
            (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "internal server error occurred");
        Self { rule: None, status, code, message, details: Map::new() }
    }

    pub(super) fn invalid_module() -> Self {
        Self::of(Rule::ModuleExists).detail("resource_path_index", 0)
    }
}
