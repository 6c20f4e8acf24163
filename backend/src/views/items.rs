//! Sync items and the attempts to deliver them.

use poem_openapi::{Object, types::Example};

use super::{Renderer, rfc3339};
use crate::{
    clock::Timestamp,
    limits,
    model::{Id, ItemState, Kind, RecordKey, Remark},
    store::{AttemptRow, ItemRow, Store, StoreError},
};

/// A reference to a record.
#[derive(Object)]
pub(crate) struct RecordName {
    /// Its kind.
    pub(crate) kind: Kind,
    /// `<site>:<Moodle id>`.
    pub(crate) record: String,
}

/// One record's state at one destination.
#[derive(Object)]
#[oai(example)]
pub(crate) struct SyncItem {
    /// The kind of record.
    pub(crate) kind: Kind,
    /// The record: `<site>:<Moodle id>`.
    pub(crate) record: String,
    /// Its delivery state.
    pub(crate) state: ItemState,
    /// Why it is not synced, or why nothing had to be delivered: for programs.
    #[oai(nullable)]
    pub(crate) code: Option<String>,
    /// The same, for people.
    #[oai(nullable)]
    pub(crate) reason: Option<String>,
    /// What was left out at the last delivery because it does not fit its field at the destination; the rest is there.
    pub(crate) remarks: Vec<Remark>,
    /// The record that it waits for.
    #[oai(nullable)]
    pub(crate) waits_for: Option<RecordName>,
    /// Attempts since the last success.
    pub(crate) attempts: u32,
    /// When its oldest undelivered change happened, or, if synced, the last one (RFC 3339).
    pub(crate) changed_at: String,
    /// When the next attempt is due (RFC 3339); null unless pending.
    #[oai(nullable)]
    pub(crate) due_at: Option<String>,
    /// When it was last delivered, or found up to date (RFC 3339).
    #[oai(nullable)]
    pub(crate) synced_at: Option<String>,
    /// The record's id at the destination.
    #[oai(nullable)]
    pub(crate) remote_id: Option<String>,
    /// Whether another record writes the one with that id, and this one only stands for it.
    pub(crate) linked: bool,
}

/// One attempt to deliver a sync item.
#[derive(Object)]
#[oai(rename = "SyncAttempt")]
pub(crate) struct SyncAttempt {
    /// Its place in the log of attempts.
    pub(crate) id: i64,
    /// When it began (RFC 3339).
    pub(crate) started_at: String,
    /// How long the destination took to answer, in milliseconds.
    pub(crate) duration_ms: i64,
    /// `inserted`, `updated`, `removed`, `retry` (another attempt follows), `failed`, or `lost` (the process ended
    /// during the attempt).
    pub(crate) outcome: String,
    /// The destination's code.
    #[oai(nullable)]
    pub(crate) code: Option<String>,
    /// The destination's answer, in words.
    #[oai(nullable)]
    pub(crate) message: Option<String>,
    /// The record's id at the destination.
    #[oai(nullable)]
    pub(crate) remote_id: Option<String>,
}

/// A sync item and its latest attempts.
#[derive(Object)]
#[oai(rename = "SyncItemWithAttempts", example)]
pub(crate) struct ItemWithAttempts {
    #[oai(flatten)]
    pub(crate) item: SyncItem,
    /// Why it is not delivered although it is pending: the reason of a hold.
    #[oai(nullable)]
    pub(crate) held: Option<String>,
    /// The latest attempts, the newest first, at most 100. Old attempts are deleted after some time.
    pub(crate) tries: Vec<SyncAttempt>,
}

impl SyncItem {
    pub(crate) fn new(renderer: &Renderer, row: &ItemRow) -> Self {
        let id = |key: RecordKey| renderer.id(key.site_id, key.moodle_id);
        Self {
            kind: row.key.kind,
            record: id(row.key),
            state: row.state,
            code: row.code.clone(),
            reason: row.reason.clone(),
            remarks: row.remarks.clone(),
            waits_for: row.waits_for.map(|key| RecordName { kind: key.kind, record: id(key) }),
            attempts: row.attempts,
            changed_at: rfc3339(row.changed_at),
            due_at: Some(row.due_at).filter(|_| row.state == ItemState::Pending).map(rfc3339),
            synced_at: row.synced_at.map(rfc3339),
            remote_id: row.remote_id.clone(),
            linked: row.linked,
        }
    }
}

impl From<AttemptRow> for SyncAttempt {
    fn from(row: AttemptRow) -> Self {
        let AttemptRow { id, started_at, duration_ms, outcome, code, message, remote_id, .. } = row;
        Self { id, started_at: rfc3339(started_at), duration_ms, outcome, code, message, remote_id }
    }
}

impl ItemWithAttempts {
    /// Reads the item of one record, if it has one.
    pub(crate) async fn read(store: &Store, destination: &str, key: RecordKey) -> Result<Option<Self>, StoreError> {
        let Some(row) = store.item(destination, key).await? else { return Ok(None) };
        let attempts = store.attempts(destination, key, None, limits::PAGE_ROWS_DEFAULT.into()).await?;
        let item = SyncItem::new(&Renderer::new(store).await?, &row);
        let summary = store.destination(destination).await?;
        let held = summary.and_then(|summary| summary.hold_of(&row).map(|hold| hold.reason.clone()));
        Ok(Some(Self { item, held, tries: attempts.into_iter().map(SyncAttempt::from).collect() }))
    }
}

impl Example for SyncItem {
    fn example() -> Self {
        Self {
            kind: Kind::Grade,
            record: "college:1".to_owned(),
            state: ItemState::Parked,
            code: Some("waits_for_user".to_owned()),
            reason: Some("It waits for user college:3, which Moodle has not reported yet.".to_owned()),
            remarks: Vec::new(),
            waits_for: Some(RecordName { kind: Kind::User, record: "college:3".to_owned() }),
            attempts: 0,
            changed_at: rfc3339(Timestamp(1_795_335_000_000)),
            due_at: None,
            synced_at: None,
            remote_id: None,
            linked: false,
        }
    }
}

impl Example for ItemWithAttempts {
    fn example() -> Self {
        let attempt = AttemptRow {
            id: 12,
            key: RecordKey { kind: Kind::Grade, site_id: 1, moodle_id: Id(1) },
            revision: 3,
            started_at: Timestamp(1_795_334_000_000),
            duration_ms: 180,
            outcome: "failed".to_owned(),
            code: Some("INVALID_DATA".to_owned()),
            message: Some("invalid data in the field Phone.".to_owned()),
            remote_id: None,
        };
        let item = SyncItem {
            state: ItemState::Failed,
            code: attempt.code.clone(),
            reason: attempt.message.clone(),
            waits_for: None,
            attempts: 1,
            ..SyncItem::example()
        };
        Self { item, held: None, tries: vec![attempt.into()] }
    }
}
