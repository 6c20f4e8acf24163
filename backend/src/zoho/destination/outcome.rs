//! Building the outcomes of items.

use crate::{
    clock::Timestamp,
    model::{RecordKey, Remark},
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

/// The code of remarks about values that only Zoho knew to be wrong.
pub(super) const REFUSED_BY_ZOHO: &str = "refused_by_zoho";

/// An item that Zoho has already. The rendered remarks are of now; what Zoho refused when it was sent still holds.
pub(super) fn same(item: Claimed, rendered: Vec<Remark>) -> Settled {
    let refused = item.remarks.iter().filter(|remark| remark.code == REFUSED_BY_ZOHO).cloned();
    let remarks = rendered.into_iter().chain(refused).collect();
    let state =
        SettledState::Synced { remote_id: item.remote_id.clone(), digest: item.digest.clone(), waits_for: None };
    Settled { item, state, reason: None, remarks, attempt: None }
}

/// An item that is not delivered.
pub(super) fn left_alone(item: Claimed, reason: Reason, waits_for: Option<RecordKey>) -> Settled {
    // What was refused of it is forgotten, so it must be sent again before it counts as delivered.
    let digest = item.digest.clone().filter(|_| item.remarks.is_empty());
    let state = SettledState::Synced { remote_id: item.remote_id.clone(), digest, waits_for };
    Settled { item, state, reason: Some(reason), remarks: Vec::new(), attempt: None }
}

/// An item that waits for another record.
pub(super) fn parked(item: Claimed, waits_for: RecordKey, reason: Reason) -> Settled {
    // What Zoho has stays as it is, with its remarks.
    let remarks = item.remarks.clone();
    Settled { item, state: SettledState::Parked { waits_for }, reason: Some(reason), remarks, attempt: None }
}

/// An item that Zoho accepted.
pub(super) fn synced(
    item: Claimed,
    remote_id: Option<String>,
    digest: Option<String>,
    outcome: &str,
    timing: Timing,
) -> Settled {
    let state = SettledState::Synced { remote_id, digest, waits_for: None };
    Settled { item, state, reason: None, remarks: Vec::new(), attempt: Some(timing.attempt(outcome, None, None)) }
}

/// An item that needs a person; with the timing if Zoho was called.
pub(super) fn failed(item: Claimed, reason: Reason, timing: Option<Timing>) -> Settled {
    let (code, words) = reason.clone();
    let attempt = timing.map(|timing| timing.attempt("failed", Some(code), Some(words)));
    Settled { item, state: SettledState::Failed, reason: Some(reason), remarks: Vec::new(), attempt }
}

/// An item that will be retried.
pub(super) fn retried(item: Claimed, reason: Reason, due_at: Timestamp, timing: Timing) -> Settled {
    let (code, words) = reason.clone();
    let attempt = Some(timing.attempt("retry", Some(code), Some(words)));
    Settled { item, state: SettledState::Pending { due_at }, reason: Some(reason), remarks: Vec::new(), attempt }
}

/// Whether a refusal is temporary.
pub(super) fn passes(class: Class) -> bool {
    matches!(class, Class::Retry | Class::Locked)
}

pub(super) fn of_refusal(refusal: &Refusal) -> Reason {
    let duplicate = refusal.duplicate_id.as_deref();
    let other = duplicate.map(|id| format!(" The other record is {id}.")).unwrap_or_default();
    (refusal.code.clone(), format!("{}.{other} {}", refusal.message, refusal.advice))
}

pub(super) fn of_call(error: &CallError) -> Reason {
    (error.kind().to_owned(), error.to_string())
}
