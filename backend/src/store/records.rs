//! Loading records by their keys, for reading and writing.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ColumnTrait, ColumnType, ConnectionTrait, Value};

use super::{
    StoreError,
    bounded::places,
    bulk,
    entity::{
        grade_item,
        records::{RecordTable, StoredRecord},
    },
    lookup,
    sql::query,
};
use crate::model::{GradeItem, Id, Kind, State, Version};

/// A record's key within its kind: the site's row id and the Moodle id.
pub(crate) type Key = (i64, Id);

/// Groups ids by site.
pub(super) fn by_site(keys: &[Key]) -> BTreeMap<i64, Vec<Id>> {
    let mut sites: BTreeMap<i64, Vec<Id>> = BTreeMap::new();
    for (site_id, id) in keys {
        sites.entry(*site_id).or_default().push(*id);
    }
    sites
}

/// The existing records with these keys.
pub(super) async fn load_records<T: RecordTable>(
    connection: &impl ConnectionTrait,
    keys: &[Key],
) -> Result<HashMap<Key, StoredRecord<T::State>>, StoreError> {
    let mut records = HashMap::new();
    for (site_id, ids) in by_site(keys) {
        for row in lookup::rows::<T>(connection, (T::SITE_ID, site_id), T::MOODLE_ID, &ids).await? {
            let stored = T::from_row(row);
            records.insert((site_id, stored.record.state.moodle_id()), stored);
        }
    }
    Ok(records)
}

/// SQL for the bytes of a record's texts. Neither database reads a text for its length.
pub(super) fn bytes_of<T: RecordTable>() -> String {
    let mut bytes = lengths::<T::Column>();
    if T::State::KIND == Kind::Grade {
        // A grade is read with its item.
        let of_item = lengths::<grade_item::Column>();
        bytes += &format!(
            " + COALESCE((SELECT {of_item} FROM grade_items i WHERE i.site_id = grades.site_id AND i.moodle_id = grades.itemid), 0)"
        );
    }
    format!("CAST({bytes} AS bigint)")
}

fn lengths<C: ColumnTrait>() -> String {
    let is_text = |column: &C| matches!(column.def().get_column_type(), ColumnType::Text | ColumnType::String(_));
    let length = |column: C| format!("COALESCE(octet_length({}), 0)", column.as_str());
    C::iter().filter(is_text).map(length).collect::<Vec<_>>().join(" + ")
}

/// The bytes of the texts of the existing records with these keys.
pub(super) async fn load_bytes<T: RecordTable>(
    connection: &impl ConnectionTrait,
    keys: &[Key],
) -> Result<HashMap<Key, u64>, StoreError> {
    let (table, bytes) = (T::default().table_name().to_owned(), bytes_of::<T>());
    let mut found = HashMap::new();
    for (site_id, ids) in by_site(keys) {
        for list in bulk::key_lists(&ids) {
            let sql = format!(
                "SELECT moodle_id, {bytes} AS bytes FROM {table} WHERE site_id = ? AND moodle_id IN ({})",
                places(list.len())
            );
            let values = std::iter::once(site_id).chain(list.into_iter().map(|id| id.0)).map(Value::from);
            for row in query(connection, &sql, values.collect()).await? {
                let bytes: i64 = row.try_get("", "bytes")?;
                found.insert((site_id, Id(row.try_get("", "moodle_id")?)), bytes.unsigned_abs());
            }
        }
    }
    Ok(found)
}

/// The existing grade items with these keys, with their versions.
pub(super) async fn load_grade_items(
    connection: &impl ConnectionTrait,
    keys: &[Key],
) -> Result<HashMap<Key, (GradeItem, Version)>, StoreError> {
    let mut items = HashMap::new();
    for (site_id, ids) in by_site(keys) {
        let site = (grade_item::Column::SiteId, site_id);
        for row in lookup::rows::<grade_item::Entity>(connection, site, grade_item::Column::MoodleId, &ids).await? {
            let (key, version) = ((site_id, Id(row.moodle_id)), row.version());
            items.insert(key, (row.into(), version));
        }
    }
    Ok(items)
}
