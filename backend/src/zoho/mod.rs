//! Zoho CRM: the destination that records are delivered to.
//!
//! - [`mapping`]: what goes where, from a TOML file.
//! - [`setup`]: creating what the mapping needs in an organisation; [`setup::check`]: checking it.
//! - [`rehearsal`]: writing one made-up record per module, to see what Zoho makes of it.
//! - [`metadata`]: the metadata of an organisation's modules and fields.
//! - [`client`]: the REST API: tokens, calls, answers, credits.

pub mod client;
pub mod destination;
mod difference;
mod halves;
pub mod mapping;
pub mod metadata;
pub mod rehearsal;
pub mod setup;

/// The destination's name in the database, the API and the logs.
pub const NAME: &str = "zoho";
