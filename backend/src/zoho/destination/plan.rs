//! The dry run: what a delivery would do, with the exact differences and its cost, without sending anything.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Decider, Decision, DeliveryBatch, Zoho, decide::WriteTarget, unreadable};
use crate::{
    delivery::{Destination, DestinationFailure},
    limits,
    model::{Kind, RecordKey, Remark},
    store::{Claimed, ItemRow},
    zoho::{
        client::{Client, FOUND_PER_CALL},
        difference::differences,
        mapping::{ModuleMapping, Write},
        metadata::Module,
        setup::Room,
    },
};

pub use crate::zoho::difference::Difference;

/// What a delivery of some items would do.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// One entry per item.
    pub items: Vec<Planned>,
    /// The calls that it would make.
    pub calls: u64,
    /// The API credits that they would cost.
    pub credits: u64,
}

/// What a delivery of one item would do.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The record.
    pub key: RecordKey,
    /// What would happen to it.
    pub action: Action,
    /// The record's id in Zoho, if known.
    pub remote_id: Option<String>,
    /// Why nothing would be sent, if so.
    pub reason: Option<String>,
    /// The fields that would change.
    pub differences: Vec<Difference>,
    /// What would be left out of it, because it does not fit.
    pub remarks: Vec<Remark>,
}

/// What would happen to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Action {
    /// It would be created.
    Insert,
    /// It would be changed.
    Update,
    /// It would be marked as gone, deleted or erased.
    Remove,
    /// Nothing: Zoho has it, or it is not delivered.
    Nothing,
    /// It would wait for another record.
    Park,
    /// It would need a person.
    Fail,
}

impl Action {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Records written per API credit.
pub const RECORDS_PER_CREDIT: u64 = 10;

impl Zoho {
    /// How many records there are in each module of the mapping, how many come, and how many have room.
    pub async fn room(&self) -> Result<Room, DestinationFailure> {
        let absent = self.store.absent(Self::NAME).await.map_err(unreadable)?;
        Room::read(&self.client, &self.mapping, &absent).await.map_err(|error| self.failure(&error))
    }

    /// Plans the delivery of these items. Reads their records from Zoho; changes nothing.
    pub async fn plan(&self, items: Vec<ItemRow>) -> Result<Plan, DestinationFailure> {
        let mut kinds: BTreeMap<Kind, Vec<ItemRow>> = BTreeMap::new();
        for item in items {
            kinds.entry(item.key.kind).or_default().push(item);
        }
        let mut plan = Plan::default();
        for (kind, rows) in kinds {
            for rows in rows.chunks(limits::DELIVERY_RECORDS as usize) {
                let mut rest = rows;
                for part in self.store.in_parts(kind, rows.iter().map(claimed).collect()).await.map_err(unreadable)? {
                    let (rows, later) = rest.split_at(part.len());
                    self.plan_part(kind, rows, &part, &mut plan).await?;
                    rest = later;
                }
            }
        }
        Ok(plan)
    }

