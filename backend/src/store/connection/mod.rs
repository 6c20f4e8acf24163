//! Connections to the database, its URL, and its set-up.

pub(super) mod connect;
pub(super) mod file;
pub(super) mod lease;
pub(super) mod pool;
pub(super) mod postgres;
pub(super) mod seats;
pub(super) mod set_up;
pub(super) mod transaction;
pub(super) mod url;
pub(super) mod warnings;
