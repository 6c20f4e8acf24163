//! One item writes a remote record; others that stand for it are linked to it, and write nothing.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, Value};

use super::{
    ItemFilter, lock,
    release::{among, by_site_and_kind},
    settled::{Settled, SettledState},
};
use crate::{
    clock::Timestamp,
    limits,
    model::{Kind, Lane, RecordKey},
    store::{
        Store, StoreError, bulk,
        sql::{execute, key_of, query},
    },
};

/// The remote record that an item writes from now on, if it did not before.
fn new_writer(settled: &Settled) -> Option<&str> {
    match &settled.state {
        SettledState::Synced { remote_id: Some(id), linked: false, .. }
            if settled.item.linked || settled.item.remote_id.as_ref() != Some(id) =>
        {
            Some(id)
        }
        _ => None,
    }
}

/// The remote record that an item wrote and no longer writes, unless it only links itself to it.
fn given_up(settled: &Settled) -> Option<&str> {
    let before = settled.item.remote_id.as_deref().filter(|_| !settled.item.linked)?;
    match &settled.state {
        SettledState::Synced { remote_id, .. } if remote_id.as_deref() != Some(before) => Some(before),
        _ => None,
    }
}

/// The same, except that an item fails whose remote record another item writes and does not hand over. The database
/// would refuse to store both.
pub(super) async fn one_each(
    transaction: &impl ConnectionTrait,
    (destination, lease): (&str, &str),
    settled: &[Settled],
    now: Timestamp,
) -> Result<Vec<Settled>, StoreError> {
    let mut settled = settled.to_vec();
    let ids: Vec<String> = settled.iter().filter_map(new_writer).map(str::to_owned).collect();
    let given_up: Vec<String> = settled.iter().filter_map(given_up).map(str::to_owned).collect();
    if ids.is_empty() && given_up.is_empty() {
        return Ok(settled);
    }
    let linked = holders(transaction, destination, &given_up, true).await?;
    let mut others: Vec<RecordKey> = linked.into_iter().map(|(_, key)| key).collect();
    others.extend(settled.iter().flat_map(|settled| settled.takes_over_from.iter().copied()));
    if !others.is_empty() {
        let all = settled.iter().map(|settled| settled.item.key).chain(others).collect();
        lock::hold(transaction, destination, all).await?;
    }
    let mut writers: HashMap<_, _> = holders(transaction, destination, &ids, false).await?.into_iter().collect();
    for settled in &mut settled {
        let Some(id) = new_writer(settled).map(str::to_owned) else { continue };
        match writers.insert(id.clone(), settled.item.key) {
            Some(other) if settled.takes_over_from.contains(&other) => {
                let writer = settled.item.key;
                if other.kind != Kind::User {
                    link(transaction, (destination, lease), other, writer).await?;
                } else if !give_up(transaction, (destination, lease), other, writer, now).await? {
                    wait(settled, now);
                    writers.insert(id, other);
                }
            }
            Some(other) if other != settled.item.key => {
                fail(settled, &id, other);
                writers.insert(id, other);
            }
            _ => {}
        }
    }
    Ok(settled)
}

/// The code of items whose remote record another item writes.
const TAKEN: &str = "remote_taken";

fn fail(settled: &mut Settled, id: &str, other: RecordKey) {
    let words = format!(
        "The record {id} at the destination belongs to {} {} already. If both are the same, delete one of them in Moodle; otherwise \
         correct what makes them look alike. Then retry.",
        other.kind, other.moodle_id
    );
    settled.state = SettledState::Failed;
    settled.reason = Some((TAKEN.to_owned(), words));
}

/// The items that write these remote records, or those that are linked to them, with the records' ids.
async fn holders(
    connection: &impl ConnectionTrait,
    destination: &str,
    ids: &[String],
    linked: bool,
) -> Result<Vec<(String, RecordKey)>, StoreError> {
    let mut holders = Vec::new();
    let which = if linked { "linked" } else { "NOT linked AND remote_id IS NOT NULL" };
    for list in bulk::key_lists(ids) {
        let places = vec!["?"; list.len()].join(", ");
        let sql = format!(
            "SELECT remote_id, site_id, kind, moodle_id FROM sync_items WHERE destination = ? AND {which} \
             AND remote_id IN ({places})"
        );
        let mut values: Vec<Value> = vec![destination.into()];
        values.extend(list.into_iter().map(Value::from));
        for row in query(connection, &sql, values).await? {
            holders.push((row.try_get("", "remote_id")?, key_of(&row)?));
        }
    }
    Ok(holders)
}

/// SQL for an item that is still held under a lease.
const HOLDS_LEASE: &str = "SELECT 1 FROM sync_items writer WHERE writer.destination = ? AND writer.site_id = ? \
                           AND writer.kind = ? AND writer.moodle_id = ? AND writer.lease = ?";

fn place(destination: &str, key: RecordKey) -> [Value; 4] {
    [destination.into(), key.site_id.into(), key.kind.as_str().into(), key.moodle_id.0.into()]
}

/// Links an item to the remote record that it wrote, if the one that takes over still holds its lease. Both are locked.
/// The revision tells a worker that is delivering the first one.
async fn link(
    transaction: &impl ConnectionTrait,
    (destination, lease): (&str, &str),
    item: RecordKey,
    writer: RecordKey,
) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE sync_items SET linked = TRUE, digest = NULL, revision = revision + 1 WHERE destination = ? \
         AND site_id = ? AND kind = ? AND moodle_id = ? AND EXISTS ({HOLDS_LEASE})"
    );
    let values = place(destination, item).into_iter().chain(place(destination, writer)).chain([lease.into()]).collect();
    execute(transaction, &sql, values).await?;
    Ok(())
}

