//! Parsing Zoho's answers into one result per record.
//!
//! Each entry counts, not the HTTP status: partial failures come with 200 in one place and with 207 in another.

use chrono::DateTime;
use reqwest::header::DATE;
use serde_json::{Map, Value};

use super::{
    error::CallError,
    refusal::{Action, MAX_RECORDS, Purpose, RecordAnswer, Refusal, word},
};
use crate::{clock::Timestamp, http::HttpAnswer};

/// The header with the number of credits left; only sent when less than half are left.
const CREDITS: &str = "x-api-credits-remaining";

/// The scopes that we need: shown by `zoho connect`, and named when one is missing.
pub const SCOPES: &str = "ZohoCRM.modules.ALL,ZohoCRM.settings.fields.READ,ZohoCRM.settings.fields.CREATE,\
ZohoCRM.settings.modules.READ,ZohoCRM.settings.modules.CREATE,ZohoCRM.settings.layouts.READ,ZohoCRM.settings.profiles.READ,\
ZohoCRM.users.READ,ZohoCRM.org.READ,ZohoCRM.coql.READ,ZohoCRM.bulk.ALL";

pub(super) fn credits(answer: &HttpAnswer) -> Option<i64> {
    answer.headers.get(CREDITS)?.to_str().ok()?.trim().parse().ok()
}

/// The time of the answer, by Zoho's clock.
pub(super) fn date(answer: &HttpAnswer) -> Option<Timestamp> {
    let date = answer.headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(date).ok().map(|date| Timestamp(date.timestamp_millis()))
}

/// The limit that the call hit, if any; for the limiter.
pub(super) fn limit_reached(answer: &HttpAnswer) -> Option<CallError> {
    if !matches!(answer.status, 403 | 429) {
        return None;
    }
    let error = call_error(answer, json(answer).as_ref(), 0)?;
    matches!(error, CallError::Throttled { .. } | CallError::CreditsExhausted).then_some(error)
}

/// Codes that concern the whole call even when they come as an entry.
const ABOUT_THE_CALL: [&str; 6] = [
    "INVALID_TOKEN",
    "AUTHENTICATION_FAILURE",
    "OAUTH_SCOPE_MISMATCH",
    "INVALID_MODULE",
    "INVALID_URL_PATTERN",
    "TOO_MANY_REQUESTS",
];

/// Whether Zoho rejected the access token.
pub(super) fn is_token_refused(answer: &HttpAnswer) -> bool {
    let refused = || matches!(call_error(answer, json(answer).as_ref(), 0), Some(CallError::Unauthorized { .. }));
    answer.status == 401 && refused()
}

fn json(answer: &HttpAnswer) -> Option<Value> {
    serde_json::from_slice(&answer.body).ok()
}

/// The code of an answer that concerns the whole call. `expected` is the number of entries of an answer about records.
fn code_of_call(body: &Value, expected: usize) -> Option<&str> {
    if let Some(code) = body.get("code") {
        return code.as_str();
    }
    let entries = body.get("data")?.as_array()?;
    let is_error = |entry: &Value| entry.get("status").and_then(Value::as_str) == Some("error");
    let code = entries.first().filter(|entry| is_error(entry))?.get("code")?.as_str()?;
    let lone = entries.len() == 1 && expected != 1;
    let all = || entries.iter().all(|entry| entry.get("code").and_then(Value::as_str) == Some(code));
    (lone || (ABOUT_THE_CALL.contains(&code) && all())).then_some(code)
}

/// Reads one entry per record sent.
pub(super) fn entries(
    answer: &HttpAnswer,
    list: &str,
    expected: usize,
    purpose: Purpose,
) -> Result<Vec<RecordAnswer>, CallError> {
    let body = parse(answer, expected)?;
    let Some(entries) = body.get(list).and_then(Value::as_array).filter(|entries| entries.len() == expected) else {
        return Err(unexpected(answer.status));
    };
    entries.iter().map(|entry| read_entry(entry, purpose).ok_or_else(|| unexpected(answer.status))).collect()
}

