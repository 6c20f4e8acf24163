//! Reading a bounded piece of a table: so many rows, so many bytes, however big the table and its rows are.

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::{StoreError, sql::query};
use crate::limits;

/// SQL conditions of which all must hold, with their parameters.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    sql: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    pub(super) fn add(&mut self, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) {
        self.sql.push(sql.into());
        self.values.extend(values);
    }

    pub(super) fn extend(&mut self, others: Self) {
        self.sql.extend(others.sql);
        self.values.extend(others.values);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sql.is_empty()
    }

    /// The conditions and their parameters.
    pub(super) fn into_sql(self) -> (String, Vec<Value>) {
        (self.text(), self.values)
    }

    fn text(&self) -> String {
        if self.is_empty() { "TRUE".to_owned() } else { self.sql.join(" AND ") }
    }
}

/// A search through a table, in the order of a key.
///
/// What an index finds costs as much as what is found. Everything else is tested row by row, and the search stops after
/// [`limits::LOOK_ROWS`] rows, wherever it is: so no filter reads a whole table, and none needs an index, which every
/// write would pay for.
pub(super) struct Search {
    /// A table, or a part of one with its parameters.
    pub(super) table: String,
    pub(super) table_values: Vec<Value>,
    /// What is read of each row, with the key and all that `tests` look at.
    pub(super) columns: String,
    /// The columns of a unique index.
    pub(super) key: &'static [&'static str],
    /// Conditions that an index finds, among them where the page begins.
    pub(super) range: Conditions,
    /// Conditions that are tested row by row.
    pub(super) tests: Conditions,
}

/// What a search found.
pub(super) struct Found {
    /// In the order of the key: up to one row more than wanted, which shows that there are more.
    pub(super) rows: Vec<QueryResult>,
    /// The key of the last row that was looked at, if the search stopped there before it had found all that was wanted.
    pub(super) stopped: Option<QueryResult>,
}

/// A search that hardly ever finds less than wanted looks at this many rows for each, and then needs no second statement.
const ROWS_PER_MATCH: i64 = 4;

impl Search {
    /// Finds up to `limit` rows, and one more if there is one.
    pub(super) async fn run(&self, connection: &impl ConnectionTrait, limit: u64) -> Result<Found, StoreError> {
        let wanted = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        if self.tests.is_empty() {
            let rows = self.rows(connection, &self.range, wanted, wanted).await?;
            return Ok(Found { rows, stopped: None });
        }
        let few = wanted.saturating_mul(ROWS_PER_MATCH).min(limits::LOOK_ROWS);
        let rows = self.rows(connection, &self.range, few, wanted).await?;
        if rows.len() as u64 > limit {
            return Ok(Found { rows, stopped: None });
        }
        // Where to stop comes before what is found up to there: a row that another transaction moves meanwhile is then
        // beyond, and nothing is passed over.
        let stopped = self.last(connection).await?;
        let mut range = self.range.clone();
        if let Some(last) = &stopped {
            let values = self.key.iter().map(|column| value_of(last, column)).collect::<Result<Vec<_>, _>>()?;
            range.add(format!("({}) <= ({})", self.key.join(", "), places(self.key.len())), values);
        }
        let rows = self.rows(connection, &range, limits::LOOK_ROWS, wanted).await?;
        let stopped = stopped.filter(|_| rows.len() as u64 <= limit);
        Ok(Found { rows, stopped })
    }

    /// The matches among the first `look` rows of a range.
    async fn rows(
        &self,
        connection: &impl ConnectionTrait,
        range: &Conditions,
        look: i64,
        wanted: i64,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let key = self.key.join(", ");
        let mut values = [self.table_values.as_slice(), range.values.as_slice()].concat();
        let mut sql =
            format!("SELECT {} FROM {} WHERE {} ORDER BY {key} LIMIT ?", self.columns, self.table, range.text());
        values.push(look.into());
        if !self.tests.is_empty() {
            sql = format!("SELECT * FROM ({sql}) AS piece WHERE {} ORDER BY {key} LIMIT ?", self.tests.text());
            values.extend(self.tests.values.iter().cloned());
            values.push(wanted.into());
        }
        query(connection, &sql, values).await
    }

    /// The key of the last row that a search may look at; none when there are fewer.
    async fn last(&self, connection: &impl ConnectionTrait) -> Result<Option<QueryResult>, StoreError> {
        let key = self.key.join(", ");
        let range = self.range.text();
        let sql = format!("SELECT {key} FROM {} WHERE {range} ORDER BY {key} LIMIT 1 OFFSET ?", self.table);
        let mut values = [self.table_values.as_slice(), self.range.values.as_slice()].concat();
        values.push((limits::LOOK_ROWS - 1).into());
        Ok(query(connection, &sql, values).await?.pop())
    }
}

/// A column of a key, which is a number or a word.
fn value_of(row: &QueryResult, column: &str) -> Result<Value, StoreError> {
    match row.try_get::<i64>("", column) {
        Ok(number) => Ok(number.into()),
        Err(_) => Ok(row.try_get::<String>("", column)?.into()),
    }
}

/// So many parameters in a list.
pub(super) fn places(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// How many of these rows, given by their bytes, one read takes into memory: at least one.
pub(super) fn fitting(bytes: impl IntoIterator<Item = u64>) -> usize {
    let mut sum: u64 = 0;
    let fits = |(place, bytes): (usize, u64)| {
        sum = sum.saturating_add(bytes);
        (place == 0 || sum <= limits::READ_BYTES).then_some(())
    };
    bytes.into_iter().enumerate().map_while(fits).count()
}

/// Splits rows into parts that fit.
pub(crate) fn parts<T>(mut rows: Vec<T>, bytes: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
    let mut parts = Vec::new();
    while !rows.is_empty() {
        let rest = rows.split_off(fitting(rows.iter().map(&bytes)));
        parts.push(std::mem::replace(&mut rows, rest));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::{fitting, parts};
    use crate::limits::READ_BYTES;

    #[test]
    fn a_read_ends_at_its_bytes_and_takes_at_least_one_row() {
        assert_eq!(fitting([]), 0);
        assert_eq!(fitting([READ_BYTES + 1, 1]), 1);
        assert_eq!(fitting([1, READ_BYTES - 1, 1]), 2);
        assert_eq!(fitting([0; 500]), 500);
        assert_eq!(fitting([1, u64::MAX, u64::MAX]), 1);
    }

    #[test]
    fn parts_are_all_rows_in_their_order() {
        let half = READ_BYTES / 2;
        assert_eq!(
            parts(vec![1, half, half, 3, READ_BYTES, 4], |bytes| *bytes),
            [vec![1, half], vec![half, 3], vec![READ_BYTES], vec![4]]
        );
        assert_eq!(parts(Vec::<u64>::new(), |bytes| *bytes), Vec::<Vec<u64>>::new());
    }
}
