//! Connections to the database, none of which is waited for without an end, and none of which is used again after it failed.
//!
//! Beneath are sqlx's pools, and above sea-orm's queries. What lies between is ours for three reasons. A host that vanishes answers
//! nothing, and neither library has a deadline for a statement. SQLite rolls back by itself when a disk is full or fails, and from
//! then on what looks like a transaction would be none: statements that follow would be stored one by one, or never. And a
//! pool that tests what it is given back waits for ever for a host that is gone.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    prelude::async_trait::async_trait,
    sqlx::{
        self, AssertSqlSafe, Connection as _, Executor, PgPool, Postgres, Sqlite, SqlitePool,
        pool::{PoolConnection, PoolConnectionMetadata, PoolOptions},
        postgres::PgConnectOptions,
        sqlite::SqliteConnectOptions,
    },
};
use sea_query_sqlx::SqlxValues;

use super::{
    StoreError,
    error::{Fault, is_of_the_data},
    file::File,
    notices,
};
use crate::limits;

/// Connections of one kind, as many as it has. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool {
    kind: Kind,
    /// How long a statement may take.
    time: Duration,
}

#[derive(Clone)]
enum Kind {
    Sqlite(SqlitePool, Arc<File>),
    Postgres(PgPool, Doubt),
}

/// Since when the connections of a pool that were open then are not believed in: one of them died without a word.
#[derive(Clone, Debug, Default)]
struct Doubt(Arc<Mutex<Option<Instant>>>);

impl Doubt {
    fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn concerns(&self, connection: &PoolConnectionMetadata) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| connection.age >= since.elapsed())
    }
}

impl Pool {
    /// Connections to a SQLite file.
    pub(super) async fn sqlite(
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
        Ok(Self { kind: Kind::Sqlite(pool, file), time })
    }

    /// Connections to PostgreSQL.
    pub(super) async fn postgres(options: PgConnectOptions, connections: u32, time: Duration) -> Result<Self, DbErr> {
        let doubt = Doubt::default();
        let doubted = doubt.clone();
        let pool = PoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(limits::CONNECTION_WAIT)
            .test_before_acquire(false)
            .before_acquire(move |connection, meta| {
                let doubtful = doubted.concerns(&meta);
                Box::pin(async move { Ok(!doubtful && is_alive(connection, &meta).await) })
            })
            .connect_with(options)
            .await
            .map_err(connection_error)?;
        Ok(Self { kind: Kind::Postgres(pool, doubt), time })
    }

    /// The same connections for statements that go through whole tables.
    pub(super) fn patient(&self) -> Self {
        Self { time: limits::LONG_STATEMENT, ..self.clone() }
    }

    /// Begins a transaction that will write. On SQLite it waits for other writers now: a deferred transaction that reads and then
    /// writes fails at once when another process wrote in between.
    pub(super) async fn begin(&self) -> Result<Transaction, StoreError> {
        let mut lease = self.acquire().await?;
        lease.deadline = Some(Instant::now() + self.time.max(limits::TRANSACTION_TIME));
        lease.in_transaction = true;
        // On SQLite it fails where a transaction is open already: there are no savepoints, so that none can be taken for one.
        lease.execute_unprepared(if self.backend() == DbBackend::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }).await?;
        Ok(Transaction { backend: self.backend(), lease: tokio::sync::Mutex::new(lease) })
    }

    /// Closes all connections; on SQLite this also folds the write-ahead log into the file.
    pub(super) async fn close(&self) {
        match &self.kind {
            Kind::Sqlite(pool, _) => pool.close().await,
            Kind::Postgres(pool, _) => pool.close().await,
        }
    }

    /// Connections that are open, and those of them that are free.
    pub(super) fn size(&self) -> (u32, usize) {
        match &self.kind {
            Kind::Sqlite(pool, _) => (pool.size(), pool.num_idle()),
            Kind::Postgres(pool, _) => (pool.size(), pool.num_idle()),
        }
    }

    /// sqlx's own pool, for what needs PostgreSQL's protocol.
    pub(super) fn as_postgres(&self) -> Option<&PgPool> {
        match &self.kind {
            Kind::Postgres(pool, _) => Some(pool),
            Kind::Sqlite(..) => None,
        }
    }

    pub(super) fn backend(&self) -> DbBackend {
        match self.kind {
            Kind::Sqlite(..) => DbBackend::Sqlite,
            Kind::Postgres(..) => DbBackend::Postgres,
        }
    }

    /// One connection, for as long as it is held.
    pub(super) async fn acquire(&self) -> Result<Lease, DbErr> {
        let link = match &self.kind {
            Kind::Sqlite(pool, file) => {
                file.check().map_err(Fault::into_error)?;
                Link::Sqlite(pool.acquire().await.map_err(connection_error)?)
            }
            Kind::Postgres(pool, doubt) => {
                let connection = pool.acquire().await;
                if matches!(connection, Err(sqlx::Error::PoolTimedOut)) {
                    doubt.begin();
                }
                Link::Postgres(connection.map_err(connection_error)?)
            }
        };
        Ok(Lease {
            link: Some(link),
            state: State::Sound,
            in_transaction: false,
            time: self.time,
            deadline: None,
            kind: self.kind.clone(),
        })
    }
}

