//! What the command line, the console and the API show alike, read from the store.
//!
//! The types have the shape of the API's JSON. The command line prints the same fields; the console renders them as
//! pages.

mod adoptions;
mod agreement;
mod brake;
mod destinations;
mod explain;
mod findings;
mod first_day;
mod items;
mod parity;
mod plan;
mod record;
mod timeline;

pub(crate) use adoptions::{AdoptionPreview, AdoptionView, TakeOverView, account};
pub(crate) use agreement::AgreementView;
pub(crate) use brake::{
    BrakeView, BrakedRecordView, InvalidApproval, approve_effects, check_approval, refuse_effects, withdraw_exceptions,
};
pub(crate) use destinations::{
    Accepted, AttentionView, ConservationView, DestinationView, HoldView, ORGANISATION, OTHER_WRITER, PauseView,
    StateCounts, WaitingProcess, accept, operators_pause,
};
pub(crate) use explain::{
    Edge, EdgeView, Explanation, FieldOutcome, FieldView, ObstacleKind, RecordExplanation, Relation, StepView,
};
pub(crate) use findings::{DestinationParityView, FindingView, decide_all};
pub(crate) use first_day::{FirstDaySettings, FirstDayStep, UNNAMED_SITE, first_day};
pub(crate) use items::{ItemWithAttempts, RecordName, SyncAttempt, SyncItem};
pub(crate) use parity::ParityView;
pub(crate) use plan::{DifferenceView, PlanError, PlanView, PlannedItem, Subset, failure_in_words};
pub(crate) use record::{RecordView, Related, Renderer, VersionView};
pub(crate) use timeline::{EntryType, PersonItems, Timeline, TimelineCursor, TimelineEntry, read_timeline};

use crate::clock::Timestamp;

/// Formats a time, for use with `map`.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    time.to_rfc3339()
}
