//! What would be written into one contact: if an account had it, and if its adoption were undone. Changes nothing.

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

/// What an account would write into a contact.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContactPlan {
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

    /// What this account would write into this contact.
    pub async fn contact_preview(&self, row: &ItemRow, contact: &str) -> Result<ContactPlan, DestinationFailure> {
        let note = |words: &str| ContactPlan { note: Some(words.to_owned()), ..ContactPlan::default() };
        let Some(module) = self.mapping.module(Kind::User) else {
            return Ok(note("The mapping has no table for people."));
        };
        let metadata = &*self.metadata(Kind::User, module).await?;
        let batch = self.batch_of((module, metadata), &[claimed(row)]).await?;
        let Some(facts) = batch.facts(row.key) else { return Ok(note("There is no such record.")) };
        let body = match module.render(&batch.subject(row.key, &facts), Write::Update, metadata) {
            Ok(Rendered { fields, .. }) => fields,
            Err(error) => return Ok(note(&format!("{error}. {}", error.advice()))),
        };
        let fields: Vec<&str> = body.keys().map(String::as_str).collect();
        let context = DeliveryContext { batch: &batch, module, metadata };
        let held = self.client.get(&module.module, &[contact.to_owned()], &fields).await;
        let held =
            held.map_err(|error| self.failure_of(&context, Records::Known, "contacts cannot be read", &error))?;
        Ok(match held.first() {
            Some(held) => ContactPlan { differences: differences(Some(held), body, metadata), note: None },
            None => note("Zoho no longer has this contact."),
        })
    }

    async fn batch_of(
        &self,
        (module, metadata): (&ModuleMapping, &Module),
        items: &[Claimed],
    ) -> Result<DeliveryBatch, DestinationFailure> {
        let moment = (self.time_zone(Kind::User, module, metadata).await?, self.clock.now());
        DeliveryBatch::load(&self.store, &self.mapping, moment, Self::NAME, items).await.map_err(unreadable)
    }
}
