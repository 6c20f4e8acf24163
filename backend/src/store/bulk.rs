//! Many rows in few statements of few shapes.
//!
//! Each number of rows makes another statement, which the database must parse and plan again. For PostgreSQL, the values
//! of a column are one parameter, whatever their number. For SQLite, rows are written in groups whose sizes are powers of
//! two, and lists of keys are padded to such sizes: a handful of shapes, all of them in the connection's cache of prepared
//! statements.

use std::fmt::Write;

use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ColumnType, ConnectionTrait, DbBackend, DbErr, EntityName, EntityTrait,
    IdenStatic, Iterable, Statement, Value,
};

use super::{StoreError, bounded::places};
use crate::limits::STATEMENT_ROWS;

/// Inserts rows, which all have the same columns set; returns how many were inserted or changed. `conflict` is SQL for
/// after `VALUES`.
pub(super) async fn insert<A: ActiveModelTrait>(
    connection: &impl ConnectionTrait,
    rows: Vec<A>,
    conflict: &str,
) -> Result<u64, StoreError> {
    let mut written = 0;
    for group in groups(rows) {
        let statement = inserting(connection.get_database_backend(), group, conflict)?;
        written += connection.execute_raw(statement).await?.rows_affected();
    }
    Ok(written)
}

/// SQL that replaces these columns of existing rows with those keys.
pub(super) fn replacing<C: IdenStatic>(keys: &[C], columns: impl Iterator<Item = C>) -> String {
    let replaced: Vec<String> = columns.map(|column| format!("{0} = excluded.{0}", quoted(&column))).collect();
    let keys: Vec<String> = keys.iter().map(quoted).collect();
    format!("ON CONFLICT ({}) DO UPDATE SET {}", keys.join(", "), replaced.join(", "))
}

fn quoted(column: &impl IdenStatic) -> String {
    format!("\"{}\"", column.as_str())
}

fn inserting<A: ActiveModelTrait>(backend: DbBackend, rows: Vec<A>, conflict: &str) -> Result<Statement, StoreError> {
    type Column<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Column;
    let is_set = |column: &Column<A>| rows.first().is_some_and(|row| row.get(*column).is_set());
    let columns: Vec<Column<A>> = Column::<A>::iter().filter(is_set).collect();
    let names: Vec<String> = columns.iter().map(quoted).collect();
    let into = format!("INSERT INTO {} ({})", A::Entity::default().table_name(), names.join(", "));
    let count = rows.len();
    let values = rows.into_iter().flat_map(|mut row| {
        columns
            .iter()
            .map(move |column| match row.take(*column) {
                ActiveValue::Set(value) | ActiveValue::Unchanged(value) => Some(value),
                ActiveValue::NotSet => None,
            })
            .collect::<Vec<_>>()
    });
    let values: Vec<Value> = values.collect::<Option<_>>().ok_or_else(|| unexpected("a row without a value"))?;
    if backend != DbBackend::Postgres {
        let row = format!("({})", places(columns.len()));
        let sql = format!("{into} VALUES {} {conflict}", vec![row.as_str(); count].join(", "));
        return Ok(Statement::from_sql_and_values(backend, sql, values));
    }
    let (mut arrays, mut parameters) = (vec![String::from("{"); columns.len()], Vec::new());
    for (place, value) in values.iter().enumerate() {
        if let Some(array) = arrays.get_mut(place % columns.len()) {
            push(array, value)?;
        }
    }
    for (column, number) in columns.iter().zip(1..) {
        parameters.push(format!("CAST(${number} AS {}[])", type_of(column)));
    }
    let sql = format!("{into} SELECT * FROM unnest({}) {conflict}", parameters.join(", "));
    let arrays = arrays.into_iter().map(|array| Value::from(array + "}"));
    Ok(Statement::from_sql_and_values(backend, sql, arrays))
}

/// The column's type in PostgreSQL.
fn type_of(column: &impl ColumnTrait) -> &'static str {
    match column.def().get_column_type() {
        ColumnType::BigInteger => "bigint",
        ColumnType::Integer => "integer",
        ColumnType::Boolean => "boolean",
        ColumnType::Uuid => "uuid",
        _ => "text",
    }
}

