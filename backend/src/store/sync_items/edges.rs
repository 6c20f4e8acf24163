//! Edges: what the delivery of one record reads of another one, such as a course's name for its enrolments. When it
//! changes, whatever reads it is judged again.
//!
//! A course may have tens of thousands of enrolments. So the transaction that settles the course only notes the change,
//! in the table `edge_changes`; short steps then make the readers pending, in whichever process. The note stays until
//! the last step, so that no crash loses it.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::{
    Settled,
    release::{Delivered, among, by_site_and_kind, make_pending},
};
use crate::{
    clock::Timestamp,
    limits,
    model::{Id, Kind, RecordKey},
    store::{
        Store, StoreError, bulk,
        sql::{execute, key_of, kind_of, query},
    },
};

/// What judges records again although no event is about them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edges {
    /// What other records read of these.
    pub readings: Vec<Reading>,
    /// When what is written of these changes by itself.
    pub moments: Vec<(RecordKey, Timestamp)>,
    /// People who have no contact from now on, or another one: all that refers to them is judged again.
    pub moved: Vec<RecordKey>,
}

/// What the deliveries of other records read of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The record that is read.
    pub key: RecordKey,
    /// Equal digests mean that they read the same.
    pub digest: String,
    /// Which records read it.
    pub readers: Vec<Reader>,
}

/// A kind of records that read of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Their kind.
    pub kind: Kind,
    /// They wait until the other record is at the destination, so they cannot have read it before.
    pub waits: bool,
}

/// A change whose readers are being judged again.
struct EdgeChange {
    key: RecordKey,
    reader: Kind,
    noted_by: String,
    /// How far it got.
    place: Place,
}

/// The grade item whose grades are being read, for a course's grades, and the last reader.
#[derive(Clone, Copy, Default)]
struct Place {
    item: Option<i64>,
    id: Option<i64>,
}

impl EdgeChange {
    fn of(row: &QueryResult) -> Result<Self, StoreError> {
        let reader: String = row.try_get("", "reader")?;
        Ok(Self {
            key: key_of(row)?,
            reader: kind_of(&reader)?,
            noted_by: row.try_get("", "noted_by")?,
            place: Place { item: row.try_get("", "after_item")?, id: row.try_get("", "after_id")? },
        })
    }
}

impl Edges {
    /// Adds those of other records.
    pub fn extend(&mut self, other: Self) {
        self.readings.extend(other.readings);
        self.moments.extend(other.moments);
        self.moved.extend(other.moved);
    }

    pub(super) fn digest_of(&self, key: RecordKey) -> Option<String> {
        self.readings.iter().find(|reading| reading.key == key).map(|reading| reading.digest.clone())
    }

    pub(super) fn moment_of(&self, key: RecordKey) -> Option<Timestamp> {
        self.moments.iter().find(|(of, _)| *of == key).map(|(_, moment)| *moment)
    }
}

/// Notes which of these readings differ from those of the last delivery, before the new ones are stored. An item that is
/// not settled is delivered again, and so is not noted. Returns whether there are any.
pub(super) async fn note_changes(
    transaction: &impl ConnectionTrait,
    (destination, lease): (&str, &str),
    settled: &[Settled],
    readings: &[Reading],
) -> Result<bool, StoreError> {
    if readings.is_empty() {
        return Ok(false);
    }
    let known: HashMap<RecordKey, bool> =
        settled.iter().map(|settled| (settled.item.key, settled.item.remote_id.is_some())).collect();
    let keys: Vec<RecordKey> = known.keys().copied().collect();
    let before = read_digests(transaction, destination, &keys).await?;
    let mut noted = false;
    for reading in readings {
        let Some(known) = known.get(&reading.key) else { continue };
        let before = before.get(&reading.key);
        if before == Some(&reading.digest) {
            continue;
        }
        let may_have_read = before.is_some() || *known;
        for reader in reading.readers.iter().filter(|reader| may_have_read || !reader.waits) {
            note(transaction, (destination, lease), reading.key, reader.kind).await?;
            noted = true;
        }
    }
    Ok(noted)
}

/// Notes that all that refers to these people is to be judged again. Returns whether there is anybody.
pub(super) async fn note_moved(
    transaction: &impl ConnectionTrait,
    (destination, lease): (&str, &str),
    settled: &[Settled],
    moved: &[RecordKey],
) -> Result<bool, StoreError> {
    let mut noted = false;
    for key in moved.iter().filter(|key| settled.iter().any(|settled| settled.item.key == **key)) {
        for reader in [Kind::Enrolment, Kind::Grade, Kind::Completion] {
            note(transaction, (destination, lease), *key, reader).await?;
        }
        noted = true;
    }
    Ok(noted)
}

async fn read_digests(
    connection: &impl ConnectionTrait,
    destination: &str,
    keys: &[RecordKey],
) -> Result<HashMap<RecordKey, String>, StoreError> {
    let mut digests = HashMap::new();
    for ((site_id, kind), ids) in by_site_and_kind(keys) {
        for list in bulk::key_lists(&ids) {
            let (condition, values) = among(destination, site_id, kind, "kind", "moodle_id", list);
            let sql = format!(
                "SELECT site_id, kind, moodle_id, read_digest FROM sync_items WHERE {condition} AND read_digest IS NOT NULL"
            );
            for row in query(connection, &sql, values).await? {
                digests.insert(key_of(&row)?, row.try_get("", "read_digest")?);
            }
        }
    }
    Ok(digests)
}

