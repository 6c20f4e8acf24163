//! The tracking fields in Zoho, which show how the delivery went.

use serde_json::{Map, Value};

use super::{rule::FieldType, text::date_time};
use crate::clock::Timestamp;

/// The most characters of the reason for a failure.
pub const ERROR_CHARACTERS: usize = 250;

const SYNCED: &str = "Synced";
const FAILED: &str = "Failed";

const ERASED: &str = "Erased";

/// All values of the status field.
pub(crate) const STATUSES: [&str; 3] = [SYNCED, FAILED, ERASED];

/// The names of the tracking fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracking {
    pub(super) status: String,
    pub(super) last_sync: String,
    pub(super) error: String,
    pub(super) event_time: String,
}

impl Tracking {
    /// Written together with a record's data. `version_time` is the state's time in Unix seconds; 0 means unknown.
    pub fn success(&self, now: Timestamp, version_time: Option<i64>) -> Map<String, Value> {
        let event_time = version_time.filter(|time| *time != 0).map(|time| Value::String(date_time(time)));
        let mut fields = Map::new();
        fields.insert(self.status.clone(), Value::from(SYNCED));
        fields.insert(self.last_sync.clone(), Value::String(date_time(now.0.div_euclid(1000))));
        fields.insert(self.error.clone(), Value::Null);
        fields.insert(self.event_time.clone(), event_time.unwrap_or_default());
        fields
    }

    /// Written when a delivery failed and the record is already in Zoho.
    pub fn failure(&self, error: &str) -> Map<String, Value> {
        let error: String = error.chars().take(ERROR_CHARACTERS).collect();
        let mut fields = Map::new();
        fields.insert(self.status.clone(), Value::from(FAILED));
        fields.insert(self.error.clone(), Value::String(error));
        fields
    }

    /// Written when a person's data was erased.
    pub fn erased(&self, now: Timestamp) -> Map<String, Value> {
        let mut fields = self.success(now, None);
        fields.insert(self.status.clone(), Value::from(ERASED));
        fields
    }

    /// The names of the fields.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields_with_types().into_iter().map(|(name, _)| name)
    }

    pub(crate) fn fields_with_types(&self) -> [(&str, FieldType); 4] {
        [
            (&self.status, FieldType::Picklist),
            (&self.last_sync, FieldType::Datetime),
            (&self.error, FieldType::Text),
            (&self.event_time, FieldType::Datetime),
        ]
    }
}
