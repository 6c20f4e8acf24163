//! Backend Sync: stores what happens in Moodle durably, makes it readable, and delivers it to Zoho CRM.
//!
//! The modules, each above those it uses (checked by `scripts/imports`):
//!
//! - [`cli`]: the subcommands.
//! - [`app`]: builds everything from the configuration, starts it, stops it.
//! - [`reload`]: gives deliveries, erasures and alerts to settings that are read again.
//! - [`service_manager`]: reports to systemd.
//! - [`console`]: pages for people.
//! - [`api`]: the HTTP API: operations, their types and errors, authentication, the OpenAPI document.
//! - [`demo`]: the events of a made-up college's term, for `backend-sync demo`.
//! - [`live`]: what is built from settings that are read again: Zoho and the alerts.
//! - [`views`]: what the command line, the console and the API show alike.
//! - [`alerts`]: finds what is wrong, and notifies people by webhook and e-mail.
//! - [`erasure`]: erases people's data, here and at the destination.
//! - [`zoho`]: Zoho CRM as a destination.
//! - [`delivery`]: delivers records to a destination, which it knows only as a trait.
//! - [`ingest`]: the bounded queue, the batching writer, what events do to records.
//! - [`metrics`]: the metrics for Prometheus.
//! - [`timekeeper`]: keeps the server's clock right.
//! - [`retention`]: deletes old data.
//! - [`statistics`]: keeps PostgreSQL's statistics in step with tables that grow.
//! - [`register`]: keeps the register's note of how far the database has come.
//! - [`health`]: whether events can be stored, and whether writer and delivery make progress.
//! - [`activity`]: counts what happens, by minute.
//! - [`tokens`]: sites and tokens as people manage them.
//! - [`sign_in_links`]: links that sign a person in to the console once.
//! - [`telemetry`]: the log and the traces.
//! - [`config`]: the settings, from the embedded default, a file, the environment and flags.
//! - [`store`]: the database, and the only place with SQL.
//! - [`model`]: the vocabulary: events, records, versions, outcomes.
//! - [`server`]: the connections of clients.
//! - [`clock`], [`descriptors`], [`limits`], [`http`], [`authorities`], [`random`], [`place`], [`secret`], [`probe`]:
//!   used by all of them.

#![forbid(unsafe_code)]

#[macro_use]
mod openapi_type;

pub mod activity;
pub mod alerts;
pub mod api;
pub mod app;
pub mod authorities;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod delivery;
pub mod demo;
pub mod descriptors;
pub mod erasure;
pub mod health;
pub mod http;
pub mod ingest;
pub mod limits;
pub mod live;
pub mod metrics;
pub mod model;
mod place;
pub mod probe;
pub mod random;
pub mod register;
pub mod reload;
pub mod retention;
pub mod secret;
pub mod server;
pub mod service_manager;
pub mod sign_in_links;
pub mod statistics;
pub mod store;
pub mod telemetry;
pub mod timekeeper;
pub mod tokens;
mod views;
pub mod zoho;
