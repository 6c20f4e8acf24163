//! The client against a stub server with scripted answers, and against the simulator.

mod answers;
mod server;
mod simulated;
mod tokens;

pub(super) use server::config;
