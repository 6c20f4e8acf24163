//! Connecting to the database that the URL names.

use std::{
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, Statement,
    sqlx::{
        ConnectOptions,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};

use super::{
    file::File,
    lease::{Lease, connection_error},
    pool::Pool,
    postgres::{manager::PostgresPool, server::Server, settings::Access},
    seats::{Readers, Seats},
    transaction::Transaction,
};
use crate::{
    limits,
    store::{Attention, Cause, Counts, DatabaseUrl, StoreError, recent::Recent},
};

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(in crate::store) read: Pool,
    /// A single connection on SQLite, which allows one writer at a time.
    pub(in crate::store) write: Pool,
    pub(in crate::store) url: Arc<DatabaseUrl>,
    seats: Seats,
    pub(in crate::store) counts: Recent<Vec<Counts>>,
    pub(in crate::store) attention: Recent<Vec<Attention>>,
    /// Kept open so that SQLite's write-ahead log stays the same file.
    open: Arc<Mutex<Option<Lease>>>,
}

impl Store {
    /// Connects to an existing database. Applies no migrations.
    pub async fn connect(url: &DatabaseUrl) -> Result<Self, StoreError> {
        if let Some(path) = url.sqlite_path() {
            return Self::connect_sqlite(url, &path).await;
        }
        // Separate pools, so that readers never keep the writer waiting for a connection.
        let server = Server::find(url).await.map_err(connection_error)?;
        let write = Pool::postgres(&server, Access::Write, limits::POSTGRES_WRITERS, limits::STATEMENT_TIME).await?;
        let read = Pool::postgres(&server, Access::Read, Seats::ALL, limits::READ_TIME).await?;
        Ok(Self::new(read, write, url))
    }

    fn new(read: Pool, write: Pool, url: &DatabaseUrl) -> Self {
        let seats = Seats::new();
        let read = read.seated(seats.of(Readers::Work));
        let (counts, attention) = (Recent::default(), Recent::default());
        Self { read, write, url: Arc::new(url.clone()), seats, counts, attention, open: Arc::default() }
    }

    /// The same database for this class of readers. A new store is for our own work.
    #[must_use]
    pub fn for_readers(&self, readers: Readers) -> Self {
        Self { read: self.read.seated(self.seats.of(readers)), ..self.clone() }
    }

    async fn connect_sqlite(url: &DatabaseUrl, path: &Path) -> Result<Self, StoreError> {
        let cannot = |error: std::io::Error| unavailable(format!("cannot open {}: {error}", path.display()));
        let file = Arc::new(File::new(path).and_then(|file| readable(path).map(|()| file)).map_err(cannot)?);
        let write = connect_to_new(path, &file).await?;
        let options = sqlite_options(path, Access::Read);
        let read = Pool::sqlite(options, Seats::ALL + 1, Arc::clone(&file), limits::READ_TIME).await?;
        let mut open = read.acquire().await?;
        // A first read makes the connection hold the file, and with it the log.
        open.execute_unprepared("SELECT count(*) FROM sqlite_master").await?;
        file.is_open().map_err(cannot)?;
        Ok(Self { open: Arc::new(Mutex::new(Some(open))), ..Self::new(read, write, url) })
    }

    /// Begins a writing transaction.
    pub(in crate::store) async fn begin_immediate(&self) -> Result<Transaction, StoreError> {
        self.write.begin().await
    }

    /// Why the last attempt to connect failed, if none succeeded since.
    pub fn connection_failure(&self) -> Option<Cause> {
        let failure = |pool: &Pool| pool.as_postgres().and_then(PostgresPool::failure);
        failure(&self.write).or_else(|| failure(&self.read)).map(|error| Cause::of(&error))
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
        // Other clones may still exist; closing the pool waits for this connection.
        drop(self.open.lock().unwrap_or_else(PoisonError::into_inner).take());
        for pool in [self.read, self.write] {
            pool.close().await;
        }
    }

    pub(in crate::store) fn backend(&self) -> DbBackend {
        self.read.backend()
    }
}

/// An error of our own after which the same call may succeed later.
pub(in crate::store) fn unavailable(what: impl Into<String>) -> StoreError {
    StoreError::Unavailable(DbErr::Custom(what.into()))
}

/// Says why a file cannot be read, which SQLite does not. Opens nothing: to close it would end SQLite's locks.
fn readable(path: &Path) -> Result<(), std::io::Error> {
    if path.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    Ok(rustix::fs::access(path, rustix::fs::Access::READ_OK)?)
}

/// Creates the file of a SQLite database and its folder. It will hold personal data, so only its owner may access it;
/// SQLite gives the files beside it the same mode.
pub(in crate::store) fn create_file(file: &Path) -> Result<(), StoreError> {
    let cannot = |error| unavailable(format!("cannot create {}: {error}", file.display()));
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).open(file).map_err(cannot)?;
    Ok(())
}

/// Connects to a SQLite file that may be new. Switching a new file to WAL fails at once, whatever the timeout, while
/// another process does the same or applies migrations, so it is retried.
async fn connect_to_new(path: &Path, file: &Arc<File>) -> Result<Pool, DbErr> {
    let deadline = tokio::time::Instant::now() + limits::LOCK_WAIT;
    loop {
        let options = sqlite_options(path, Access::Write);
        match Pool::sqlite(options, 1, Arc::clone(file), limits::STATEMENT_TIME).await {
            Err(error) if is_locked(&error) && tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(NEW_FILE_REST).await;
            }
            result => return result,
        }
    }
}

/// The pause between attempts to open a new SQLite file, which another process holds for some milliseconds.
const NEW_FILE_REST: Duration = Duration::from_millis(50);

/// Whether another process holds a SQLite file. The driver reports this as text only.
fn is_locked(error: &DbErr) -> bool {
    error.to_string().contains("database is locked")
}

pub(in crate::store) fn sqlite_options(path: &Path, access: Access) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .disable_statement_logging()
        .journal_mode(SqliteJournalMode::Wal)
        // FULL: each commit is on disk before the request is answered.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(limits::LOCK_WAIT)
        .foreign_keys(true)
        .statement_cache_capacity(limits::CACHED_STATEMENTS)
        // A statement that may fail half-way journals each changed page, by default in a file.
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", limits::SQLITE_CHECKPOINT_PAGES.to_string())
        .pragma("journal_size_limit", limits::SQLITE_WAL_BYTES.to_string());
    match access {
        // Overwritten and deleted content is zeroed, so that an erasure also covers what was replaced long before it.
        Access::Write => {
            options.pragma("cache_size", format!("-{}", limits::SQLITE_WRITER_CACHE_KIB)).pragma("secure_delete", "on")
        }
        Access::Read => options.pragma("query_only", "on"),
    }
}
