//! Comparing records with what the mapping would write into them now, in Zoho's own form of the values.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::super::{
    Decider, DeliveryBatch, Zoho,
    outcome::{REFUSED_BY_ZOHO, SAME_ADDRESS},
    plan::claimed,
    unreadable,
};
use crate::{
    delivery::{Destination, DestinationFailure},
    model::{FindingField, FindingState, ItemState, Kind, ParityPolicy, RecordKey},
    store::{Claimed, ItemRow},
    zoho::{
        difference::{Difference, differences},
        mapping::ModuleMapping,
        metadata::Module,
    },
};

/// What a comparison of one record says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Compared {
    /// Zoho has what the mapping writes.
    Equal,
    /// These fields differ, each with who decides about it.
    Differs(Vec<(FindingField, ParityPolicy)>),
    /// It is just being delivered, or what it refers to is: it can be compared a little later.
    Busy,
    /// It needs a person, waits for another record, or is not delivered: what Zoho has is not what it should have.
    PassedOver,
}

impl Zoho {
    /// Compares records with what Zoho has, by the ids there. All items are of one kind, and are in Zoho.
    pub(super) async fn compare(
        &self,
        kind: Kind,
        rows: &[ItemRow],
        held: &HashMap<String, Map<String, Value>>,
    ) -> Result<Vec<Compared>, DestinationFailure> {
        let Some(module) = self.mapping.module(kind) else { return Ok(vec![Compared::PassedOver; rows.len()]) };
        let metadata = &*self.metadata(kind, module).await?;
        let mut compared = Vec::with_capacity(rows.len());
        let mut rest = rows;
        for part in self.store.in_parts(kind, rows.iter().map(claimed).collect()).await.map_err(unreadable)? {
            let (rows, later) = rest.split_at(part.len());
            let moment = (self.time_zone(kind, module, metadata).await?, self.clock.now());
            let batch = DeliveryBatch::load(&self.store, &self.mapping, moment, Self::NAME, &part).await;
            let batch = batch.map_err(unreadable)?;
            let decider = Decider { mapping: &self.mapping, batch: &batch, module };
            let one = |row: &ItemRow| match row.remote_id.as_ref().and_then(|id| held.get(id)) {
                Some(held) => compare(&decider, (module, metadata), row, held),
                None => Compared::PassedOver,
            };
            compared.extend(rows.iter().map(one));
            rest = later;
        }
        Ok(compared)
    }

    /// What the mapping writes of these items now, by record; without those of which nothing is delivered.
    pub(super) async fn expected_of(
        &self,
        kind: Kind,
        rows: &[ItemRow],
    ) -> Result<HashMap<RecordKey, Map<String, Value>>, DestinationFailure> {
        let Some(module) = self.mapping.module(kind) else { return Ok(HashMap::new()) };
        let metadata = &*self.metadata(kind, module).await?;
        let mut expected = HashMap::new();
        for part in self.store.in_parts(kind, rows.iter().map(claimed).collect()).await.map_err(unreadable)? {
            let moment = (self.time_zone(kind, module, metadata).await?, self.clock.now());
            let batch = DeliveryBatch::load(&self.store, &self.mapping, moment, Self::NAME, &part).await;
            let batch = batch.map_err(unreadable)?;
            let decider = Decider { mapping: &self.mapping, batch: &batch, module };
            let body = |item: &Claimed| Some((item.key, decider.expected(item, metadata)?.0));
            expected.extend(part.iter().filter_map(body));
        }
        Ok(expected)
    }
}

fn compare(
    decider: &Decider<'_>,
    (module, metadata): (&ModuleMapping, &Module),
    row: &ItemRow,
    held: &Map<String, Value>,
) -> Compared {
    match row.state {
        ItemState::Pending | ItemState::InFlight => return Compared::Busy,
        ItemState::Parked | ItemState::Failed => return Compared::PassedOver,
        ItemState::Synced => {}
    }
    if is_busy(decider, row.key) {
        return Compared::Busy;
    }
    let item = claimed(row);
    let Some((body, digest)) = decider.expected(&item, metadata) else { return Compared::PassedOver };
    // Something else would be written by the next delivery.
    if row.digest.as_ref().is_some_and(|delivered| *delivered != digest) {
        return Compared::PassedOver;
    }
    let found_out = |field: &str| {
        let of = |code: &str| [REFUSED_BY_ZOHO, SAME_ADDRESS].contains(&code);
        row.remarks.iter().any(|remark| remark.field == field && of(&remark.code))
    };
    let fields: Vec<_> = differences(Some(held), body, metadata)
        .into_iter()
        .filter(|difference| !found_out(&difference.field))
        .map(|Difference { field, before, after }| {
            let policy = module.parity_of(&field);
            let (here, there) = (after, before);
            (FindingField { field, here, there, state: FindingState::Open, restored: Vec::new() }, policy)
        })
        .collect();
    if fields.is_empty() { Compared::Equal } else { Compared::Differs(fields) }
}

/// Whether a record that this one refers to is just being delivered, and may get another id.
fn is_busy(decider: &Decider<'_>, key: RecordKey) -> bool {
    let Some(facts) = decider.batch.facts(key) else { return false };
    let row = |related| decider.batch.related(related).map(|row| row.state);
    decider.needed(&facts).filter_map(row).any(|state| matches!(state, ItemState::Pending | ItemState::InFlight))
}
