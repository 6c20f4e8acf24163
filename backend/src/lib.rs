//! Backend Sync: what Moodle tells, kept durably and made readable, on its way to Zoho CRM.
//!
//! The modules in the order of the data's way; each depends only on those further down, and on [`model`]:
//!
//! - [`cli`]: the subcommands; [`app`]: builds everything from the configuration, starts it, stops it.
//! - [`demo`]: a college that is not there, for `backend-sync demo`.
//! - [`config`]: the settings, from the embedded default, a file, the environment and flags.
//! - [`console`]: pages for people.
//! - [`api`]: HTTP alone: operations, their types and errors, authentication, the OpenAPI document.
//! - [`erasure`]: people whose data goes, here and at the destination; [`retention`]: what is old goes.
//! - [`alerts`]: what is wrong is found, and told by webhook and e-mail.
//! - [`ingest`]: the bounded queue, the batching writer, what an event does to records.
//! - [`zoho`]: Zoho CRM as a destination.
//! - [`delivery`]: the way of records to a destination, which it knows only as a trait.
//! - [`tokens`]: sites and tokens as people manage them.
//! - [`store`]: the database, and the only place with SQL.
//! - [`model`]: the vocabulary: events, records, versions, outcomes.
//! - [`timekeeper`]: keeps the time that everything goes by.
//! - [`service_manager`]: what systemd is told; [`probe`]: asks a server whether it answers.
//! - [`metrics`]: what Prometheus sees.
//! - [`activity`], [`limits`], [`clock`], [`http`], [`random`], [`secret`], [`telemetry`]: what all of them need.

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
pub mod zoho;
