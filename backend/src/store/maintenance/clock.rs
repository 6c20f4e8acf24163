//! What the database knows about the time: its own clock, and the last agreed time.
//!
//! Two rows of `counters`: `last_seen` is the last agreed time; `time_accepted` tells every process to trust the clock
//! it follows, because a person said so, or another process had good reason to.

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

/// What the database knows about the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredTime {
    /// PostgreSQL's clock; SQLite has none of its own.
    pub database: Option<Timestamp>,
    /// Whether the database seems to be on another machine, which has another clock.
    pub is_remote: bool,
    /// The last agreed time.
    pub last_seen: Option<Timestamp>,
    /// When the clock was last accepted, by that clock.
    pub accepted: Option<Timestamp>,
}

impl Store {
    /// Whether the database has a clock of its own.
    pub fn has_own_clock(&self) -> bool {
        self.backend() == DbBackend::Postgres
    }

    /// Reads all of it in one query.
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
        // The timekeeper must not wait for a vanished database.
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

    /// Stores `now` as the last agreed time, unless a later one is stored.
    pub async fn save_last_seen(&self, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value \
                   WHERE counters.value < excluded.value";
        execute(&self.write, sql, vec![LAST_SEEN.into(), now.0.into()]).await?;
        Ok(())
    }

    /// Stores `now` as the accepted time, even if it is earlier; all processes follow.
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
