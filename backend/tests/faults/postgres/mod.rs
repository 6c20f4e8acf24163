//! PostgreSQL servers of the harness's own, and what may happen to them.
//!
//! Debian's package `postgresql` is all they need. Data lies on a disk, with fsync on; addresses are of loopback, or of a network
//! namespace that the harness made.

mod cluster;
mod host;
mod kinds;
mod programs;
mod relay;
mod server;
mod sql;
mod trouble;

pub(crate) use cluster::{Cluster, Parts};
pub(crate) use host::Host;
pub(crate) use kinds::kinds;
pub(crate) use programs::Programs;
pub(crate) use sql::Sql;
