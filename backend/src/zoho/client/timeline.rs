//! What happened to a record, by its timeline.

use serde_json::Value;

use super::{Call, Client, answer, error::CallError};

/// Events on one page; Zoho's limit. A merge is among the newest: we look because a record has just vanished.
const PAGE: usize = 200;

/// The name of the event on the record that remains after a merge.
const MERGED: &str = "find_and_merge_duplicate";

impl Client {
    /// Whether somebody merged the record `vanished` into the record `id`. Looks at its newest 200 events.
    pub async fn was_merged_into(&self, module: &str, id: &str, vanished: &str) -> Result<bool, CallError> {
        let mut call = Call::read("timeline", module, format!("{module}/{id}/__timeline"));
        call.query = vec![("per_page", PAGE.to_string())];
        let events = answer::list(&self.send(call).await?, "__timeline")?;
        Ok(events.iter().any(|event| {
            let related = event.get("related_record").and_then(|related| related.get("id")).and_then(Value::as_str);
            event.get("action").and_then(Value::as_str) == Some(MERGED) && related == Some(vanished)
        }))
    }
}
