//! The edges of a record: what it waits for, what it reads, and what waits for it.

use std::collections::HashMap;

use poem_openapi::Enum;

use super::last_attempt;
use crate::{
    clock::Timestamp,
    delivery::Destination as _,
    model::{ItemState, RecordKey},
    store::{ItemRow, Store, StoreError},
    zoho::destination::{Explained, Zoho},
};

/// How far a chain of waiting records is followed. A grade waits for its person, who waits for one with the same
/// address: chains are short.
const CHAIN: u32 = 5;

/// How many of the records that wait for this one are shown.
const WAITING_SHOWN: usize = 20;

/// What another record is for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(crate) enum Relation {
    /// It must be at the destination first.
    Needs,
    /// Its change judges the record again.
    Reads,
    /// It is waited for, or in the way, for another reason.
    Awaits,
    /// It waits for this record.
    WaitsForThis,
}

/// Another record, and what it is for this one.
pub(crate) struct Edge {
    pub(crate) relation: Relation,
    /// 1 for an edge of the record itself, 2 for one of the record at its end, and so on.
    pub(crate) depth: u32,
    /// Whether it is waited for now.
    pub(crate) is_awaited: bool,
    pub(crate) key: RecordKey,
    /// `None` while Moodle has not reported it.
    pub(crate) row: Option<ItemRow>,
    /// When it was last tried.
    pub(crate) tried_at: Option<Timestamp>,
}

/// The edges of a record.
pub(crate) struct Edges {
    /// What the record waits for and reads; after each, what that waits for.
    pub(crate) to: Vec<Edge>,
    /// What waits for the record: the first of them.
    pub(crate) from: Vec<Edge>,
    /// Whether more waits for it.
    pub(crate) more: bool,
}

impl Edges {
    /// The record that is waited for.
    pub(super) fn awaited(&self) -> Option<&Edge> {
        self.to.iter().find(|edge| edge.is_awaited && edge.depth == 1)
    }
}

pub(super) async fn read_edges(store: &Store, explained: &Explained, row: &ItemRow) -> Result<Edges, StoreError> {
    let mut ends: Vec<(Relation, RecordKey)> = Vec::new();
    let needs = explained.needs.iter().map(|key| (Relation::Needs, *key));
    let reads = explained.reads.iter().map(|key| (Relation::Reads, *key));
    let awaited = row.waits_for.map(|key| (Relation::Awaits, key));
    for end in needs.chain(reads).chain(awaited) {
        if !ends.iter().any(|(_, key)| *key == end.1) {
            ends.push(end);
        }
    }
    let keys: Vec<RecordKey> = ends.iter().map(|(_, key)| *key).collect();
    let mut rows = by_key(store.sync_items_of(Zoho::NAME, &keys).await?);
    let mut to = Vec::new();
    for (relation, key) in ends {
        let edge = edge(store, (relation, 1), row.waits_for == Some(key), key, rows.remove(&key)).await?;
        let next = edge.row.as_ref().and_then(waits_now);
        to.push(edge);
        chain(store, &mut to, next, row.key).await?;
    }
    let mut waiting = store.waiting_for(Zoho::NAME, row.key, WAITING_SHOWN as u64 + 1).await?;
    let more = waiting.len() > WAITING_SHOWN;
    waiting.truncate(WAITING_SHOWN);
    let of_waiting = |row: ItemRow| Edge {
        relation: Relation::WaitsForThis,
        depth: 1,
        is_awaited: false,
        key: row.key,
        row: Some(row),
        tried_at: None,
    };
    Ok(Edges { to, from: waiting.into_iter().map(of_waiting).collect(), more })
}

/// Follows what the last one waits for.
async fn chain(
    store: &Store,
    to: &mut Vec<Edge>,
    mut next: Option<RecordKey>,
    begin: RecordKey,
) -> Result<(), StoreError> {
    for depth in 2..=CHAIN {
        let Some(key) = next.filter(|key| *key != begin && !to.iter().any(|edge| edge.key == *key)) else { break };
        let row = store.item(Zoho::NAME, key).await?;
        let edge = edge(store, (Relation::Awaits, depth), true, key, row).await?;
        next = edge.row.as_ref().and_then(waits_now);
        to.push(edge);
    }
    Ok(())
}

async fn edge(
    store: &Store,
    (relation, depth): (Relation, u32),
    is_awaited: bool,
    key: RecordKey,
    row: Option<ItemRow>,
) -> Result<Edge, StoreError> {
    let is_undelivered = row.as_ref().is_some_and(|row| row.state != ItemState::Synced);
    let last = if is_undelivered { last_attempt(store, key).await? } else { None };
    Ok(Edge { relation, depth, is_awaited, key, row, tried_at: last.map(|attempt| attempt.started_at) })
}

fn waits_now(row: &ItemRow) -> Option<RecordKey> {
    row.waits_for.filter(|_| matches!(row.state, ItemState::Parked | ItemState::Failed))
}

fn by_key(rows: Vec<ItemRow>) -> HashMap<RecordKey, ItemRow> {
    rows.into_iter().map(|row| (row.key, row)).collect()
}