/// A time in an answer.
pub fn time(value: &Value) -> Option<Timestamp> {
    Timestamp::from_rfc3339(value.as_str()?)
}

fn read_entry(entry: &Value, purpose: Purpose) -> Option<RecordAnswer> {
    match entry.get("status").and_then(Value::as_str)? {
        "success" => {}
        "error" => return Some(RecordAnswer::Refused(Refusal::read(entry, purpose))),
        _ => return None,
    }
    let id = match entry.pointer("/details/id") {
        Some(Value::String(id)) if !id.is_empty() => id.clone(),
        // Documented as a number in places.
        Some(Value::Number(id)) => id.to_string(),
        _ => return Some(RecordAnswer::Refused(Refusal::without_id())),
    };
    let action = match purpose {
        Purpose::Create => Action::Inserted,
        Purpose::Update => Action::Updated,
        Purpose::Delete => Action::Deleted,
    };
    let modified_at = entry.pointer("/details/Modified_Time").and_then(time);
    Some(RecordAnswer::Done { id, action, modified_at })
}

/// Reads a page of records, and whether there are more.
pub(super) fn records(answer: &HttpAnswer) -> Result<(Vec<Map<String, Value>>, bool), CallError> {
    page(answer, "data")
}

/// Reads a page of a list of objects, and whether there are more.
pub(super) fn page(answer: &HttpAnswer, name: &str) -> Result<(Vec<Map<String, Value>>, bool), CallError> {
    if is_empty(answer) {
        return Ok((Vec::new(), false));
    }
    let body = parse(answer, 0)?;
    let more = body.pointer("/info/more_records").and_then(Value::as_bool).unwrap_or(false);
    Ok((objects(body, name, answer.status)?, more))
}

/// Reads a list of objects; empty when the answer has no content.
pub(super) fn list(answer: &HttpAnswer, name: &str) -> Result<Vec<Map<String, Value>>, CallError> {
    if is_empty(answer) {
        return Ok(Vec::new());
    }
    objects(parse(answer, 0)?, name, answer.status)
}

fn objects(mut body: Value, name: &str, status: u16) -> Result<Vec<Map<String, Value>>, CallError> {
    let Some(Value::Array(list)) = body.get_mut(name).map(Value::take) else { return Err(unexpected(status)) };
    let object = |value| match value {
        Value::Object(object) => Ok(object),
        _ => Err(unexpected(status)),
    };
    list.into_iter().map(object).collect()
}

fn is_empty(answer: &HttpAnswer) -> bool {
    answer.status == 204 || (answer.status == 304 && answer.body.is_empty())
}

/// The JSON of an answer, unless it is an error of the whole call.
fn parse(answer: &HttpAnswer, expected: usize) -> Result<Value, CallError> {
    let body = json(answer);
    if let Some(error) = call_error(answer, body.as_ref(), expected) {
        return Err(error);
    }
    body.filter(Value::is_object).ok_or_else(|| match answer.status {
        200..=299 => CallError::unknown(Some(answer.status), "the answer was incomplete"),
        status => CallError::unknown(
            Some(status),
            format!("something in front of Zoho answered instead of it (HTTP {status})"),
        ),
    })
}

fn unexpected(status: u16) -> CallError {
    CallError::unknown(Some(status), format!("the answer (HTTP {status}) does not match the request"))
}

