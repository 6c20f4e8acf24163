//! One item writes a remote record; others that stand for it are linked to it, and write nothing.
//!
//! An item reserves a remote record before it writes it for the first time: once it is written, it is too late to find
//! out that another item writes it, too.

use std::collections::{HashMap, HashSet};

use sea_orm::{ConnectionTrait, Value};

use super::{
    ItemFilter,
    claim::UNDER_LEASE,
    lock::{self, KEY},
    queued::QUEUED,
    release::{among, by_site_and_kind},
    settled::{Settled, SettledState},
};
use crate::{
    clock::Timestamp,
    model::{Kind, Lane, RecordKey},
    store::{
        Adopted, Claimed, Store, StoreError,
        adoptions::{adopt, is_declined},
        bulk,
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
        SettledState::Gone => Some(before),
        _ => None,
    }
}

/// The same, except that an item fails whose remote record another item writes. The database would refuse to store both.
pub(super) async fn one_each(
    transaction: &impl ConnectionTrait,
    destination: &str,
    settled: &[Settled],
) -> Result<Vec<Settled>, StoreError> {
    let mut settled = settled.to_vec();
    let ids: Vec<String> = settled.iter().filter_map(new_writer).map(str::to_owned).collect();
    let given_up: Vec<String> = settled.iter().filter_map(given_up).map(str::to_owned).collect();
    if !given_up.is_empty() {
        let linked = holders(transaction, destination, &given_up, true).await?.into_iter().map(|(_, key)| key);
        let all = settled.iter().map(|settled| settled.item.key).chain(linked).collect();
        lock::hold(transaction, destination, all).await?;
    }
    let mut writers: HashMap<_, _> = holders(transaction, destination, &ids, false).await?.into_iter().collect();
    for settled in &mut settled {
        let Some(id) = new_writer(settled).map(str::to_owned) else { continue };
        let writer = *writers.entry(id.clone()).or_insert(settled.item.key);
        if writer != settled.item.key {
            settled.state = SettledState::Failed;
            settled.reason = Some(taken(&id, writer));
        }
    }
    Ok(settled)
}

/// The code of items whose remote record another item writes.
const TAKEN: &str = "remote_taken";

/// The reason of an item whose remote record another item writes: a stable code, and a text.
#[must_use]
pub fn taken(remote_id: &str, by: RecordKey) -> (String, String) {
    let words = format!(
        "The record {remote_id} at the destination belongs to {} {} already. If both are the same, delete one of them in Moodle; \
         otherwise correct what makes them look alike. Then retry.",
        by.kind, by.moodle_id
    );
    (TAKEN.to_owned(), words)
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

/// A remote record that an item is about to write for the first time.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// The item, as it was claimed.
    pub item: Claimed,
    /// The remote record's id.
    pub remote_id: String,
    /// Items that hand the remote record over to this one, and are linked to it from now on; deleted people give it up.
    pub takes_over_from: Vec<RecordKey>,
    /// If it is a contact that is adopted.
    pub adopted: Option<Adopted>,
}

/// What became of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The item is the remote record's writer from now on.
    Writer,
    /// Another item is, and does not hand it over.
    Taken(RecordKey),
    /// The deleted person who would give it up is just being delivered, and would overwrite what is written now.
    InFlight,
    /// A person has refused the adoption meanwhile.
    Refused,
    /// The item's lease is lost: another worker has it.
    Lost,
}

/// SQL for one item, and its parameters.
pub(super) const PLACE: &str = "destination = ? AND site_id = ? AND kind = ? AND moodle_id = ?";

pub(super) fn place(destination: &str, key: RecordKey) -> [Value; 4] {
    [destination.into(), key.site_id.into(), key.kind.as_str().into(), key.moodle_id.0.into()]
}

/// Links an item to the remote record that it wrote. It is locked. The revision tells a worker that is delivering it.
async fn link(transaction: &impl ConnectionTrait, destination: &str, item: RecordKey) -> Result<(), StoreError> {
    let sql = format!("UPDATE sync_items SET linked = TRUE, digest = NULL, revision = revision + 1 WHERE {PLACE}");
    execute(transaction, &sql, place(destination, item).into()).await?;
    Ok(())
}

