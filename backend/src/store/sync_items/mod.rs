//! Sync items: the state of each record at each destination.
//!
//! Statements that lock several items do so in the order of [`RecordKey`], or skip locked ones, so that processes on
//! one PostgreSQL never deadlock.

mod about;
mod attempts;
mod claim;
mod conservation;
mod mark;
mod records;
mod release;
mod settle;
mod siblings;
mod timeline;
mod view;

pub use about::About;
pub use attempts::AttemptRow;
pub use claim::Claimed;
pub use conservation::Conservation;
pub use settle::{Attempt, Settled, SettledState};
pub use timeline::{PersonRecord, TimelineAttempt, TimelineOrder, TimelinePlace};
pub use view::{Attention, Counts, ItemFilter, ItemRow};

pub(super) use mark::lane_of_new_sql;
pub(super) use timeline::timeline_attempt_of;
