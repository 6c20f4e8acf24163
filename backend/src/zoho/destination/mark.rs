//! Writing the reasons of failures into Zoho's tracking fields.

use serde_json::{Map, Value};

use super::{Zoho, job::DeliveryContext};
use crate::{delivery::Delivery, limits, store::SettledState};

impl Zoho {
    /// Writes the reasons of failures into the tracking fields of records that are already in Zoho. Best effort: we
    /// keep the reasons too.
    pub(super) async fn mark_failures(&self, context: &DeliveryContext<'_>, delivery: &Delivery) {
        let Some(tracking) = self.mapping.tracking() else { return };
        let failed = delivery.settled.iter().filter(|settled| settled.state == SettledState::Failed);
        let marks: Vec<Map<String, Value>> = failed
            .filter_map(|settled| {
                let mut mark = tracking.failure(settled.reason.as_ref().map_or("", |(_, words)| words));
                mark.insert("id".to_owned(), Value::from(settled.item.remote_id.as_deref()?));
                Some(mark)
            })
            .collect();
        for marks in marks.chunks(limits::DELIVERY_RECORDS as usize) {
            if let Err(error) = self.client.update(&context.module.module, marks, &context.module.trigger).await {
                tracing::warn!(%error, records = marks.len(), "could not write reasons of failures into Zoho");
                return;
            }
        }
    }
}
