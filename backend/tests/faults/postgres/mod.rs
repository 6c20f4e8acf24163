//! PostgreSQL servers of the harness's own, and what may happen to them.
//!
//! Debian's package `postgresql` is all they need. Data lies on a disk, with fsync on; addresses are of loopback, or of a network
//! namespace that the harness made.

mod disk;
mod faults;
mod programs;
mod relay;
mod server;
mod sql;
mod world;

pub(crate) use faults::{Applied, Fault};
pub(crate) use programs::Programs;
pub(crate) use world::{Parts, World};
