//! Sibling grades: those of one user in one item. Moodle has one at a time, but after a deletion and a new grade we
//! have two records, and a destination keyed by user and item has one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, Iterable, QueryFilter,
    QuerySelect, QueryTrait, Statement,
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
        let mut groups = Groups::new();
        for (site_id, pairs) in pairs_by_site(keys) {
            for statement in statements(self.read.get_database_backend(), site_id, pairs, grade::Column::iter) {
                for row in grade::Entity::find().from_raw_sql(statement).all(&self.read).await? {
                    groups.entry((site_id, row.userid, row.itemid)).or_default().push(grade::Entity::from_row(row));
                }
            }
        }
        Ok(groups)
    }
}

/// The only column of a key that a row must be asked for.
#[derive(FromQueryResult)]
struct MoodleId {
    moodle_id: i64,
}

/// The siblings of these grades, which are given with user and item. Reads keys alone: this runs under the writers' lock,
/// and a grade may have megabytes.
pub(super) async fn grades_beside(
    connection: &impl ConnectionTrait,
    grades: &HashMap<Key, (Id, Id)>,
) -> Result<Vec<RecordKey>, StoreError> {
    let keys: Vec<_> = grades.iter().map(|((site_id, _), (userid, itemid))| (*site_id, *userid, *itemid)).collect();
    let mut others = Vec::new();
    for (site_id, pairs) in pairs_by_site(&keys) {
        let column = || std::iter::once(grade::Column::MoodleId);
        for statement in statements(connection.get_database_backend(), site_id, pairs, column) {
            let found = MoodleId::find_by_statement(statement).all(connection).await?;
            let keys = found.into_iter().map(|MoodleId { moodle_id }| (site_id, Id(moodle_id)));
            others.extend(keys.filter(|key| !grades.contains_key(key)));
        }
    }
    Ok(others.into_iter().map(|(site_id, moodle_id)| RecordKey { kind: Kind::Grade, site_id, moodle_id }).collect())
}

/// The pairs of item and user of these (site, user, item), by site.
fn pairs_by_site(keys: &[(i64, Id, Id)]) -> BTreeMap<i64, Vec<(Id, Id)>> {
    let mut by_site: BTreeMap<i64, BTreeSet<(Id, Id)>> = BTreeMap::new();
    for (site_id, userid, itemid) in keys {
        by_site.entry(*site_id).or_default().insert((*itemid, *userid));
    }
    by_site.into_iter().map(|(site_id, pairs)| (site_id, pairs.into_iter().collect())).collect()
}

/// Statements for these columns of the grades with these pairs of item and user.
fn statements<I: Iterator<Item = grade::Column>>(
    backend: DbBackend,
    site_id: i64,
    pairs: Vec<(Id, Id)>,
    columns: impl Fn() -> I,
) -> Vec<Statement> {
    if backend == DbBackend::Postgres {
        let (items, users): (Vec<Id>, Vec<Id>) = pairs.into_iter().unzip();
        let wanted =
            [Wanted::new(grade::Column::Itemid, items.iter()), Wanted::new(grade::Column::Userid, users.iter())];
        return vec![lookup::statement::<grade::Entity>(columns(), (grade::Column::SiteId, site_id), &wanted)];
    }
    let query = |list| grade::Entity::find().select_only().columns(columns()).filter(in_groups(site_id, list));
    bulk::key_lists(&pairs).map(|list| query(list).build(backend)).collect()
}

fn in_groups(site_id: i64, pairs: Vec<(Id, Id)>) -> Condition {
    let pair = Expr::tuple([Expr::col(grade::Column::Itemid), Expr::col(grade::Column::Userid)]);
    let pairs = pairs.into_iter().map(|(itemid, userid)| (itemid.0, userid.0));
    Condition::all().add(grade::Column::SiteId.eq(site_id)).add(pair.in_tuples(pairs))
}
