//! Zoho CRM: the destination that records are delivered to.
//!
//! - [`mapping`]: what goes where, from a TOML file.
//! - [`check`]: whether an organisation has what the mapping needs; [`setup`]: what to create so that it has.
//! - [`metadata`]: what an organisation's modules and fields are like.
//! - [`client`]: the REST API: tokens, calls, answers, credits.
//! - [`simulator`]: a Zoho CRM for tests, the demo and trying out.

pub mod check;
pub mod client;
pub mod destination;
pub mod mapping;
pub mod metadata;
pub mod setup;
pub mod simulator;
