//! A person's timeline: what Moodle reported, what it changed, what each destination answered, and why something waits.

mod view;

use std::{collections::HashMap, fmt, str::FromStr};

pub(crate) use self::view::{EntryType, Timeline, TimelineEntry};
use self::view::{TimelineEvent, TimelineRecord, WaitingRecord};
use super::{Renderer, SyncItem, VersionView, rfc3339};
use crate::{
    clock::Timestamp,
    model::{ItemState, Kind, RecordKey},
    store::{
        DestinationSummary, EventHead, ItemRow, Page, PersonRecord, Store, StoreError, TimelineAttempt, TimelineOrder,
        TimelinePlace, UserFilter,
    },
};

/// A place in a timeline: the time, the type of entry, and a number that orders entries of one type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimelineCursor {
    at: Timestamp,
    sort: i64,
    number: i64,
}

/// The `sort` of the first destination's sync items: after all other entries of the same time, in the order of the
/// destinations.
const FIRST_ITEM_SORT: i64 = 3;

impl TimelineCursor {
    const BEGINNING: Self = Self { at: Timestamp(i64::MIN), sort: i64::MIN, number: i64::MIN };
    const END: Self = Self { at: Timestamp(i64::MAX), sort: i64::MAX, number: i64::MAX };

    /// The same place among entries of one type.
    fn among(self, sort: EntryType) -> TimelinePlace {
        let number = match (sort as i64).cmp(&self.sort) {
            std::cmp::Ordering::Less => i64::MAX,
            std::cmp::Ordering::Equal => self.number,
            std::cmp::Ordering::Greater => i64::MIN,
        };
        TimelinePlace { at: self.at, number }
    }
}

impl fmt::Display for TimelineCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.at.0, self.sort, self.number)
    }
}

impl FromStr for TimelineCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers: Result<Vec<i64>, _> = text.split('.').map(str::parse).collect();
        match numbers.as_deref() {
            Ok([at, sort, number]) => Ok(Self { at: Timestamp(*at), sort: *sort, number: *number }),
            _ => Err(()),
        }
    }
}

/// A stable number that is unique among the records of one person.
fn number_of(key: RecordKey) -> i64 {
    // Ids have 18 digits at most, so there is room for the kind.
    key.moodle_id.0.saturating_mul(Kind::ALL.len() as i64).saturating_add(key.kind as i64)
}

/// The sync items of one person's records, and the items that they wait for.
pub(crate) struct PersonItems {
    destinations: Vec<(DestinationSummary, Vec<ItemRow>, HashMap<RecordKey, ItemRow>)>,
}

impl PersonItems {
    /// Reads the items of these records.
    pub(crate) async fn read(store: &Store, keys: &[RecordKey]) -> Result<Self, StoreError> {
        let mut destinations = Vec::new();
        for destination in store.destinations().await? {
            let mut rows = store.sync_items_of(&destination.name, keys).await?;
            rows.sort_unstable_by_key(|row| row.key);
            let awaited: Vec<RecordKey> = rows.iter().filter_map(|row| row.waits_for).collect();
            let awaited = store.sync_items_of(&destination.name, &awaited).await?;
            destinations.push((destination, rows, awaited.into_iter().map(|row| (row.key, row)).collect()));
        }
        Ok(Self { destinations })
    }

