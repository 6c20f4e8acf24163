//! Backend Sync: what Moodle tells, kept durably and made readable, on its way to Zoho CRM.
//!
//! The modules, each above those that it uses (`scripts/imports` sees to it):
//!
//! - [`cli`]: the subcommands.
//! - [`app`]: builds everything from the configuration, starts it, stops it.
//! - [`service_manager`]: what systemd is told.
//! - [`console`]: pages for people.
//! - [`api`]: HTTP alone: operations, their types and errors, authentication, the OpenAPI document.
//! - [`demo`]: a term of a made-up college's events, for `backend-sync demo`.
//! - [`views`]: what the command line, the console and the API show alike.
//! - [`alerts`]: finds what is wrong, and tells people by webhook and e-mail.
//! - [`erasure`]: people whose data goes, here and at the destination.
//! - [`zoho`]: Zoho CRM as a destination.
//! - [`delivery`]: the way of records to a destination, which it knows only as a trait.
//! - [`ingest`]: the bounded queue, the batching writer, what events do to records.
//! - [`metrics`]: what Prometheus sees.
//! - [`timekeeper`]: keeps the time that everything goes by.
//! - [`retention`]: deletes what is old.
//! - [`health`]: whether events can be stored, and whether writer and delivery make progress.
//! - [`activity`]: how much happens, counted by the minute.
//! - [`tokens`]: sites and tokens as people manage them.
//! - [`telemetry`]: the log and the traces.
//! - [`config`]: the settings, from the embedded default, a file, the environment and flags.
//! - [`store`]: the database, and the only place with SQL.
//! - [`model`]: the vocabulary: events, records, versions, outcomes.
//! - [`clock`], [`limits`], [`http`], [`random`], [`secret`], [`probe`]: what all of them need.

#![forbid(unsafe_code)]

#[macro_use]
mod openapi_type;

pub mod activity;
pub mod alerts;
pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod delivery;
pub mod demo;
pub mod erasure;
pub mod health;
pub mod http;
pub mod ingest;
pub mod limits;
pub mod metrics;
pub mod model;
pub mod probe;
pub mod random;
pub mod retention;
pub mod secret;
pub mod service_manager;
pub mod store;
pub mod telemetry;
pub mod timekeeper;
pub mod tokens;
mod views;
pub mod zoho;
