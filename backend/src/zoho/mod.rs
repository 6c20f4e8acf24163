//! Zoho CRM: the destination that records are delivered to.
//!
//! - [`mapping`]: what goes where, from a TOML file.
//! - [`metadata`]: what an organisation's modules and fields are like.
//! - [`client`]: the REST API: tokens, calls, answers, credits.
//! - [`simulator`]: a Zoho CRM for tests, the demo and trying out.

pub mod client;
pub mod mapping;
pub mod metadata;
pub mod simulator;
