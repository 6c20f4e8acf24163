//! One connection while it is in use.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::{
    ConnAcquireErr, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    sea_query::Values,
    sqlx::{self, AssertSqlSafe, Executor, Sqlite, SqlitePool, pool::PoolConnection},
};
use sea_query_sqlx::SqlxValues;
use tokio::time::timeout;

use super::{
    file::File,
    postgres::manager::{Manager, PostgresPool},
    seats::Seat,
};
use crate::store::fault::{Fault, is_of_the_data};

/// A connection in use. When dropped, it returns to its pool if it is sound, and is closed otherwise.
pub(in crate::store) struct Lease {
    /// `Some` until it is dropped.
    link: Option<Link>,
    state: LeaseState,
    in_transaction: bool,
    /// The longest time for a statement.
    time: Duration,
    /// The end of the transaction's time.
    deadline: Option<Instant>,
    kind: PoolKind,
    /// Free again once the connection has returned.
    seat: Option<Seat>,
}

/// The pool that a connection belongs to.
#[derive(Clone)]
pub(in crate::store) enum PoolKind {
    Sqlite(SqlitePool, Arc<File>),
    Postgres(PostgresPool),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LeaseState {
    Sound,
    /// A statement is running. A future that is dropped half-way leaves this state behind.
    Busy,
    Broken,
}

pub(in crate::store) enum Link {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(bb8::PooledConnection<'static, Manager>),
}

impl Lease {
    pub(in crate::store) fn new(link: Link, kind: PoolKind, time: Duration, seat: Option<Seat>) -> Self {
        Self { link: Some(link), state: LeaseState::Sound, in_transaction: false, time, deadline: None, kind, seat }
    }

    /// Begins a transaction, which must end by `deadline`.
    pub(in crate::store) async fn begin(&mut self, sql: &str, deadline: Instant) -> Result<(), DbErr> {
        (self.deadline, self.in_transaction) = (Some(deadline), true);
        self.execute_unprepared(sql).await?;
        Ok(())
    }

    /// Commits the transaction, if it is in one.
    pub(in crate::store) async fn commit(&mut self) -> Result<(), DbErr> {
        if self.in_transaction {
            self.execute_unprepared("COMMIT").await?;
            self.in_transaction = false;
        }
        Ok(())
    }

    pub(in crate::store) async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (link, time) = self.work()?;
        let result = within(time, link.execute(statement)).await;
        self.judge(result)
    }

    pub(in crate::store) async fn execute_unprepared(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        let (link, time) = self.work()?;
        let result = within(time, link.execute_unprepared(sql)).await;
        self.judge(result)
    }

    pub(in crate::store) async fn one(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (link, time) = self.work()?;
        let result = within(time, link.one(statement)).await;
        self.judge(result)
    }

    pub(in crate::store) async fn all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (link, time) = self.work()?;
        let result = within(time, link.all(statement)).await;
        self.judge(result)
    }

    /// The connection for a statement that begins now, and how long the statement may take.
    fn work(&mut self) -> Result<(&mut Link, Duration), DbErr> {
        if self.state != LeaseState::Sound {
            return Err(Fault::Broken.into_error());
        }
        self.state = LeaseState::Busy;
        let left = self.deadline.map_or(self.time, |deadline| deadline.saturating_duration_since(Instant::now()));
        let link = self.link.as_mut().ok_or_else(|| Fault::Broken.into_error())?;
        Ok((link, left.min(self.time)))
    }

    /// Decides whether the connection is sound after a statement. An error about the data alone does not harm the
    /// connection, but it does break a transaction.
    fn judge<T>(&mut self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        let result = result.and_then(|value| match &self.kind {
            PoolKind::Sqlite(_, file) => file.check().map(|()| value).map_err(Fault::into_error),
            PoolKind::Postgres(_) => Ok(value),
        });
        let is_sound = result.as_ref().map_or_else(|error| !self.in_transaction && is_of_the_data(error), |_| true);
        self.state = if is_sound { LeaseState::Sound } else { LeaseState::Broken };
        if let (Err(error), PoolKind::Postgres(pool)) = (&result, &self.kind)
            && Fault::of(error).is_some_and(|fault| matches!(fault, Fault::Silent(_)))
        {
            pool.suspect();
        }
        result
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let (LeaseState::Busy, PoolKind::Postgres(pool)) = (self.state, &self.kind) {
            // The caller gave up waiting for the statement.
            pool.suspect();
        }
        let seat = self.seat.take();
        match (self.link.take(), self.state == LeaseState::Sound && !self.in_transaction) {
            (Some(Link::Sqlite(mut connection)), true) => spawn(seat, connection.return_to_pool()),
            (Some(Link::Postgres(mut connection)), is_sound) => connection.is_broken = !is_sound,
            // It counts against the pool's size while its statement is stuck in disk I/O, so that stuck connections
            // cannot pile up.
            (Some(Link::Sqlite(connection)), false) => spawn(seat, connection.close()),
            (None, _) => {}
        }
    }
}

fn spawn(seat: Option<Seat>, work: impl Future<Output: Send + 'static> + Send + 'static) {
    tokio::spawn(async move {
        work.await;
        drop(seat);
    });
}

async fn within<T>(time: Duration, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    timeout(time, work).await.unwrap_or_else(|_| Err(Fault::Silent(time).into_error()))
}

impl Link {
    async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (sql, values) = parts(statement);
        let result = match self {
            Self::Sqlite(connection) => sqlx::query_with(sql, values).execute(&mut **connection).await.map(Into::into),
            Self::Postgres(connection) => {
                let query = sqlx::query_with(sql, values).persistent(connection.keeps_statements);
                query.execute(&mut ***connection).await.map(Into::into)
            }
        };
        result.map_err(execution_error)
    }

    async fn execute_unprepared(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        let sql = AssertSqlSafe(sql.to_owned());
        let result = match self {
            Self::Sqlite(connection) => connection.execute(sql).await.map(Into::into),
            Self::Postgres(connection) => (&mut ***connection).execute(sql).await.map(Into::into),
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
                let query = sqlx::query_with(sql, values).persistent(connection.keeps_statements);
                query.fetch_optional(&mut ***connection).await.map(|row| row.map(Into::into))
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
                let query = sqlx::query_with(sql, values).persistent(connection.keeps_statements);
                let rows = query.fetch_all(&mut ***connection).await;
                rows.map(|rows| rows.into_iter().map(Into::into).collect())
            }
        };
        rows.map_err(query_error)
    }
}

/// Safe: the SQL comes from us or sea-orm, and what clients send is only in the values.
fn parts(statement: Statement) -> (AssertSqlSafe<String>, SqlxValues) {
    (AssertSqlSafe(statement.sql), SqlxValues(statement.values.unwrap_or_else(|| Values(Vec::new()))))
}

fn execution_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

pub(in crate::store) fn connection_error(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
    }
}
