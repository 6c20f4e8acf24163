//! A site's stored records, in a form that can be compared and shown.

use std::collections::BTreeMap;

use backend_sync::{
    model::{Kind, Record, State, Version},
    store::{Page, PageRequest, Position, RecordFilter, Store, StoredRecord},
};
use poem_openapi::types::ToJSON;
use serde_json::{Map, Value};

use super::history::SentRecord;

/// A record without the time of its last change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    kind: Kind,
    moodle_id: i64,
    /// All non-null fields, including the grade item's and unknown ones.
    fields: BTreeMap<String, String>,
    deleted: bool,
    version: Option<Version>,
    presence: Version,
}

impl Seen {
    fn new<S: State + ToJSON>(stored: StoredRecord<S>, item: Option<Value>) -> Self {
        let Record { state, extra, version, deleted, presence } = stored.record;
        let extra = extra.map(|extra| serde_json::from_str(&extra).unwrap());
        let mut fields = Map::new();
        for part in [state.to_json(), item, extra].into_iter().flatten() {
            fields.extend(part.as_object().unwrap().clone());
        }
        let (kind, moodle_id) = (S::KIND, state.moodle_id().0);
        Self { kind, moodle_id, fields: as_text(fields), deleted, version, presence }
    }

    /// The expected entry in the change feed.
    pub(super) fn in_feed(&self) -> (String, i64, bool) {
        (self.kind.to_string(), self.moodle_id, self.deleted)
    }

    /// The fields in the form that a sender would recognise.
    pub(super) fn as_sent(&self) -> SentRecord {
        let key = match self.kind {
            Kind::User => "userid",
            Kind::Course => "courseid",
            Kind::Enrolment => "enrollmentid",
            Kind::Grade => "gradeid",
            Kind::Completion => "completionid",
        };
        ((key, self.moodle_id), self.fields.clone(), self.deleted)
    }
}

/// All non-null fields, in a form in which `"1"` equals `1`, and `"0"` equals `false`.
pub(super) fn as_text(fields: Map<String, Value>) -> BTreeMap<String, String> {
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Bool(flag) => i64::from(flag).to_string(),
        other => other.to_string(),
    };
    fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name, text(value))).collect()
}

/// All records of a site by key name and id.
pub(super) async fn records(store: &Store, site_id: i64) -> Vec<Seen> {
    let filter = RecordFilter { site_id: Some(site_id), ..Default::default() };
    let page = PageRequest { after: None, limit: 500 };
    let mut records = seen(store.users(&filter, page).await.unwrap());
    records.extend(seen(store.courses(&filter, page).await.unwrap()));
    records.extend(seen(store.enrolments(&filter, page).await.unwrap()));
    records.extend(seen(store.completions(&filter, page).await.unwrap()));
    let grades = store.grades(&filter, page).await.unwrap().items;
    records.extend(grades.into_iter().map(|grade| Seen::new(grade.grade, grade.item.and_then(|item| item.to_json()))));
    records.sort_by_key(|record| record.as_sent().0);
    records
}

fn seen<S: State + ToJSON>(page: Page<StoredRecord<S>, Position>) -> Vec<Seen> {
    page.items.into_iter().map(|stored| Seen::new(stored, None)).collect()
}
