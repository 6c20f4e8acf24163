//! The certificate: what was erased, where and when, and the results of later checks. It holds only ids and counts.

use poem_openapi::{
    Object,
    types::{Example, ToJSON},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    clock::Timestamp,
    model::{ErasurePolicy, ErasureState},
    store::{Erasure, ErasureCheck, ErasureRemainder, RemoteRecord},
};

/// The record of a person's erasure: what was erased, where and when, and the results of later checks. Without personal
/// data.
#[derive(Debug, Object)]
#[oai(rename = "Erasure", example)]
pub struct Certificate {
    /// The erasure's number.
    pub id: i64,
    /// The person: `<site>:<Moodle id>`.
    pub user: String,
    /// Its progress. `found` needs a person: a check found data that should be gone.
    pub state: ErasureState,
    /// What happens at the destination.
    pub policy: ErasurePolicy,
    /// Where the request came from: `cli`, `api` or `moodle`.
    pub requested_by: String,
    /// When it was requested (RFC 3339).
    pub requested_at: String,
    /// The earliest time at which it begins (RFC 3339).
    pub due_at: String,
    /// Why it waits for a person's decision although it is due; null if it does not.
    #[oai(nullable)]
    pub waits: Option<String>,
    /// When it began (RFC 3339). Since then nothing new about the person is stored.
    #[oai(nullable)]
    pub begun_at: Option<String>,
    /// When the database was clean (RFC 3339).
    #[oai(nullable)]
    pub local_at: Option<String>,
    /// When the destination was clean (RFC 3339).
    #[oai(nullable)]
    pub remote_at: Option<String>,
    /// The last check that found nothing (RFC 3339).
    #[oai(nullable)]
    pub verified_at: Option<String>,
    /// The next check (RFC 3339).
    #[oai(nullable)]
    pub check_at: Option<String>,
    /// When it was lifted (RFC 3339). Since then the person's data may be stored again.
    #[oai(nullable)]
    pub lifted_at: Option<String>,
    /// Rows that were blanked, by table.
    pub rows: Vec<RowsView>,
    /// The person's records at destinations.
    pub remote: Vec<RemoteView>,
    /// The checks for remaining data, the oldest first.
    pub checks: Vec<CheckView>,
    /// SHA-256 of this document as compact JSON without this field, in hexadecimal.
    pub sha256: String,
}

/// Rows that were blanked in one table.
#[derive(Debug, Object)]
#[oai(rename = "ErasedRows")]
pub struct RowsView {
    /// The table's name.
    pub table: String,
    /// The number of rows.
    pub rows: u64,
}

/// A record at a destination.
#[derive(Debug, Object)]
#[oai(rename = "ErasedRemote")]
pub struct RemoteView {
    /// The destination's name.
    pub destination: String,
    /// The record's kind.
    pub kind: String,
    /// The record: `<site>:<Moodle id>`.
    pub record: String,
    /// Its id at the destination.
    pub remote_id: String,
}

/// A check for data that should be gone.
#[derive(Debug, Object)]
#[oai(rename = "ErasureCheck")]
pub struct CheckView {
    /// When it was made (RFC 3339).
    pub at: String,
    /// What was found; empty when nothing remains.
    pub findings: Vec<FindingView>,
    /// Where Zoho still shows earlier values, because the policy leaves the record or its copy in the recycle bin.
    pub still_shown: Vec<FindingView>,
}

/// Data that should be gone: its place, never its value.
#[derive(Debug, Object)]
#[oai(rename = "ErasureFinding")]
pub struct FindingView {
    /// A table, or a module in Zoho with the field.
    pub place: String,
    /// How many rows or records hold such data.
    pub count: u64,
}

