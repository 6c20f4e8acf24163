//! Updates of several sync items, which lock them all in one order.
//!
//! On PostgreSQL, two statements that wait for each other's rows deadlock. So whatever locks several items takes them in
//! the order of their primary key, or skips those that others hold. A plain `UPDATE` locks rows in the order in which
//! its plan happens to find them; these get them from a subquery that locks first.

use sea_orm::{ConnectionTrait, DbBackend, Value};

use crate::{
    model::RecordKey,
    store::{
        StoreError, bulk,
        sql::{query, skip_locked},
    },
};

/// The columns that [`key_of`](crate::store::sql::key_of) reads.
pub(super) const KEY: [&str; 3] = ["site_id", "kind", "moodle_id"];

/// Which items an update changes, as SQL.
#[derive(Clone, Copy)]
pub(super) enum Items<'a> {
    /// All that meet a condition, in order; waits for those that others hold.
    All(&'a str),
    /// Those that meet a condition, which may end in an order and a limit of its own; skips those that others hold.
    Free(&'a str),
}

/// An `UPDATE` of sync items that returns `columns`. Its parameters are those of the condition, then those of `set`.
pub(super) fn update(backend: DbBackend, items: Items<'_>, set: &str, columns: &[&str]) -> String {
    let rows = match items {
        Items::All(condition) if backend == DbBackend::Postgres => {
            format!("{condition} ORDER BY destination, site_id, kind, moodle_id FOR UPDATE")
        }
        Items::All(condition) => condition.to_owned(),
        Items::Free(condition) => format!("{condition} {}", skip_locked(backend)),
    };
    let returning: Vec<String> = columns.iter().map(|column| format!("sync_items.{column} AS {column}")).collect();
    let returning = if returning.is_empty() { String::new() } else { format!(" RETURNING {}", returning.join(", ")) };
    format!(
        "WITH picked AS MATERIALIZED (SELECT destination, site_id, kind, moodle_id FROM sync_items WHERE {rows}) \
         UPDATE sync_items SET {set} FROM picked WHERE sync_items.destination = picked.destination \
         AND sync_items.site_id = picked.site_id AND sync_items.kind = picked.kind \
         AND sync_items.moodle_id = picked.moodle_id{returning}"
    )
}

/// Locks the items of these records, in order, for a transaction that changes them in several statements.
pub(in crate::store) async fn hold(
    transaction: &impl ConnectionTrait,
    destination: &str,
    mut keys: Vec<RecordKey>,
) -> Result<(), StoreError> {
    if transaction.get_database_backend() != DbBackend::Postgres {
        // One writer at a time.
        return Ok(());
    }
    keys.sort_unstable_by_key(order);
    keys.dedup();
    for list in bulk::key_lists(&keys) {
        let places = vec!["(?, ?, ?)"; list.len()].join(", ");
        let sql = format!(
            "SELECT 1 FROM sync_items WHERE destination = ? AND (site_id, kind, moodle_id) IN ({places}) \
             ORDER BY destination, site_id, kind, moodle_id FOR UPDATE"
        );
        let mut values: Vec<Value> = vec![destination.into()];
        for RecordKey { kind, site_id, moodle_id } in list {
            values.extend([site_id.into(), kind.as_str().into(), Value::from(moodle_id.0)]);
        }
        query(transaction, &sql, values).await?;
    }
    Ok(())
}

/// The place of an item among those of its destination in the order of the primary key.
pub(super) fn order(key: &RecordKey) -> (i64, &'static str, i64) {
    (key.site_id, key.kind.as_str(), key.moodle_id.0)
}
