//! Reading what an adoption is about to replace, so that it can be undone.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::{
    Zoho,
    job::{DeliveryContext, Job},
    outcome::{self, Timing},
};
use crate::{
    delivery::{Delivery, DestinationFailure},
    model::{Records, ReplacedValue},
    store::Adopted,
};

/// The most bytes of replaced values that are kept of one contact: some fields with the longest texts that Zoho allows
/// (64 KiB), and little in a database of thousands of adoptions.
const REPLACED_BYTES: usize = 256 * 1024;

impl Zoho {
    /// Of these jobs, those that may be reserved, with what is to be kept of the contacts that they adopt: one read of
    /// all. Settles those whose contact has more values than can be kept.
    pub(super) async fn with_replaced(
        &self,
        context: &DeliveryContext<'_>,
        jobs: Vec<Job>,
        delivery: &mut Delivery,
    ) -> Result<Vec<(Job, Option<Adopted>)>, DestinationFailure> {
        let adopts = |job: &&Job| job.outcome == "adopted" && job.takes_over_from.is_empty();
        let ids: Vec<String> = jobs.iter().filter(adopts).filter_map(|job| job.remote_id.clone()).collect();
        let started_at = self.clock.now();
        let mut held = HashMap::new();
        if !ids.is_empty() {
            // All fields of the mapping: a later delivery may write what this one leaves out.
            let fields: BTreeSet<&str> = context.module.rules.iter().map(|rule| rule.field.as_str()).collect();
            let fields: Vec<&str> = fields.into_iter().collect();
            let records = self.client.get(&context.module.module, &ids, &fields).await;
            let records =
                records.map_err(|error| self.failure_of(context, Records::New, "contacts cannot be read", &error))?;
            for record in records {
                held.extend(record.get("id").and_then(Value::as_str).map(str::to_owned).map(|id| (id, record)));
            }
        }
        let timing = Timing { started_at, ended_at: self.clock.now() };
        let mut ready = Vec::with_capacity(jobs.len());
        for job in jobs {
            let contact = job.remote_id.as_ref().and_then(|id| held.get(id));
            match contact.map(|contact| values(context, &job, contact)) {
                Some(None) => {
                    let words = format!(
                        "The contact in Zoho holds more than the {} KiB that can be kept of an adoption, so that it could not be \
                         undone. Shorten its fields there; then retry.",
                        REPLACED_BYTES / 1024
                    );
                    let reason = ("adoption_too_large".to_owned(), words);
                    delivery.settled.push(outcome::failed(job.item, reason, Some(timing)));
                }
                Some(replaced) => ready.push((job, Some(Adopted { replaced }))),
                // The values of a deleted account are not kept: they came from Moodle, and go with that account.
                None => {
                    let adopted = (job.outcome == "adopted").then(Adopted::default);
                    ready.push((job, adopted));
                }
            }
        }
        Ok(ready)
    }
}

/// The values of a contact in the fields of the mapping; `None` if they are too long.
fn values(context: &DeliveryContext<'_>, job: &Job, contact: &Map<String, Value>) -> Option<Vec<ReplacedValue>> {
    let mut bytes = 0;
    let mut values = Vec::new();
    for rule in &context.module.rules {
        let field = rule.field.clone();
        let before = contact.get(&field).cloned().unwrap_or_default();
        let after = job.body.get(&field).cloned();
        bytes += field.len() + before.to_string().len() + after.as_ref().map_or(0, |after| after.to_string().len());
        values.push(ReplacedValue { field, before, after });
    }
    (bytes <= REPLACED_BYTES).then_some(values)
}
