//! What a reason's code means and what to do about it, for a whole group of records: in the console and in alerts.
//!
//! The reason of a single record names its field and says what to change. Zoho has more codes than these: for an unlisted one the
//! page shows the code itself, and the reasons of its records say the rest.

use crate::model::ItemState;

/// The code of records that somebody deleted at the destination: a finding, about which a person decides.
pub const DELETED_THERE: &str = "deleted_in_zoho";

/// What a code means.
#[derive(Debug)]
pub struct Meaning {
    /// The problem, as a heading.
    pub title: String,
    /// What to change, and where.
    pub advice: &'static str,
}

impl Meaning {
    /// The problem, as it follows a colon.
    pub fn as_clause(&self) -> String {
        let mut characters = self.title.chars();
        match characters.next() {
            Some(first) if !self.title.starts_with("Zoho") => first.to_lowercase().chain(characters).collect(),
            _ => self.title.clone(),
        }
    }
}

/// The meaning of a code for items in this state.
pub fn meaning(state: ItemState, code: &str) -> Meaning {
    let (title, advice) = words(code).unwrap_or_else(|| (String::new(), of_state(state)));
    let title = match title.is_empty() {
        true if code.is_empty() => "No reason is known".to_owned(),
        true => format!("Rejected with code {code}"),
        false => title,
    };
    Meaning { title, advice }
}

fn of_state(state: ItemState) -> &'static str {
    match state {
        ItemState::Parked => "Nothing: they are delivered automatically once what they wait for has been delivered.",
        _ => "Look at the reason of each record, correct the record in Moodle or the mapping, then retry.",
    }
}