/// Adds a value to the text of an array in PostgreSQL.
fn push(array: &mut String, value: &Value) -> Result<(), StoreError> {
    if array.len() > 1 {
        array.push(',');
    }
    // Writing to a text cannot fail.
    match value {
        Value::Bool(Some(flag)) => array.push(if *flag { 't' } else { 'f' }),
        Value::Int(Some(number)) => _ = write!(array, "{number}"),
        Value::BigInt(Some(number)) => _ = write!(array, "{number}"),
        Value::Uuid(Some(uuid)) => _ = write!(array, "{uuid}"),
        Value::String(Some(text)) => {
            array.push('"');
            // A search for one character is much faster than for any of two, which matters for a megabyte.
            if text.contains('\\') || text.contains('"') {
                array.push_str(&text.replace('\\', "\\\\").replace('"', "\\\""));
            } else {
                array.push_str(text);
            }
            array.push('"');
        }
        Value::Bool(None) | Value::Int(None) | Value::BigInt(None) | Value::Uuid(None) | Value::String(None) => {
            array.push_str("NULL");
        }
        _ => return Err(unexpected("a value of another type")),
    }
    Ok(())
}

fn unexpected(what: &str) -> StoreError {
    StoreError::Refused(DbErr::Type(format!("{what} in rows to be inserted")))
}

/// Splits `rows` into groups of 256, 128, … 1.
fn groups<T>(mut rows: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    std::iter::from_fn(move || {
        let size = largest_power_of_two(rows.len().min(STATEMENT_ROWS))?;
        let rest = rows.split_off(size);
        Some(std::mem::replace(&mut rows, rest))
    })
}

/// Splits `keys` into lists of at most 256, each padded to a power of two by repeating its last key.
pub(super) fn key_lists<K: Clone>(keys: &[K]) -> impl Iterator<Item = Vec<K>> {
    keys.chunks(STATEMENT_ROWS).map(|chunk| {
        let mut list = chunk.to_vec();
        if let Some(last) = chunk.last() {
            list.resize(chunk.len().next_power_of_two(), last.clone());
        }
        list
    })
}

fn largest_power_of_two(limit: usize) -> Option<usize> {
    limit.checked_ilog2().map(|exponent| 1 << exponent)
}

#[cfg(test)]
mod tests {
    use sea_orm::{ActiveValue::Set, DbBackend, Value};
    use uuid::Uuid;

    use super::{groups, inserting, key_lists, push};
    use crate::store::entity::change;

    #[test]
    fn groups_are_powers_of_two_and_lose_nothing() {
        for count in [0, 1, 2, 3, 100, 255, 256, 257, 1_000] {
            let rows: Vec<usize> = (0..count).collect();
            let groups: Vec<_> = groups(rows.clone()).collect();
            assert!(groups.iter().all(|group| group.len().is_power_of_two() && group.len() <= 256));
            assert_eq!(groups.concat(), rows);
        }
    }

    #[test]
    fn values_stay_what_they_are_within_an_array() {
        let mut array = String::from("{");
        let values: [Value; 7] = [
            "NULL".into(),
            None::<String>.into(),
            "a \"b\", \\{c}\n".into(),
            "".into(),
            true.into(),
            i64::MIN.into(),
            Uuid::from_u128(1).into(),
        ];
        values.iter().try_for_each(|value| push(&mut array, value)).unwrap();
        let expected = "{\"NULL\",NULL,\"a \\\"b\\\", \\\\{c}\n\",\"\",t,-9223372036854775808,\
                        00000000-0000-0000-0000-000000000001";
        assert_eq!(array, expected);
        assert!(push(&mut array, &Value::Double(Some(0.5))).is_err());
    }

    #[test]
    fn what_is_not_set_is_no_column() {
        let row = |position| change::ActiveModel { position: Set(position), deleted: Set(true), ..Default::default() };
        let postgres = inserting(DbBackend::Postgres, vec![row(7), row(8)], "ON CONFLICT DO NOTHING").unwrap();
        let expected = "INSERT INTO changes (\"position\", \"deleted\") SELECT * FROM unnest(CAST($1 AS bigint[]), \
                        CAST($2 AS boolean[])) ON CONFLICT DO NOTHING";
        assert_eq!(postgres.sql, expected);
        assert_eq!(postgres.values.unwrap().0, ["{7,8}".into(), "{t,t}".into()]);
        let sqlite = inserting(DbBackend::Sqlite, vec![row(7), row(8)], "").unwrap();
        assert_eq!(sqlite.sql, "INSERT INTO changes (\"position\", \"deleted\") VALUES (?, ?), (?, ?) ");
        assert_eq!(sqlite.values.unwrap().0.len(), 4);
    }

    #[test]
    fn key_lists_are_padded() {
        assert_eq!(key_lists(&[1, 2, 3]).collect::<Vec<_>>(), [vec![1, 2, 3, 3]]);
        assert_eq!(key_lists::<i64>(&[]).count(), 0);
        assert_eq!(key_lists(&(0..300).collect::<Vec<_>>()).map(|list| list.len()).collect::<Vec<_>>(), [256, 64]);
    }
}