/// Takes a deleted person's remote record away: an erasure of that person no longer concerns the record, and if the
/// person returns, it needs another one. It is locked. Not while the deleted person is being delivered.
async fn give_up(
    transaction: &impl ConnectionTrait,
    destination: &str,
    item: RecordKey,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = format!("UPDATE sync_items SET {}, attempts = 0 WHERE {PLACE} AND state <> 'in_flight'", unlinked());
    let values = [Value::from(now.0), Value::from(now.0)].into_iter().chain(place(destination, item)).collect();
    Ok(execute(transaction, &sql, values).await? > 0)
}

/// Stores that an item writes a remote record. It is locked. See [`Claimed::reserve`].
async fn write_from_now_on(
    transaction: &impl ConnectionTrait,
    destination: &str,
    Reservation { item, remote_id, .. }: &Reservation,
) -> Result<(), StoreError> {
    let sql = format!("UPDATE sync_items SET remote_id = ?, linked = FALSE, attempts = attempts + 1 WHERE {PLACE}");
    let values = [Value::from(remote_id.as_str())].into_iter().chain(place(destination, item.key)).collect();
    execute(transaction, &sql, values).await?;
    Ok(())
}

/// The items that are still held under the leases under which they were claimed.
async fn under_lease(
    transaction: &impl ConnectionTrait,
    destination: &str,
    reservations: &[Reservation],
) -> Result<HashSet<RecordKey>, StoreError> {
    let leases: HashSet<&str> = reservations.iter().map(|reservation| reservation.item.lease.as_str()).collect();
    let sql = format!("SELECT {} FROM sync_items WHERE {UNDER_LEASE}", KEY.join(", "));
    let mut held = HashSet::new();
    for lease in leases {
        for row in query(transaction, &sql, vec![destination.into(), lease.into()]).await? {
            held.insert(key_of(&row)?);
        }
    }
    Ok(held)
}

/// What an item gets that is no longer linked: it is judged again, and gets a record of its own or is linked again.
/// Its parameters are the present time, twice.
fn unlinked() -> String {
    format!(
        "linked = FALSE, remote_id = NULL, digest = NULL, revision = revision + 1, due_at = ?, {QUEUED}, \
         state = CASE state WHEN 'in_flight' THEN 'in_flight' ELSE 'pending' END"
    )
}

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
        let sql = lock::update(transaction.get_database_backend(), lock::Items::All(&condition), &unlinked(), &[]);
        let mut values: Vec<Value> = vec![destination.into()];
        values.extend(list.into_iter().map(Value::from));
        values.extend([Value::from(now.0), Value::from(now.0)]);
        execute(transaction, &sql, values).await?;
    }
    Ok(())
}

impl Store {
    /// Reserves remote records for items that are about to write them for the first time, all in one transaction.
    /// Returns what became of each.
    pub async fn reserve(
        &self,
        destination: &str,
        reservations: &[Reservation],
        now: Timestamp,
    ) -> Result<Vec<Reserved>, StoreError> {
        let transaction = self.begin_immediate().await?;
        let items = || reservations.iter().map(|reservation| reservation.item.key);
        let givers = reservations.iter().flat_map(|reservation| reservation.takes_over_from.iter().copied());
        lock::hold(&transaction, destination, items().chain(givers).collect()).await?;
        let held = under_lease(&transaction, destination, reservations).await?;
        let ids: Vec<String> = reservations.iter().map(|reservation| reservation.remote_id.clone()).collect();
        let mut writers: HashMap<_, _> = holders(&transaction, destination, &ids, false).await?.into_iter().collect();
        let mut all = Vec::with_capacity(reservations.len());
        for reservation in reservations {
            let Reservation { item, remote_id, takes_over_from, adopted } = reservation;
            let reserved = match writers.get(remote_id).copied().filter(|writer| *writer != item.key) {
                _ if !held.contains(&item.key) => Reserved::Lost,
                Some(other) if !takes_over_from.contains(&other) => Reserved::Taken(other),
                _ if adopted.is_some() && is_declined(&transaction, destination, item.key, remote_id).await? => {
                    Reserved::Refused
                }
                None => Reserved::Writer,
                Some(other) if other.kind != Kind::User => {
                    link(&transaction, destination, other).await?;
                    Reserved::Writer
                }
                Some(other) if give_up(&transaction, destination, other, now).await? => Reserved::Writer,
                Some(_) => Reserved::InFlight,
            };
            if reserved == Reserved::Writer {
                writers.insert(remote_id.clone(), item.key);
                write_from_now_on(&transaction, destination, reservation).await?;
                if let Some(adopted) = adopted {
                    adopt(&transaction, destination, (item.key, remote_id), adopted, now).await?;
                }
            }
            all.push(reserved);
        }
        transaction.commit().await?;
        Ok(all)
    }

