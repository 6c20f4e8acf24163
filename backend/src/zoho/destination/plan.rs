//! The dry run: what a delivery would do, with the exact differences and its cost, without sending anything.

use std::collections::{BTreeMap, HashMap};

use super::{Zoho, unreadable};
use crate::{
    delivery::{Destination, DestinationFailure},
    limits,
    model::{Kind, RecordKey, Remark},
    store::{BrakeForecast, Claimed, ItemRow},
    zoho::setup::Room,
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
    /// Why nothing would be sent, or why it would need a person, if so.
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
    /// A contact that is in Zoho already would be taken over and changed.
    Adopt,
    /// It would be changed.
    Update,
    /// It would be marked as gone, deleted or erased.
    Remove,
    /// The adoption of its contact would be undone.
    Undo,
    /// Nothing: Zoho has it, or it is not delivered.
    Nothing,
    /// It would wait for another record.
    Park,
    /// It would wait for a person's decision, because unusually many such things happen.
    Brake,
    /// It would need a person.
    Fail,
}

impl Action {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What one part of a plan foresees for the next.
pub(super) struct Foreseen {
    /// New people of this plan, by address.
    pub(super) addresses: HashMap<String, RecordKey>,
    pub(super) brake: BrakeForecast,
}

/// Records written per API credit.
pub const RECORDS_PER_CREDIT: u64 = 10;

impl Zoho {
    /// How many records there are in each module of the mapping, how many come, and how many have room.
    pub async fn room(&self) -> Result<Room, DestinationFailure> {
        let absent = self.store.absent(Self::NAME).await.map_err(unreadable)?;
        Room::read(&self.client, &self.mapping, &absent)
            .await
            .map_err(|error| self.failure(crate::model::Records::All, &error))
    }

    /// Plans the delivery of these items. Reads their records from Zoho; changes nothing.
    pub async fn plan(&self, items: Vec<ItemRow>) -> Result<Plan, DestinationFailure> {
        let mut kinds: BTreeMap<Kind, Vec<ItemRow>> = BTreeMap::new();
        for item in items {
            kinds.entry(item.key.kind).or_default().push(item);
        }
        let (mut plan, mut foreseen) = (
            Plan::default(),
            Foreseen { addresses: HashMap::new(), brake: BrakeForecast::new(self.brake, self.clock.now()) },
        );
        for (kind, rows) in kinds {
            for rows in rows.chunks(limits::DELIVERY_RECORDS as usize) {
                let mut rest = rows;
                for part in self.store.in_parts(kind, rows.iter().map(claimed).collect()).await.map_err(unreadable)? {
                    let (rows, later) = rest.split_at(part.len());
                    self.plan_part(kind, (rows, part), &mut foreseen, &mut plan).await?;
                    rest = later;
                }
            }
        }
        Ok(plan)
    }
}

pub(super) fn claimed(row: &ItemRow) -> Claimed {
    Claimed {
        key: row.key,
        // Nothing is written under it.
        lease: String::new(),
        revision: row.revision,
        changed_at: row.changed_at,
        remote_id: row.remote_id.clone(),
        linked: row.linked,
        digest: row.digest.clone(),
        attempts: row.attempts,
        remarks: row.remarks.clone(),
        bytes: 0,
        brake: true,
        erasures: true,
        findings: true,
    }
}

pub(super) fn planned(row: &ItemRow, action: Action, reason: Option<String>) -> Planned {
    Planned {
        key: row.key,
        action,
        remote_id: row.remote_id.clone(),
        reason,
        differences: Vec::new(),
        remarks: Vec::new(),
    }
}