    /// The items by destination, each with the reason why it is not delivered.
    pub(crate) fn by_destination<'a>(
        &'a self,
        renderer: &'a Renderer,
    ) -> impl Iterator<Item = (&'a DestinationSummary, impl Iterator<Item = (&'a ItemRow, Option<String>)>)> {
        self.destinations.iter().map(move |(destination, rows, awaited)| {
            (destination, rows.iter().map(move |row| (row, why_not_there(renderer, destination, row, awaited))))
        })
    }

    fn waiting(&self, renderer: &Renderer) -> Vec<WaitingRecord> {
        let mut waiting = Vec::new();
        for (destination, rows, awaited) in &self.destinations {
            for row in rows {
                let Some(reason) = why_not_there(renderer, destination, row, awaited) else { continue };
                let SyncItem { kind, record, state, waits_for, .. } = SyncItem::new(renderer, row);
                let destination = destination.name.clone();
                waiting.push(WaitingRecord { destination, kind, record, state, reason, waits_for });
            }
        }
        waiting
    }

    fn entries(&self, renderer: &Renderer) -> Vec<(TimelineCursor, TimelineEntry)> {
        let mut entries = Vec::new();
        for ((destination, rows, awaited), sort) in self.destinations.iter().zip(FIRST_ITEM_SORT..) {
            for row in rows {
                let at = row.synced_at.filter(|_| row.state == ItemState::Synced).unwrap_or(row.changed_at);
                let text =
                    why_not_there(renderer, destination, row, awaited).unwrap_or_else(|| has_it(destination, row));
                let mut entry = blank(renderer, EntryType::Item, row.key, at, text);
                entry.destination = Some(destination.name.clone());
                entry.item = Some(SyncItem::new(renderer, row));
                entries.push((TimelineCursor { at, sort, number: number_of(row.key) }, entry));
            }
        }
        entries
    }
}

/// Why a destination does not have a record, or not its current state; none if it does.
fn why_not_there(
    renderer: &Renderer,
    destination: &DestinationSummary,
    row: &ItemRow,
    awaited: &HashMap<RecordKey, ItemRow>,
) -> Option<String> {
    let reason = row.reason.as_deref();
    let paused = |text: String| match &destination.pause {
        Some(pause) => format!("{text} The delivery to {} is paused: {}", destination.name, pause.reason),
        None => text,
    };
    Some(match row.state {
        ItemState::Synced if row.code.is_none() && row.remote_id.is_some() => return None,
        ItemState::Synced => reason?.to_owned(),
        ItemState::InFlight => "It is being delivered now.".to_owned(),
        ItemState::Pending if row.attempts > 0 => {
            let reason = reason.unwrap_or("the last attempt failed.");
            paused(format!("The next attempt is at {}: {reason}", row.due_at.to_rfc3339()))
        }
        ItemState::Pending => paused("It waits for its turn.".to_owned()),
        ItemState::Failed => format!("It needs a person: {}", reason.unwrap_or("the reason is unknown.")),
        ItemState::Parked => {
            let name = |key: RecordKey| format!("{} {}", key.kind, renderer.id(key.site_id, key.moodle_id));
            let other = row.waits_for.and_then(|key| awaited.get(&key));
            let of_other = match (row.waits_for, other) {
                (Some(key), None) => format!(" Moodle has not reported {} yet.", name(key)),
                (_, Some(other)) => {
                    let why = other.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_else(|| ".".into());
                    format!(" Currently, {} is {}{why}", name(other.key), other.state)
                }
                (None, None) => String::new(),
            };
            paused(format!("{}{of_other}", reason.unwrap_or("It waits for another record.")))
        }
    })
}

fn has_it(destination: &DestinationSummary, row: &ItemRow) -> String {
    let fields: Vec<&str> = row.remarks.iter().map(|remark| remark.field.as_str()).collect();
    match fields.as_slice() {
        [] => format!("{} has it.", destination.name),
        fields => format!("{} has it, but for what does not fit: {}.", destination.name, fields.join(", ")),
    }
}

fn blank(renderer: &Renderer, entry: EntryType, key: RecordKey, at: Timestamp, text: String) -> TimelineEntry {
    let record = renderer.id(key.site_id, key.moodle_id);
    let at = rfc3339(at);
    TimelineEntry {
        at,
        entry,
        kind: key.kind,
        record,
        destination: None,
        text,
        event: None,
        state: None,
        attempt: None,
        item: None,
    }
}

fn of_event(renderer: &Renderer, event: EventHead) -> Option<(TimelineCursor, TimelineEntry)> {
    // A newer version may have written kinds that this one does not know.
    let key = RecordKey { kind: event.kind.parse().ok()?, site_id: event.site_id, moodle_id: event.moodle_id };
    let did = match event.outcome.as_str() {
        "applied" => "it changed the record".to_owned(),
        "unchanged" => "the record already had this state".to_owned(),
        "superseded" => "the record was already newer".to_owned(),
        other => other.to_owned(),
    };
    let text = format!("Moodle reported {}; {did}.", event.event_type);
    let mut entry = blank(renderer, EntryType::Event, key, event.received_at, text);
    let EventHead { id, event_type, outcome, version, .. } = event;
    entry.event = Some(TimelineEvent { id, event_type, outcome, version: version.into() });
    Some((TimelineCursor { at: event.received_at, sort: EntryType::Event as i64, number: id }, entry))
}

