//! From checked events to committed ones: a bounded queue, and one writer that commits whatever is waiting.

mod apply;
mod queue;
mod writer;

pub use apply::{Arrival, Written};
pub use queue::{Ingest, IngestError, Room};
pub use writer::Writer;