/// Whether a connection that was free for a while still answers.
async fn is_alive(connection: &mut sqlx::PgConnection, meta: &PoolConnectionMetadata) -> bool {
    if meta.idle_for < limits::FRESH_CONNECTION {
        return true;
    }
    matches!(tokio::time::timeout(limits::PING_TIME, connection.ping()).await, Ok(Ok(())))
}

/// A connection that somebody works with. Dropped, it goes back to its pool if it is sound; otherwise it is closed.
pub(super) struct Lease {
    /// There until it is dropped.
    link: Option<Link>,
    state: State,
    in_transaction: bool,
    /// How long a statement may take.
    time: Duration,
    /// When all of the transaction must be done.
    deadline: Option<Instant>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Sound,
    /// A statement runs. A future that is dropped half-way leaves it so.
    Busy,
    Broken,
}

enum Link {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Lease {
    async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (link, time) = self.work()?;
        let result = within(time, link.execute(statement)).await;
        self.judge(result)
    }

    pub(super) async fn execute_unprepared(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        let (link, time) = self.work()?;
        let result = within(time, link.execute_unprepared(sql)).await;
        self.judge(result)
    }

    async fn one(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (link, time) = self.work()?;
        let result = within(time, link.one(statement)).await;
        self.judge(result)
    }

    async fn all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (link, time) = self.work()?;
        let result = within(time, link.all(statement)).await;
        self.judge(result)
    }

    /// The connection, for a statement that begins now, and how long that may take.
    fn work(&mut self) -> Result<(&mut Link, Duration), DbErr> {
        if self.state != State::Sound {
            return Err(Fault::Broken.into_error());
        }
        self.state = State::Busy;
        let left = self.deadline.map_or(self.time, |deadline| deadline.saturating_duration_since(Instant::now()));
        let link = self.link.as_mut().ok_or_else(|| Fault::Broken.into_error())?;
        Ok((link, left.min(self.time)))
    }

    /// After a statement: an error that is of the data alone leaves a connection as it was, but no transaction.
    fn judge<T>(&mut self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        let result = result.and_then(|value| match &self.kind {
            Kind::Sqlite(_, file) => file.check().map(|()| value).map_err(Fault::into_error),
            Kind::Postgres(..) => Ok(value),
        });
        let is_sound = result.as_ref().map_or_else(|error| !self.in_transaction && is_of_the_data(error), |_| true);
        self.state = if is_sound { State::Sound } else { State::Broken };
        if let (Err(error), Kind::Postgres(_, doubt)) = (&result, &self.kind)
            && Fault::of(error).is_some_and(|fault| matches!(fault, Fault::Silent(_)))
        {
            doubt.begin();
        }
        result
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let (State::Busy, Kind::Postgres(_, doubt)) = (self.state, &self.kind) {
            // Whoever gave it up waited for too long.
            doubt.begin();
        }
        match (self.link.take(), self.state == State::Sound && !self.in_transaction) {
            (Some(Link::Sqlite(mut connection)), true) => spawn(connection.return_to_pool()),
            (Some(Link::Postgres(mut connection)), true) => spawn_for(limits::PING_TIME, connection.return_to_pool()),
            // Its place in the pool stays taken for as long as a statement hangs in the disk, so that there are never more.
            (Some(Link::Sqlite(connection)), false) => spawn(connection.close()),
            (Some(Link::Postgres(connection)), false) => spawn_for(limits::PING_TIME, connection.close()),
            (None, _) => {}
        }
    }
}

