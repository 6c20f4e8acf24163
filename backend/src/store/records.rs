//! Loading records by their keys, for reading and writing.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ColumnTrait, ColumnType, ConnectionTrait, EntityTrait, IdenStatic};

use super::{
    StoreError,
    entity::{
        grade_item,
        records::{RecordTable, StoredRecord},
    },
    lookup,
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
    let mut bytes = text_bytes::<T::Column>();
    if T::State::KIND == Kind::Grade {
        // A grade is read with its item.
        let of_item = text_bytes::<grade_item::Column>();
        bytes += &format!(
            " + COALESCE((SELECT {of_item} FROM grade_items i WHERE i.site_id = grades.site_id AND i.moodle_id = grades.itemid), 0)"
        );
    }
    bytes
}

/// SQL for the bytes of a row's texts.
fn text_bytes<C: ColumnTrait>() -> String {
    let is_text = |column: &C| matches!(column.def().get_column_type(), ColumnType::Text | ColumnType::String(_));
    let length = |column: C| format!("COALESCE(octet_length({}), 0)", column.as_str());
    format!("CAST({} AS bigint)", C::iter().filter(is_text).map(length).collect::<Vec<_>>().join(" + "))
}

/// The bytes of the texts that are read with the existing records with these keys.
pub(super) async fn load_bytes<T: RecordTable>(
    connection: &impl ConnectionTrait,
    keys: &[Key],
) -> Result<HashMap<Key, u64>, StoreError> {
    measure::<T>(connection, &bytes_of::<T>(), (T::SITE_ID, T::MOODLE_ID), keys).await
}

/// The bytes of the texts of the existing rows with these keys in two columns.
pub(super) async fn load_text_bytes<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    key: (E::Column, E::Column),
    keys: &[Key],
) -> Result<HashMap<Key, u64>, StoreError> {
    measure::<E>(connection, &text_bytes::<E::Column>(), key, keys).await
}

async fn measure<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    bytes: &str,
    (site, id): (E::Column, E::Column),
    keys: &[Key],
) -> Result<HashMap<Key, u64>, StoreError> {
    let (expressions, mut found) = (format!("{}, {bytes} AS bytes", id.as_str()), HashMap::new());
    for (site_id, ids) in by_site(keys) {
        for row in lookup::expressions::<E>(connection, &expressions, (site, site_id), id, &ids).await? {
            let bytes: i64 = row.try_get("", "bytes")?;
            found.insert((site_id, Id(row.try_get("", id.as_str())?)), bytes.unsigned_abs());
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
