//! Connecting to the database that the URL names.

use std::{
    fmt,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use backend_sync_migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};
use serde::Deserialize;

use super::StoreError;
use crate::limits;

/// Where the database is: `sqlite://path` or `postgres://user:password@host:port/name`.
///
/// It may hold a password, so neither `Debug` nor `Display` shows that.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl(String);

/// The key of PostgreSQL's advisory lock under which a database is set up; any number, the same in all processes.
const SET_UP_LOCK: i64 = 7_263_001;

/// The table of a PostgreSQL database to which `copy-database` has not copied everything yet; see `store::copy`.
pub(super) const COPY_PROGRESS: &str = "copy_progress";

/// The URL is of no database that we know.
#[derive(Debug, thiserror::Error)]
#[error("database_url must begin with sqlite:// or postgres://")]
pub struct InvalidDatabaseUrl;

impl DatabaseUrl {
    /// The file of a SQLite database.
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        self.0.strip_prefix("sqlite://").map(PathBuf::from)
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let known = ["sqlite://", "postgres://", "postgresql://"].iter();
        if known.into_iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty())) {
            Ok(Self(url.to_owned()))
        } else {
            Err(InvalidDatabaseUrl)
        }
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = InvalidDatabaseUrl;

    fn try_from(url: String) -> Result<Self, Self::Error> {
        url.parse()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = self.sqlite_path() {
            return write!(f, "sqlite://{}", path.display());
        }
        // Everything that can hold a password: what stands before the last @, and the query.
        let host =
            self.0.rsplit_once('@').map_or_else(|| self.0.split_once("//").unwrap_or_default().1, |(_, host)| host);
        write!(f, "postgres://{}", host.split('?').next().unwrap_or_default())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(super) read: DatabaseConnection,
    /// On SQLite a single connection, because it has one writer at a time.
    pub(super) write: DatabaseConnection,
}

impl Store {
    /// Connects; creates the file of a SQLite database that does not exist yet. Applies no migrations.
    pub async fn connect(url: &DatabaseUrl) -> Result<Self, StoreError> {
        if let Some(path) = url.sqlite_path() {
            create_file(&path).map_err(|error| StoreError::Unavailable(DbErr::Custom(error)))?;
            let write = connect_to_new(sqlite_options(&path, 1, Access::Write)).await?;
            let read = Database::connect(sqlite_options(&path, limits::SQLITE_READERS, Access::Read)).await?;
            return Ok(Self { read, write });
        }
        // Apart, so that readers can never keep the writer waiting for a connection.
        let write = Database::connect(postgres_options(url, limits::POSTGRES_WRITERS)).await?;
        let read = Database::connect(postgres_options(url, limits::POSTGRES_READERS)).await?;
        Ok(Self { read, write })
    }

    /// Applies the migrations that are missing; returns how many. All or none, and one process at a time.
    /// Refuses a database that is half copied.
    pub async fn migrate(&self) -> Result<usize, StoreError> {
        self.refuse_half_a_copy().await?;
        if self.missing_migrations().await? == 0 {
            return Ok(0);
        }
        let transaction = self.begin_set_up().await?;
        // Another process may have been first.
        let missing = self.missing_migrations().await?;
        if missing > 0 {
            Migrator::up(&transaction, None).await?;
        }
        transaction.commit().await?;
        Ok(missing)
    }

    async fn refuse_half_a_copy(&self) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT count(*) AS count FROM pg_catalog.pg_tables WHERE tablename = '{COPY_PROGRESS}' AND schemaname = current_schema()"
        );
        if self.backend() == DbBackend::Postgres && self.count(&sql).await? > 0 {
            let what = "it holds an unfinished copy of another database; finish it with backend-sync copy-database";
            return Err(StoreError::Unavailable(DbErr::Custom(what.to_owned())));
        }
        Ok(())
    }

    /// Begins a transaction that sets the database up; one process at a time.
    pub(super) async fn begin_set_up(&self) -> Result<DatabaseTransaction, StoreError> {
        let transaction = self.begin_immediate().await?;
        if self.backend() == DbBackend::Postgres {
            transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({SET_UP_LOCK})")).await?;
        }
        Ok(transaction)
    }

    /// Begins a transaction that will write. On SQLite it waits for other writers now: a deferred transaction that reads
    /// and then writes fails at once when another process wrote in between.
    pub(super) async fn begin_immediate(&self) -> Result<DatabaseTransaction, StoreError> {
        let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode, ..Default::default() };
        Ok(self.write.begin_with_options(options).await?)
    }

    /// How many migrations are missing.
    pub async fn missing_migrations(&self) -> Result<usize, StoreError> {
        let sql = match self.backend() {
            DbBackend::Postgres => {
                "SELECT count(*) AS count FROM pg_catalog.pg_tables WHERE tablename = 'seaql_migrations' AND schemaname = current_schema()"
            }
            _ => "SELECT count(*) AS count FROM sqlite_master WHERE name = 'seaql_migrations'",
        };
        let all = Migrator::migrations().len();
        if self.count(sql).await? == 0 {
            return Ok(all);
        }
        let applied = self.count("SELECT count(*) AS count FROM seaql_migrations").await?;
        Ok(all.saturating_sub(usize::try_from(applied).unwrap_or(0)))
    }

    async fn count(&self, sql: &str) -> Result<i64, StoreError> {
        let row = self.read.query_one_raw(Statement::from_string(self.backend(), sql)).await?;
        Ok(row.map(|row| row.try_get("", "count")).transpose()?.unwrap_or(0))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read.execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// The name and version of the database, and its clock in Unix seconds.
    pub async fn server(&self) -> Result<(String, i64), StoreError> {
        let sql = match self.backend() {
            DbBackend::Postgres => {
                "SELECT 'PostgreSQL ' || current_setting('server_version') AS name, \
                 CAST(extract(epoch FROM clock_timestamp()) AS bigint) AS seconds"
            }
            _ => "SELECT 'SQLite ' || sqlite_version() AS name, CAST(strftime('%s', 'now') AS integer) AS seconds",
        };
        let statement = Statement::from_string(self.backend(), sql);
        let row = self.read.query_one_raw(statement).await?;
        let row = row.ok_or(DbErr::RecordNotFound("the server's version".to_owned()))?;
        Ok((row.try_get("", "name")?, row.try_get("", "seconds")?))
    }

    /// Closes all connections; on SQLite this also folds the write-ahead log into the file.
    pub async fn close(self) {
        for pool in [self.read, self.write] {
            if let Err(error) = pool.close().await {
                tracing::warn!(%error, "could not close the database");
            }
        }
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.read.get_database_backend()
    }
}

