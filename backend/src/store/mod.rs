//! The only place with SQL. SQLite and PostgreSQL behave the same behind it.

mod activity;
mod alerts;
mod bulk;
mod cause;
mod clock;
mod connect;
mod console_sessions;
pub mod copy;
mod destinations;
mod disk;
mod entity;
mod erasure;
mod error;
mod file;
mod future;
mod health;
mod lease;
mod logs;
mod measure;
mod notices;
mod page;
mod people;
mod pool;
mod read;
mod set_up;
mod sites;
mod sql;
mod sync_items;
mod transaction;
mod turns;
mod url;
mod versions;
mod write;

pub use activity::Activity;
pub use alerts::{
    Alert, AlertTurn, ChannelState, ClaimedNotice, CreditSample, EndedAlert, Notice, NoticedAlert, Sent, Told,
    Undelivered,
};
pub use cause::Cause;
pub use clock::StoredTime;
pub use connect::Store;
pub use console_sessions::ConsoleSession;
pub use destinations::{DestinationSummary, OPERATOR, Pause, SealedToken};
pub use disk::Space;
pub use entity::records::StoredRecord;
pub use erasure::{BY_MOODLE, Erased, Erasure, ErasureCheck, ErasureRequest, Finding, RemoteRecord};
pub use error::StoreError;
pub use future::{Extent, FutureTimes, Longest};
pub use logs::{AttemptFilter, LOOK_BACK, Log, LogPage, LogPlace};
pub use measure::PoolUse;
pub use notices::listener as postgres_warnings;
pub use page::{CourseFilter, EventFilter, Page, PageRequest, Position, RecordFilter, UserFilter};
pub use people::FoundPerson;
pub use read::{GradeWithItem, StoredChange, StoredEvent};
pub use set_up::NoDatabase;
pub use sites::{NewToken, Scope, Site, SiteSummary, Token, TokenSummary};
pub use sync_items::{
    About, Attempt, AttemptRow, Attention, Claimed, Conservation, Counts, ItemFilter, ItemRow, PersonRecord, Settled,
    SettledState, TimelineAttempt, TimelineOrder, TimelinePlace,
};
pub use url::{DatabaseUrl, InvalidDatabaseUrl};
pub use versions::FutureVersions;
pub use write::{NewChange, NewEvent, WriteTransaction};

pub(crate) use entity::records::{RecordTable, completion, course, enrolment, grade, user};
pub(crate) use erasure::NO_DATA;
