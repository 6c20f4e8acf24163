//! Sync items: the state of each record at each destination.
//!
//! Statements that lock several items do so in one order, that of `lock`, so that processes on one PostgreSQL never
//! deadlock. Whatever may concern very many items goes in steps: a step reads keys without a lock and then changes these.

mod about;
mod absent;
mod attempts;
mod claim;
mod conservation;
mod counts;
mod edges;
mod list;
mod lock;
mod mark;
mod queued;
mod records;
mod release;
mod remarks;
mod remote;
mod settle;
mod settled;
mod siblings;
mod take_over;
mod timeline;
mod view;
mod waiting;
mod writers;

pub use about::About;
pub use attempts::AttemptRow;
pub use claim::Claimed;
pub use conservation::Conservation;
pub use counts::{Attention, Counts};
pub use edges::{Edges, Reader, Reading};
pub use settled::{Attempt, Settled, SettledState};
pub use take_over::TakeOverRefusal;
pub use timeline::{PersonRecord, TimelineAttempt, TimelineOrder, TimelinePlace};
pub use view::{ItemFilter, ItemRow};
pub use writers::{Reservation, Reserved, taken};

use writers::place;

pub(super) use lock::hold;
pub(super) use queued::SINCE;
pub(super) use release::{Delivered, among, by_site_and_kind, make_pending, request_delivery};
pub(super) use timeline::timeline_attempt_of;
