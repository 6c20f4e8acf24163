//! Zoho CRM: the destination that records are delivered to.
//!
//! - [`mapping`]: what goes where, from a TOML file.
//! - [`setup`]: what to create so that an organisation has what the mapping needs; [`setup::check`]: whether it has.
//! - [`metadata`]: what an organisation's modules and fields are like.
//! - [`client`]: the REST API: tokens, calls, answers, credits.

pub mod client;
pub mod destination;
pub mod mapping;
pub mod metadata;
pub mod setup;
