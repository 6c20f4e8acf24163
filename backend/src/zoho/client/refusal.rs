//! Zoho's answer for one record, in our words.
//!
//! Zoho's own messages and details may repeat values, which may be personal. We only use the names of fields, types,
//! lengths and record ids.

use serde_json::Value;

use crate::clock::Timestamp;

/// The kind of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Update,
    Delete,
    Create,
}

impl Purpose {
    /// Whether the call names existing records by their ids.
    pub(super) fn by_id(self) -> bool {
        self != Self::Create
    }
}

/// Zoho's answer for one record of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordAnswer {
    /// Zoho executed it.
    Done {
        /// The record's id in Zoho.
        id: String,
        /// What was done.
        action: Action,
        /// When, by Zoho's clock.
        modified_at: Option<Timestamp>,
    },
    /// Zoho rejected it.
    Refused(Refusal),
}

/// What was done with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was created.
    Inserted,
    /// It existed and was changed.
    Updated,
    /// It is in the recycle bin.
    Deleted,
}

/// Why a record was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Zoho's code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What it means for the delivery.
    pub class: Class,
    /// The API name of the field concerned.
    pub field: Option<String>,
    /// The other records that have the value of a unique field, for [`Class::Duplicate`].
    pub duplicates: Vec<Duplicate>,
    /// What to do about it.
    pub advice: String,
}

/// Another record with the same value in a unique field. It need not be of the same module: by an organisation's
/// preferences, it may be a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The field.
    pub field: Option<String>,
    /// The other record's id.
    pub id: String,
}

/// What a refusal means for the delivery; in order of precedence, for records that are rejected for several reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Another record has the value of a unique field.
    Duplicate,
    /// Zoho's settings or the mapping must change.
    Configuration,
    /// The organisation has room for no more records.
    Full,
    /// The record must change.
    Data,
    /// The id no longer exists.
    Gone,
    /// Locked by a person or a process in Zoho; a later retry works.
    Locked,
    /// Temporary.
    Retry,
}

/// Zoho's code when the edition's number of records, or its storage, is used up.
pub(super) const MAX_RECORDS: &str = "MAX_RECORDS_LIMIT_REACHED";

impl Class {
    /// Whether the reason concerns other records of the module too.
    pub fn concerns_others(self) -> bool {
        matches!(self, Self::Configuration | Self::Full)
    }
}

/// The longest name that we use from an answer; Zoho's are shorter.
const NAME_CHARACTERS: usize = 100;

/// Zoho's code, or a placeholder if it is unsafe to show.
pub(super) fn word(code: &str) -> String {
    name(code).unwrap_or_else(|| "a code that cannot be shown".to_owned())
}

/// The name of a field, path or type, if it cannot be a value.
fn name(text: &str) -> Option<String> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "_$.[]-".contains(character);
    (!text.is_empty() && text.len() <= NAME_CHARACTERS && text.chars().all(fits)).then(|| text.to_owned())
}

/// The id of a record in Zoho.
fn record_id(value: &Value) -> Option<String> {
    let id = value.as_str()?;
    (!id.is_empty() && id.len() <= 30 && id.bytes().all(|byte| byte.is_ascii_digit())).then(|| id.to_owned())
}

impl Refusal {
    /// Reads an error entry.
    pub(super) fn read(entry: &Value, purpose: Purpose) -> Self {
        let errors = entry.pointer("/details/errors").and_then(Value::as_array);
        if let Some(errors) = errors.filter(|errors| !errors.is_empty()) {
            return Self::merge(errors.iter().map(|error| Self::read(error, purpose)).collect());
        }
        let code = word(entry["code"].as_str().unwrap_or_default());
        let details = &entry["details"];
        let (place, of_record_id) = place(details);
        let class = match class(&code) {
            // The addressed record itself is missing, not one that it refers to. Some answers don't say what is invalid.
            Class::Data if code == "INVALID_DATA" && (of_record_id || purpose.by_id() && says_nothing(details)) => {
                Class::Gone
            }
            class => class,
        };
        let field = if class == Class::Gone { None } else { place };
        let about = field.as_deref().map(|field| format!("{field}: ")).unwrap_or_default();
        let (what, advice) = words(&code, class, details);
        let duplicate = details.pointer("/duplicate_record/id").or_else(|| details.get("id"));
        let duplicate = duplicate.filter(|_| class == Class::Duplicate).and_then(record_id);
        Self {
            message: format!("{about}{what} ({code})"),
            advice,
            duplicates: duplicate.map(|id| Duplicate { field: field.clone(), id }).into_iter().collect(),
            code,
            class,
            field,
        }
    }

    /// Merges several refusals: the most serious one says what to do, and the message lists all.
    fn merge(mut all: Vec<Self>) -> Self {
        all.sort_by_key(|refusal| refusal.class);
        let message = all.iter().map(|refusal| refusal.message.as_str()).collect::<Vec<_>>().join("; ");
        let duplicates = all.iter_mut().flat_map(|refusal| std::mem::take(&mut refusal.duplicates)).collect();
        Self { message, duplicates, ..all.swap_remove(0) }
    }

    /// Zoho reports success without the record's id. A retry is safe and will return it.
    pub(super) fn without_id() -> Self {
        Self {
            code: "NO_ID".to_owned(),
            message: "Zoho did not say which record it wrote (NO_ID)".to_owned(),
            class: Class::Retry,
            field: None,
            duplicates: Vec::new(),
            advice: "No action needed: it will be retried".to_owned(),
        }
    }
}

/// Whether the details name neither a field nor what was expected of its value.
fn says_nothing(details: &Value) -> bool {
    let telling = ["api_name", "json_path", "expected_data_type", "maximum_length", "expected_fields"];
    telling.iter().all(|name| details.get(*name).is_none())
}