fn of_record(renderer: &Renderer, record: &PersonRecord) -> (TimelineCursor, TimelineEntry) {
    let text = match (record.deleted, record.version) {
        (true, _) => "The record was deleted in Moodle.",
        (false, Some(_)) => "The record last changed.",
        (false, None) => "Only the record's id is known, from records that refer to it.",
    };
    let mut entry = blank(renderer, EntryType::Record, record.key, record.changed_at, text.to_owned());
    entry.state = Some(TimelineRecord { version: record.version.map(VersionView::from), deleted: record.deleted });
    (TimelineCursor { at: record.changed_at, sort: EntryType::Record as i64, number: number_of(record.key) }, entry)
}

fn of_attempt(
    renderer: &Renderer,
    TimelineAttempt { destination, attempt }: TimelineAttempt,
) -> (TimelineCursor, TimelineEntry) {
    let message = attempt.message.as_deref().unwrap_or("it gave no reason.");
    let id = attempt.remote_id.as_deref().map(|id| format!(" as {id}")).unwrap_or_default();
    let text = match attempt.outcome.as_str() {
        "retry" => format!("{destination} did not accept it; another attempt follows: {message}"),
        "failed" => format!("{destination} did not accept it: {message}"),
        "lost" => message.to_owned(),
        done => format!("{destination} {done} it{id}."),
    };
    let mut entry = blank(renderer, EntryType::Attempt, attempt.key, attempt.started_at, text);
    let place = TimelineCursor { at: attempt.started_at, sort: EntryType::Attempt as i64, number: attempt.id };
    entry.destination = Some(destination);
    entry.attempt = Some(attempt.into());
    (place, entry)
}

/// Reads a page of a person's timeline, from one end or beyond a cursor; none if nothing is known about the person.
pub(crate) async fn read_timeline(
    store: &Store,
    user: UserFilter,
    beyond: Option<TimelineCursor>,
    order: TimelineOrder,
    limit: u64,
) -> Result<Option<Timeline>, StoreError> {
    let newest_first = order == TimelineOrder::NewestFirst;
    let place = beyond.unwrap_or(if newest_first { TimelineCursor::END } else { TimelineCursor::BEGINNING });
    let records = store.person_records(user).await?;
    let events = store.person_events(user, place.among(EntryType::Event), order, limit + 1).await?;
    if records.is_empty() && events.is_empty() && beyond.is_none() {
        return Ok(None);
    }
    let attempts = store.person_attempts(user, place.among(EntryType::Attempt), order, limit + 1).await?;
    let keys: Vec<RecordKey> = records.iter().map(|record| record.key).collect();
    let items = PersonItems::read(store, &keys).await?;
    let renderer = Renderer::new(store).await?;
    let mut entries: Vec<(TimelineCursor, TimelineEntry)> = Vec::new();
    entries.extend(events.into_iter().filter_map(|event| of_event(&renderer, event)));
    entries.extend(records.iter().map(|record| of_record(&renderer, record)));
    entries.extend(attempts.into_iter().map(|attempt| of_attempt(&renderer, attempt)));
    entries.extend(items.entries(&renderer));
    if newest_first {
        entries.retain(|(entry, _)| *entry < place);
        entries.sort_by_key(|(entry, _)| std::cmp::Reverse(*entry));
    } else {
        entries.retain(|(entry, _)| *entry > place);
        entries.sort_by_key(|(entry, _)| *entry);
    }
    let page = Page::cut(entries, limit, |(place, _)| *place);
    Ok(Some(Timeline {
        user: renderer.id(user.site_id, user.userid),
        waiting: items.waiting(&renderer),
        entries: page.items.into_iter().map(|(_, entry)| entry).collect(),
        next_cursor: page.next.map(|place| place.to_string()),
    }))
}
