//! The behaviour of the whole backend: a real server process, on SQLite and on PostgreSQL.
//!
//! SQLite's file is in a temporary folder. PostgreSQL is the server that `TEST_POSTGRES_URL` names (the URL of a
//! superuser); each test creates its own database there and drops it. Without the variable those tests fail;
//! `cargo test -- --skip postgres` leaves them out.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says on standard error what helps to repeat it"
)]

#[macro_use]
mod support;

mod alerts;
mod backup;
mod bad_input;
mod cli;
mod clock;
mod console;
mod contract;
mod convergence;
mod copy_database;
mod crash;
mod delivery;
mod demo;
mod erasure;
mod memory;
mod metrics;
mod model;
mod once_wrong;
mod own_authority;
mod parity;
mod peers;
mod postgres;
mod reading;
mod recordings;
mod reload;
mod retention;
mod service_manager;
mod shutdown;
mod steps;
mod storing;
mod sync_api;
mod tracing;
mod upgrade;
mod zoho_parity;
mod zoho_setup;
