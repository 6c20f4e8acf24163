//! What would be written into one record of Zoho: if an account had this contact, if its adoption were undone, and if a
//! record were written again. Changes nothing.

use super::{Zoho, batch::DeliveryBatch, job::DeliveryContext, plan::claimed, undo::Restoration, unreadable};
use crate::{
    delivery::{Destination, DestinationFailure},
    model::{Kind, Records},
    store::{Claimed, ItemRow},
    zoho::{
        difference::{Difference, differences},
        mapping::{ModuleMapping, Rendered, Write},
        metadata::Module,
    },
};

/// What a record would write into one of Zoho.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RemotePlan {
    /// The fields that would change.
    pub differences: Vec<Difference>,
    /// Why there is nothing to compare.
    pub note: Option<String>,
}

impl Zoho {
    /// What undoing the adoption of this account's contact writes.
    pub async fn undo_preview(&self, row: &ItemRow) -> Result<Restoration, DestinationFailure> {
        let items = [claimed(row)];
        let Some(module) = self.mapping.module(Kind::User) else { return Ok(Restoration::default()) };
        let metadata = &*self.metadata(Kind::User, module).await?;
        let batch = self.batch_of((module, metadata), &items).await?;
        let context = DeliveryContext { batch: &batch, module, metadata };
        Ok(self.restorations(&context, &items).await?.pop().unwrap_or_default())
    }

    /// What this record would write into this one of Zoho: for an account, into a contact.
    pub async fn preview(&self, row: &ItemRow, contact: &str) -> Result<RemotePlan, DestinationFailure> {
        let note = |words: &str| RemotePlan { note: Some(words.to_owned()), ..RemotePlan::default() };
        let kind = row.key.kind;
        let Some(module) = self.mapping.module(kind) else {
            return Ok(note("The mapping has no table for such records."));
        };
        let metadata = &*self.metadata(kind, module).await?;
        let batch = self.batch_of((module, metadata), &[claimed(row)]).await?;
        let Some(facts) = batch.facts(row.key) else { return Ok(note("There is no such record.")) };
        let body = match module.render(&batch.subject(row.key, &facts), Write::Update, metadata) {
            Ok(Rendered { fields, .. }) => fields,
            Err(error) => return Ok(note(&format!("{error}. {}", error.advice()))),
        };
        let fields: Vec<&str> = body.keys().map(String::as_str).collect();
        let context = DeliveryContext { batch: &batch, module, metadata };
        let held = self.client.get(&module.module, &[contact.to_owned()], &fields).await;
        let held = held.map_err(|error| self.failure_of(&context, Records::Known, "records cannot be read", &error))?;
        Ok(match held.first() {
            Some(held) => RemotePlan { differences: differences(Some(held), body, metadata), note: None },
            None => note("Zoho no longer has this record."),
        })
    }

    async fn batch_of(
        &self,
        (module, metadata): (&ModuleMapping, &Module),
        items: &[Claimed],
    ) -> Result<DeliveryBatch, DestinationFailure> {
        let kind = items.first().map_or(Kind::User, |item| item.key.kind);
        let moment = (self.time_zone(kind, module, metadata).await?, self.clock.now());
        DeliveryBatch::load(&self.store, &self.mapping, moment, Self::NAME, items).await.map_err(unreadable)
    }
}
