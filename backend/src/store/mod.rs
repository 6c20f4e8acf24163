//! The only place with SQL. To the callers, SQLite and PostgreSQL behave the same.

mod activity;
mod adoptions;
mod alerts;
pub mod backup;
mod bounded;
mod brake;
mod bulk;
mod cause;
mod connection;
mod console_sessions;
pub mod copy;
mod destinations;
mod entity;
mod erasure;
mod error;
mod events;
mod fault;
mod findings;
mod former;
mod holds;
mod item_changes;
mod keep;
mod life;
mod lookup;
mod maintenance;
mod page;
mod parity;
mod parity_audit;
mod processes;
mod read;
mod recent;
mod records;
mod register;
mod search;
mod sites;
mod sql;
mod sync_items;
mod write;

pub use activity::Activity;
pub use adoptions::{Adopted, Adoption, AdoptionDecision, AdoptionFilter, AdoptionRefusal, Standing};
pub use alerts::{
    Acknowledgement, Alert, AlertTurn, Announcement, ChannelState, ClaimedNotification, CreditSample, EndedAlert,
    Notification, NotifiedAlert, Reason, SendOutcome, Waiting,
};
pub use brake::{
    BrakeApproval, BrakeCount, BrakeDecision, BrakeDone, BrakeForecast, BrakeLimits, BrakeVerdict, BrakedRecord,
    IntendedEffect,
};
pub use cause::Cause;
pub use connection::connect::Store;
pub use connection::seats::Readers;
pub use connection::set_up::{NoDatabase, Opened};
pub use connection::url::{DatabaseUrl, InvalidDatabaseUrl};
pub use connection::warnings::listener as postgres_warnings;
pub use console_sessions::ConsoleSession;
pub use destinations::{DestinationSummary, OPERATOR, Pause, SealedToken};
pub use entity::records::StoredRecord;
pub use erasure::{BY_MOODLE, Erased, Erasure, ErasureCheck, ErasureRemainder, ErasureRequest, RemoteRecord};
pub use error::StoreError;
pub use events::{DataBytes, EventHead, StoredEvent};
pub use findings::{
    Finding, FindingCount, FindingDecision, FindingFilter, FindingRefusal, NewFinding, ProofOfKind, ProofState,
    WatchState,
};
pub use holds::{Hold, OUTAGE};
pub use keep::{Reapplied, RegisterState};
pub use life::{Incarnation, Life};
pub use maintenance::clock::StoredTime;
pub use maintenance::disk::Space;
pub use maintenance::future::{Extent, FutureTimes, Longest};
pub use maintenance::measure::PoolUse;
pub use maintenance::versions::FutureVersions;
pub use page::{CourseFilter, EventFilter, Page, PageRequest, Position, RecordFilter, UserFilter};
pub use parity::{Comparison, NewestEvent};
pub use parity_audit::AuditedDigests;
pub use processes::DeliveryProcess;
pub use read::{GradeWithItem, StoredChange};
pub use search::logs::{AttemptFilter, Log, LogPage, LogPlace};
pub use search::people::FoundPerson;
pub use sites::{NewToken, Scope, Site, SiteKeys, SiteSummary, Token, TokenSummary};
pub use sync_items::{
    About, Attempt, AttemptRow, Attention, Claimed, Conservation, Counts, Edges, ItemFilter, ItemRow, PersonRecord,
    Reader, Reading, Reservation, Reserved, Settled, SettledState, TakeOverRefusal, TimelineAttempt, TimelineOrder,
    TimelinePlace, taken,
};
pub use write::{NewChange, NewDigest, NewEvent, WriteTransaction};

pub(crate) use bounded::parts;
pub(crate) use entity::records::{RecordTable, completion, course, enrolment, grade, user};
pub(crate) use erasure::NO_DATA;
pub(crate) use former::Moved;
pub(crate) use records::Key;
pub(crate) use write::Changes;