fn spawn(work: impl Future<Output: Send + 'static> + Send + 'static) {
    tokio::spawn(work);
}

/// Dropping the work closes the connection, too.
fn spawn_for(time: Duration, work: impl Future<Output: Send + 'static> + Send + 'static) {
    tokio::spawn(tokio::time::timeout(time, work));
}

async fn within<T>(time: Duration, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    tokio::time::timeout(time, work).await.unwrap_or_else(|_| Err(Fault::Silent(time).into_error()))
}

impl Link {
    async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (sql, values) = parts(statement);
        let result = match self {
            Self::Sqlite(connection) => sqlx::query_with(sql, values).execute(&mut **connection).await.map(Into::into),
            Self::Postgres(connection) => {
                sqlx::query_with(sql, values).execute(&mut **connection).await.map(Into::into)
            }
        };
        result.map_err(execution_error)
    }

    async fn execute_unprepared(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        let sql = AssertSqlSafe(sql.to_owned());
        let result = match self {
            Self::Sqlite(connection) => connection.execute(sql).await.map(Into::into),
            Self::Postgres(connection) => connection.execute(sql).await.map(Into::into),
        };
        result.map_err(execution_error)
    }

    async fn one(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (sql, values) = parts(statement);
        let row = match self {
            Self::Sqlite(connection) => {
                sqlx::query_with(sql, values).fetch_optional(&mut **connection).await.map(|row| row.map(Into::into))
            }
            Self::Postgres(connection) => {
                sqlx::query_with(sql, values).fetch_optional(&mut **connection).await.map(|row| row.map(Into::into))
            }
        };
        row.map_err(query_error)
    }

    async fn all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (sql, values) = parts(statement);
        let rows = match self {
            Self::Sqlite(connection) => {
                let rows = sqlx::query_with(sql, values).fetch_all(&mut **connection).await;
                rows.map(|rows| rows.into_iter().map(Into::into).collect())
            }
            Self::Postgres(connection) => {
                let rows = sqlx::query_with(sql, values).fetch_all(&mut **connection).await;
                rows.map(|rows| rows.into_iter().map(Into::into).collect())
            }
        };
        rows.map_err(query_error)
    }
}

/// The SQL is made by us or by sea-orm; what others send is among the values.
fn parts(statement: Statement) -> (AssertSqlSafe<String>, SqlxValues) {
    (
        AssertSqlSafe(statement.sql),
        SqlxValues(statement.values.unwrap_or_else(|| sea_orm::sea_query::Values(Vec::new()))),
    )
}

fn execution_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

fn connection_error(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
    }
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

/// A transaction. Unless it is committed, its connection is closed: that undoes it, whatever the connection believes of itself.
///
/// After a statement has failed no other is executed, because on SQLite it might be stored on its own.
pub(super) struct Transaction {
    backend: DbBackend,
    /// Statements may be asked for side by side; they are executed one after the other.
    lease: tokio::sync::Mutex<Lease>,
}

/// Writes something into PostgreSQL's log that nobody reads: a transaction that writes nothing waits for no standby.
const COMMIT_NOTHING: &str = "SELECT pg_logical_emit_message(true, 'backend-sync', '')";

impl Transaction {
    /// Makes it durable. After an error it is not known whether it was.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let mut lease = self.lease.into_inner();
        let mut warnings = notices::warnings();
        lease.execute_unprepared("COMMIT").await?;
        lease.in_transaction = false;
        // Perhaps it did not wait for the standby to its end. A later commit that did proves that the standby has both.
        while warnings != notices::warnings() && self.backend == DbBackend::Postgres {
            warnings = notices::warnings();
            lease.execute_unprepared(COMMIT_NOTHING).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.lease.lock().await.execute(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.lease.lock().await.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.lease.lock().await.one(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.lease.lock().await.all(statement).await
    }
}