async fn note(
    transaction: &impl ConnectionTrait,
    (destination, lease): (&str, &str),
    key: RecordKey,
    reader: Kind,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO edge_changes (destination, site_id, kind, moodle_id, reader, noted_by) \
               VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (destination, site_id, kind, moodle_id, reader) \
               DO UPDATE SET noted_by = excluded.noted_by, after_item = NULL, after_id = NULL";
    let values = vec![
        destination.into(),
        key.site_id.into(),
        key.kind.as_str().into(),
        key.moodle_id.0.into(),
        reader.as_str().into(),
        lease.into(),
    ];
    execute(transaction, sql, values).await?;
    Ok(())
}

impl Store {
    /// Makes the next items pending that read what has changed: one step. Returns whether some may be left.
    pub async fn judge_readers(&self, destination: &str, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "SELECT site_id, kind, moodle_id, reader, noted_by, after_item, after_id FROM edge_changes \
                   WHERE destination = ? ORDER BY site_id, kind, moodle_id, reader LIMIT 1";
        let rows = query(&self.read, sql, vec![destination.into()]).await?;
        let Some(change) = rows.first().map(EdgeChange::of).transpose()? else { return Ok(false) };
        let (ids, next) = self.next_readers(&change).await?;
        let key = |moodle_id| RecordKey { kind: change.reader, site_id: change.key.site_id, moodle_id };
        let keys: Vec<RecordKey> = ids.into_iter().map(key).collect();
        // A pending item reads the change anyway.
        make_pending(&self.write, destination, &keys, "state <> 'pending'", Delivered::Trusted, now).await?;
        self.save_place(destination, &change, next).await?;
        Ok(true)
    }

    /// The next records that read what has changed, and the place after them; `None` after the last.
    async fn next_readers(&self, change: &EdgeChange) -> Result<(Vec<Id>, Option<Place>), StoreError> {
        let EdgeChange { key, reader, place, .. } = change;
        let (table, column, of, item) = match (key.kind, reader) {
            (Kind::Course, Kind::Grade) => {
                let item = match place.id {
                    Some(_) => place.item,
                    None => self.next_item(*key, place.item).await?,
                };
                let Some(item) = item else { return Ok((Vec::new(), None)) };
                ("grades", "itemid", item, Some(item))
            }
            (kind, reader) => {
                let column = if kind == Kind::User { "userid" } else { "courseid" };
                let table = match reader {
                    Kind::Grade => "grades",
                    Kind::Completion => "completions",
                    _ => "enrolments",
                };
                (table, column, key.moodle_id.0, None)
            }
        };
        let sql = format!(
            "SELECT moodle_id FROM {table} WHERE site_id = ? AND {column} = ? AND moodle_id > ? ORDER BY moodle_id LIMIT ?"
        );
        let after = place.id.unwrap_or(i64::MIN);
        let values = vec![key.site_id.into(), of.into(), Value::from(after), i64::from(limits::STEP_ITEMS).into()];
        let rows = query(&self.read, &sql, values).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.try_get("", "moodle_id")).collect::<Result<_, _>>()?;
        let is_full = ids.len() >= limits::STEP_ITEMS as usize;
        // With an item, others may follow.
        let next = (is_full || item.is_some()).then(|| Place { item, id: ids.last().copied().filter(|_| is_full) });
        Ok((ids.into_iter().map(Id).collect(), next))
    }

    /// The course's next grade item.
    async fn next_item(&self, course: RecordKey, after: Option<i64>) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT moodle_id FROM grade_items WHERE site_id = ? AND courseid = ? AND moodle_id > ? \
                   ORDER BY moodle_id LIMIT 1";
        let after = after.unwrap_or(i64::MIN);
        let rows = query(&self.read, sql, vec![course.site_id.into(), course.moodle_id.0.into(), after.into()]).await?;
        Ok(rows.first().map(|row| row.try_get("", "moodle_id")).transpose()?)
    }

    /// Unless the change was noted again meanwhile: then it begins from the first reader.
    async fn save_place(&self, destination: &str, change: &EdgeChange, next: Option<Place>) -> Result<(), StoreError> {
        let of_change =
            "destination = ? AND site_id = ? AND kind = ? AND moodle_id = ? AND reader = ? AND noted_by = ?";
        let (sql, mut values): (String, Vec<Value>) = match next {
            Some(Place { item, id }) => (
                format!("UPDATE edge_changes SET after_item = ?, after_id = ? WHERE {of_change}"),
                vec![item.into(), id.into()],
            ),
            None => (format!("DELETE FROM edge_changes WHERE {of_change}"), vec![]),
        };
        let EdgeChange { key, reader, noted_by, .. } = change;
        values.extend([destination.into(), key.site_id.into(), key.kind.as_str().into()]);
        values.extend([key.moodle_id.0.into(), reader.as_str().into(), noted_by.as_str().into()]);
        execute(&self.write, &sql, values).await?;
        Ok(())
    }

    /// Makes the next items pending whose moment has come: one step. Returns whether some may be left.
    pub async fn judge_due(&self, destination: &str, now: Timestamp) -> Result<bool, StoreError> {
        let due = "judge_at <= ? AND state <> 'pending'";
        let sql = format!(
            "SELECT site_id, kind, moodle_id FROM sync_items WHERE destination = ? AND {due} ORDER BY judge_at LIMIT ?"
        );
        let values = vec![destination.into(), now.0.into(), i64::from(limits::STEP_ITEMS).into()];
        let rows = query(&self.read, &sql, values).await?;
        let keys: Vec<RecordKey> = rows.iter().map(key_of).collect::<Result<_, _>>()?;
        let due = due.replace('?', &now.0.to_string());
        make_pending(&self.write, destination, &keys, &due, Delivered::Trusted, now).await?;
        Ok(keys.len() >= limits::STEP_ITEMS as usize)
    }
}
