//! Undoing an adoption: the contact gets its values back and loses our key. What people changed in it since then stays.
//!
//! A delivery does it, under the item's lease, so that no other one writes the contact meanwhile. It compares before it
//! writes: done again after a crash, it changes nothing more.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    Zoho,
    decide::UNDONE,
    job::DeliveryContext,
    outcome::{self, Timing},
    same_address::goes_without,
    unreadable, user_key,
};
use crate::{
    delivery::{Delivery, Destination, DestinationFailure},
    model::{AdoptionState, RecordKey, Records, ReplacedValue},
    store::{Claimed, Settled},
    zoho::{
        client::{CallError, Class, RecordAnswer},
        difference::{Difference, same},
        mapping::Write,
        metadata::Module,
    },
};

/// What an undo writes into a contact.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restoration {
    /// The values that the contact gets back, and our key, which it loses.
    pub restored: Vec<Difference>,
    /// The fields that people changed since the adoption, and which stay.
    pub kept: Vec<String>,
    /// Whether the values before the adoption are known.
    pub knows_values: bool,
    /// Whether the contact still has our key; else nothing is written.
    pub is_ours: bool,
}

impl Zoho {
    /// What undoing writes, for each of these items.
    pub(super) async fn restorations(
        &self,
        context: &DeliveryContext<'_>,
        items: &[Claimed],
    ) -> Result<Vec<Restoration>, DestinationFailure> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<RecordKey> = items.iter().map(|item| item.key).collect();
        let mut replaced = self.store.replaced_values(Self::NAME, &keys).await.map_err(unreadable)?;
        let ids: Vec<String> = items.iter().filter_map(|item| item.remote_id.clone()).collect();
        let mut fields: Vec<&str> = vec![context.module.key.as_str()];
        fields.extend(replaced.values().flatten().map(|value| value.field.as_str()));
        fields.sort_unstable();
        fields.dedup();
        let held = self.client.get(&context.module.module, &ids, &fields).await;
        let held = held.map_err(|error| self.failure_of(context, Records::Known, "contacts cannot be read", &error))?;
        let id = |record: &Map<String, Value>| Some(record.get("id")?.as_str()?.to_owned());
        let held: HashMap<String, Map<String, Value>> =
            held.into_iter().filter_map(|record| Some((id(&record)?, record))).collect();
        let restoration = |item: &Claimed| {
            let values = item.remote_id.clone().and_then(|id| replaced.remove(&(item.key, id)));
            restoration(context, item, values, item.remote_id.as_ref().and_then(|id| held.get(id)))
        };
        Ok(items.iter().map(restoration).collect())
    }

    /// Undoes the adoptions of these items' contacts. One call for each: a person asked for it, and one that Zoho
    /// refuses concerns no other.
    pub(super) async fn undo_all(
        &self,
        context: &DeliveryContext<'_>,
        items: Vec<Claimed>,
        delivery: &mut Delivery,
    ) -> Result<(), DestinationFailure> {
        let restorations = self.restorations(context, &items).await?;
        for (item, restoration) in items.into_iter().zip(restorations) {
            let started_at = self.clock.now();
            let answer = match self.body_of_undo(&item, restoration) {
                Some(body) => self.client.update(&context.module.module, &[body], &context.module.trigger).await,
                None => Ok(Vec::new()),
            };
            let timing = Timing { started_at, ended_at: self.clock.now() };
            let refused = match answer {
                Ok(entries) => entries.into_iter().find_map(|entry| match entry {
                    RecordAnswer::Refused(refusal) if refusal.class != Class::Gone => {
                        Some(outcome::of_refusal(&refusal))
                    }
                    _ => None,
                }),
                Err(error @ CallError::Invalid { .. }) => Some(outcome::of_call(&error)),
                Err(error) => {
                    return Err(self.failure_of(context, Records::Known, "adoptions cannot be undone", &error));
                }
            };
            match refused {
                Some(reason) => delivery.settled.push(outcome::failed(item, reason, Some(timing))),
                None => detach(context, item, timing, delivery),
            }
        }
        Ok(())
    }

    fn body_of_undo(&self, item: &Claimed, restoration: Restoration) -> Option<Map<String, Value>> {
        let id = item.remote_id.as_deref().filter(|_| restoration.is_ours)?;
        let mut body: Map<String, Value> =
            restoration.restored.into_iter().map(|value| (value.field, value.after)).collect();
        let tracking = self.mapping.tracking().into_iter().flat_map(|tracking| tracking.fields());
        body.extend(tracking.map(|field| (field.to_owned(), Value::Null)));
        body.insert("id".to_owned(), Value::from(id));
        Some(body)
    }
}

