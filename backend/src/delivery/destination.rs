//! What the engine needs from a destination.

use crate::{
    clock::Timestamp,
    model::{Kind, Lane, RecordKey, Records},
    store::{Claimed, Edges, Settled},
};

/// A system that records are delivered to.
pub trait Destination: Send + Sync + 'static {
    /// Its name in the database and the logs.
    const NAME: &'static str;

    /// A digest of the mapping by which it makes remote records of ours.
    fn mapping(&self) -> String;

    /// Whether items of a lane may be delivered now; does not block. `waiting` is the number of pending items in all
    /// lanes.
    fn admit(&self, lane: Lane, waiting: u64, now: Timestamp) -> Admission;

    /// Delivers items of one kind. Items that the result leaves out are released as if they had never been claimed.
    fn deliver(&self, items: Vec<Claimed>) -> impl Future<Output = Delivery> + Send;

    /// Checks whether a paused destination works again. `None` means that it does.
    fn check(&self) -> impl Future<Output = Option<DestinationFailure>> + Send;

    /// Refreshes the number of credits left, if the known number is old and holds deliveries back.
    fn refresh_credits(&self) -> impl Future<Output = ()> + Send;

    /// The credits left as the destination last reported them, and when.
    fn credits(&self) -> Option<(i64, Timestamp)>;
}

/// Whether deliveries may be made now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// They may.
    Go,
    /// Not yet, to make the credits last.
    Wait {
        /// When the next delivery may be made.
        until: Timestamp,
        /// Why, as a sentence for the operator.
        reason: String,
        /// When everything pending is expected to be delivered.
        done_at: Option<Timestamp>,
    },
    /// The credits are used up.
    Exhausted {
        /// As a sentence for the operator.
        reason: String,
        /// When to check again.
        check_at: Timestamp,
    },
}

/// The result of a delivery.
#[derive(Debug, Default)]
pub struct Delivery {
    /// The items with an outcome, even if that is "unknown".
    pub settled: Vec<Settled>,
    /// Records that may have been overwritten: they must be delivered again, whatever their digest says.
    pub redeliver: Vec<RecordKey>,
    /// Records that may qualify now, or no longer, unless they are there.
    pub reconsider: Vec<RecordKey>,
    /// What judges records again.
    pub edges: Edges,
    /// A failure that concerns more than these items.
    pub failure: Option<DestinationFailure>,
}

/// A failure of more than the items of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationFailure {
    /// A person must repair something: the destination is paused until it works again.
    Pause {
        /// `credentials`, `organisation` or `credits`.
        cause: &'static str,
        /// What is wrong and what to do.
        reason: String,
        /// When to check again; `None` for the usual interval.
        check_at: Option<Timestamp>,
    },
    /// A person must repair something that concerns the records of one kind: these are held, and the others are
    /// delivered.
    Hold {
        /// The records' kind.
        kind: Kind,
        /// Which of them.
        records: Records,
        /// `configuration`, `permission`, `room` or `other_writer`.
        cause: &'static str,
        /// What is wrong and what to do.
        reason: String,
        /// Whether it may end by itself: then one record is tried from time to time.
        may_end: bool,
    },
    /// It does not answer, or with a server error: these records of the delivery's kind are held, and one of them is tried
    /// from time to time.
    Outage {
        /// Which of them.
        records: Records,
        /// What happened.
        reason: String,
        /// Whether nothing can be reached, so that nothing else need be tried: the circuit breaker opens.
        everything: bool,
    },
    /// Too many calls at once: a short rest.
    Throttled,
}
