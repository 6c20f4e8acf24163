//! Looking for people and through the logs, as somebody types it into the console.

pub(super) mod logs;
pub(super) mod people;
