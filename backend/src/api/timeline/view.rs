//! What a timeline looks like to readers.

use poem_openapi::{Enum, Object, types::Example};

use super::super::{
    items::{RecordName, SyncAttempt, SyncItem},
    record::VersionView,
};
use crate::model::{ItemState, Kind};

/// What an entry of a timeline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum EntryType {
    /// An event that was received.
    Event,
    /// The present state of a record, at its last change.
    Record,
    /// A try to deliver a record.
    Attempt,
    /// The present state of a sync item.
    Item,
}

/// An event, without its data.
#[derive(Object)]
pub(super) struct TimelineEvent {
    /// Its place in the event log.
    pub(super) id: i64,
    /// What happened.
    #[oai(rename = "type")]
    pub(super) event_type: String,
    /// What it did: `applied`, `unchanged` or `superseded`.
    pub(super) outcome: String,
    /// What orders it among the events about the same record.
    pub(super) version: VersionView,
}

/// The present state of a record, without what it says.
#[derive(Object)]
pub(super) struct TimelineRecord {
    /// The version of the state; null when only its deletion has arrived yet.
    #[oai(nullable)]
    pub(super) version: Option<VersionView>,
    /// It is gone in Moodle.
    pub(super) deleted: bool,
}

/// Something that happened, or how something stands since.
#[derive(Object)]
pub(super) struct TimelineEntry {
    /// When (RFC 3339).
    pub(super) at: String,
    /// What this is; the field of the same name tells more.
    pub(super) entry: EntryType,
    /// The kind of record that it is about.
    pub(super) kind: Kind,
    /// The record: `<site>:<Moodle id>`.
    pub(super) record: String,
    /// The destination, of an attempt or an item.
    #[oai(skip_serializing_if_is_none)]
    pub(super) destination: Option<String>,
    /// The same as a sentence.
    pub(super) text: String,
    #[oai(skip_serializing_if_is_none)]
    pub(super) event: Option<TimelineEvent>,
    #[oai(skip_serializing_if_is_none)]
    pub(super) state: Option<TimelineRecord>,
    #[oai(skip_serializing_if_is_none)]
    pub(super) attempt: Option<SyncAttempt>,
    #[oai(skip_serializing_if_is_none)]
    pub(super) item: Option<SyncItem>,
}

/// Why a record is not at a destination.
#[derive(Object)]
pub(super) struct Waiting {
    /// The destination.
    pub(super) destination: String,
    /// The kind of record.
    pub(super) kind: Kind,
    /// The record: `<site>:<Moodle id>`.
    pub(super) record: String,
    /// Where it is on its way.
    pub(super) state: ItemState,
    /// Why, for people.
    pub(super) reason: String,
    /// What it waits for.
    #[oai(nullable)]
    pub(super) waits_for: Option<RecordName>,
}

/// One person, in the order of time.
#[derive(Object)]
#[oai(example)]
pub(super) struct Timeline {
    /// The person: `<site>:<Moodle id>`.
    pub(super) user: String,
    /// Why what is not at a destination is not there.
    pub(super) waiting: Vec<Waiting>,
    /// The page's entries, the oldest first.
    pub(super) entries: Vec<TimelineEntry>,
    /// Send it as `cursor` to get the next page; null on the last.
    #[oai(nullable)]
    pub(super) next_cursor: Option<String>,
}

impl Example for Timeline {
    fn example() -> Self {
        let item = SyncItem::example();
        let waits_for = Some(RecordName { kind: Kind::User, record: "college:3".to_owned() });
        let reason = "It waits for user college:3, which failed and needs a person. Now user college:3 is failed: invalid data in \
                      the field Phone.";
        let waiting = Waiting {
            destination: "zoho".to_owned(),
            kind: item.kind,
            record: item.record.clone(),
            state: item.state,
            reason: reason.to_owned(),
            waits_for,
        };
        let event = TimelineEvent {
            id: 17,
            event_type: "grade_updated".to_owned(),
            outcome: "applied".to_owned(),
            version: VersionView { time: 1_795_334_999, sequence: Some(12) },
        };
        let entry = TimelineEntry {
            at: item.changed_at.clone(),
            entry: EntryType::Event,
            kind: item.kind,
            record: item.record,
            destination: None,
            text: "Moodle reported grade_updated; it changed the record.".to_owned(),
            event: Some(event),
            state: None,
            attempt: None,
            item: None,
        };
        Self { user: "college:3".to_owned(), waiting: vec![waiting], entries: vec![entry], next_cursor: None }
    }
}
