//! The client against a small server that answers what a test wants.

mod answers;
mod server;
mod simulated;
mod tokens;

pub(super) use server::config;
