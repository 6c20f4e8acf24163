//! The only place with SQL. SQLite and PostgreSQL behave the same behind it.

mod activity;
mod alerts;
mod bulk;
mod connect;
mod destinations;
mod disk;
mod entity;
mod error;
mod page;
mod read;
mod sites;
mod sync;
mod write;

pub use activity::Activity;
pub use alerts::{
    Alert, AlertTurn, ChannelState, ClaimedNotice, CreditSample, Notice, NoticedAlert, Sent, Told, Undelivered,
};
pub use connect::{DatabaseUrl, InvalidDatabaseUrl, Store};
pub use destinations::{DestinationSummary, OPERATOR, Pause, SealedToken};
pub use disk::Space;
pub use entity::records::StoredRecord;
pub use error::StoreError;
pub use page::{CourseFilter, EventFilter, Page, PageRequest, Position, RecordFilter, UserFilter};
pub use read::{GradeWithItem, StoredChange, StoredEvent};
pub use sites::{NewToken, Scope, Site, SiteSummary, Token, TokenSummary};
pub use sync::{
    Attempt, AttemptRow, Attention, Claimed, Conservation, Counts, ItemFilter, ItemRow, PersonRecord, Settled,
    SettledState, TimelineAttempt, TimelinePlace,
};
pub use write::{NewChange, NewEvent, WriteTransaction};

pub(crate) use entity::records::{RecordTable, completion, course, enrolment, grade, user};
