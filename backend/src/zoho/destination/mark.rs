//! Writing the reasons of failures into Zoho's tracking fields.

use serde_json::{Map, Value};

use super::{Zoho, job::DeliveryContext};
use crate::{
    delivery::Delivery,
    limits,
    model::Effect,
    store::SettledState,
    zoho::client::{RecordAnswer, Refusal},
};

impl Zoho {
    /// Writes the reasons of failures into the tracking fields of records that are already in Zoho, unless another item
    /// writes them, or the brake holds them back: that is about many, and not about the record. Best effort: we keep
    /// the reasons too.
    pub(super) async fn mark_failures(&self, context: &DeliveryContext<'_>, delivery: &Delivery) {
        let Some(tracking) = self.mapping.tracking() else { return };
        let failed = delivery.settled.iter().filter(|settled| settled.state == SettledState::Failed);
        let marks: Vec<Map<String, Value>> = failed
            .filter(|settled| !settled.item.linked)
            .filter(|settled| !settled.reason.as_ref().is_some_and(|(code, _)| Effect::is_braked(code)))
            .filter_map(|settled| {
                let mut mark = tracking.failure(settled.reason.as_ref().map_or("", |(_, words)| words));
                mark.insert("id".to_owned(), Value::from(settled.item.remote_id.as_deref()?));
                Some(mark)
            })
            .collect();
        for marks in marks.chunks(limits::DELIVERY_RECORDS as usize) {
            let refusals = match self.client.update(&context.module.module, marks, &context.module.trigger).await {
                Ok(entries) => entries.into_iter().filter_map(refusal).collect::<Vec<_>>(),
                Err(error) => {
                    tracing::warn!(%error, records = marks.len(), "could not write reasons of failures into Zoho");
                    return;
                }
            };
            if let Some(first) = refusals.first() {
                let (code, records) = (&first.code, refusals.len());
                tracing::warn!(code, records, "Zoho refused reasons of failures");
            }
        }
    }
}

fn refusal(entry: RecordAnswer) -> Option<Refusal> {
    match entry {
        RecordAnswer::Refused(refusal) => Some(refusal),
        RecordAnswer::Done { .. } => None,
    }
}
