//! SQL that bypasses the product and the relay.

use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement, TryGetable};
use tokio::time::timeout;

use crate::Failed;

/// The time-out of a statement. A server under a fault may not answer at all.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// Connects for each statement, so that it does not matter what happened to the server since the last one.
pub(crate) struct Sql {
    url: String,
    /// How long to retry a server that refuses connections for now.
    patience: Duration,
}

impl Sql {
    pub(crate) fn new(url: String) -> Self {
        Self { url, patience: Duration::from_secs(10) }
    }

    /// Does not retry a refused connection.
    pub(crate) fn impatient(self) -> Self {
        Self { patience: Duration::from_millis(500), ..self }
    }

    /// A connection to keep open.
    pub(crate) async fn connect(&self) -> Result<DatabaseConnection, Failed> {
        let mut options = ConnectOptions::new(self.url.clone());
        options.max_connections(1).acquire_timeout(self.patience).sqlx_logging(false);
        Ok(timeout(ANSWER_TIME, Database::connect(options)).await??)
    }

    pub(crate) async fn execute(&self, sql: &str) -> Result<(), Failed> {
        let connection = self.connect().await?;
        let done = timeout(ANSWER_TIME, connection.execute_unprepared(sql)).await;
        close(connection).await;
        done?.map(drop).map_err(|error| format!("{sql}: {error}").into())
    }

    /// The first column of a query's only row.
    pub(crate) async fn value<T: TryGetable>(&self, sql: &str) -> Result<T, Failed> {
        self.values(sql).await?.pop().ok_or_else(|| format!("{sql}: no row").into())
    }

    /// The first column of all rows.
    pub(crate) async fn values<T: TryGetable>(&self, sql: &str) -> Result<Vec<T>, Failed> {
        let connection = self.connect().await?;
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let rows = timeout(ANSWER_TIME, connection.query_all_raw(statement)).await;
        close(connection).await;
        let rows = rows?.map_err(|error| format!("{sql}: {error}"))?;
        Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
    }
}

/// Properly if the server still listens, otherwise just dropped.
async fn close(connection: DatabaseConnection) {
    let _ = timeout(Duration::from_secs(1), connection.close()).await;
}