/// Settles an item whose contact is no longer its own.
fn detach(context: &DeliveryContext<'_>, item: Claimed, timing: Timing, delivery: &mut Delivery) {
    let key = item.key;
    let words = item.remote_id.as_deref().and_then(|contact| words(context, key, contact));
    let mut settled = outcome::synced(item, None, None, "undone", timing);
    delivery.edges.moved.push(key);
    if goes_without(context) {
        // It gets a contact of its own at once.
        delivery.redeliver.push(key);
    } else {
        settled = Settled { reason: words.map(|words| (UNDONE.to_owned(), words)), ..settled };
    }
    delivery.settled.push(settled);
}

/// Why an account has no contact whose adoption was undone.
pub(super) fn words(context: &DeliveryContext<'_>, key: RecordKey, contact: &str) -> Option<String> {
    let standing = context.batch.standing(key, contact).filter(|standing| standing.state == AdoptionState::Undone)?;
    let by = standing.decided_by.as_deref().unwrap_or("somebody");
    Some(format!(
        "{by} undid the adoption of the contact {contact} in Zoho: it is not this person's. Correct the address of one of the two; or \
         adopt it again: backend-sync sync adoptions approve {}.",
        standing.id
    ))
}

/// What is restored of one contact, and what stays, because somebody changed it since.
fn restoration(
    context: &DeliveryContext<'_>,
    item: &Claimed,
    replaced: Option<Vec<ReplacedValue>>,
    held: Option<&Map<String, Value>>,
) -> Restoration {
    let (batch, key) = (context.batch, context.module.key.as_str());
    let own = Value::from(user_key(batch.site(item.key.site_id), item.key.moodle_id));
    let Some(held) = held.filter(|held| held.get(key) == Some(&own)) else {
        return Restoration { knows_values: replaced.is_some(), ..Restoration::default() };
    };
    let facts = batch.facts(item.key);
    let rendered = facts.and_then(|facts| {
        let subject = batch.subject(item.key, &facts);
        context.module.render(&subject, Write::Update, context.metadata).ok()
    });
    let ours = rendered.map(|rendered| rendered.fields).unwrap_or_default();
    let knows_values = replaced.is_some();
    let (mut restored, kept) = compare(context.metadata, replaced.unwrap_or_default(), held, &ours);
    restored.retain(|value| value.field != key);
    restored.push(Difference { field: key.to_owned(), before: own, after: Value::Null });
    Restoration { restored, kept, knows_values, is_ours: true }
}

/// A value is ours if the adoption wrote it, or the mapping would write it now.
fn compare(
    metadata: &Module,
    replaced: Vec<ReplacedValue>,
    held: &Map<String, Value>,
    ours: &Map<String, Value>,
) -> (Vec<Difference>, Vec<String>) {
    let (mut restored, mut kept) = (Vec::new(), Vec::new());
    for ReplacedValue { field, before, after } in replaced {
        let now = held.get(&field).cloned().unwrap_or_default();
        let is = |value: &Value| same(metadata, &field, &now, value);
        if is(&before) {
            continue;
        }
        if after.as_ref().is_some_and(is) || ours.get(&field).is_some_and(is) {
            restored.push(Difference { field, before: now, after: before });
        } else {
            kept.push(field);
        }
    }
    (restored, kept)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::compare;
    use crate::{model::ReplacedValue, zoho::metadata::Module};

    #[test]
    fn what_people_changed_stays() {
        let value =
            |field: &str, before: Value, after: Option<Value>| ReplacedValue { field: field.to_owned(), before, after };
        let replaced = vec![
            value("Name", json!("Oneil"), Some(json!("O'Neil"))),
            value("Phone", json!("0123"), Some(json!("0456"))),
            value("City", Value::Null, Some(json!("Ulm"))),
            value("Country", json!("DE"), None),
            value("Mail", json!("a@b.c"), Some(json!("a@b.c"))),
        ];
        // The phone was corrected in Zoho; city and country followed Moodle since.
        let map = |value: Value| value.as_object().cloned().unwrap();
        let held = map(json!({"Name": "O'Neil", "Phone": "0789", "City": "Kiel", "Country": "AT", "Mail": "a@b.c"}));
        let ours = map(json!({"Name": "O'Neil", "Phone": "0456", "City": "Kiel", "Country": "AT", "Mail": "a@b.c"}));
        let (restored, kept) = compare(&Module::from_iter([]), replaced, &held, &ours);
        let restored: Vec<_> = restored.into_iter().map(|value| (value.field, value.after)).collect();
        let expected = [
            ("Name".to_owned(), json!("Oneil")),
            ("City".to_owned(), Value::Null),
            ("Country".to_owned(), json!("DE")),
        ];
        assert_eq!((restored.as_slice(), kept.as_slice()), (expected.as_slice(), ["Phone".to_owned()].as_slice()));
    }
}
