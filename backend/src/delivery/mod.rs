//! The delivery of records to destinations. Knows no destination: see [`Destination`].
//!
//! There are no messages. Each record has one sync item per destination, which the ingest marks pending in the transaction that
//! changes the record. The [`Engine`] claims pending items under leases, hands them to the destination outside of any
//! transaction, and settles each by its own outcome. What changed meanwhile is pending again.

pub mod backoff;
mod destination;
mod engine;
mod upkeep;
mod worker;

pub use destination::{Admission, Delivery, Destination, Trouble};
pub use engine::Engine;

use std::time::Duration;

/// How the engine works.
#[derive(Clone, Debug)]
pub struct DeliverySettings {
    /// Deliveries under way at once, at most.
    pub workers: usize,
    /// How long a claimed item is safe from other workers.
    pub lease: Duration,
    /// How long a record that was delivered just now waits until it is delivered again.
    pub repeat: Duration,
    /// How long a paused destination is left alone between two checks.
    pub check: Duration,
}
