//! The transaction that stores events: the only one that writes events, records and changes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use super::{
    StoreError, bulk,
    connection::connect::Store,
    connection::transaction::Transaction,
    entity::{
        change, counter, event, grade_item,
        records::{RecordTable, StoredRecord},
        token,
    },
    fault::Fault,
    lookup,
    records::{Key, load_grade_items, load_records, load_text_bytes},
};
use crate::{
    clock::Timestamp,
    model::{Digest, EventType, GradeItem, Id, Kind, Outcome, Version},
};

/// An event to be stored.
pub struct NewEvent<'a> {
    /// Its place in the log.
    pub id: i64,
    /// The sender's row id.
    pub site_id: i64,
    /// The sender's id of the event.
    pub idempotency_key: Option<Uuid>,
    /// What happened.
    pub event_type: EventType,
    /// The record that it is about.
    pub moodle_id: Id,
    /// The person that it is about, if any.
    pub userid: Option<Id>,
    /// When it happened in Moodle.
    pub version: Version,
    /// When this server received it.
    pub received_at: Timestamp,
    /// What it did.
    pub outcome: Outcome,
    /// The sender's JSON, byte for byte.
    pub data: &'a str,
}

/// The newest change of a record.
pub struct NewChange {
    /// Its place in the change feed: the id of the event that changed it, or a number reserved in the same way.
    pub position: i64,
    /// Whether the record is now deleted.
    pub deleted: bool,
    /// By the server's clock.
    pub changed_at: Timestamp,
}

/// The newest changes of records.
pub(crate) type Changes = HashMap<(i64, Kind, Id), NewChange>;

/// The digest of the state that a record holds now.
pub struct NewDigest {
    /// The event that brought the state.
    pub event_id: i64,
    /// None if it is unknown.
    pub digest: Option<Digest>,
}

/// A transaction that holds the writers' lock: no other one, in any process, writes events meanwhile.
///
/// Its calls may run concurrently: while the database executes one statement, the next is built.
pub struct WriteTransaction {
    transaction: Transaction,
    /// The number of erased people.
    erased: i64,
}

const EVENT_COUNTER: &str = "event";

impl Store {
    /// Begins a transaction, takes the writers' lock and reserves `count` ids for events; returns the first id.
    pub async fn begin_write(&self, count: usize) -> Result<(WriteTransaction, i64), StoreError> {
        let transaction = self.begin_immediate().await?;
        let mut transaction = WriteTransaction { transaction, erased: 0 };
        let (first, erased) = transaction.raise(count).await?;
        transaction.erased = erased;
        Ok((transaction, first))
    }
}

impl Store {
    /// Deletes events received before `before`: at most `limit`, the oldest. Returns how many.
    pub async fn prune_events(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        // The oldest have the lowest ids, so no index on the time is needed.
        let sql = "DELETE FROM events WHERE received_at < ? AND id IN (SELECT id FROM events ORDER BY id LIMIT ?)";
        super::sql::execute(&self.write, sql, vec![before.0.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()])
            .await
    }
}

fn change_row(
    (site_id, kind, moodle_id): (i64, Kind, Id),
    change: &NewChange,
    digest: Option<Digest>,
) -> change::ActiveModel {
    change::ActiveModel {
        site_id: Set(site_id),
        kind: Set(kind.as_str().to_owned()),
        moodle_id: Set(moodle_id.0),
        position: Set(change.position),
        deleted: Set(change.deleted),
        changed_at: Set(change.changed_at.0),
        digest: Set(digest.map(|digest| Uuid::from_bytes(digest.0))),
    }
}

impl Store {
    /// The bytes of the texts of these records, as far as they exist.
    pub(crate) async fn record_bytes<T: RecordTable>(&self, keys: &[Key]) -> Result<HashMap<Key, u64>, StoreError> {
        load_text_bytes::<T>(&self.write, (T::SITE_ID, T::MOODLE_ID), keys).await
    }

