//! What the database knows of the time: its own clock, and the last time that was agreed.
//!
//! Two rows of `counters`: `last_seen`, and `time_accepted`, by which every process learns that the clock that is followed is to be
//! believed, because a person said so, or one of them had good reason to.

use sea_orm::{DbBackend, QueryResult};

use crate::{
    clock::Timestamp,
    limits,
    store::{
        StoreError,
        connection::connect::Store,
        fault::Fault,
        sql::{execute, query},
    },
};

const LAST_SEEN: &str = "last_seen";
const ACCEPTED: &str = "time_accepted";

/// What the database knows of the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredTime {
    /// PostgreSQL's clock; SQLite has none of its own.
    pub database: Option<Timestamp>,
    /// Whether the database is on another machine, as far as can be seen: then its clock is another one.
    pub is_remote: bool,
    /// The last time that was agreed.
    pub last_seen: Option<Timestamp>,
    /// When the clock was last accepted, by that clock.
    pub accepted: Option<Timestamp>,
}

impl Store {
    /// Whether the database has a clock of its own.
    pub fn has_own_clock(&self) -> bool {
        self.backend() == DbBackend::Postgres
    }

    /// Asks for all of it at once.
    pub async fn time(&self) -> Result<StoredTime, StoreError> {
        let clock = match self.backend() {
            DbBackend::Postgres => {
                "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint) AS now, \
                 inet_server_addr() IS DISTINCT FROM inet_client_addr() AS remote"
            }
            _ => "CAST(NULL AS bigint) AS now, FALSE AS remote",
        };
        let counter = |name: &str| format!("(SELECT value FROM counters WHERE name = '{name}') AS {name}");
        let sql = format!("SELECT {clock}, {}, {}", counter(LAST_SEEN), counter(ACCEPTED));
        // Who keeps the time cannot wait for a database that has gone.
        let rows = tokio::time::timeout(limits::CONNECTION_WAIT, query(&self.read, &sql, vec![])).await;
        let rows = rows.map_err(|_| Fault::Silent(limits::CONNECTION_WAIT).into_error())??;
        let Some(row) = rows.first() else { return Ok(StoredTime::default()) };
        Ok(StoredTime {
            database: moment(row, "now")?,
            is_remote: row.try_get("", "remote")?,
            last_seen: moment(row, LAST_SEEN)?,
            accepted: moment(row, ACCEPTED)?,
        })
    }

    /// When the newest event was received.
    pub async fn newest_event_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT received_at FROM events ORDER BY id DESC LIMIT 1";
        let rows = query(&self.read, sql, vec![]).await?;
        rows.first().map_or(Ok(None), |row| moment(row, "received_at"))
    }

    /// Writes down that the time is agreed to be `now`. It never goes back by this.
    pub async fn save_last_seen(&self, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value \
                   WHERE counters.value < excluded.value";
        execute(&self.write, sql, vec![LAST_SEEN.into(), now.0.into()]).await?;
        Ok(())
    }

    /// Writes down that the time is `now`, whatever was thought before; all processes follow.
    pub async fn accept_time(&self, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO counters (name, value) VALUES (?, ?), (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let values = vec![LAST_SEEN.into(), now.0.into(), ACCEPTED.into(), now.0.into()];
        execute(&self.write, sql, values).await?;
        Ok(())
    }
}

fn moment(row: &QueryResult, column: &str) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.try_get::<Option<i64>>("", column)?.map(Timestamp))
}
