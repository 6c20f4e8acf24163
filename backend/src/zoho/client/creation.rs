//! Creating modules and fields.
//!
//! Settings calls hold no personal data, so what Zoho says about them is shown as it is.

use std::fmt;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{Call, Client, answer, error::CallError, refusal::word};
use crate::http::HttpAnswer;

/// The credits for creating a module, by Zoho's pages.
pub const MODULE_CREDITS: u32 = 500;

/// The most characters of Zoho's message that are shown.
const MESSAGE_CHARACTERS: usize = 200;

/// What became of one new module or field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// Zoho created it.
    Done,
    /// Zoho refused it.
    Refused(SettingsRefusal),
}

/// Why Zoho refused a new module or field, in Zoho's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsRefusal {
    /// Zoho's code.
    pub code: String,
    /// Where in the request the mistake is, for example `$.fields[0].unique`.
    pub path: Option<String>,
    /// Zoho's message.
    pub message: String,
    /// The limit that was reached.
    pub limit: Option<u64>,
}

impl SettingsRefusal {
    fn read(entry: &Map<String, Value>) -> Self {
        let entry = Value::Object(entry.clone());
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str);
        let due_to = text("/details/limit_due_to/0/json_path");
        let message = text("/message").unwrap_or_default();
        Self {
            code: word(text("/code").unwrap_or_default()),
            path: text("/details/json_path").or(due_to).map(word),
            message: message.chars().filter(|letter| !letter.is_control()).take(MESSAGE_CHARACTERS).collect(),
            limit: entry.pointer("/details/limit").and_then(Value::as_u64),
        }
    }

    /// Which of the new fields it is about.
    fn place(&self, list: &str) -> Option<usize> {
        let path = self.path.as_deref()?;
        path.strip_prefix("$.")?.strip_prefix(list)?.strip_prefix('[')?.split(']').next()?.parse().ok()
    }

    /// Whether it is about a label or name, which may have fewer kinds of characters than we sent.
    pub fn concerns(&self, setting: &str) -> bool {
        self.path.as_deref().is_some_and(|path| path.ends_with(setting))
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self.code.as_str() {
            "LIMIT_EXCEEDED" => {
                "The organisation has no room for it: delete in Zoho what nobody uses (unused fields count), leave something out of the \
                 mapping file, or choose a larger edition."
            }
            "DUPLICATE_DATA" => {
                "Zoho has something of this name or label already, perhaps hidden, on no layout or about to be deleted: rename it there, \
                 or use another name in the mapping file."
            }
            "NO_PERMISSION" => "Let the connection's user customise Zoho CRM: a permission of the user's profile.",
            _ => {
                "Create it by hand in Zoho's settings, with this API name and type, or use another name in the mapping file; then run \
                 the command again."
            }
        }
    }
}

impl fmt::Display for SettingsRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        if let Some(path) = &self.path {
            write!(f, " at {path}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": \"{}\"", self.message)?;
        }
        self.limit.map_or(Ok(()), |limit| write!(f, ", the limit is {limit}"))
    }
}

impl Client {
    /// Creates the module that the body describes.
    pub async fn create_module(&self, body: Value) -> Result<Creation, CallError> {
        let answer = self.create("modules", Vec::new(), &body, MODULE_CREDITS).await?;
        if let Some(refusal) = refusals(&answer, "modules").into_iter().next() {
            return Ok(Creation::Refused(refusal));
        }
        let mut created = created(&answer, "modules", 1)?;
        created
            .pop()
            .ok_or_else(|| CallError::unknown(Some(answer.status), "Zoho did not say whether it created the module"))
    }

    /// Creates the fields that the body describes, at most five. Zoho creates all of them or none, so those that it
    /// refuses are left out of a second call. Returns one entry per field, in order.
    pub async fn create_fields(&self, module: &str, body: Value) -> Result<Vec<Creation>, CallError> {
        let fields = body.get("fields").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut entries: Vec<Option<Creation>> = vec![None; fields.len()];
        loop {
            let open: Vec<usize> = (0..fields.len()).filter(|place| entries[*place].is_none()).collect();
            if open.is_empty() {
                return Ok(entries.into_iter().flatten().collect());
            }
            let body = json!({ "fields": open.iter().map(|place| &fields[*place]).collect::<Vec<_>>() });
            let answer = self.create("fields", vec![("module", module.to_owned())], &body, 1).await?;
            let refused = refusals(&answer, "fields");
            if refused.is_empty() {
                let created = created(&answer, "fields", open.len())?;
                open.into_iter().zip(created).for_each(|(place, entry)| entries[place] = Some(entry));
                continue;
            }
            for refusal in refused {
                match refusal.place("fields").and_then(|place| open.get(place)) {
                    Some(place) => entries[*place] = Some(Creation::Refused(refusal)),
                    // It names no field, so it is about all of them.
                    None => open.iter().for_each(|place| entries[*place] = Some(Creation::Refused(refusal.clone()))),
                }
            }
        }
    }

    async fn create(
        &self,
        what: &str,
        query: Vec<(&str, String)>,
        body: &Value,
        credits: u32,
    ) -> Result<HttpAnswer, CallError> {
        let read = Call::read("create", "", format!("settings/{what}"));
        let body = Some(body.to_string().into_bytes());
        self.send(Call { method: Method::POST, query, body, writes: 1, credits, ..read }).await
    }
}

/// The refusals of a call that created nothing: a list of as many as there are mistakes, or a single one.
fn refusals(answer: &HttpAnswer, list: &str) -> Vec<SettingsRefusal> {
    if answer.status != 400 {
        return Vec::new();
    }
    let body = serde_json::from_slice::<Map<String, Value>>(&answer.body).unwrap_or_default();
    match body.get(list).and_then(Value::as_array) {
        Some(entries) => entries.iter().filter_map(Value::as_object).map(SettingsRefusal::read).collect(),
        None if body.contains_key("code") => vec![SettingsRefusal::read(&body)],
        None => Vec::new(),
    }
}

/// Reads one entry per new module or field.
fn created(answer: &HttpAnswer, list: &str, expected: usize) -> Result<Vec<Creation>, CallError> {
    let entries = answer::list(answer, list)?;
    if entries.len() != expected {
        return Err(CallError::unknown(Some(answer.status), "the answer does not match the request"));
    }
    let read = |entry: &Map<String, Value>| match entry.get("status").and_then(Value::as_str) {
        Some("success") => Creation::Done,
        _ => Creation::Refused(SettingsRefusal::read(entry)),
    };
    Ok(entries.iter().map(read).collect())
}
