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
    sqlx::{pool::PoolOptions, sqlite::SqliteConnectOptions},
};
use tokio::sync::Semaphore;

use super::{
    file::File,
    lease::{Lease, Link, PoolKind, connection_error},
    postgres::{manager::PostgresPool, server::Server, settings::Access},
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
        server: &Server,
        access: Access,
        connections: u32,
        time: Duration,
    ) -> Result<Self, DbErr> {
        let pool = PostgresPool::open(server, access, connections).await?;
        Ok(Self { kind: PoolKind::Postgres(pool), time, seats: None })
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
        let mut lease = self.acquire().await?;
        let begin = self.begin_sql();
        lease.begin(&begin, self.deadline()).await?;
        Ok(Transaction::new(self.backend(), begin, lease))
    }

    /// SQLite fails here if a transaction is already open: we use no savepoints, so none can be mistaken for a
    /// transaction.
    fn begin_sql(&self) -> String {
        match &self.kind {
            PoolKind::Sqlite(..) => "BEGIN IMMEDIATE".to_owned(),
            PoolKind::Postgres(pool) => pool.begin_sql(),
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.time.max(limits::TRANSACTION_TIME)
    }

    /// A connection for one statement. Through a pooler it is in a transaction, which must be committed.
    async fn acquire_for_one(&self) -> Result<Lease, DbErr> {
        let mut lease = self.acquire().await?;
        if let PoolKind::Postgres(pool) = &self.kind
            && pool.server().is_pooled()
        {
            lease.begin(&pool.begin_sql(), self.deadline()).await?;
        }
        Ok(lease)
    }

    /// Closes all connections; on SQLite this also folds the write-ahead log into the file.
    pub(in crate::store) async fn close(&self) {
        match &self.kind {
            PoolKind::Sqlite(pool, _) => pool.close().await,
            // They are closed when the pool is dropped.
            PoolKind::Postgres(_) => {}
        }
    }

    /// Open connections, and how many of them are idle.
    pub(in crate::store) fn size(&self) -> (u32, u32) {
        match &self.kind {
            PoolKind::Sqlite(pool, _) => (pool.size(), u32::try_from(pool.num_idle()).unwrap_or(u32::MAX)),
            PoolKind::Postgres(pool) => pool.size(),
        }
    }

    /// PostgreSQL's pool, for what needs its protocol.
    pub(in crate::store) fn as_postgres(&self) -> Option<&PostgresPool> {
        match &self.kind {
            PoolKind::Postgres(pool) => Some(pool),
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
            PoolKind::Postgres(pool) => Link::Postgres(pool.acquire().await?),
        };
        Ok(Lease::new(link, self.kind.clone(), self.time, seat))
    }
}

#[async_trait]
impl ConnectionTrait for Pool {
    fn get_database_backend(&self) -> DbBackend {
        self.backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut lease = self.acquire_for_one().await?;
        let result = lease.execute(statement).await?;
        lease.commit().await?;
        Ok(result)
    }

    /// Never in a transaction: some commands allow none.
    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.acquire().await?.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut lease = self.acquire_for_one().await?;
        let row = lease.one(statement).await?;
        lease.commit().await?;
        Ok(row)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut lease = self.acquire_for_one().await?;
        let rows = lease.all(statement).await?;
        lease.commit().await?;
        Ok(rows)
    }
}
