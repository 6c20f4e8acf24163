//! A timeline, as readers see it.

use poem_openapi::{Enum, Object, types::Example};

use crate::{
    model::{ItemState, Kind},
    views::{RecordName, SyncAttempt, SyncItem, VersionView},
};

/// The type of a timeline entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Enum)]
#[oai(rename_all = "snake_case")]
pub(crate) enum EntryType {
    /// An event that was received.
    Event,
    /// The current state of a record, at the time of its last change.
    Record,
    /// An attempt to deliver a record.
    Attempt,
    /// The current state of a sync item.
    Item,
}

/// An event, without its data.
#[derive(Object)]
pub(crate) struct TimelineEvent {
    /// Its place in the event log.
    pub(crate) id: i64,
    /// The event's type.
    #[oai(rename = "type")]
    pub(crate) event_type: String,
    /// What it did: `applied`, `unchanged` or `superseded`.
    pub(crate) outcome: String,
    /// Orders it among the events about the same record.
    pub(crate) version: VersionView,
}

/// The current state of a record, without its fields.
#[derive(Object)]
pub(crate) struct TimelineRecord {
    /// The version of the state; null while only its deletion has arrived.
    #[oai(nullable)]
    pub(crate) version: Option<VersionView>,
    /// Whether it is deleted in Moodle.
    pub(crate) deleted: bool,
}

/// Something that happened, or a current state and when it began.
#[derive(Object)]
pub(crate) struct TimelineEntry {
    /// When it happened, or when the state began (RFC 3339).
    pub(crate) at: String,
    /// The type of the entry; the field with that name has the details.
    pub(crate) entry: EntryType,
    /// The kind of record it is about.
    pub(crate) kind: Kind,
    /// The record: `<site>:<Moodle id>`.
    pub(crate) record: String,
    /// The destination; only for attempts and items.
    #[oai(skip_serializing_if_is_none)]
    pub(crate) destination: Option<String>,
    /// The entry as a sentence.
    pub(crate) text: String,
    #[oai(skip_serializing_if_is_none)]
    pub(crate) event: Option<TimelineEvent>,
    #[oai(skip_serializing_if_is_none)]
    pub(crate) state: Option<TimelineRecord>,
    #[oai(skip_serializing_if_is_none)]
    pub(crate) attempt: Option<SyncAttempt>,
    #[oai(skip_serializing_if_is_none)]
    pub(crate) item: Option<SyncItem>,
}

/// Why a destination does not have a record.
#[derive(Object)]
#[oai(rename = "Waiting")]
pub(crate) struct WaitingRecord {
    /// The destination's name.
    pub(crate) destination: String,
    /// The kind of record.
    pub(crate) kind: Kind,
    /// The record: `<site>:<Moodle id>`.
    pub(crate) record: String,
    /// Its delivery state.
    pub(crate) state: ItemState,
    /// The reason, for people.
    pub(crate) reason: String,
    /// The record that it waits for.
    #[oai(nullable)]
    pub(crate) waits_for: Option<RecordName>,
}

/// Everything about one person, in chronological order.
#[derive(Object)]
#[oai(example)]
pub(crate) struct Timeline {
    /// The person: `<site>:<Moodle id>`.
    pub(crate) user: String,
    /// The records that have not reached a destination, and why.
    pub(crate) waiting: Vec<WaitingRecord>,
    /// The page's entries, the oldest first.
    pub(crate) entries: Vec<TimelineEntry>,
    /// Send it as `cursor` to get the next page; null on the last page.
    #[oai(nullable)]
    pub(crate) next_cursor: Option<String>,
}

impl Example for Timeline {
    fn example() -> Self {
        let item = SyncItem::example();
        let waits_for = Some(RecordName { kind: Kind::User, record: "college:3".to_owned() });
        let reason = "It waits for user college:3, which failed and needs a person. Now user college:3 is failed: \
                      invalid data in \
                      the field Phone.";
        let waiting = WaitingRecord {
            destination: crate::zoho::NAME.to_owned(),
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
