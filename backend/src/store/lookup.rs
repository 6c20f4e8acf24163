//! Rows of a site by their keys, found through the index of these keys whatever PostgreSQL knows about its tables.
//!
//! Without statistics, it expects a few rows of each site. For `site_id = … AND moodle_id IN (…)` it then reads all
//! rows of the site and compares each: a first backfill gets slower with each event. So the keys are joined one by one,
//! with a subquery that it cannot take apart. They are one text, so that there is one statement for any number.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IdenStatic, Iterable, QueryFilter, QueryResult, Statement,
    Value,
};
use uuid::Uuid;

use super::{StoreError, bounded::places, bulk, sql::query};
use crate::model::Id;

/// A value that rows are looked up by.
pub(super) trait LookupKey: ToString + Clone + Into<Value> {
    /// Its type in PostgreSQL.
    const TYPE: &'static str;
}

impl LookupKey for Id {
    const TYPE: &'static str = "bigint";
}

impl LookupKey for Uuid {
    const TYPE: &'static str = "uuid";
}

/// The rows of a site with one of these keys in `column`.
pub(super) async fn rows<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    (site, site_id): (E::Column, i64),
    column: E::Column,
    keys: &[impl LookupKey],
) -> Result<Vec<E::Model>, StoreError> {
    if connection.get_database_backend() == DbBackend::Postgres {
        let wanted = [Wanted::new(column, keys.iter())];
        let sql = statement::<E>(E::Column::iter(), (site, site_id), &wanted);
        return Ok(E::find().from_raw_sql(sql).all(connection).await?);
    }
    let mut rows = Vec::new();
    for list in bulk::key_lists(keys) {
        let query = E::find().filter(site.eq(site_id)).filter(column.is_in(list));
        rows.extend(query.all(connection).await?);
    }
    Ok(rows)
}

/// Some columns of these rows.
pub(super) async fn columns<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    columns: &[E::Column],
    site: (E::Column, i64),
    column: E::Column,
    keys: &[impl LookupKey],
) -> Result<Vec<QueryResult>, StoreError> {
    expressions::<E>(connection, &names(columns.iter().copied()), site, column, keys).await
}

/// SQL expressions over the columns of these rows, each with a name.
pub(super) async fn expressions<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    expressions: &str,
    (site, site_id): (E::Column, i64),
    column: E::Column,
    keys: &[impl LookupKey],
) -> Result<Vec<QueryResult>, StoreError> {
    if connection.get_database_backend() == DbBackend::Postgres {
        let wanted = [Wanted::new(column, keys.iter())];
        return Ok(connection.query_all_raw(selecting::<E>(expressions, (site, site_id), &wanted)).await?);
    }
    let (table, mut rows) = (E::default(), Vec::new());
    for list in bulk::key_lists(keys) {
        let sql = format!(
            "SELECT {expressions} FROM {} WHERE {} = ? AND {} IN ({})",
            table.table_name(),
            site.as_str(),
            column.as_str(),
            places(list.len())
        );
        let values = std::iter::once(Value::from(site_id)).chain(list.into_iter().map(Into::into));
        rows.extend(query(connection, &sql, values.collect()).await?);
    }
    Ok(rows)
}

/// A column with its keys.
pub(super) struct Wanted<C> {
    column: C,
    of_type: &'static str,
    list: String,
}

impl<C> Wanted<C> {
    pub(super) fn new<'a, K: LookupKey + 'a>(column: C, keys: impl Iterator<Item = &'a K>) -> Self {
        Self { column, of_type: K::TYPE, list: keys.map(K::to_string).collect::<Vec<_>>().join(",") }
    }
}

/// For PostgreSQL: the rows of a site with the first keys of all these columns, those with the second, and so on.
pub(super) fn statement<E: EntityTrait>(
    columns: impl Iterator<Item = E::Column>,
    site: (E::Column, i64),
    wanted: &[Wanted<E::Column>],
) -> Statement {
    selecting::<E>(&names(columns), site, wanted)
}

fn names<C: IdenStatic>(columns: impl Iterator<Item = C>) -> String {
    columns.map(|column| column.as_str()).collect::<Vec<_>>().join(", ")
}

fn selecting<E: EntityTrait>(
    expressions: &str,
    (site, site_id): (E::Column, i64),
    wanted: &[Wanted<E::Column>],
) -> Statement {
    let (mut lists, mut names, mut equal) = (Vec::new(), Vec::new(), String::new());
    for (Wanted { column, of_type, .. }, place) in wanted.iter().zip(2..) {
        lists.push(format!("CAST(string_to_array(${place}, ',') AS {of_type}[])"));
        names.push(format!("k{place}"));
        equal += &format!(" AND {} = k.k{place}", column.as_str());
    }
    // OFFSET keeps the subquery as it is.
    let sql = format!(
        "SELECT t.* FROM unnest({}) AS k({}) CROSS JOIN LATERAL \
         (SELECT {expressions} FROM {} WHERE {} = $1{equal} OFFSET 0) AS t",
        lists.join(", "),
        names.join(", "),
        E::default().table_name(),
        site.as_str()
    );
    let lists = wanted.iter().map(|wanted| Value::from(wanted.list.as_str()));
    Statement::from_sql_and_values(DbBackend::Postgres, sql, std::iter::once(site_id.into()).chain(lists))
}
