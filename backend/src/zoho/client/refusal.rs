//! What Zoho says of one record, in our words.
//!
//! Zoho's own messages and details may repeat values, which may be personal. Only the names of fields, types, lengths and ids of
//! records are taken over.

use serde_json::Value;

/// What became of one record of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordAnswer {
    /// Zoho did it.
    Done {
        /// The record's id in Zoho.
        id: String,
        /// What was done.
        action: Action,
        /// The field by which an upsert found the record.
        duplicate_field: Option<String>,
    },
    /// Zoho did not.
    Refused(Refusal),
}

/// What was done with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was made.
    Inserted,
    /// It was there and was changed.
    Updated,
    /// It is in the recycle bin.
    Deleted,
}

/// Why a record was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Zoho's word for it.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What it means for the delivery.
    pub class: Class,
    /// The field that it is about.
    pub field: Option<String>,
    /// The other record, when two would have the same value.
    pub duplicate_id: Option<String>,
    /// What to do about it.
    pub advice: String,
}

/// What a refusal means for the delivery. In the order of precedence, when a record is refused for several reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Another record has the value of a unique field.
    Duplicate,
    /// Something must be set otherwise in Zoho or in the mapping.
    Configuration,
    /// Something must be otherwise in the record.
    Data,
    /// The id does not exist any more.
    Gone,
    /// Locked by a person or a process in Zoho; later it works.
    Locked,
    /// Passes by itself.
    Retry,
}

/// Characters of a name that is taken over from an answer; Zoho's own are shorter.
const NAME_CHARACTERS: usize = 100;

/// A code of Zoho's as a word that is fit to be shown, whatever came.
pub(super) fn word(code: &str) -> String {
    name(code).unwrap_or_else(|| "a code that cannot be shown".to_owned())
}

/// The name of a field, a path or a type: nothing that a value could pass for.
fn name(text: &str) -> Option<String> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "_$.[]-".contains(character);
    (!text.is_empty() && text.len() <= NAME_CHARACTERS && text.chars().all(fits)).then(|| text.to_owned())
}

/// An id of a record in Zoho.
fn record_id(value: &Value) -> Option<String> {
    let id = value.as_str()?;
    (!id.is_empty() && id.len() <= 30 && id.bytes().all(|byte| byte.is_ascii_digit())).then(|| id.to_owned())
}

impl Refusal {
    /// Reads an entry with an error.
    pub(super) fn read(entry: &Value, deleting: bool) -> Self {
        let errors = entry.pointer("/details/errors").and_then(Value::as_array);
        if let Some(errors) = errors.filter(|errors| !errors.is_empty()) {
            return Self::merge(errors.iter().map(|error| Self::read(error, deleting)).collect());
        }
        let code = word(entry["code"].as_str().unwrap_or_default());
        let details = &entry["details"];
        let (place, of_record_id) = place(details);
        let class = match class(&code) {
            // The record that is addressed, and not a record that it refers to.
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

    /// One refusal of several: the most serious says what to do, and the message names all.
    fn merge(mut all: Vec<Self>) -> Self {
        all.sort_by_key(|refusal| refusal.class);
        let message = all.iter().map(|refusal| refusal.message.as_str()).collect::<Vec<_>>().join("; ");
        let mut first = all.swap_remove(0);
        first.message = message;
        first
    }

    /// Zoho says that it did it, and not which record it is. The same again is safe, and tells.
    pub(super) fn without_id() -> Self {
        Self {
            code: "NO_ID".to_owned(),
            message: "Zoho did not say which record it wrote (NO_ID)".to_owned(),
            class: Class::Retry,
            field: None,
            duplicate_id: None,
            advice: "Nothing: it is sent again".to_owned(),
        }
    }
}

/// The field that the details are about, and whether that is the id of the record itself.
fn place(details: &Value) -> (Option<String>, bool) {
    let api_name = details["api_name"].as_str().and_then(name);
    let expected = details.pointer("/expected_fields/0/api_name").and_then(Value::as_str).and_then(name);
    // As in $.data[3].Contact.id, where the API name is that of the innermost.
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
        // MANDATORY_NOT_FOUND, INVALID_DATA and their kin; an unknown code about one record is most likely of the kind.
        _ => Class::Data,
    }
}

/// What is wrong and what to do.
fn words(code: &str, class: Class, details: &Value) -> (String, String) {
    let say = |what: &str, advice: &str| (what.to_owned(), advice.to_owned());
    match (code, class) {
        ("INVALID_DATA", Class::Data) => invalid_data(details),
        ("MANDATORY_NOT_FOUND" | "EXPECTED_FIELD_MISSING" | "DEPENDENT_FIELD_MISSING", _) => say(
            "Zoho demands a value",
            "Fill it in in Moodle, give the field a fallback in the mapping, or make it optional in Zoho",
        ),
        ("DEPENDENT_MISMATCH", _) => say(
            "the value does not go with the value of the field that it depends on in Zoho",
            "Correct the dependency of the two fields in Zoho, or the mapping",
        ),
        ("RECORD_IN_BLUEPRINT", _) => say(
            "a blueprint in Zoho does not allow the change",
            "Finish the blueprint's step of this record, or leave the field out of the mapping",
        ),
        ("ALREADY_MODIFIED", _) => say("somebody changed the record at the same time", "Nothing: it is tried again"),
        ("NOT_APPROVED", _) => say(
            "the record waits for an approval in Zoho",
            "Approve or reject it in Zoho; it is tried again until then",
        ),
        (_, Class::Duplicate) => say(
            "another record in Zoho has the same value",
            "Open both records in Zoho, merge them or correct one, and deliver this again",
        ),
        ("NO_PERMISSION" | "AUTHORIZATION_FAILED", _) => say(
            "the Zoho user whose credentials are used may not write this record",
            "Give that user's profile and role the permission in Zoho",
        ),
        ("OAUTH_SCOPE_MISMATCH", _) => say(
            "the credentials lack a scope",
            "Make new ones with backend-sync zoho connect, with all scopes that it names",
        ),
        (_, Class::Configuration) => say(
            "Zoho does not know the module",
            "Run backend-sync zoho check; it shows what the mapping and Zoho disagree about",
        ),
        (_, Class::Gone) => {
            say("Zoho has no record with this id any more", "Nothing: it is made again if it is still wanted")
        }
        (_, Class::Locked) => {
            say("the record is locked in Zoho", "Unlock it in Zoho if it stays so; it is tried again until then")
        }
        (_, Class::Retry) => say("Zoho could not do it just now", "Nothing: it is tried again"),
        (_, Class::Data) => say(
            "Zoho refuses the record",
            "Look the code up in Zoho's API documentation, and correct the record or the mapping",
        ),
    }
}

fn invalid_data(details: &Value) -> (String, String) {
    let expected = details["expected_data_type"].as_str().and_then(name);
    let length = details["maximum_length"].as_u64();
    let what = match (expected, length) {
        (_, Some(length)) => format!("the value is longer than the {length} that Zoho allows"),
        (Some(expected), None) => format!("Zoho wants a value of type {expected}"),
        (None, None) => "Zoho does not take the value".to_owned(),
    };
    (
        what,
        "Correct it in Moodle, or the field's rule in the mapping; backend-sync zoho check compares the two".to_owned(),
    )
}
