//! What happened to a person's records, newest first.

use serde_json::{Map, Value};

use crate::{
    api::Context,
    clock::Timestamp,
    console::{
        error::PageError,
        lines::{self, StateTag, display},
        subjects::Subjects,
        words::Moment,
    },
    limits,
    model::{ItemState, RecordId, RecordKey},
    store::{TimelineOrder, UserFilter},
    views::{EntryType, TimelineCursor, TimelineEntry, read_timeline},
};

/// Characters of a value to show: feedback may be long.
const VALUE_CHARACTERS: usize = 300;

/// A page of the history.
pub(super) struct History {
    pub(super) entries: Vec<HistoryEntry>,
    /// The cursor of the page with older entries.
    pub(super) older: Option<TimelineCursor>,
}

/// Something that happened, or a state that holds since then.
pub(super) struct HistoryEntry {
    pub(super) at: Moment,
    /// Moodle, this backend, or a destination.
    pub(super) who: String,
    pub(super) what: String,
    /// The address of the record's page.
    pub(super) address: String,
    pub(super) text: String,
    pub(super) tag: Option<StateTag>,
    /// Details, a line each.
    pub(super) more: Vec<String>,
    /// The fields that Moodle sent.
    pub(super) sent: Vec<(String, String)>,
}

pub(super) async fn read(
    context: &Context,
    subjects: &Subjects,
    user: UserFilter,
    before: Option<TimelineCursor>,
) -> Result<History, PageError> {
    let timeline =
        read_timeline(&context.store, user, before, TimelineOrder::NewestFirst, limits::CONSOLE_ROWS).await?;
    let timeline = timeline.ok_or(PageError::NotFound)?;
    let mut entries = Vec::new();
    for entry in timeline.entries {
        let sent = match &entry.event {
            Some(event) => context.store.event(event.id).await?.map(|event| pairs(&event.data)).unwrap_or_default(),
            None => Vec::new(),
        };
        entries.push(history_entry(context, subjects, user.site_id, entry, sent));
    }
    Ok(History { entries, older: timeline.next_cursor.and_then(|cursor| cursor.parse().ok()) })
}

fn history_entry(
    context: &Context,
    subjects: &Subjects,
    site_id: i64,
    entry: TimelineEntry,
    sent: Vec<(String, String)>,
) -> HistoryEntry {
    let record: Option<RecordId> = entry.record.parse().ok();
    let key = record.map(|record| RecordKey { kind: entry.kind, site_id, moodle_id: record.moodle_id });
    let destination = entry.destination.as_deref().map(display);
    let mut more = Vec::new();
    if let Some(event) = &entry.event {
        let sequence = event.version.sequence.map(|number| format!(", number {number}")).unwrap_or_default();
        let moment = Timestamp(event.version.time.saturating_mul(1_000)).to_rfc3339();
        more.push(format!("event {}, version {moment}{sequence}", event.id));
    }
    if let Some(version) = entry.state.as_ref().and_then(|state| state.version.as_ref()) {
        let sequence = version.sequence.map(|number| format!(", number {number}")).unwrap_or_default();
        more.push(format!("version {}{sequence}", Timestamp(version.time.saturating_mul(1_000)).to_rfc3339()));
    }
    if let Some(attempt) = &entry.attempt {
        more.push(format!("answered in {} ms", attempt.duration_ms));
        more.extend(attempt.code.as_ref().map(|code| format!("code {code}")));
    }
    HistoryEntry {
        at: Moment::new(Timestamp::from_rfc3339(&entry.at).unwrap_or(Timestamp(0)), context.clock.now()),
        who: match entry.entry {
            EntryType::Event => "Moodle".to_owned(),
            EntryType::Record => "Backend Sync".to_owned(),
            EntryType::Attempt | EntryType::Item => destination.unwrap_or_default(),
        },
        what: key.map(|key| subjects.what(key)).unwrap_or_default(),
        address: lines::address(entry.kind, &entry.record),
        tag: tag(&entry),
        text: entry.text,
        more,
        sent,
    }
}

fn tag(entry: &TimelineEntry) -> Option<StateTag> {
    if let Some(item) = &entry.item {
        let left_out = item.state == ItemState::Synced && item.remote_id.is_none();
        return Some(if left_out { StateTag::LEFT_OUT } else { StateTag::of_state(item.state) });
    }
    let outcome = entry.attempt.as_ref()?.outcome.as_str();
    let (word, class) = match outcome {
        "inserted" => ("inserted", "good"),
        "updated" => ("updated", "good"),
        "adopted" => ("adopted", "good"),
        "removed" => ("removed", "good"),
        "retry" => ("retried", "warn"),
        "failed" => ("failed", "bad"),
        "lost" => ("lost", "warn"),
        _ => return None,
    };
    Some(StateTag { word, class })
}

/// The fields of a JSON object as text.
pub(in crate::console) fn pairs(json: &str) -> Vec<(String, String)> {
    let map: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    map.into_iter().map(|(name, value)| (name, text(&value))).collect()
}

/// A value as text, truncated to [`VALUE_CHARACTERS`].
pub(in crate::console) fn text(value: &Value) -> String {
    let text = match value {
        Value::Null => "–".to_owned(),
        Value::String(text) if text.is_empty() => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(VALUE_CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::pairs;

    #[test]
    fn fields_are_shown_as_they_came() {
        let long = "é".repeat(400);
        let json = format!(r#"{{"userid":"3","finalgrade":null,"roles":["student"],"feedback":"{long}"}}"#);
        let pairs = pairs(&json);
        let find = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!((find("userid"), find("finalgrade"), find("roles")), (Some("3"), Some("–"), Some("[\"student\"]")));
        assert_eq!(find("feedback").map(|text| text.chars().count()), Some(301));
        assert!(super::pairs("no json").is_empty());
    }
}
