//! The delivery of records to destinations. It is independent of any particular one: see [`Destination`].
//!
//! There are no messages. Each record has one sync item per destination, which the ingest marks pending in the
//! transaction that changes the record. The [`Engine`] claims pending items under leases, passes them to the
//! destination outside any transaction, and settles each by its own outcome. An item whose record changed meanwhile is
//! pending again.

pub mod backoff;
mod destination;
mod engine;
mod holds;
mod process;
mod upkeep;
mod worker;

pub use destination::{Admission, Delivery, Destination, DestinationFailure};
pub use engine::Engine;

use std::time::Duration;

/// The engine's settings.
#[derive(Clone, Debug)]
pub struct DeliverySettings {
    /// The most deliveries at once.
    pub workers: usize,
    /// How long a claim keeps items from other workers.
    pub lease: Duration,
    /// The shortest time between two deliveries of a record.
    pub repeat: Duration,
    /// The interval between checks of a paused destination.
    pub check: Duration,
}
