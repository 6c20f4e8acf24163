//! Sibling grades: those of one user in one item. Moodle has one at a time, but after a deletion and a new grade we
//! have two records, and a destination keyed by user and item has one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    model::{Grade, Id, Kind, RecordKey},
    store::{
        Store, StoreError, StoredRecord, bulk,
        entity::records::{RecordTable, grade},
        records::Key,
    },
};

/// The grades of these users in these items, by site, user and item.
type Groups = HashMap<(i64, Id, Id), Vec<StoredRecord<Grade>>>;

impl Store {
    /// All grades of these (site, user, item).
    pub async fn grade_groups(&self, wanted: &[(i64, Id, Id)]) -> Result<Groups, StoreError> {
        let mut groups = Groups::new();
        for (site_id, pairs) in pairs_by_site(wanted) {
            for list in bulk::key_lists(&pairs) {
                let query = grade::Entity::find().filter(in_groups(site_id, list));
                for row in query.all(&self.read).await? {
                    groups.entry((site_id, row.userid, row.itemid)).or_default().push(grade::Entity::from_row(row));
                }
            }
        }
        Ok(groups)
    }
}

/// The siblings of these grades, which are given with user and item. Reads keys alone: this runs under the writers' lock,
/// and a grade may have megabytes.
pub(super) async fn grades_beside(
    connection: &impl ConnectionTrait,
    grades: &HashMap<Key, (Id, Id)>,
) -> Result<Vec<RecordKey>, StoreError> {
    let wanted: Vec<_> = grades.iter().map(|((site_id, _), (userid, itemid))| (*site_id, *userid, *itemid)).collect();
    let mut others = Vec::new();
    for (site_id, pairs) in pairs_by_site(&wanted) {
        for list in bulk::key_lists(&pairs) {
            let query = grade::Entity::find().select_only().column(grade::Column::MoodleId);
            let query = query.filter(in_groups(site_id, list)).into_tuple::<i64>();
            let keys = query.all(connection).await?.into_iter().map(|id| (site_id, Id(id)));
            others.extend(keys.filter(|key| !grades.contains_key(key)));
        }
    }
    Ok(others.into_iter().map(|(site_id, moodle_id)| RecordKey { kind: Kind::Grade, site_id, moodle_id }).collect())
}

/// The pairs of item and user of these (site, user, item), by site.
fn pairs_by_site(wanted: &[(i64, Id, Id)]) -> BTreeMap<i64, Vec<(Id, Id)>> {
    let mut by_site: BTreeMap<i64, BTreeSet<(Id, Id)>> = BTreeMap::new();
    for (site_id, userid, itemid) in wanted {
        by_site.entry(*site_id).or_default().insert((*itemid, *userid));
    }
    by_site.into_iter().map(|(site_id, pairs)| (site_id, pairs.into_iter().collect())).collect()
}

fn in_groups(site_id: i64, pairs: Vec<(Id, Id)>) -> Condition {
    let pair = Expr::tuple([Expr::col(grade::Column::Itemid), Expr::col(grade::Column::Userid)]);
    let pairs = pairs.into_iter().map(|(itemid, userid)| (itemid.0, userid.0));
    Condition::all().add(grade::Column::SiteId.eq(site_id)).add(pair.in_tuples(pairs))
}