#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
}

/// Creates the file and its folder when they are missing. It will hold personal data, so it is its owner's alone; SQLite gives
/// the files beside it the same mode.
fn create_file(file: &Path) -> Result<(), String> {
    let cannot = |error| format!("cannot create {}: {error}", file.display());
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).open(file).map_err(cannot)?;
    Ok(())
}

fn postgres_options(url: &DatabaseUrl, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.0.clone());
    options
        .max_connections(connections)
        .acquire_timeout(limits::CONNECTION_WAIT)
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(|options| {
            options.statement_cache_capacity(limits::CACHED_STATEMENTS).options([
                // An answered event must be on disk, even when the server's default says otherwise.
                ("synchronous_commit", "on".to_owned()),
                ("lock_timeout", limits::LOCK_WAIT.as_millis().to_string()),
                ("idle_in_transaction_session_timeout", limits::IDLE_TRANSACTION.as_millis().to_string()),
            ])
        });
    options
}

/// Connects to a SQLite file that may be new. The change of a new file to WAL does not wait while another process does the same or
/// applies its migrations, whatever the time-out: it fails at once, so it is tried again.
async fn connect_to_new(options: ConnectOptions) -> Result<DatabaseConnection, DbErr> {
    let deadline = tokio::time::Instant::now() + limits::LOCK_WAIT;
    loop {
        match Database::connect(options.clone()).await {
            Err(error) if is_locked(&error) && tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(NEW_FILE_REST).await;
            }
            result => return result,
        }
    }
}

/// Between two tries to open a new SQLite file: a process holds it for some milliseconds.
const NEW_FILE_REST: Duration = Duration::from_millis(50);

/// Whether another process holds a SQLite file. The connection's error comes as a text.
fn is_locked(error: &DbErr) -> bool {
    error.to_string().contains("database is locked")
}

fn sqlite_options(path: &Path, connections: u32, access: Access) -> ConnectOptions {
    let path = path.to_owned();
    let mut options = ConnectOptions::new("sqlite:");
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(limits::CONNECTION_WAIT)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |options| {
            let options = options
                .filename(&path)
                .journal_mode(SqliteJournalMode::Wal)
                // FULL: each commit is on disk before it is answered.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(limits::LOCK_WAIT)
                .foreign_keys(true)
                .statement_cache_capacity(limits::CACHED_STATEMENTS)
                // A statement that may fail half-way notes each page it changes; by default in a file.
                .pragma("temp_store", "memory")
                .pragma("wal_autocheckpoint", limits::SQLITE_CHECKPOINT_PAGES.to_string())
                .pragma("journal_size_limit", limits::SQLITE_WAL_BYTES.to_string());
            match access {
                // What is overwritten or deleted is zeroed, so that an erasure is one: also what was replaced long before it.
                Access::Write => options
                    .pragma("cache_size", format!("-{}", limits::SQLITE_WRITER_CACHE_KIB))
                    .pragma("secure_delete", "on"),
                Access::Read => options.pragma("query_only", "on"),
            }
        });
    options
}

#[cfg(test)]
mod tests {
    use super::DatabaseUrl;

    #[test]
    fn a_password_is_never_shown() {
        for url in [
            "postgres://ann:pa55@db.example:5432/sync?password=pa55",
            "postgresql://ann:pa55%40@db.example/sync",
            "postgres://db.example/sync?user=ann&password=pa55",
        ] {
            let url: DatabaseUrl = url.parse().unwrap();
            assert!(!format!("{url} {url:?}").contains("pa55"), "{url}");
            assert!(url.to_string().contains("db.example"));
        }
    }

    #[test]
    fn the_file_of_a_sqlite_database() {
        let url: DatabaseUrl = "sqlite://data/x y%20.sqlite".parse().unwrap();
        assert_eq!(url.sqlite_path().unwrap().to_str(), Some("data/x y%20.sqlite"), "a path, not percent-encoded");
        for url in ["mysql://x", "sqlite::memory:", "sqlite://", "postgres://"] {
            assert!(url.parse::<DatabaseUrl>().is_err(), "{url}");
        }
    }
}
