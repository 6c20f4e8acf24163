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
    /// Who sent it.
    pub site: Arc<Site>,
    /// What was sent.
    pub event: Event,
    /// When it reached us.
    pub received_at: Timestamp,
}

/// An event in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its place in the event log; of a duplicate, the place of the first.
    pub event_id: i64,
    /// What it did.
    pub outcome: Outcome,
}
