//! Sibling grades: those of one user in one item. Moodle has one at a time, but after a deletion and a new grade we
//! have two records, and a destination keyed by user and item has one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, Iterable, QueryFilter,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    model::{Grade, Id, Kind, RecordKey},
    store::{
        Store, StoreError, StoredRecord, bulk,
        entity::records::{RecordTable, grade},
        lookup::{self, Wanted},
        records::Key,
    },
};

/// The grades of these users in these items, by site, user and item.
type Groups = HashMap<(i64, Id, Id), Vec<StoredRecord<Grade>>>;

impl Store {
    /// All grades of these (site, user, item).
    pub async fn grade_groups(&self, keys: &[(i64, Id, Id)]) -> Result<Groups, StoreError> {
        groups(&self.read, keys).await
    }
}

async fn groups(connection: &impl ConnectionTrait, keys: &[(i64, Id, Id)]) -> Result<Groups, StoreError> {
    let mut by_site: BTreeMap<i64, BTreeSet<(Id, Id)>> = BTreeMap::new();
    for (site_id, userid, itemid) in keys {
        by_site.entry(*site_id).or_default().insert((*itemid, *userid));
    }
    let mut groups = Groups::new();
    for (site_id, pairs) in by_site {
        if connection.get_database_backend() == DbBackend::Postgres {
            let (items, users): (Vec<Id>, Vec<Id>) = pairs.into_iter().unzip();
            let wanted =
                [Wanted::new(grade::Column::Itemid, items.iter()), Wanted::new(grade::Column::Userid, users.iter())];
            let site = (grade::Column::SiteId, site_id);
            let statement = lookup::statement::<grade::Entity>(grade::Column::iter(), site, &wanted);
            add(&mut groups, site_id, grade::Entity::find().from_raw_sql(statement).all(connection).await?);
            continue;
        }
        for list in bulk::key_lists(&pairs.into_iter().collect::<Vec<_>>()) {
            let pairs = list.into_iter().map(|(itemid, userid)| (itemid.0, userid.0));
            let pair = Expr::tuple([Expr::col(grade::Column::Itemid), Expr::col(grade::Column::Userid)]);
            let query = grade::Entity::find().filter(grade::Column::SiteId.eq(site_id)).filter(pair.in_tuples(pairs));
            add(&mut groups, site_id, query.all(connection).await?);
        }
    }
    Ok(groups)
}

fn add(groups: &mut Groups, site_id: i64, rows: Vec<grade::Model>) {
    for row in rows {
        groups.entry((site_id, row.userid, row.itemid)).or_default().push(grade::Entity::from_row(row));
    }
}

/// The siblings of these grades, which are given with user and item.
pub(super) async fn grades_beside(
    connection: &impl ConnectionTrait,
    grades: &HashMap<Key, (Id, Id)>,
) -> Result<Vec<RecordKey>, StoreError> {
    let keys: Vec<_> = grades.iter().map(|((site_id, _), (userid, itemid))| (*site_id, *userid, *itemid)).collect();
    let found = groups(connection, &keys).await?.into_values().flatten();
    let others = found.filter(|grade| !grades.contains_key(&(grade.site_id, grade.record.state.gradeid)));
    Ok(others
        .map(|grade| RecordKey { kind: Kind::Grade, site_id: grade.site_id, moodle_id: grade.record.state.gradeid })
        .collect())
}