impl Certificate {
    /// The certificate of an erasure at the site of that name.
    pub fn new(erasure: &Erasure, site: &str) -> Self {
        let moment = |time: Option<Timestamp>| time.map(Timestamp::to_rfc3339);
        let remote = |record: &RemoteRecord| RemoteView {
            destination: record.destination.clone(),
            kind: record.kind.clone(),
            record: format!("{site}:{}", record.moodle_id),
            remote_id: record.remote_id.clone(),
        };
        let rows = erasure.erased.rows.iter().map(|(table, rows)| RowsView { table: table.clone(), rows: *rows });
        let mut certificate = Self {
            id: erasure.id,
            user: format!("{site}:{}", erasure.user.userid),
            state: erasure.state,
            policy: erasure.policy,
            requested_by: erasure.requested_by.clone(),
            requested_at: erasure.requested_at.to_rfc3339(),
            due_at: erasure.due_at.to_rfc3339(),
            waits: waits(erasure, site),
            begun_at: moment(erasure.begun_at),
            local_at: moment(erasure.local_at),
            remote_at: moment(erasure.remote_at),
            verified_at: moment(erasure.verified_at),
            check_at: moment(erasure.check_at),
            lifted_at: moment(erasure.lifted_at),
            rows: rows.collect(),
            remote: erasure.erased.remote.iter().map(remote).collect(),
            checks: erasure.checks.iter().map(CheckView::new).collect(),
            sha256: String::new(),
        };
        certificate.sha256 = certificate.digest();
        certificate
    }

    fn digest(&self) -> String {
        let mut document = self.to_json().unwrap_or_default();
        if let Value::Object(fields) = &mut document {
            fields.remove("sha256");
        }
        hex::encode(Sha256::digest(document.to_string()))
    }
}

/// Why an erasure that is due does not begin.
fn waits(erasure: &Erasure, site: &str) -> Option<String> {
    let command = format!("backend-sync sync brake --site {site}");
    if erasure.braked_at.is_some() {
        return Some(format!(
            "Unusually many people are being erased, so a person decides about this one: {command} shows how many, and approves or \
             refuses."
        ));
    }
    match erasure.follows.as_deref() {
        None => None,
        Some("excepted_deletion") => Some(format!(
            "A person decided that the deleted account stays in Zoho as it is, so it is not erased because of its deletion. {command} \
             takes that back; backend-sync erase erases all the same."
        )),
        Some(_) => Some(format!(
            "Unusually many people were deleted, so a person decides about this one first: {command} shows how many, and approves or \
             refuses."
        )),
    }
}

impl CheckView {
    fn new(check: &ErasureCheck) -> Self {
        let finding = |finding: &ErasureRemainder| FindingView { place: finding.place.clone(), count: finding.count };
        Self {
            at: Timestamp(check.at).to_rfc3339(),
            findings: check.findings.iter().map(finding).collect(),
            still_shown: check.still_shown.iter().map(finding).collect(),
        }
    }
}

impl Example for Certificate {
    fn example() -> Self {
        let at = |second: u32| format!("2026-11-22T08:00:{second:02}.000Z");
        let rows = [("enrolments", 3), ("events", 19), ("grades", 8), ("users", 1)];
        let mut certificate = Self {
            id: 7,
            user: "college:3".to_owned(),
            state: ErasureState::Verified,
            policy: ErasurePolicy::Anonymise,
            requested_by: "api".to_owned(),
            requested_at: at(0),
            due_at: at(0),
            waits: None,
            begun_at: Some(at(1)),
            local_at: Some(at(2)),
            remote_at: Some(at(5)),
            verified_at: Some(at(6)),
            check_at: Some("2026-11-23T08:00:05.000Z".to_owned()),
            lifted_at: None,
            rows: rows.map(|(table, rows)| RowsView { table: table.to_owned(), rows }).into(),
            remote: vec![RemoteView {
                destination: crate::zoho::NAME.to_owned(),
                kind: "user".to_owned(),
                record: "college:3".to_owned(),
                remote_id: "5540000000000123456".to_owned(),
            }],
            checks: vec![CheckView {
                at: at(6),
                findings: Vec::new(),
                still_shown: vec![FindingView { place: "Contacts (timeline)".to_owned(), count: 1 }],
            }],
            sha256: String::new(),
        };
        certificate.sha256 = certificate.digest();
        certificate
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::{Example, ToJSON};
    use sha2::{Digest, Sha256};

    use super::Certificate;

    #[test]
    fn a_reader_can_verify_the_digest() {
        let printed = Certificate::example().to_json_string();
        let (start, rest) = printed.split_once("\"sha256\":\"").unwrap();
        let (digest, end) = rest.split_once('"').unwrap();
        // Without the field and the comma before or after it.
        let without = format!("{start}{}", end.trim_start_matches(',')).replace(",}", "}");
        assert_eq!(hex::encode(Sha256::digest(without)), digest);
        let mut other = Certificate::example();
        other.id += 1;
        assert_ne!(other.digest(), other.sha256, "it changes with the content");
    }
}
