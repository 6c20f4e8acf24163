//! From checked events to committed ones: a bounded queue, and one writer that commits whatever is waiting.

mod queue;
mod transaction;
mod work;
mod writer;

use std::sync::Arc;

pub use queue::{Ingest, IngestError, Room};
pub use writer::Writer;

use crate::{
    clock::Timestamp,
    model::{Event, Outcome},
    store::Site,
};

/// An event on its way to the database.
pub struct Arrival {
    /// The site that sent it.
    pub site: Arc<Site>,
    /// The event as sent.
    pub event: Event,
    /// When the request arrived, by the server's clock.
    pub received_at: Timestamp,
}

/// A stored event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its place in the event log; of a duplicate, that of the first.
    pub event_id: i64,
    /// What it did.
    pub outcome: Outcome,
}