    async fn plan_part(
        &self,
        kind: Kind,
        rows: &[ItemRow],
        items: &[Claimed],
        plan: &mut Plan,
    ) -> Result<(), DestinationFailure> {
        let Some(module) = self.mapping.module(kind) else {
            let reason = Some(format!("The mapping has no table for {kind} records."));
            plan.items.extend(rows.iter().map(|row| planned(row, Action::Nothing, reason.clone())));
            return Ok(());
        };
        let metadata = &*self.metadata(kind, module).await?;
        let time_zone = self.time_zone(kind, module, metadata).await?;
        let batch =
            DeliveryBatch::load(&self.store, &self.mapping, time_zone, Self::NAME, items).await.map_err(unreadable)?;
        let decider = Decider { mapping: &self.mapping, batch: &batch, metadata, module };
        let (mut writes, mut inserts, mut updates) = (Vec::new(), 0, 0);
        for (row, item) in rows.iter().zip(items) {
            let entry = match decider.decide(item) {
                Decision::Write(target) => {
                    let (action, body) = self.body(&batch, module, metadata, item, &target);
                    writes.push((plan.items.len(), target.remote_id.clone(), body));
                    Planned { remote_id: target.remote_id, remarks: target.remarks, ..planned(row, action, None) }
                }
                Decision::Remove(target) | Decision::Erase(target, _) => {
                    writes.push((plan.items.len(), target.remote_id.clone(), target.body));
                    Planned { remote_id: target.remote_id, ..planned(row, Action::Remove, None) }
                }
                Decision::Same(_) => planned(row, Action::Nothing, Some("Zoho already has it.".to_owned())),
                Decision::LeftOut { reason, .. } => planned(row, Action::Nothing, Some(reason.1)),
                Decision::HandOver { to } => {
                    let reason = format!("{} stands for the same record in Zoho.", batch.name(to));
                    planned(row, Action::Nothing, Some(reason))
                }
                Decision::Park { reason, .. } => planned(row, Action::Park, Some(reason.1)),
                Decision::Fail { reason } => planned(row, Action::Fail, Some(reason.1)),
            };
            match entry.action {
                Action::Insert => inserts += 1,
                Action::Update | Action::Remove => updates += 1,
                _ => {}
            }
            plan.items.push(entry);
        }
        for records in [inserts, updates] {
            plan.calls += u64::from(records > 0);
            plan.credits += u64::div_ceil(records, RECORDS_PER_CREDIT);
        }
        if inserts > 0 && kind == Kind::User && !module.matches.is_empty() {
            // People are searched for by their addresses before their first write.
            let fields = module.matches.len() as u64 + u64::from(module.match_leads);
            let searches = fields * u64::div_ceil(inserts, FOUND_PER_CALL);
            plan.calls += searches;
            plan.credits += searches;
        }
        self.compare(module, metadata, writes, plan).await
    }

    fn body(
        &self,
        batch: &DeliveryBatch,
        module: &ModuleMapping,
        metadata: &Module,
        item: &Claimed,
        target: &WriteTarget,
    ) -> (Action, Map<String, Value>) {
        if target.remote_id.is_some() {
            return (Action::Update, target.body.clone());
        }
        let created = batch
            .facts(item.key)
            .map(|facts| module.render(&batch.subject(item.key, &facts), Write::Create, metadata).unwrap_or_default());
        (Action::Insert, created.unwrap_or_default().fields)
    }

    /// Fills in the differences to what Zoho has.
    async fn compare(
        &self,
        module: &ModuleMapping,
        metadata: &Module,
        writes: Vec<(usize, Option<String>, Map<String, Value>)>,
        plan: &mut Plan,
    ) -> Result<(), DestinationFailure> {
        let ids: Vec<String> = writes.iter().filter_map(|(_, id, _)| id.clone()).collect();
        let fields: std::collections::BTreeSet<&str> =
            writes.iter().flat_map(|(_, _, body)| body.keys().map(String::as_str)).collect();
        let fields: Vec<&str> = fields.into_iter().collect();
        let held = read(&self.client, &module.module, &ids, &fields).await.map_err(|error| self.failure(&error))?;
        for (place, id, body) in writes {
            let before = id.as_ref().and_then(|id| held.get(id));
            let Some(entry) = plan.items.get_mut(place) else { continue };
            if id.is_some() && before.is_none() {
                entry.action = if entry.action == Action::Remove { Action::Nothing } else { Action::Insert };
            }
            entry.differences = differences(before, body, metadata);
        }
        Ok(())
    }
}

async fn read(
    client: &Client,
    module: &str,
    ids: &[String],
    fields: &[&str],
) -> Result<BTreeMap<String, Map<String, Value>>, super::CallError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let records = client.get(module, ids, fields).await?;
    let with_id = |record: Map<String, Value>| Some((record.get("id")?.as_str()?.to_owned(), record));
    Ok(records.into_iter().filter_map(with_id).collect())
}

fn claimed(row: &ItemRow) -> Claimed {
    Claimed {
        key: row.key,
        revision: row.revision,
        changed_at: row.changed_at,
        remote_id: row.remote_id.clone(),
        linked: row.linked,
        digest: row.digest.clone(),
        attempts: row.attempts,
        remarks: row.remarks.clone(),
    }
}

fn planned(row: &ItemRow, action: Action, reason: Option<String>) -> Planned {
    Planned {
        key: row.key,
        action,
        remote_id: row.remote_id.clone(),
        reason,
        differences: Vec::new(),
        remarks: Vec::new(),
    }
}
