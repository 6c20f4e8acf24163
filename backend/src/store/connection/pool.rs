//! Connections to the database, none of which is waited for without an end, and none of which is used again after it failed.
//!
//! Beneath are sqlx's pools, and above sea-orm's queries. What lies between is ours for three reasons. A host that vanishes answers
//! nothing, and neither library has a deadline for a statement. SQLite rolls back by itself when a disk is full or fails, and from
//! then on what looks like a transaction would be none: statements that follow would be stored one by one, or never. And a
//! pool that tests what it is given back waits for ever for a host that is gone.

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

use super::{
    file::File,
    lease::{Doubt, Lease, Link, PoolKind, connection_error},
    transaction::Transaction,
};
use crate::{
    limits,
    store::{StoreError, fault::Fault},
};

/// Connections of one kind, as many as it has. Cheap to clone.
#[derive(Clone)]
pub(in crate::store) struct Pool {
    kind: PoolKind,
    /// How long a statement may take.
    time: Duration,
}

impl Pool {
    /// Connections to a SQLite file.
    pub(in crate::store) async fn sqlite(
        options: SqliteConnectOptions,
        connections: u32,
        file: Arc<File>,
        time: Duration,
    ) -> Result<Self, DbErr> {
        // They stay: the write-ahead log goes when the last one does.
        let pool = PoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(limits::CONNECTION_WAIT)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(connection_error)?;
        Ok(Self { kind: PoolKind::Sqlite(pool, file), time })
    }

    /// Connections to PostgreSQL.
    pub(in crate::store) async fn postgres(
        options: PgConnectOptions,
        connections: u32,
        time: Duration,
    ) -> Result<Self, DbErr> {
        let doubt = Doubt::default();
        let doubted = doubt.clone();
        let pool = PoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(limits::CONNECTION_WAIT)
            .test_before_acquire(false)
            .before_acquire(move |connection, meta| {
                let doubtful = doubted.concerns(&meta);
                Box::pin(async move { Ok(!doubtful && is_alive(connection).await) })
            })
            .connect_with(options)
            .await
            .map_err(connection_error)?;
        Ok(Self { kind: PoolKind::Postgres(pool, doubt), time })
    }

    /// The same connections for statements that go through whole tables.
    pub(in crate::store) fn patient(&self) -> Self {
        Self { time: limits::LONG_STATEMENT, ..self.clone() }
    }

    /// Begins a transaction that will write. On SQLite it waits for other writers now: a deferred transaction that reads and then
    /// writes fails at once when another process wrote in between.
    pub(in crate::store) async fn begin(&self) -> Result<Transaction, StoreError> {
        let deadline = Instant::now() + self.time.max(limits::TRANSACTION_TIME);
        let mut lease = self.acquire().await?;
        // On SQLite it fails where a transaction is open already: there are no savepoints, so that none can be taken for one.
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

    /// Connections that are open, and those of them that are free.
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

    /// One connection, for as long as it is held.
    pub(in crate::store) async fn acquire(&self) -> Result<Lease, DbErr> {
        let link = match &self.kind {
            PoolKind::Sqlite(pool, file) => {
                file.check().map_err(Fault::into_error)?;
                Link::Sqlite(pool.acquire().await.map_err(connection_error)?)
            }
            PoolKind::Postgres(pool, doubt) => {
                let connection = pool.acquire().await;
                if matches!(connection, Err(sqlx::Error::PoolTimedOut)) {
                    doubt.begin();
                }
                Link::Postgres(connection.map_err(connection_error)?)
            }
        };
        Ok(Lease::new(link, self.kind.clone(), self.time))
    }
}

/// Whether a connection that was free still answers: PostgreSQL may have been started anew meanwhile.
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