/// Takes a deleted person's remote record away, if the one who takes over still holds its lease: an erasure of that
/// person no longer concerns the record, and if the person returns, it needs another one. Both are locked. Not while the
/// deleted person is being delivered, which would overwrite what was just written.
async fn give_up(
    transaction: &impl ConnectionTrait,
    (destination, lease): (&str, &str),
    item: RecordKey,
    writer: RecordKey,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = format!(
        "UPDATE sync_items SET {UNLINKED}, attempts = 0 WHERE destination = ? AND site_id = ? AND kind = ? \
         AND moodle_id = ? AND state <> 'in_flight' AND EXISTS ({HOLDS_LEASE})"
    );
    let values = [now.0.into()].into_iter().chain(place(destination, item)).chain(place(destination, writer));
    Ok(execute(transaction, &sql, values.chain([lease.into()]).collect()).await? > 0)
}

/// The item follows when the other one is settled.
fn wait(settled: &mut Settled, now: Timestamp) {
    settled.state = SettledState::Pending { due_at: now.after(limits::TAKE_OVER_RETRY) };
    let words = "A deleted user with the same e-mail address is being delivered; this one follows.";
    settled.reason = Some(("same_email_in_flight".to_owned(), words.to_owned()));
    if let Some(attempt) = &mut settled.attempt {
        "retry".clone_into(&mut attempt.outcome);
    }
}

/// What an item gets that is no longer linked: it is judged again, and gets a record of its own or is linked again.
const UNLINKED: &str = "linked = FALSE, remote_id = NULL, digest = NULL, revision = revision + 1, due_at = ?, \
                        state = CASE state WHEN 'in_flight' THEN 'in_flight' ELSE 'pending' END";

/// Judges again what is linked to remote records that are no longer written. [`one_each`] has locked it.
pub(super) async fn release_linked(
    transaction: &impl ConnectionTrait,
    destination: &str,
    settled: &[Settled],
    now: Timestamp,
) -> Result<(), StoreError> {
    let ids: Vec<String> = settled.iter().filter_map(given_up).map(str::to_owned).collect();
    for list in bulk::key_lists(&ids) {
        let places = vec!["?"; list.len()].join(", ");
        let condition = format!(
            "destination = ? AND linked AND remote_id IN ({places}) AND NOT EXISTS (SELECT 1 FROM sync_items writer \
             WHERE writer.destination = sync_items.destination AND writer.remote_id = sync_items.remote_id \
             AND writer.remote_id IS NOT NULL AND NOT writer.linked)"
        );
        let sql = lock::update(transaction.get_database_backend(), lock::Items::All(&condition), UNLINKED, &[]);
        let mut values: Vec<Value> = vec![destination.into()];
        values.extend(list.into_iter().map(Value::from));
        values.push(now.0.into());
        execute(transaction, &sql, values).await?;
    }
    Ok(())
}

impl Store {
    /// The item that writes a remote record.
    pub async fn writer_of(&self, destination: &str, remote_id: &str) -> Result<Option<RecordKey>, StoreError> {
        let writers = holders(&self.read, destination, &[remote_id.to_owned()], false).await?;
        Ok(writers.into_iter().next().map(|(_, key)| key))
    }

    /// Forgets all remote ids of a destination, in steps: everything is delivered as if it had never been there.
    /// Returns how many were forgotten.
    pub(in crate::store) async fn forget_remote(&self, destination: &str, now: Timestamp) -> Result<u64, StoreError> {
        let set = "remote_id = NULL, linked = FALSE, digest = NULL, attempts = 0, revision = revision + 1, due_at = ?, \
                   changed_at = CASE state WHEN 'synced' THEN ? ELSE changed_at END, \
                   lane = CASE sync_items.kind WHEN 'user' THEN ? WHEN 'course' THEN ? ELSE lane END, \
                   state = CASE state WHEN 'in_flight' THEN 'in_flight' ELSE 'pending' END";
        // Those that are linked first: each has a writer at any moment.
        let linked = lock::update(self.backend(), lock::Items::All("destination = ? AND linked"), UNLINKED, &[]);
        let mut forgotten = execute(&self.write, &linked, vec![destination.into(), now.0.into()]).await?;
        let mut after = None;
        loop {
            let keys = self.next_items(destination, &ItemFilter::default(), after).await?;
            let Some(last) = keys.last() else { return Ok(forgotten) };
            after = Some(*last);
            for ((site_id, kind), ids) in by_site_and_kind(&keys) {
                for list in bulk::key_lists(&ids) {
                    let (among, mut values) = among(destination, site_id, kind, "kind", "moodle_id", list);
                    let condition = format!("{among} AND remote_id IS NOT NULL");
                    let sql = lock::update(self.backend(), lock::Items::All(&condition), set, &[]);
                    let lanes = [Kind::User, Kind::Course].map(|kind| Value::from(Lane::of(kind, false).number()));
                    values.extend([Value::from(now.0), Value::from(now.0)].into_iter().chain(lanes));
                    forgotten += execute(&self.write, &sql, values).await?;
                }
            }
        }
    }

    /// Whether an attempt to deliver this record has written that remote record before.
    pub async fn wrote(&self, destination: &str, key: RecordKey, remote_id: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM sync_attempts WHERE destination = ? AND site_id = ? AND kind = ? AND moodle_id = ? \
                   AND remote_id = ? LIMIT 1";
        let RecordKey { kind, site_id, moodle_id } = key;
        let values =
            vec![destination.into(), site_id.into(), kind.as_str().into(), moodle_id.0.into(), remote_id.into()];
        Ok(!query(&self.read, sql, values).await?.is_empty())
    }
}