/// The error of the whole call, if it is one.
fn call_error(answer: &HttpAnswer, body: Option<&Value>, expected: usize) -> Option<CallError> {
    let status = answer.status;
    let code = match body.and_then(|body| code_of_call(body, expected)) {
        Some("SUCCESS") => return None,
        Some(code) => code,
        None if status == 429 => "TOO_MANY_REQUESTS",
        None if status == 401 => "INVALID_TOKEN",
        None => return None,
    };
    let configuration = |reason: String| CallError::Configuration { reason, code: code.to_owned() };
    Some(match code {
        "INVALID_TOKEN" | "AUTHENTICATION_FAILURE" => CallError::Unauthorized { reason: TOKEN_REFUSED.to_owned() },
        "OAUTH_SCOPE_MISMATCH" => configuration(format!("{SCOPE_MISSING} {SCOPES}")),
        "NO_PERMISSION" | "AUTHORIZATION_FAILED" => configuration(permission_missing(body)),
        MAX_RECORDS => configuration(ROOM_MISSING.to_owned()),
        "INVALID_MODULE" => configuration(MODULE_MISSING.to_owned()),
        // The same of COQL.
        "INVALID_QUERY" if body.is_some_and(|body| body.pointer("/details/module").is_some()) => {
            configuration(MODULE_MISSING.to_owned())
        }
        "INVALID_QUERY" if body.is_some_and(|body| body.pointer("/details/column_name").is_some()) => {
            configuration(FIELD_MISSING.to_owned())
        }
        "INVALID_URL_PATTERN" | "INVALID_REQUEST_METHOD" => configuration(ADDRESS_WRONG.to_owned()),
        "LIMIT_EXCEEDED" | "TOO_MANY_REQUESTS" if status == 429 || status == 403 => limit(code, credits(answer)),
        _ if status >= 500 => {
            CallError::unknown(Some(status), format!("Zoho has a problem of its own ({}, HTTP {status})", word(code)))
        }
        _ => CallError::Invalid {
            reason: format!("Zoho refuses the request ({}, HTTP {status})", word(code)),
            code: word(code),
        },
    })
}

/// Names the permission and the module, if Zoho does.
fn permission_missing(body: Option<&Value>) -> String {
    let details = body.and_then(|body| body.get("details").or_else(|| body.pointer("/data/0/details")));
    let named = |name: &Value| name.as_str().map(word);
    let permissions = details.and_then(|details| details.get("permissions")?.as_array()).into_iter().flatten();
    let permissions: Vec<String> = permissions.filter_map(named).collect();
    let module = details.and_then(|details| named(details.pointer("/module/api_name")?));
    let of = module.map(|module| format!(" for {module}")).unwrap_or_default();
    match permissions.is_empty() {
        true => PERMISSION_MISSING.to_owned(),
        false => format!("{PERMISSION_MISSING} (Zoho names {}{of})", permissions.join(", ")),
    }
}

const TOKEN_REFUSED: &str = "Zoho does not accept a fresh access token. Check that zoho.api_url, if set, belongs to the same data \
    centre as zoho.accounts_url, and that the user whose credentials are used is active and may use the API";

const SCOPE_MISSING: &str =
    "the credentials lack a scope; create new ones with backend-sync zoho connect, with these scopes:";

const PERMISSION_MISSING: &str = "the Zoho user whose credentials are used lacks a permission; give that user's profile access to the \
    API and to the modules of the mapping";

const ROOM_MISSING: &str = "the organisation has room for no more records; delete what is not needed and empty the recycle bin in Zoho, \
    or buy more room";

const MODULE_MISSING: &str =
    "Zoho does not have the module; create it with backend-sync zoho setup, or name another one in the mapping";

const FIELD_MISSING: &str = "Zoho cannot search by a field of the mapping: it does not exist, has several lines, or is restricted by the \
    organisation's privacy settings; compare with backend-sync zoho check";

const ADDRESS_WRONG: &str = "Zoho does not know the address of the call; check zoho.api_url, the names of the modules in the \
    mapping, and that the organisation has Zoho CRM";

/// Zoho uses both codes for both limits; the number of credits left decides, if it is known.
fn limit(code: &str, left: Option<i64>) -> CallError {
    let used_up = left.map_or(code == "LIMIT_EXCEEDED", |left| left <= 0);
    if used_up {
        return CallError::CreditsExhausted;
    }
    CallError::Throttled { reason: "Zoho accepts no more concurrent calls at the moment".to_owned(), until: None }
}
