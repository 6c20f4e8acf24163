//! Loading records by their keys, for reading and writing.

use std::collections::{BTreeMap, HashMap};

use sea_orm::ConnectionTrait;

use super::{
    StoreError,
    entity::{
        grade_item,
        records::{RecordTable, StoredRecord},
    },
    lookup,
};
use crate::model::{GradeItem, Id, State, Version};

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
