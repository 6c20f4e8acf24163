//! Zoho's answer for one record, in our words.
//!
//! Zoho's own messages and details may repeat values, which may be personal. We only use the names of fields, types,
//! lengths and record ids.

use serde_json::Value;

/// Zoho's answer for one record of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordAnswer {
    /// Zoho executed it.
    Done {
        /// The record's id in Zoho.
        id: String,
        /// What was done.
        action: Action,
        /// The field by which an upsert found the record.
        duplicate_field: Option<String>,
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
    /// The id of the other record, for [`Class::Duplicate`].
    pub duplicate_id: Option<String>,
    /// What to do about it.
    pub advice: String,
}

/// What a refusal means for the delivery; in order of precedence, for records that are rejected for several reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Another record has the value of a unique field.
    Duplicate,
    /// Zoho's settings or the mapping must change.
    Configuration,
    /// The record must change.
    Data,
    /// The id no longer exists.
    Gone,
    /// Locked by a person or a process in Zoho; a later retry works.
    Locked,
    /// Temporary.
    Retry,
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
    pub(super) fn read(entry: &Value, deleting: bool) -> Self {
        let errors = entry.pointer("/details/errors").and_then(Value::as_array);
        if let Some(errors) = errors.filter(|errors| !errors.is_empty()) {
            return Self::merge(errors.iter().map(|error| Self::read(error, deleting)).collect());
        }
        let code = word(entry["code"].as_str().unwrap_or_default());
        let details = &entry["details"];
        let (place, of_record_id) = place(details);
        let class = match class(&code) {
            // The addressed record itself is missing, not one that it refers to.
            Class::Data if code == "INVALID_DATA" && (deleting || of_record_id) => Class::Gone,
            class => class,
        };
        let field = if class == Class::Gone { None } else { place };
        let about = field.as_deref().map(|field| format!("{field}: ")).unwrap_or_default();
        let (what, advice) = words(&code, class, details);
        let duplicate = details.pointer("/duplicate_record/id").or_else(|| details.get("id"));
        Self {
            message: format!("{about}{what} ({code})"),
            advice,
            duplicate_id: duplicate.filter(|_| class == Class::Duplicate).and_then(record_id),
            code,
            class,
            field,
        }
    }

    /// Merges several refusals: the most serious one says what to do, and the message lists all.
    fn merge(mut all: Vec<Self>) -> Self {
        all.sort_by_key(|refusal| refusal.class);
        let message = all.iter().map(|refusal| refusal.message.as_str()).collect::<Vec<_>>().join("; ");
        let mut first = all.swap_remove(0);
        first.message = message;
        first
    }

    /// Zoho reports success without the record's id. A retry is safe and will return it.
    pub(super) fn without_id() -> Self {
        Self {
            code: "NO_ID".to_owned(),
            message: "Zoho did not say which record it wrote (NO_ID)".to_owned(),
            class: Class::Retry,
            field: None,
            duplicate_id: None,
            advice: "No action needed: it will be retried".to_owned(),
        }
    }
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
        ("NO_PERMISSION" | "AUTHORIZATION_FAILED", _) => say(
            "the Zoho user whose credentials are used may not write this record",
            "Give that user's profile and role the permission in Zoho",
        ),
        ("OAUTH_SCOPE_MISMATCH", _) => say(
            "the credentials lack a scope",
            "Create new ones with backend-sync zoho connect, with all scopes that it names",
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
