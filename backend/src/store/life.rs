//! The lives of a database. A restore ends one and begins the next: with another incarnation, which cursors carry, and
//! with numbers that were never given out before.
//!
//! Rows of `counters` say so: `incarnation` is a random number, `restored_at` when this life began (none in the first
//! one), and `backup_at` when the last backup was made.

use std::{fmt, str::FromStr, time::Duration};

use sea_orm::ConnectionTrait;

use super::{
    StoreError,
    connection::connect::Store,
    page::InvalidCursor,
    sql::{execute, query},
    write::WriteTransaction,
};
use crate::clock::Timestamp;

/// Which life of the database it is: random, and another one after each restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incarnation(pub i64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Incarnation {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        i64::from_str_radix(text, 16).map(Self).map_err(|_| InvalidCursor)
    }
}

/// What a database says about its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Which one it is.
    pub incarnation: Incarnation,
    /// When it began by a restore; `None` in the database's first life.
    pub restored_at: Option<Timestamp>,
    /// The event counter: the highest number given out.
    pub position: i64,
    /// When the last backup was made.
    pub backup_at: Option<Timestamp>,
}

/// 2026-01-01, from which the first number of a new life is counted.
const NUMBERS_SINCE: Timestamp = Timestamp(1_767_225_600_000);

/// Numbers of each second since then. More than any database stores events, so that two restores do not begin with the
/// same number, whichever backups they are of. A double, as JavaScript reads it, is exact for 2,800 years of them.
const NUMBERS_PER_SECOND: i64 = 100_000;

/// The numbers left out even if the clock is wrong, or another restore was hours ago: as many events as a busy site sends
/// in years. As many again are left out by chance, so that two restores of one backup do not begin alike then.
const LEAST_GAP: i64 = 1_000_000_000;

/// The statements that begin a new life, for any transaction on either database.
///
/// Whoever was signed in to the console signs in again: the end of a session is not in an older backup. Records at the
/// destinations that bear our keys are ours: this database is older than they are.
pub(in crate::store) fn statements(
    incarnation: Incarnation,
    now: Timestamp,
    backup_at: Option<Timestamp>,
) -> Vec<String> {
    let seconds = now.since(NUMBERS_SINCE).as_secs();
    let by_time = i64::try_from(seconds).unwrap_or_default().saturating_mul(NUMBERS_PER_SECOND);
    let by_chance = incarnation.0.rem_euclid(LEAST_GAP);
    let mut rows = format!("('incarnation', {}), ('restored_at', {})", incarnation.0, now.0);
    if let Some(Timestamp(at)) = backup_at {
        rows += &format!(", ('backup_at', {at})");
    }
    vec![
        format!(
            "UPDATE counters SET value = CASE WHEN value + {LEAST_GAP} > {by_time} THEN value + {LEAST_GAP} ELSE \
             {by_time} END + {by_chance} WHERE name = 'event'"
        ),
        format!(
            "INSERT INTO counters (name, value) VALUES {rows} ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        ),
        "UPDATE destinations SET takes_over = TRUE".to_owned(),
        "DELETE FROM console_sessions".to_owned(),
    ]
}

/// A random incarnation.
pub(in crate::store) fn new_incarnation() -> Result<Incarnation, StoreError> {
    let random = getrandom::u64().map_err(|error| super::connection::connect::unavailable(error.to_string()))?;
    Ok(Incarnation((random >> 1).cast_signed()))
}

pub(super) async fn life_in(connection: &impl ConnectionTrait) -> Result<Life, StoreError> {
    let sql = "SELECT name, value FROM counters WHERE name IN ('event', 'incarnation', 'restored_at', 'backup_at')";
    let mut life = Life { incarnation: Incarnation(0), restored_at: None, position: 0, backup_at: None };
    for row in query(connection, sql, vec![]).await? {
        let (name, value): (String, i64) = (row.try_get("", "name")?, row.try_get("", "value")?);
        match name.as_str() {
            "event" => life.position = value,
            "incarnation" => life.incarnation = Incarnation(value),
            "restored_at" => life.restored_at = Some(Timestamp(value)),
            _ => life.backup_at = Some(Timestamp(value)),
        }
    }
    Ok(life)
}

/// A column for `RETURNING`: when this life began, in Unix milliseconds; null in the first one. What was delivered before
/// is not believed to be at the destination still: it may have got something newer, of which nothing is known here.
pub(super) const RESTORED_AT: &str = "(SELECT value FROM counters WHERE name = 'restored_at') AS restored_at";

impl WriteTransaction {
    /// Begins a new life.
    pub(super) async fn begin_life(&self, now: Timestamp, backup_at: Option<Timestamp>) -> Result<(), StoreError> {
        for sql in statements(new_incarnation()?, now, backup_at) {
            execute(self.connection(), &sql, vec![]).await?;
        }
        Ok(())
    }
}

impl Store {
    /// What the database says about its life.
    pub async fn life(&self) -> Result<Life, StoreError> {
        life_in(&self.read).await
    }

    /// Begins a new life, of a database that was just restored from a backup of this time.
    pub(in crate::store) async fn begin_life(
        &self,
        now: Timestamp,
        backup_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let (transaction, _) = self.begin_write(0).await?;
        transaction.begin_life(now, backup_at).await?;
        transaction.commit().await
    }

    /// Stores when the last backup was made.
    pub async fn save_backup_time(&self, at: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO counters (name, value) VALUES ('backup_at', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        execute(&self.write, sql, vec![at.0.into()]).await?;
        Ok(())
    }

    /// For how long there has been something to lose: since the first site was added.
    pub async fn age(&self, now: Timestamp) -> Result<Option<Duration>, StoreError> {
        let rows = query(&self.read, "SELECT min(created_at) AS first FROM sites", vec![]).await?;
        let first = rows.first().map(|row| row.try_get::<Option<i64>>("", "first")).transpose()?.flatten();
        Ok(first.map(|first| now.since(Timestamp(first))))
    }
}

#[cfg(test)]
mod tests {
    use super::{Incarnation, Timestamp, statements};

    #[test]
    fn an_incarnation_is_read_as_it_is_written() {
        for number in [0, 1, i64::MAX] {
            assert_eq!(Incarnation(number).to_string().parse::<Incarnation>().unwrap(), Incarnation(number));
        }
    }

    #[test]
    fn a_later_life_begins_with_higher_numbers_and_a_wrong_clock_leaves_a_gap() {
        let numbers = |now| statements(Incarnation(1), Timestamp(now), None).swap_remove(0);
        assert!(numbers(1_767_225_600_000 + 5_000).contains("ELSE 500000 END"), "{}", numbers(1_767_225_605_000));
        assert!(numbers(0).contains("ELSE 0 END"), "{}", numbers(0));
    }
}
