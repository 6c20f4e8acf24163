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

/// The code of remarks about an address that another person has.
pub(super) const SAME_ADDRESS: &str = "same_address";

/// A settled item without remarks.
fn settled(item: Claimed, state: SettledState, reason: Option<Reason>, attempt: Option<Attempt>) -> Settled {
    Settled { item, state, reason, remarks: Vec::new(), blocked_by: None, attempt, written_at: None }
}

/// An item that Zoho has already. The rendered remarks are of now; what was found out when it was sent still holds.
pub(super) fn same(item: Claimed, rendered: Vec<Remark>) -> Settled {
    let found_out = |remark: &&Remark| [REFUSED_BY_ZOHO, SAME_ADDRESS].contains(&remark.code.as_str());
    let remarks = rendered.into_iter().chain(item.remarks.iter().filter(found_out).cloned()).collect();
    let (remote_id, digest, linked) = (item.remote_id.clone(), item.digest.clone(), item.linked);
    let state = SettledState::Synced { remote_id, digest, linked, waits_for: None };
    Settled { remarks, ..settled(item, state, None, None) }
}

/// An item of which Zoho has what it should, but for what was left to people there.
pub(super) fn as_left(item: Claimed, digest: String, rendered: Vec<Remark>) -> Settled {
    same(Claimed { digest: Some(digest), ..item }, rendered)
}

/// An item that is not delivered.
pub(super) fn left_alone(item: Claimed, reason: Reason, waits_for: Option<RecordKey>) -> Settled {
    // What was refused of it is forgotten, so it must be sent again before it counts as delivered.
    let digest = item.digest.clone().filter(|_| item.remarks.is_empty());
    let state = SettledState::Synced { remote_id: item.remote_id.clone(), digest, linked: item.linked, waits_for };
    settled(item, state, Some(reason), None)
}

/// An item that is not delivered, and that none of its attempts can have delivered: this is not asked again.
pub(super) fn never_there(item: Claimed, reason: Reason) -> Settled {
    left_alone(Claimed { attempts: 0, ..item }, reason, None)
}

/// An item whose remote record somebody deleted, which stays so.
pub(super) fn forgotten(item: Claimed, reason: Reason) -> Settled {
    never_there(Claimed { remote_id: None, linked: false, digest: None, ..item }, reason)
}

/// An item that stands for a remote record which another one writes.
pub(super) fn linked(item: Claimed, remote_id: String, reason: Reason, timing: Timing) -> Settled {
    let state = SettledState::Synced { remote_id: Some(remote_id), digest: None, linked: true, waits_for: None };
    let attempt = timing.attempt("linked", Some(reason.0.clone()), Some(reason.1.clone()));
    settled(item, state, Some(reason), Some(attempt))
}

/// An item that waits for another record.
pub(super) fn parked(item: Claimed, waits_for: RecordKey, reason: Reason) -> Settled {
    // What Zoho has stays as it is, with its remarks.
    let remarks = item.remarks.clone();
    Settled { remarks, ..settled(item, SettledState::Parked { waits_for }, Some(reason), None) }
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
    settled(item, state, None, Some(timing.attempt(outcome, None, None)))
}

/// An item that needs a person; with the timing if Zoho was called.
pub(super) fn failed(item: Claimed, reason: Reason, timing: Option<Timing>) -> Settled {
    let (code, words) = reason.clone();
    let attempt = timing.map(|timing| timing.attempt("failed", Some(code), Some(words)));
    settled(item, SettledState::Failed, Some(reason), attempt)
}

/// An item that needs a person, because somebody deleted its record.
pub(super) fn gone(item: Claimed, reason: Reason, timing: Timing) -> Settled {
    Settled { state: SettledState::Gone, ..failed(item, reason, Some(timing)) }
}

/// An item that is judged again in a moment; nothing was sent.
pub(super) fn postponed(item: Claimed, reason: Reason, due_at: Timestamp) -> Settled {
    settled(item, SettledState::Pending { due_at }, Some(reason), None)
}

/// An item that will be retried.
pub(super) fn retried(item: Claimed, reason: Reason, due_at: Timestamp, timing: Timing) -> Settled {
    let (code, words) = reason.clone();
    let attempt = Some(timing.attempt("retry", Some(code), Some(words)));
    settled(item, SettledState::Pending { due_at }, Some(reason), attempt)
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

#[cfg(test)]
mod tests {
    use super::{REFUSED_BY_ZOHO, left_alone, parked, same};
    use crate::{
        clock::Timestamp,
        model::{Id, Kind, RecordKey, Remark},
        store::{Claimed, Settled, SettledState},
    };

    fn remark(code: &str) -> Remark {
        Remark { field: "Phone".to_owned(), code: code.to_owned(), message: String::new() }
    }

    fn item(remarks: &[Remark]) -> Claimed {
        Claimed {
            key: RecordKey { kind: Kind::User, site_id: 1, moodle_id: Id(3) },
            lease: String::new(),
            revision: 1,
            changed_at: Timestamp(0),
            remote_id: Some("1".to_owned()),
            linked: false,
            digest: Some("d".to_owned()),
            attempts: 0,
            remarks: remarks.to_vec(),
            bytes: 0,
            brake: true,
            erasures: true,
            findings: true,
        }
    }

    #[test]
    fn remarks_last_as_long_as_what_zoho_has() {
        let (refused, old, new) = (remark(REFUSED_BY_ZOHO), remark("too_long"), remark("not_a_phone"));
        let before = item(&[old, refused.clone()]);
        let same = same(before.clone(), vec![new.clone()]);
        assert_eq!(same.remarks, [new, refused], "what is rendered now, and what was refused then");
        assert_eq!(parked(before.clone(), before.key, Default::default()).remarks, before.remarks);
        let digest = |settled: Settled| match settled.state {
            SettledState::Synced { digest, .. } => digest,
            _ => None,
        };
        let left_out = left_alone(before, Default::default(), None);
        assert_eq!((left_out.remarks.len(), digest(left_out)), (0, None), "without remarks it must be sent again");
        assert_eq!(digest(left_alone(item(&[]), Default::default(), None)), Some("d".to_owned()));
    }
}
