//! Sync items: what became of each record at each destination.
//!
//! Statements that lock several items do it in the order of [`RecordKey`], or skip what others hold, so that processes on one
//! PostgreSQL never wait for each other in a circle.

mod about;
mod claim;
mod mark;
mod records;
mod release;
mod settle;
mod siblings;
mod timeline;
mod view;

pub use about::About;
pub use claim::Claimed;
pub use settle::{Attempt, Settled, SettledState};
pub use timeline::{PersonRecord, TimelineAttempt, TimelineOrder, TimelinePlace};
pub use view::{AttemptRow, Attention, Conservation, Counts, ItemFilter, ItemRow};

pub(super) use mark::lane_of_new_sql;
pub(super) use timeline::timeline_attempt_of;
