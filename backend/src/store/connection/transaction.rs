//! Writing transactions.

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement, prelude::async_trait::async_trait,
};

use super::{lease::Lease, warnings::warnings};
use crate::store::StoreError;

/// A transaction. Unless it is committed, its connection is closed: that rolls it back, whatever state the connection
/// is in.
///
/// After a failed statement no other one is executed, because on SQLite it might be stored on its own.
pub(in crate::store) struct Transaction {
    backend: DbBackend,
    /// The statements that began it.
    begin: String,
    /// Statements may be issued concurrently; they are executed one by one.
    lease: tokio::sync::Mutex<Lease>,
}

/// Writes a message that nobody reads to PostgreSQL's write-ahead log: a transaction that writes nothing waits for no
/// standby.
const COMMIT_NOTHING: &str = "SELECT pg_logical_emit_message(true, 'backend-sync', '')";

impl Transaction {
    pub(in crate::store) fn new(backend: DbBackend, begin: String, lease: Lease) -> Self {
        Self { backend, begin, lease: tokio::sync::Mutex::new(lease) }
    }

    /// Commits it. After an error it is unknown whether it was committed.
    pub(in crate::store) async fn commit(self) -> Result<(), StoreError> {
        let mut lease = self.lease.into_inner();
        let mut seen = warnings();
        lease.commit().await?;
        // A warning may mean that the wait for the standby was cancelled. A later commit that waits proves that the
        // standby has both.
        while seen != warnings() && self.backend == DbBackend::Postgres {
            seen = warnings();
            lease.execute_unprepared(&format!("{}; {COMMIT_NOTHING}; COMMIT", self.begin)).await?;
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
