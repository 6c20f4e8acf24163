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
pub use engine::{Engine, Settings};
