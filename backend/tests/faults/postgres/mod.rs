//! The harness's own PostgreSQL servers, and their faults.
//!
//! Debian's package `postgresql` is all they need. Data is on a disk, with fsync on; addresses are on loopback, or in a
//! network namespace that the harness created.

mod cluster;
mod host;
mod incident;
mod kinds;
mod programs;
mod relay;
mod server;
mod sql;

pub(crate) use cluster::{Cluster, Parts};
pub(crate) use host::Host;
pub(crate) use kinds::kinds;
pub(crate) use programs::Programs;
pub(crate) use sql::Sql;
