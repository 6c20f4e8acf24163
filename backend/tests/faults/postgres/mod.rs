//! PostgreSQL servers of the harness's own, and what may happen to them.
//!
//! Debian's package `postgresql` is all they need. Data lies on a disk, with fsync on; addresses are of loopback, or of a network
//! namespace that the harness made.

mod cluster;
mod disk;
mod faults;
mod host;
mod programs;
mod relay;
mod server;
mod sql;

pub(crate) use cluster::{Cluster, Parts};
pub(crate) use faults::Fault;
pub(crate) use host::Host;
pub(crate) use programs::Programs;
pub(crate) use sql::Sql;
