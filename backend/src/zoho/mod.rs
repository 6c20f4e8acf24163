//! Zoho CRM: the destination that records are delivered to.
//!
//! - [`mapping`]: what goes where, from a TOML file.
//! - [`setup`]: creating what the mapping needs in an organisation; [`setup::check`]: checking it.
//! - [`metadata`]: the metadata of an organisation's modules and fields.
//! - [`client`]: the REST API: tokens, calls, answers, credits.

pub mod client;
pub mod destination;
pub mod mapping;
pub mod metadata;
pub mod setup;

/// The destination's name in the database, the API and the logs.
pub const NAME: &str = "zoho";
