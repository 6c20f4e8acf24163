//! Building the outcomes of items.

use crate::{
    clock::Timestamp,
    model::RecordKey,
    store::{Attempt, Claimed, Settled, SettledState},
    zoho::client::{CallError, Class, Refusal},
};

/// A stable code and a text.
pub(super) type Reason = (String, String);

/// The start and end of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) started_at: Timestamp,
    pub(super) ended_at: Timestamp,
}

impl Timing {
    fn attempt(self, outcome: &str, code: Option<String>, message: Option<String>) -> Attempt {
        let duration_ms = self.ended_at.0.saturating_sub(self.started_at.0);
        Attempt { started_at: self.started_at, duration_ms, outcome: outcome.to_owned(), code, message }
    }
}

/// An item for which nothing had to be done in Zoho.
pub(super) fn left_alone(item: Claimed, reason: Option<Reason>, waits_for: Option<RecordKey>) -> Settled {
    let (remote_id, digest, linked) = (item.remote_id.clone(), item.digest.clone(), item.linked);
    let state = SettledState::Synced { remote_id, digest, linked, waits_for };
    Settled { item, state, reason, takes_over_from: Vec::new(), attempt: None }
}

/// An item that stands for a remote record which another one writes.
pub(super) fn linked(item: Claimed, remote_id: Option<String>, reason: Reason, timing: Option<Timing>) -> Settled {
    let linked = remote_id.is_some();
    let state = SettledState::Synced { remote_id, digest: None, linked, waits_for: None };
    let attempt = timing.map(|timing| timing.attempt("linked", Some(reason.0.clone()), Some(reason.1.clone())));
    Settled { item, state, reason: Some(reason), takes_over_from: Vec::new(), attempt }
}

/// An item that waits for another record.
pub(super) fn parked(item: Claimed, waits_for: RecordKey, reason: Reason) -> Settled {
    let state = SettledState::Parked { waits_for };
    Settled { item, state, reason: Some(reason), takes_over_from: Vec::new(), attempt: None }
}

/// An item that Zoho accepted.
pub(super) fn synced(
    item: Claimed,
    remote_id: Option<String>,
    digest: Option<String>,
    outcome: &str,
    timing: Timing,
) -> Settled {
    let state = SettledState::Synced { remote_id, digest, linked: false, waits_for: None };
    let attempt = Some(timing.attempt(outcome, None, None));
    Settled { item, state, reason: None, takes_over_from: Vec::new(), attempt }
}

/// An item that needs a person; with the timing if Zoho was called.
pub(super) fn failed(item: Claimed, reason: Reason, timing: Option<Timing>) -> Settled {
    let (code, words) = reason.clone();
    let attempt = timing.map(|timing| timing.attempt("failed", Some(code), Some(words)));
    Settled { item, state: SettledState::Failed, reason: Some(reason), takes_over_from: Vec::new(), attempt }
}

/// An item that will be retried.
pub(super) fn retried(item: Claimed, reason: Reason, due_at: Timestamp, timing: Timing) -> Settled {
    let (code, words) = reason.clone();
    let attempt = Some(timing.attempt("retry", Some(code), Some(words)));
    let state = SettledState::Pending { due_at };
    Settled { item, state, reason: Some(reason), takes_over_from: Vec::new(), attempt }
}

/// Whether a refusal is temporary.
pub(super) fn passes(class: Class) -> bool {
    matches!(class, Class::Retry | Class::Locked)
}

pub(super) fn of_refusal(refusal: &Refusal) -> Reason {
    let others: Vec<&str> = refusal.duplicates.iter().map(|duplicate| duplicate.id.as_str()).collect();
    let other = match others.as_slice() {
        [] => String::new(),
        [other] => format!(" The other record is {other}."),
        others => format!(" The other records are {}.", others.join(", ")),
    };
    (refusal.code.clone(), format!("{}.{other} {}", refusal.message, refusal.advice))
}

pub(super) fn of_call(error: &CallError) -> Reason {
    (error.kind().to_owned(), error.to_string())
}
