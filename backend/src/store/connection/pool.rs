//! Pools of connections in which every wait has a deadline, and no connection is reused after a failure.
//!
//! This layer lies between sqlx's pools and sea-orm's queries, for three reasons. A vanished host answers nothing, and
//! neither library has a deadline for statements. SQLite rolls back on its own when a disk is full or fails; after
//! that there is no transaction any more, and later statements would be stored one by one, or never. And a pool that tests
//! returned connections waits forever for a vanished host.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    prelude::async_trait::async_trait,
    sqlx::{
        self, Connection as _, PgPool, pool::PoolOptions, postgres::PgConnectOptions, sqlite::SqliteConnectOptions,
    },
};
use tokio::sync::Semaphore;

use super::{
    file::File,
    lease::{Lease, Link, PoolKind, Suspicion, connection_error},
    seats,
    transaction::Transaction,
};
use crate::{
    limits,
    store::{StoreError, fault::Fault},
};

/// A pool of connections to one database. Cheap to clone.
#[derive(Clone)]
pub(in crate::store) struct Pool {
    kind: PoolKind,
    /// The longest time for a statement.
    time: Duration,
    /// The seats that limit how many connections are used at once; without, only the pool's size does.
    seats: Option<Arc<Semaphore>>,
}

impl Pool {
    /// A pool for a SQLite file.
    pub(in crate::store) async fn sqlite(
        options: SqliteConnectOptions,
        connections: u32,
        file: Arc<File>,
        time: Duration,
    ) -> Result<Self, DbErr> {
        // Connections are never closed: the write-ahead log would go with the last one.
        let pool = PoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(limits::CONNECTION_WAIT)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(connection_error)?;
        Ok(Self { kind: PoolKind::Sqlite(pool, file), time, seats: None })
    }

    /// A pool for PostgreSQL.
    pub(in crate::store) async fn postgres(
        options: PgConnectOptions,
        connections: u32,
        time: Duration,
    ) -> Result<Self, DbErr> {
        let suspicion = Suspicion::default();
        let shared = suspicion.clone();
        let pool = PoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(limits::CONNECTION_WAIT)
            .test_before_acquire(false)
            .before_acquire(move |connection, meta| {
                let suspect = shared.concerns(&meta);
                Box::pin(async move { Ok(!suspect && is_alive(connection).await) })
            })
            .connect_with(options)
            .await
            .map_err(connection_error)?;
        Ok(Self { kind: PoolKind::Postgres(pool, suspicion), time, seats: None })
    }

    /// The same pool, with a long deadline for statements that read whole tables.
    pub(in crate::store) fn patient(&self) -> Self {
        Self { time: limits::LONG_STATEMENT, ..self.clone() }
    }

    /// The same pool, of which no more connections are used at once than there are seats.
    pub(in crate::store) fn seated(&self, seats: Arc<Semaphore>) -> Self {
        Self { seats: Some(seats), ..self.clone() }
    }

    /// Begins a writing transaction. On SQLite it waits for other writers here: a deferred transaction that reads and
    /// then writes fails at once when another process wrote in between.
    pub(in crate::store) async fn begin(&self) -> Result<Transaction, StoreError> {
        let deadline = Instant::now() + self.time.max(limits::TRANSACTION_TIME);
        let mut lease = self.acquire().await?;
        // SQLite fails here if a transaction is already open: we use no savepoints, so none can be mistaken for a
        // transaction.
        lease.begin(if self.backend() == DbBackend::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }, deadline).await?;
        Ok(Transaction::new(self.backend(), lease))
    }

    /// Closes all connections; on SQLite this also folds the write-ahead log into the file.
    pub(in crate::store) async fn close(&self) {
        match &self.kind {
            PoolKind::Sqlite(pool, _) => pool.close().await,
            PoolKind::Postgres(pool, _) => pool.close().await,
        }
    }

    /// Open connections, and how many of them are idle.
    pub(in crate::store) fn size(&self) -> (u32, usize) {
        match &self.kind {
            PoolKind::Sqlite(pool, _) => (pool.size(), pool.num_idle()),
            PoolKind::Postgres(pool, _) => (pool.size(), pool.num_idle()),
        }
    }

    /// sqlx's own pool, for what needs PostgreSQL's protocol.
    pub(in crate::store) fn as_postgres(&self) -> Option<&PgPool> {
        match &self.kind {
            PoolKind::Postgres(pool, _) => Some(pool),
            PoolKind::Sqlite(..) => None,
        }
    }

    pub(in crate::store) fn backend(&self) -> DbBackend {
        match self.kind {
            PoolKind::Sqlite(..) => DbBackend::Sqlite,
            PoolKind::Postgres(..) => DbBackend::Postgres,
        }
    }

    /// One connection; it returns to the pool when dropped.
    pub(in crate::store) async fn acquire(&self) -> Result<Lease, DbErr> {
        let seat = match &self.seats {
            Some(seats) => Some(seats::take(Arc::clone(seats)).await?),
            None => None,
        };
        let link = match &self.kind {
            PoolKind::Sqlite(pool, file) => {
                file.check().map_err(Fault::into_error)?;
                Link::Sqlite(pool.acquire().await.map_err(connection_error)?)
            }
            PoolKind::Postgres(pool, suspicion) => {
                let connection = pool.acquire().await;
                if matches!(connection, Err(sqlx::Error::PoolTimedOut)) {
                    suspicion.begin();
                }
                Link::Postgres(connection.map_err(connection_error)?)
            }
        };
        Ok(Lease::new(link, self.kind.clone(), self.time, seat))
    }
}

/// Whether an idle connection still answers: PostgreSQL may have been restarted.
async fn is_alive(connection: &mut sqlx::PgConnection) -> bool {
    matches!(tokio::time::timeout(limits::PING_TIME, connection.ping()).await, Ok(Ok(())))
}

#[async_trait]
impl ConnectionTrait for Pool {
    fn get_database_backend(&self) -> DbBackend {
        self.backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.acquire().await?.execute(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.acquire().await?.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.acquire().await?.one(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.acquire().await?.all(statement).await
    }
}