fn words(code: &str) -> Option<(String, &'static str)> {
    let (title, advice) = match code {
        // Waiting for another record.
        "waits_for_user" => (
            "Waiting for a person who is not at the destination yet",
            "Nothing: they are delivered automatically once the person is there. If this lasts, look at the person: the delivery may \
             have failed, or Moodle may not have reported the account yet. \"Synchronise everything\" on the plugin's status page \
             reports everyone.",
        ),
        "waits_for_course" => (
            "Waiting for a course that is not at the destination yet",
            "Nothing: they are delivered automatically once the course is there. If this lasts, look at the course: the delivery may \
             have failed, or Moodle may not have reported it yet. \"Synchronise everything\" on the plugin's status page reports every \
             course.",
        ),
        // Decided before anything was sent.
        "mapping" => (
            "The mapping does not fit the fields in Zoho",
            "Correct the mapping file or the field in Zoho: the reason names the field and what to write. backend-sync zoho check lists \
             every mismatch. Then retry.",
        ),
        "invalid_value" => (
            "A value is missing or does not fit its field in Zoho",
            "Correct it in Moodle: the change delivers the record again. Or make it fit in Zoho or in the mapping file, then retry.",
        ),
        "not_mapped" => (
            "The mapping has no table for this kind of record",
            "Add a table for it to the mapping file, let the server read its settings again (Mapping), and retry.",
        ),
        "no_record" => (
            "The record no longer exists",
            "Run backend-sync sync audit: records and sync items do not match, which should never happen.",
        ),
        "email_taken" => (
            "Somebody else has the same e-mail address",
            "Decide whether they are the same person. The reason names the other record: merge the contacts in Zoho, correct an address \
             in Moodle, or take the contact over from an unused account. Then retry. Several contacts: choose under Adoptions.",
        ),
        "adoption_asks" => (
            "A person must say whether a contact in Zoho may be adopted",
            "Look at the contact under Adoptions, field by field, and adopt or refuse it there. Or correct one of the addresses.",
        ),
        "adoption_refused" => (
            "A person refused to adopt the contact with this address",
            "Correct one of the addresses, then retry; or approve it after all, under Adoptions.",
        ),
        "adoption_too_large" => (
            "A contact in Zoho holds more than can be kept when it is adopted",
            "Shorten the contact's longest fields in Zoho, then retry.",
        ),
        "search_failed" => (
            "Zoho fails to look for people",
            "Nobody need do anything: it is tried again at growing intervals, and everything else is delivered. If it lasts while others \
             are found, look at the address.",
        ),
        "braked_adoption" => (
            "Unusually many contacts would be adopted",
            "Look whether they are these people's contacts, then approve or refuse them on the page Brake. An expected flood, such as the \
             first delivery to an organisation with contacts, can be approved ahead there.",
        ),
        "braked_deletion" => (
            "Unusually many people were deleted in Moodle",
            "Find out why: a wrong bulk deletion, or a user directory that was lost? Whoever is back in Moodle is delivered by itself. \
             Approve or refuse the rest on the page Brake.",
        ),
        "braked_removal" => (
            "Unusually many records would be blanked or deleted",
            "Find out why they are gone in Moodle, then approve or refuse them on the page Brake.",
        ),
        DELETED_THERE => (
            "Somebody deleted their record in Zoho",
            "Decide on the page Parity: create it again, or leave it out. A record that is restored from Zoho's recycle bin goes on by \
             itself.",
        ),
        "lead" => (
            "They are leads in Zoho, not contacts yet",
            "Convert each lead in Zoho into a contact, or delete it. Then retry: the contact is recognised by its address.",
        ),
        "not_searchable" => (
            "Zoho refuses to look for a value",
            "Correct the value in Moodle, such as a mistyped e-mail address: the change delivers the record again.",
        ),
        "remote_taken" => (
            "Another record here writes the same record in Zoho",
            "Decide whether they are the same. The reason names the other one: delete one of the two in Moodle, or correct what makes \
             them look alike. Then retry.",
        ),
        "wrong_record" => (
            "Zoho wrote another record than the one that was meant",
            "Look at both records in Zoho: the reason names the one that was written. Then retry.",
        ),
        // Zoho's answers about one record.
        "DUPLICATE_DATA" => (
            "Another record in Zoho has the same value in a unique field",
            "Open both records in Zoho and merge them or correct one. Then retry.",
        ),
        "INVALID_DATA" => (
            "Zoho does not accept a value",
            "The reason names the field. Correct the value in Moodle: the change delivers the record again. Or correct the field's rule \
             in the mapping file, then retry.",
        ),
        "MANDATORY_NOT_FOUND" | "EXPECTED_FIELD_MISSING" | "DEPENDENT_FIELD_MISSING" => (
            "Zoho requires a value that is missing",
            "Fill it in in Moodle, give the field another source in the mapping file, or make it optional in Zoho. Then retry.",
        ),
        "DEPENDENT_MISMATCH" => (
            "Two fields that depend on each other do not go together",
            "Correct the dependency of the two fields in Zoho, or the mapping file. Then retry.",
        ),
        "RECORD_IN_BLUEPRINT" => (
            "A blueprint in Zoho does not allow the change",
            "Finish the blueprint's step for these records in Zoho, or leave the field out of the mapping file. Then retry.",
        ),
        "INVALID_MODULE" | "INVALID_URL_PATTERN" | "INVALID_REQUEST_METHOD" => (
            "Zoho does not know the module",
            "Run backend-sync zoho check, and backend-sync zoho setup to create what is missing. Then retry.",
        ),
        "NO_PERMISSION" | "AUTHORIZATION_FAILED" => (
            "The Zoho user of the credentials may not write these records",
            "Give that user's profile and role the permission in Zoho. Then retry.",
        ),
        "OAUTH_SCOPE_MISMATCH" => (
            "The credentials lack a scope",
            "Create new ones with backend-sync zoho connect, with all scopes that it names, and put them into the section [zoho].",
        ),
        // A call as a whole.
        "invalid" => (
            "Zoho rejects the request for this record alone",
            "The reason has Zoho's own message. Look for an unusual value in Moodle, such as a very long text; then retry.",
        ),
        _ => return None,
    };
    Some((title.to_owned(), advice))
}

#[cfg(test)]
mod tests {
    use super::{DELETED_THERE, meaning, words};
    use crate::model::ItemState;

    /// Codes of our own, and those of Zoho's for which its client has words of their own.
    const KNOWN: [&str; 31] = [
        "waits_for_user",
        "waits_for_course",
        "mapping",
        "invalid_value",
        "not_mapped",
        "no_record",
        "email_taken",
        "adoption_asks",
        "adoption_refused",
        "adoption_too_large",
        "search_failed",
        "braked_adoption",
        "braked_deletion",
        "braked_removal",
        DELETED_THERE,
        "lead",
        "not_searchable",
        "remote_taken",
        "wrong_record",
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
            let Some((title, advice)) = words(code) else { panic!("{code} has none") };
            assert!(title.len() > 20 && advice.len() > 40, "{code}: {title}: {advice}");
        }
        let known = meaning(ItemState::Failed, "email_taken");
        assert!(known.title.contains("e-mail") && known.advice.contains("merge"));
        assert_eq!(known.as_clause(), "somebody else has the same e-mail address");
        assert_eq!(meaning(ItemState::Failed, "INVALID_DATA").as_clause(), "Zoho does not accept a value");
    }

    #[test]
    fn an_unknown_code_is_shown_as_it_is() {
        let unknown = meaning(ItemState::Failed, "NEW_IN_V9");
        assert!(unknown.title.contains("NEW_IN_V9") && unknown.advice.contains("retry"));
        assert!(meaning(ItemState::Parked, "waits_for_moon").advice.contains("automatically"));
    }
}
