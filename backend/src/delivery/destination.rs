//! What the engine needs of a destination.

use crate::{
    clock::Timestamp,
    model::{Lane, RecordKey},
    store::{Claimed, Settled},
};

/// A system that records are delivered to.
pub trait Destination: Send + Sync + 'static {
    /// Its name in the database and in the logs.
    const NAME: &'static str;

    /// Whether items of a lane may be delivered now. Answers at once. `waiting` items of all lanes are pending.
    fn admit(&self, lane: Lane, waiting: u64, now: Timestamp) -> Admission;

    /// Delivers items of one kind. What the answer leaves out is given back as if it had never been claimed.
    fn deliver(&self, items: Vec<Claimed>) -> impl Future<Output = Delivery> + Send;

    /// Looks whether a destination that was paused works again. `None` means that it does.
    fn check(&self) -> impl Future<Output = Option<Trouble>> + Send;

    /// Looks how much is left of the allowance, if what is known of it is old and holds deliveries back.
    fn look(&self) -> impl Future<Output = ()> + Send;

    /// What is left of its allowance, as it said itself, and when.
    fn credits(&self) -> Option<(i64, Timestamp)>;
}

/// Whether deliveries may be made now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// They may.
    Go,
    /// Not before then, to make the allowance last.
    Wait {
        /// When the next one may be made.
        until: Timestamp,
        /// Why, in words.
        reason: String,
        /// When all that waits is expected to be delivered.
        done_at: Option<Timestamp>,
    },
    /// The allowance is used up.
    Exhausted {
        /// What is so, in words.
        reason: String,
        /// When to look again.
        check_at: Timestamp,
    },
}

/// What became of items.
#[derive(Debug, Default)]
pub struct Delivery {
    /// The items whose outcome is known, or is known to be unknown.
    pub settled: Vec<Settled>,
    /// Records of which something else may have been written over: they are to be delivered again whatever was delivered last.
    pub demanded: Vec<RecordKey>,
    /// Records that were left out, and may be wanted now.
    pub wanted: Vec<RecordKey>,
    /// What concerns more than these items.
    pub trouble: Option<Trouble>,
}

/// What keeps a destination from taking anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A person must repair something: everything stops until it works again.
    Pause {
        /// `credentials`, `configuration` or `credits`.
        cause: &'static str,
        /// What is wrong and what to do, in words.
        reason: String,
        /// When to look again, if not at the usual interval.
        check_at: Option<Timestamp>,
    },
    /// It does not answer, or answers that it cannot: it is left alone for a while.
    Outage {
        /// What happened, in words.
        reason: String,
    },
    /// It was asked too much at once: a moment's rest.
    Throttled,
}
