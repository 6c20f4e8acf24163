//! What happened to a record, by its timeline.

use serde_json::{Map, Value};

use super::{Call, Client, answer, error::CallError};

/// The name of the event on the record that remains after a merge.
const MERGED: &str = "find_and_merge_duplicate";

/// The name of the event on a lead that somebody made a contact.
const CONVERTED: &str = "converted";

impl Client {
    /// Whether a record's timeline shows earlier values of its fields; false for a record that is gone for good.
    pub async fn shows_earlier_values(&self, module: &str, id: &str) -> Result<bool, CallError> {
        let events = match self.timeline(module, id).await {
            // There is no such record any more.
            Err(CallError::Invalid { .. }) => return Ok(false),
            events => events?,
        };
        Ok(events.iter().any(|event| event.get("field_history").is_some_and(|history| !history.is_null())))
    }

    /// Whether somebody converted this lead; false for a record that is gone for good.
    pub async fn was_converted(&self, module: &str, id: &str) -> Result<bool, CallError> {
        let events = match self.timeline(module, id).await {
            Err(CallError::Invalid { .. }) => return Ok(false),
            events => events?,
        };
        Ok(events.iter().any(|event| event.get("action").and_then(Value::as_str) == Some(CONVERTED)))
    }

    async fn timeline(&self, module: &str, id: &str) -> Result<Vec<Map<String, Value>>, CallError> {
        // Without a number of events per page: Zoho's pages and its description allow different ones.
        let call = Call::read("timeline", module, format!("{module}/{id}/__timeline"));
        answer::list(&self.send(call).await?, "__timeline")
    }

    /// Whether somebody merged the record `vanished` into the record `id`. Looks at its newest events, some 200.
    pub async fn was_merged_into(&self, module: &str, id: &str, vanished: &str) -> Result<bool, CallError> {
        let events = self.timeline(module, id).await?;
        Ok(events.iter().any(|event| {
            let related = event.get("related_record").and_then(|related| related.get("id")).and_then(Value::as_str);
            event.get("action").and_then(Value::as_str) == Some(MERGED) && related == Some(vanished)
        }))
    }
}
