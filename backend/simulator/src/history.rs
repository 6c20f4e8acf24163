//! What happened to a record, for its timeline.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::records::Fields;

/// The most events of a record. The oldest are dropped first.
const EVENTS: usize = 1_000;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Added,
    Updated,
    Deleted,
    Restored,
    Merged,
    Converted,
}

impl Action {
    /// Zoho's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
            Self::Merged => "find_and_merge_duplicate",
            Self::Converted => "converted",
        }
    }
}

/// Where it was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Source {
    #[default]
    Api,
    /// A person, on Zoho's pages.
    Pages,
    Merge,
    Conversion,
}

impl Source {
    /// Zoho's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Api => "crm_api",
            Self::Pages => "crm_ui",
            Self::Merge => "findandmerge",
            Self::Conversion => "convert",
        }
    }
}

/// A field's values before and after; `None` is empty.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) field: String,
    pub(super) old: Option<Value>,
    pub(super) new: Option<Value>,
}

/// Another record that an event concerns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Related {
    pub(super) module: String,
    pub(super) id: u64,
    pub(super) name: Value,
}

/// One event.
#[derive(Debug)]
pub(super) struct Event {
    /// Its number, from 1.
    pub(super) n: u64,
    pub(super) time: DateTime<Utc>,
    pub(super) action: Action,
    pub(super) source: Source,
    pub(super) changes: Box<[Change]>,
    /// Boxed, because most events have none, and there are many events.
    pub(super) related: Option<Box<Related>>,
}

/// The events of a record, the oldest first.
#[derive(Default)]
pub(super) struct History {
    events: VecDeque<Event>,
}

impl History {
    pub(super) fn add(&mut self, time: DateTime<Utc>, action: Action, source: Source, changes: Vec<Change>) {
        let n = self.events.back().map_or(1, |last| last.n + 1);
        if self.events.is_empty() {
            // Most records have one event for long.
            self.events.reserve_exact(1);
        }
        let changes = changes.into_boxed_slice();
        self.events.push_back(Event { n, time, action, source, changes, related: None });
        if self.events.len() > EVENTS {
            self.events.pop_front();
        }
    }

    /// Says which other record the last event concerns.
    pub(super) fn relate(&mut self, related: Related) {
        if let Some(last) = self.events.back_mut() {
            last.related = Some(Box::new(related));
        }
    }

    pub(super) fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.events.iter()
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
    }
}

/// The fields that differ.
pub(super) fn changes(before: &Fields, after: &Fields) -> Vec<Change> {
    let change = |field: &String| {
        let (old, new) = (before.get(field), after.get(field));
        (old != new).then(|| Change { field: field.clone(), old: old.cloned(), new: new.cloned() })
    };
    let added = after.keys().filter(|field| !before.contains_key(*field));
    before.keys().chain(added).filter_map(change).collect()
}
