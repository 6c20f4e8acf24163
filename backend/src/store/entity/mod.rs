//! The tables as sea-orm entities.

pub(super) mod activity;
pub(super) mod change;
pub(super) mod console_session;
pub(super) mod counter;
pub(super) mod destination;
pub(super) mod event;
pub(super) mod grade_item;
pub(super) mod records;
pub(super) mod site;
pub(super) mod sync_attempt;
pub(super) mod sync_item;
pub(super) mod token;
