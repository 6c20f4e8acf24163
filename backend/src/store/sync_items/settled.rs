//! What a delivery makes of claimed items.

use crate::{
    clock::Timestamp,
    model::{RecordKey, Remark},
    store::Claimed,
};

/// The outcome of a claimed item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettledState {
    /// The destination has what it should have.
    Synced {
        /// The record's id there; `None` when the record is filtered out.
        remote_id: Option<String>,
        /// Of what was delivered.
        digest: Option<String>,
        /// Another item writes the record with that id; this one only stands for it.
        linked: bool,
        /// Another record whose arrival there would change the decision.
        waits_for: Option<RecordKey>,
    },
    /// It waits for another record.
    Parked {
        /// The other record.
        waits_for: RecordKey,
    },
    /// It will be retried.
    Pending {
        /// The time of the retry.
        due_at: Timestamp,
    },
    /// It needs a person.
    Failed,
    /// It needs a person, because somebody deleted its record at the destination: it has none any more.
    Gone,
}

/// A claimed item with its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The item as it was claimed.
    pub item: Claimed,
    /// The outcome.
    pub state: SettledState,
    /// Why it is not synced, or why nothing was delivered: a stable code, and a text.
    pub reason: Option<(String, String)>,
    /// What was left out of what the destination has.
    pub remarks: Vec<Remark>,
    /// Of a failed item: the person who is in its way, whose next delivery may change that.
    pub blocked_by: Option<RecordKey>,
    /// `Some` when the destination was called.
    pub attempt: Option<Attempt>,
    /// When the destination changed the remote record by this, by its clock, if it says so.
    pub written_at: Option<Timestamp>,
}

impl Settled {
    /// The person who is in its way, if of the same site: an item refers to nobody of another one.
    pub(super) fn blocked_by(&self) -> Option<RecordKey> {
        self.blocked_by.filter(|other| other.site_id == self.item.key.site_id)
    }
}

/// One attempt to deliver an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Before the call.
    pub started_at: Timestamp,
    /// How long the destination took, in milliseconds.
    pub duration_ms: i64,
    /// `inserted`, `updated`, `removed`, `retry`, `failed` or `lost`.
    pub outcome: String,
    /// The code of the destination's answer.
    pub code: Option<String>,
    /// The message of the destination's answer.
    pub message: Option<String>,
}