/// The field that the details concern, and whether it is the record's own id.
fn place(details: &Value) -> (Option<String>, bool) {
    let api_name = details["api_name"].as_str().and_then(name);
    let expected = details.pointer("/expected_fields/0/api_name").and_then(Value::as_str).and_then(name);
    // For example $.data[3].Contact.id, where `api_name` is the innermost name.
    let path = details["json_path"].as_str().and_then(name);
    let of_path = path.as_deref().and_then(|path| path.strip_prefix("$.data[")).and_then(|rest| {
        let field = rest.split_once("].")?.1.split(['.', '[']).next()?;
        (!field.is_empty()).then(|| field.to_owned())
    });
    let field = of_path.or(api_name).or(expected);
    let of_record_id = field.as_deref() == Some("id");
    (field, of_record_id)
}

fn class(code: &str) -> Class {
    match code {
        "DUPLICATE_DATA" => Class::Duplicate,
        MAX_RECORDS => Class::Full,
        "INVALID_MODULE"
        | "INVALID_URL_PATTERN"
        | "INVALID_REQUEST_METHOD"
        | "NO_PERMISSION"
        | "AUTHORIZATION_FAILED"
        | "OAUTH_SCOPE_MISMATCH" => Class::Configuration,
        "RECORD_LOCKED" | "NOT_APPROVED" => Class::Locked,
        "INTERNAL_ERROR"
        | "DEPENDENT_SERVICE_ERROR"
        | "SERVICE_UNAVAILABLE"
        | "LIMIT_EXCEEDED"
        | "TOO_MANY_REQUESTS"
        | "ALREADY_MODIFIED"
        | "AMBIGUITY_DURING_PROCESSING" => Class::Retry,
        // MANDATORY_NOT_FOUND, INVALID_DATA and the like; an unknown code for one record is most likely of this kind.
        _ => Class::Data,
    }
}

/// What is wrong and what to do.
fn words(code: &str, class: Class, details: &Value) -> (String, String) {
    let say = |what: &str, advice: &str| (what.to_owned(), advice.to_owned());
    match (code, class) {
        ("INVALID_DATA", Class::Data) => invalid_data(details),
        ("MANDATORY_NOT_FOUND" | "EXPECTED_FIELD_MISSING" | "DEPENDENT_FIELD_MISSING", _) => say(
            "Zoho requires a value",
            "Enter it in Moodle, give the field a fallback in the mapping, or make it optional in Zoho",
        ),
        ("DEPENDENT_MISMATCH", _) => say(
            "the value does not match the value of the field that it depends on in Zoho",
            "Correct the dependency of the two fields in Zoho, or the mapping",
        ),
        ("RECORD_IN_BLUEPRINT", _) => say(
            "a blueprint in Zoho does not allow the change",
            "Complete the blueprint's step for this record, or remove the field from the mapping",
        ),
        ("ALREADY_MODIFIED", _) => {
            say("somebody changed the record at the same time", "No action needed: it will be retried")
        }
        ("NOT_APPROVED", _) => {
            say("the record waits for an approval in Zoho", "Approve or reject it in Zoho; it is retried until then")
        }
        (_, Class::Duplicate) => say(
            "another record in Zoho has the same value",
            "Open both records in Zoho, merge them or correct one, then retry",
        ),
        ("NO_PERMISSION" | "AUTHORIZATION_FAILED", _) => (
            format!("the Zoho user whose credentials are used may not write this record{}", permissions(details)),
            "Give that user's profile and role the permission in Zoho".to_owned(),
        ),
        ("OAUTH_SCOPE_MISMATCH", _) => say(
            "the credentials lack a scope",
            "Create new ones with backend-sync zoho connect, with all scopes that it names",
        ),
        (_, Class::Full) => say(
            "the organisation has room for no more records",
            "Delete what is not needed and empty the recycle bin in Zoho, or buy more room; it is tried again by itself",
        ),
        (_, Class::Configuration) => say(
            "Zoho does not know the module",
            "Run backend-sync zoho check; it shows where the mapping and Zoho differ",
        ),
        (_, Class::Gone) => {
            say("Zoho no longer has a record with this id", "No action needed: it is created again if needed")
        }
        (_, Class::Locked) => {
            say("the record is locked in Zoho", "If it stays locked, unlock it in Zoho; it is retried until then")
        }
        (_, Class::Retry) => say("Zoho has a temporary problem", "No action needed: it will be retried"),
        (_, Class::Data) => say(
            "Zoho rejects the record",
            "Look up the code in Zoho's API documentation, and correct the record or the mapping",
        ),
    }
}

/// The permissions that the answer says are missing, such as `Crm_Implied_Create_Contacts`, in parentheses.
pub(super) fn permissions(details: &Value) -> String {
    let missing = details["permissions"].as_array().into_iter().flatten();
    let missing: Vec<String> = missing.filter_map(Value::as_str).filter_map(name).collect();
    if missing.is_empty() { String::new() } else { format!(" (missing: {})", missing.join(", ")) }
}

fn invalid_data(details: &Value) -> (String, String) {
    let expected = details["expected_data_type"].as_str().and_then(name);
    let length = details["maximum_length"].as_u64();
    let what = match (expected, length) {
        (_, Some(length)) => format!("the value is longer than the {length} characters that Zoho allows"),
        (Some(expected), None) => format!("Zoho expects a value of type {expected}"),
        (None, None) => "Zoho does not accept the value".to_owned(),
    };
    (
        what,
        "Correct it in Moodle, or the field's rule in the mapping; backend-sync zoho check compares the two".to_owned(),
    )
}