    /// The bytes of the texts of these grade items, as far as they exist.
    pub(crate) async fn item_bytes(&self, keys: &[Key]) -> Result<HashMap<Key, u64>, StoreError> {
        let key = (grade_item::Column::SiteId, grade_item::Column::MoodleId);
        load_text_bytes::<grade_item::Entity>(&self.write, key, keys).await
    }
}

impl WriteTransaction {
    /// Reserves `count` numbers in commit order; returns the first.
    pub(super) async fn reserve(&self, count: usize) -> Result<i64, StoreError> {
        Ok(self.raise(count).await?.0)
    }

    /// Raises the event counter by `count`; returns the first of the new numbers, and the number of erased people.
    async fn raise(&self, count: usize) -> Result<(i64, i64), StoreError> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = counter::Entity::update_many()
            .col_expr(counter::Column::Value, Expr::col(counter::Column::Value).add(count))
            .filter(counter::Column::Name.eq(EVENT_COUNTER))
            .exec_with_returning(&self.transaction)
            .await?;
        // The row always exists. Row security would hide it without an error, and ids would start over.
        let row = rows.first().ok_or_else(|| Fault::Hidden.into_error())?;
        Ok((row.value - count + 1, row.erased))
    }

    /// Those of `tokens` that are not revoked.
    pub async fn valid_tokens(&self, tokens: &[i64]) -> Result<HashSet<i64>, StoreError> {
        let mut valid = HashSet::new();
        for ids in bulk::key_lists(tokens) {
            let rows: Vec<i64> = token::Entity::find()
                .select_only()
                .column(token::Column::Id)
                .filter(token::Column::Id.is_in(ids))
                .filter(token::Column::RevokedAt.is_null())
                .into_tuple()
                .all(&self.transaction)
                .await?;
            valid.extend(rows);
        }
        Ok(valid)
    }

    /// The ids of the stored events with one of these idempotency keys.
    pub async fn known_events(
        &self,
        idempotency_keys: &BTreeMap<i64, Vec<Uuid>>,
    ) -> Result<HashMap<(i64, Uuid), i64>, StoreError> {
        let mut known = HashMap::new();
        for (site_id, idempotency_keys) in idempotency_keys {
            let (column, site) = (event::Column::IdempotencyKey, (event::Column::SiteId, *site_id));
            let columns = [column, event::Column::Id];
            let rows =
                lookup::columns::<event::Entity>(&self.transaction, &columns, site, column, idempotency_keys).await?;
            for row in rows {
                known.insert((*site_id, row.try_get_by_index(0)?), row.try_get_by_index(1)?);
            }
        }
        Ok(known)
    }

    /// The existing records with these keys.
    pub(crate) async fn records<T: RecordTable>(
        &self,
        keys: &[Key],
    ) -> Result<HashMap<Key, StoredRecord<T::State>>, StoreError> {
        load_records::<T>(&self.transaction, keys).await
    }

    /// The existing grade items with these keys, with their versions.
    pub(crate) async fn grade_items(&self, keys: &[Key]) -> Result<HashMap<Key, (GradeItem, Version)>, StoreError> {
        load_grade_items(&self.transaction, keys).await
    }

    /// Appends events to the log.
    pub async fn insert_events(&self, events: Vec<NewEvent<'_>>) -> Result<(), StoreError> {
        let rows = events.into_iter().map(|event| event::ActiveModel {
            id: Set(event.id),
            site_id: Set(event.site_id),
            idempotency_key: Set(event.idempotency_key),
            event_type: Set(event.event_type.as_str().to_owned()),
            kind: Set(event.event_type.kind().as_str().to_owned()),
            moodle_id: Set(event.moodle_id.0),
            userid: Set(event.userid.map(|id| id.0)),
            version_time: Set(event.version.time),
            version_sequence: Set(event.version.sequence),
            received_at: Set(event.received_at.0),
            outcome: Set(event.outcome.as_str().to_owned()),
            data: Set(event.data.to_owned()),
        });
        bulk::insert(&self.transaction, rows.collect(), "").await?;
        Ok(())
    }

    /// Inserts or replaces records. With `indexed` false, the records exist and their indexed columns are not written.
    pub(crate) async fn save_records<T: RecordTable>(
        &self,
        records: Vec<StoredRecord<T::State>>,
        indexed: bool,
    ) -> Result<(), StoreError> {
        let rows = records.into_iter().map(T::to_row).collect();
        self.upsert::<T>(rows, if indexed { &[] } else { T::INDEXED }).await
    }

    /// Inserts or replaces grade items.
    pub(crate) async fn save_grade_items(&self, items: Vec<(Key, GradeItem, Version)>) -> Result<(), StoreError> {
        let row = |((site_id, itemid), item, version)| grade_item::row(site_id, itemid, item, version);
        self.upsert::<grade_item::Entity>(items.into_iter().map(row).collect(), &[]).await
    }

    /// Adds changes of records that no event is about, except those already in `changes`.
    pub(crate) async fn add_changes(
        &self,
        keys: &BTreeSet<Key>,
        kind: Kind,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<(), StoreError> {
        let others = keys.iter().map(|(site_id, moodle_id)| ((*site_id, kind, *moodle_id), false)).collect();
        self.append_changes(others, now, changes).await
    }

    pub(super) async fn append_changes(
        &self,
        mut others: Vec<((i64, Kind, Id), bool)>,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<(), StoreError> {
        others.retain(|(key, _)| !changes.contains_key(key));
        if others.is_empty() {
            return Ok(());
        }
        let first = self.reserve(others.len()).await?;
        for ((key, deleted), position) in others.into_iter().zip(first..) {
            changes.insert(key, NewChange { position, deleted, changed_at: now });
        }
        Ok(())
    }

    /// Moves the changed records to the end of the change feed, and stores the digests of states. Other records keep
    /// theirs.
    pub(crate) async fn save_changes(
        &self,
        changes: Changes,
        mut digests: HashMap<(i64, Kind, Id), NewDigest>,
    ) -> Result<(), StoreError> {
        let (mut with_digest, mut without) = (Vec::new(), Vec::new());
        for (key, change) in changes {
            match digests.remove(&key) {
                Some(new) => with_digest.push(change_row(key, &change, new.digest)),
                None => without.push(change_row(key, &change, None)),
            }
        }
        // These have a row. Only an insertion would use the position, which is nobody's.
        let unmoved = digests.into_iter().map(|(key, NewDigest { event_id, digest })| {
            let change = NewChange { position: event_id, deleted: false, changed_at: Timestamp(0) };
            change_row(key, &change, digest)
        });
        let unmoved = unmoved.collect();
        let of_feed = [change::Column::Position, change::Column::Deleted, change::Column::ChangedAt];
        self.upsert::<change::Entity>(with_digest, &[]).await?;
        self.upsert::<change::Entity>(without, &[change::Column::Digest]).await?;
        self.upsert::<change::Entity>(unmoved, &of_feed).await
    }

    /// Inserts rows; in existing ones, replaces all columns but `kept`.
    async fn upsert<E: EntityTrait>(&self, rows: Vec<E::ActiveModel>, kept: &[E::Column]) -> Result<(), StoreError> {
        let keys: Vec<E::Column> = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect();
        let is_in = |columns: &[E::Column], column: &E::Column| columns.iter().any(|c| c.as_str() == column.as_str());
        let replaced = E::Column::iter().filter(|column| !is_in(&keys, column) && !is_in(kept, column));
        bulk::insert(&self.transaction, rows, &bulk::replacing(&keys, replaced)).await?;
        Ok(())
    }

    /// Whether anybody is erased; if not, erasures need not be looked up.
    pub(super) fn anybody_is_erased(&self) -> bool {
        self.erased > 0
    }

    /// For the store's other modules to use this transaction.
    pub(super) fn connection(&self) -> &Transaction {
        &self.transaction
    }

    /// Commits it. After an error it is unknown whether it was committed.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await
    }
}
