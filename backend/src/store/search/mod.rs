//! The console's searches: people, and the logs.

pub(super) mod logs;
pub(super) mod people;
