//! From checked events to committed ones: a bounded queue, and one writer that commits whatever is waiting.

mod parts;
mod queue;
mod room;
mod touched;
mod transaction;
mod work;
mod writer;

use std::sync::Arc;

pub use queue::Ingest;
pub use room::Room;
pub use writer::Writer;

use crate::{
    clock::Timestamp,
    model::{Event, Outcome},
    store::{Site, StoreError},
};

/// Why events were not stored. All but `Revoked` may be retried.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The queue's memory is used up.
    #[error("the ingest queue is full")]
    QueueFull,
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Draining,
    /// The database could not store them.
    #[error(transparent)]
    Unavailable(Arc<StoreError>),
    /// The token was revoked while the events waited.
    #[error("the token was revoked")]
    Revoked,
}

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
