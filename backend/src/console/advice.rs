//! What a reason's code means, and what to do about it, in words for a whole group of records.
//!
//! The reason of a single record names its field and says what to change; this says it for all of them. Zoho has more codes than these:
//! one that stands nowhere here is shown as it is, and its records' reasons say what is known.

use crate::model::ItemState;

/// What a code means.
pub(super) struct Meaning {
    /// What is the matter.
    pub(super) title: String,
    /// What to change, and where.
    pub(super) advice: &'static str,
}

/// The meaning of a code for items in this state.
pub(super) fn meaning(state: ItemState, code: &str) -> Meaning {
    let (title, advice) = words(code).unwrap_or_else(|| (String::new(), of_state(state)));
    let title = match title.is_empty() {
        true if code.is_empty() => "No reason is known".to_owned(),
        true => format!("Refused with the code {code}"),
        false => title,
    };
    Meaning { title, advice }
}

fn of_state(state: ItemState) -> &'static str {
    match state {
        ItemState::Parked => "Nothing: they go by themselves as soon as what they wait for has arrived.",
        _ => "Look at the reason of each record; correct the record in Moodle or the mapping, then try again.",
    }
}

fn words(code: &str) -> Option<(String, &'static str)> {
    let (title, advice) = match code {
        // Waiting for another record.
        "waits_for_user" => (
            "They wait for a person who is not at the destination yet",
            "Nothing: they go by themselves as soon as the person has arrived. If it lasts, look at the person: it may have failed, or \
             Moodle has not reported it; a backfill in the plugin's settings reports everybody.",
        ),
        "waits_for_course" => (
            "They wait for a course that is not at the destination yet",
            "Nothing: they go by themselves as soon as the course has arrived. If it lasts, look at the course: it may have failed, or \
             Moodle has not reported it; a backfill in the plugin's settings reports every course.",
        ),
        // Decided before anything was sent.
        "mapping" => (
            "The mapping does not fit the fields in Zoho",
            "Correct the mapping file or the field in Zoho: the reason names the field and what to write. backend-sync zoho check shows all \
             that does not fit. Then try again.",
        ),
        "invalid_value" => (
            "A value is missing or does not fit its field in Zoho",
            "Correct it in Moodle, where the change makes the record go by itself; or make room for it in Zoho or the mapping file, and \
             try again.",
        ),
        "not_mapped" => (
            "The mapping says nothing about this kind of record",
            "Add a table for it to the mapping file, restart the server, and try again.",
        ),
        "no_record" => (
            "There is no such record any more",
            "Run backend-sync sync audit: records and their states do not agree, which should not happen.",
        ),
        "email_taken" => (
            "Somebody else has the same e-mail address",
            "Decide whether they are one person. The reason names the other record: merge the contacts in Zoho, correct an address in \
             Moodle, or delete the account that nobody uses. Then try again.",
        ),
        // Zoho's answers about one record.
        "DUPLICATE_DATA" => (
            "Another record in Zoho has the same value in a unique field",
            "Open both records in Zoho and merge them or correct one. Then try again.",
        ),
        "INVALID_DATA" => (
            "Zoho does not take a value",
            "The reason names the field. Correct the value in Moodle, where the change makes the record go by itself; or the field's rule in \
             the mapping file, and try again.",
        ),
        "MANDATORY_NOT_FOUND" | "EXPECTED_FIELD_MISSING" | "DEPENDENT_FIELD_MISSING" => (
            "Zoho demands a value that is not there",
            "Fill it in in Moodle, give the field another source in the mapping file, or make it optional in Zoho. Then try again.",
        ),
        "DEPENDENT_MISMATCH" => (
            "Two fields that depend on each other do not go together",
            "Correct the dependency of the two fields in Zoho, or the mapping file. Then try again.",
        ),
        "RECORD_IN_BLUEPRINT" => (
            "A blueprint in Zoho does not allow the change",
            "Finish the blueprint's step of these records in Zoho, or leave the field out of the mapping file. Then try again.",
        ),
        "INVALID_MODULE" | "INVALID_URL_PATTERN" | "INVALID_REQUEST_METHOD" => (
            "Zoho does not know the module",
            "Run backend-sync zoho check, and backend-sync zoho setup for what is missing. Then try again.",
        ),
        "NO_PERMISSION" | "AUTHORIZATION_FAILED" => (
            "The Zoho user whose credentials are used may not write these records",
            "Give that user's profile and role the permission in Zoho. Then try again.",
        ),
        "OAUTH_SCOPE_MISMATCH" => (
            "The credentials lack a scope",
            "Make new ones with backend-sync zoho connect, with all scopes that it names, and put them into the section [zoho].",
        ),
        // A call as a whole.
        "invalid" => (
            "Zoho refuses the request for this record alone",
            "The reason has Zoho's word for it. Look at the record's values in Moodle for what is out of the ordinary, such as a very long \
             text; then try again.",
        ),
        _ => return None,
    };
    Some((title.to_owned(), advice))
}

#[cfg(test)]
mod tests {
    use super::{Meaning, meaning, of_state};
    use crate::model::ItemState;

    /// Codes of our own, and those of Zoho's for which its client has words of their own.
    const KNOWN: [&str; 19] = [
        "waits_for_user",
        "waits_for_course",
        "mapping",
        "invalid_value",
        "not_mapped",
        "no_record",
        "email_taken",
        "invalid",
        "DUPLICATE_DATA",
        "INVALID_DATA",
        "MANDATORY_NOT_FOUND",
        "EXPECTED_FIELD_MISSING",
        "DEPENDENT_FIELD_MISSING",
        "DEPENDENT_MISMATCH",
        "RECORD_IN_BLUEPRINT",
        "INVALID_MODULE",
        "NO_PERMISSION",
        "AUTHORIZATION_FAILED",
        "OAUTH_SCOPE_MISMATCH",
    ];

    #[test]
    fn every_known_code_has_words_of_its_own() {
        for code in KNOWN {
            let Meaning { title, advice } = meaning(ItemState::Failed, code);
            assert!(title.len() > 20 && !title.starts_with("Refused with the code"), "{code}: {title}");
            assert!(advice.len() > 40 && advice != of_state(ItemState::Failed), "{code}: {advice}");
        }
        let known = meaning(ItemState::Failed, "email_taken");
        assert!(known.title.contains("e-mail") && known.advice.contains("merge"));
    }

    #[test]
    fn an_unknown_code_is_shown_as_it_is() {
        let unknown = meaning(ItemState::Failed, "NEW_IN_V9");
        assert!(unknown.title.contains("NEW_IN_V9") && unknown.advice.contains("try again"));
        assert!(meaning(ItemState::Parked, "waits_for_moon").advice.contains("by themselves"));
    }
}
