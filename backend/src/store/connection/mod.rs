//! The way to the database: its address, its set-up, and connections none of which is waited for without an end.

pub(super) mod connect;
pub(super) mod file;
pub(super) mod lease;
pub(super) mod pool;
pub(super) mod set_up;
pub(super) mod transaction;
pub(super) mod url;
pub(super) mod warnings;