    /// The items that write these remote records, by the records' ids.
    pub async fn writers_of(
        &self,
        destination: &str,
        remote_ids: &[String],
    ) -> Result<HashMap<String, RecordKey>, StoreError> {
        Ok(holders(&self.read, destination, remote_ids, false).await?.into_iter().collect())
    }

    /// Forgets all remote ids of a destination, in steps: everything is delivered as if it had never been there.
    /// Returns how many were forgotten.
    pub(in crate::store) async fn forget_remote(&self, destination: &str, now: Timestamp) -> Result<u64, StoreError> {
        let set = format!(
            "remote_id = NULL, linked = FALSE, digest = NULL, attempts = 0, revision = revision + 1, due_at = ?, \
             changed_at = CASE state WHEN 'synced' THEN ? ELSE changed_at END, {QUEUED}, \
             lane = CASE sync_items.kind WHEN 'user' THEN ? WHEN 'course' THEN ? ELSE lane END, \
             state = CASE state WHEN 'in_flight' THEN 'in_flight' ELSE 'pending' END"
        );
        // Those that are linked first: each has a writer at any moment.
        let linked = lock::update(self.backend(), lock::Items::All("destination = ? AND linked"), &unlinked(), &[]);
        let values = vec![destination.into(), now.0.into(), now.0.into()];
        let mut forgotten = execute(&self.write, &linked, values).await?;
        let mut after = None;
        loop {
            let keys = self.next_items(destination, &ItemFilter::default(), after).await?;
            let Some(last) = keys.last() else { return Ok(forgotten) };
            after = Some(*last);
            for ((site_id, kind), ids) in by_site_and_kind(&keys) {
                for list in bulk::key_lists(&ids) {
                    let (among, mut values) = among(destination, site_id, kind, "kind", "moodle_id", list);
                    let condition = format!("{among} AND remote_id IS NOT NULL");
                    let sql = lock::update(self.backend(), lock::Items::All(&condition), &set, &[]);
                    let lanes = [Kind::User, Kind::Course].map(|kind| Value::from(Lane::of(kind, false).number()));
                    values.extend(vec![Value::from(now.0); 3].into_iter().chain(lanes));
                    forgotten += execute(&self.write, &sql, values).await?;
                }
            }
        }
    }

    /// Those of these records of which nothing was ever sent: all their attempts ended with one of these codes.
    pub async fn never_sent(
        &self,
        destination: &str,
        keys: &[RecordKey],
        codes: &[&str],
    ) -> Result<HashSet<RecordKey>, StoreError> {
        let places = vec!["?"; codes.len()].join(", ");
        let sql = format!(
            "SELECT count(*) AS count FROM sync_attempts WHERE {PLACE} \
             HAVING count(*) > 0 AND count(*) = count(CASE WHEN code IN ({places}) THEN 1 END)"
        );
        let mut never = HashSet::new();
        for key in keys {
            let values = place(destination, *key).into_iter().chain(codes.iter().map(|code| Value::from(*code)));
            if !query(&self.read, &sql, values.collect()).await?.is_empty() {
                never.insert(*key);
            }
        }
        Ok(never)
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
