//! Setting up the database: its migrations, and whether it is the intended one.

use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use backend_sync_migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, SqliteTransactionMode, SqlxPostgresConnector, SqlxSqliteConnector,
    TransactionOptions, TransactionTrait,
    sqlx::{AssertSqlSafe, Executor, postgres::PgPoolOptions, sqlite::SqlitePoolOptions},
};

use super::{
    connect::{Store, create_file, sqlite_options, unavailable},
    file::beside,
    lease::connection_error,
    postgres::{server::Server, settings::Access},
    transaction::Transaction,
};
use crate::{
    limits,
    store::{
        DatabaseUrl, StoreError,
        fault::Fault,
        sql::{count, query},
    },
};

/// The key of PostgreSQL's advisory lock for setting up a database: any number, but the same in all processes.
const SET_UP_LOCK: i64 = 7_263_001;

/// The table that marks a PostgreSQL database as an unfinished copy; see `store::copy`.
pub(in crate::store) const COPY_PROGRESS: &str = "copy_progress";

/// The suffix of the marker file beside a SQLite file, which says that there was a database.
pub(in crate::store) const MADE: &str = "-made";

const MADE_TEXT: &str = "Backend Sync created its database here. If this file exists and the database does not, the database was lost, \
                         and no new one is created unless --new-database says so.\n";

/// Precedes the database's number in the marker file.
const MARK: &str = "Its number: ";

const HELD_MARK: &str = "SELECT user_version AS count FROM pragma_user_version()";

/// What to do where there is no database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoDatabase {
    /// Create one: the operator asked for it.
    Create,
    /// Create a SQLite file only where no marker file says that one was lost. Refuse an empty PostgreSQL database.
    #[default]
    CreateUnlessLost,
}

/// What opening a database did to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It was up to date.
    Unchanged,
    /// It is new.
    Created,
    /// It got so many missing migrations.
    Migrated(usize),
}

/// The migrations that a database and this program do not share.
struct SchemaDifference {
    /// Those that the database lacks.
    missing: Vec<String>,
    /// Those that this program does not know: a newer one has migrated the database.
    unknown: Vec<String>,
}

impl Store {
    /// Connects to a database that is there and up to date. Creates and changes nothing.
    pub async fn open_existing(url: &DatabaseUrl) -> Result<Self, StoreError> {
        if let Some(path) = url.sqlite_path().filter(|path| path.try_exists().is_ok_and(|exists| !exists)) {
            refuse_lost(&path)?;
            return Err(unavailable(format!(
                "there is no database at {}. backend-sync serve or backend-sync migrate creates one; if there is one elsewhere, name it \
                 with --database-url, or its settings with --config",
                path.display()
            )));
        }
        let store = Self::connect(url).await?;
        store.refuse_half_a_copy().await?;
        let SchemaDifference { missing, .. } = store.known_schema().await?;
        if let Some(path) = url.sqlite_path() {
            store.refuse_another_file(&path).await?;
        }
        if missing.is_empty() {
            return Ok(store);
        }
        if missing.len() == Migrator::migrations().len() {
            store.refuse_another_place().await?;
            return Err(unavailable(format!(
                "{url} has no tables of Backend Sync yet; backend-sync serve or backend-sync migrate creates them"
            )));
        }
        Err(unavailable(format!(
            "{url} is older than this program: it lacks {}. Make a backup, stop all servers on it, then run backend-sync migrate, or \
             start the server, which does the same",
            missing.join(", ")
        )))
    }

    /// Connects to the database and applies missing migrations. A missing database is created or refused as `none` says.
    pub async fn open(url: &DatabaseUrl, none: NoDatabase) -> Result<(Self, Opened), StoreError> {
        let path = url.sqlite_path();
        if let Some(path) = path.as_deref().filter(|path| path.try_exists().is_ok_and(|exists| !exists)) {
            if none == NoDatabase::CreateUnlessLost {
                refuse_lost(path)?;
            }
            let folder = path.parent().unwrap_or(Path::new(""));
            // Only the default's relative folder is created: any other missing folder may be a disk that is not
            // mounted.
            if none == NoDatabase::CreateUnlessLost && !url.is_relative() && !folder.exists() {
                return Err(lost(&format!("the folder {} does not exist", folder.display())));
            }
            create_file(path)?;
        }
        let store = Self::connect(url).await?;
        let SchemaDifference { missing, .. } = store.known_schema().await?;
        let is_new = missing.len() == Migrator::migrations().len();
        if is_new {
            store.refuse_another_place().await?;
            if none == NoDatabase::CreateUnlessLost {
                store.refuse_emptiness()?;
            }
        }
        if let (Some(path), NoDatabase::CreateUnlessLost) = (&path, none) {
            store.refuse_another_file(path).await?;
        }
        let opened = match store.migrate().await? {
            0 => Opened::Unchanged,
            _ if is_new => Opened::Created,
            applied => Opened::Migrated(applied),
        };
        if let Some(path) = path {
            store.write_marker_file(&path).await?;
        }
        Ok((store, opened))
    }

    /// Applies missing migrations; returns how many. All or none, and one process at a time.
    pub async fn migrate(&self) -> Result<usize, StoreError> {
        self.refuse_half_a_copy().await?;
        let missing = self.missing_migrations().await?;
        if missing > 0 {
            migrate(&self.url, self).await?;
        }
        Ok(missing)
    }

    async fn refuse_half_a_copy(&self) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT count(*) AS count FROM pg_catalog.pg_tables WHERE tablename = '{COPY_PROGRESS}' AND schemaname = current_schema()"
        );
        if self.backend() == DbBackend::Postgres && self.count(&sql).await? > 0 {
            return Err(unavailable(
                "it holds an unfinished copy of another database; finish it with backend-sync copy-database",
            ));
        }
        Ok(())
    }

    /// Refuses a PostgreSQL database whose search_path leads past the tables that it has.
    async fn refuse_another_place(&self) -> Result<(), StoreError> {
        if self.backend() != DbBackend::Postgres {
            return Ok(());
        }
        let sql = "SELECT schemaname AS place, coalesce(current_schema(), '(none)') AS here FROM pg_catalog.pg_tables \
                   WHERE tablename IN ('seaql_migrations', 'counters', 'events') GROUP BY schemaname HAVING count(*) = 3 LIMIT 1";
        let rows = query(&self.read, sql, vec![]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let (place, here): (String, String) = (row.try_get("", "place")?, row.try_get("", "here")?);
        Err(unavailable(format!(
            "the tables of Backend Sync are in the schema {place}, but search_path leads to {here}; a second, empty set is not \
             created. Set the user's search_path, or name it in the URL: ?options=-csearch_path%3D{place}"
        )))
    }

    /// Refuses a database without tables, unless it is a SQLite file that never had any.
    fn refuse_emptiness(&self) -> Result<(), StoreError> {
        let url = &self.url;
        match url.sqlite_path().map(|path| beside(&path, MADE)) {
            None => Err(lost(&format!("{url} is empty"))),
            Some(made) if made.exists() => Err(lost(&format!("{url} is empty, but {} exists", made.display()))),
            Some(_) => Ok(()),
        }
    }

    /// Refuses a file that is not the database that the marker file names, before anything in it is changed.
    async fn refuse_another_file(&self, path: &Path) -> Result<(), StoreError> {
        let made = beside(path, MADE);
        let text = std::fs::read_to_string(&made).unwrap_or_default();
        if text.contains(MARK) && !text.ends_with(&line(self.count(HELD_MARK).await?)) {
            return Err(lost(&format!(
                "{} is not the database that was there before, according to {}",
                path.display(),
                made.display()
            )));
        }
        Ok(())
    }

    /// Writes the database's number into the database, where copies keep it, and into the marker file beside it, so
    /// that a missing or different file is noticed.
    async fn write_marker_file(&self, path: &Path) -> Result<(), StoreError> {
        let (made, line) = (beside(path, MADE), line(self.mark().await?));
        if !std::fs::read_to_string(&made).unwrap_or_default().ends_with(&line) {
            // Best effort: everything works without the marker file.
            let mut options = std::fs::OpenOptions::new();
            if let Ok(mut file) = options.write(true).create(true).truncate(true).mode(0o600).open(made) {
                let _ = file.write_all(format!("{MADE_TEXT}{line}").as_bytes());
            }
        }
        Ok(())
    }

    /// The database's number: 31 random bits in SQLite's `user_version`.
    async fn mark(&self) -> Result<u64, StoreError> {
        let mark = self.count(HELD_MARK).await?;
        if mark != 0 {
            return Ok(mark);
        }
        let transaction = self.begin_immediate().await?;
        // Another process may have been first.
        let mut mark = count(&transaction, HELD_MARK, vec![]).await?;
        if mark == 0 {
            mark = count(&transaction, "SELECT abs(random()) % 2147483647 + 1 AS count", vec![]).await?;
            transaction.execute_unprepared(&format!("PRAGMA user_version = {mark}")).await?;
        }
        transaction.commit().await?;
        Ok(mark)
    }

    /// Begins a set-up transaction; one process at a time.
    pub(in crate::store) async fn begin_set_up(&self) -> Result<Transaction, StoreError> {
        let transaction = self.begin_immediate().await?;
        lock_set_up(&transaction).await?;
        Ok(transaction)
    }

    /// The number of missing migrations.
    pub async fn missing_migrations(&self) -> Result<usize, StoreError> {
        Ok(self.schema_difference().await?.missing.len())
    }

    /// The migrations that a newer program made and this one does not know.
    pub async fn unknown_migrations(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.schema_difference().await?.unknown)
    }

    /// Why this program must not work on the database: a newer one has migrated it, perhaps while this one runs.
    pub async fn outgrown(&self) -> Result<Option<StoreError>, StoreError> {
        let unknown = self.unknown_migrations().await?;
        Ok((!unknown.is_empty()).then(|| unavailable(newer(&self.url, &unknown))))
    }

    /// What the schema lacks; fails if this program does not know the schema.
    async fn known_schema(&self) -> Result<SchemaDifference, StoreError> {
        let difference = self.schema_difference().await?;
        if difference.unknown.is_empty() {
            return Ok(difference);
        }
        Err(unavailable(newer(&self.url, &difference.unknown)))
    }

    async fn schema_difference(&self) -> Result<SchemaDifference, StoreError> {
        let sql = match self.backend() {
            DbBackend::Postgres => {
                "SELECT count(*) AS count FROM pg_catalog.pg_tables WHERE tablename = 'seaql_migrations' AND schemaname = current_schema()"
            }
            _ => "SELECT count(*) AS count FROM sqlite_master WHERE name = 'seaql_migrations'",
        };
        let known: Vec<String> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
        if self.count(sql).await? == 0 {
            return Ok(SchemaDifference { missing: known, unknown: Vec::new() });
        }
        let rows = query(&self.read, "SELECT version FROM seaql_migrations ORDER BY version", vec![]).await?;
        let applied: Vec<String> = rows.iter().map(|row| row.try_get("", "version")).collect::<Result<_, _>>()?;
        let (unknown, applied): (Vec<String>, Vec<String>) =
            applied.into_iter().partition(|version| !known.contains(version));
        let missing = known.into_iter().filter(|version| !applied.contains(version)).collect();
        Ok(SchemaDifference { missing, unknown })
    }

    /// Whether it has none of our tables, as before its set-up.
    pub async fn has_no_tables(&self) -> Result<bool, StoreError> {
        Ok(self.missing_migrations().await? == Migrator::migrations().len())
    }

    async fn count(&self, sql: &str) -> Result<u64, StoreError> {
        count(&self.read, sql, vec![]).await
    }
}

/// Why a program does not touch a database of a newer one.
fn newer(url: &DatabaseUrl, unknown: &[String]) -> String {
    format!(
        "{url} is newer than this program ({}): a newer version of Backend Sync has migrated it, with {}. Use that version, or restore \
         the backup from before",
        env!("CARGO_PKG_VERSION"),
        unknown.join(", ")
    )
}

/// The last line of the marker file.
fn line(mark: u64) -> String {
    format!("{MARK}{mark}\n")
}

/// Fails if the missing file was there before: its marker file says so, and SQLite's own files beside it do.
fn refuse_lost(path: &Path) -> Result<(), StoreError> {
    match [MADE, "-wal", "-shm"].map(|ending| beside(path, ending)).into_iter().find(|path| path.exists()) {
        Some(left) => Err(lost(&format!("{} is missing, but {} exists", path.display(), left.display()))),
        None => Ok(()),
    }
}

/// The error for a missing database where one is expected.
fn lost(what: &str) -> StoreError {
    unavailable(format!(
        "{what}. If there was a database before, restore it; to create a new one, start once with --new-database"
    ))
}

/// Applies missing migrations: all or none, and one process at a time. Uses a separate connection, because sea-orm
/// needs one of its own kind, which must not be reused after a failure.
async fn migrate(url: &DatabaseUrl, store: &Store) -> Result<(), StoreError> {
    let server = store.write.as_postgres().map(|pool| pool.server());
    let connection = connection_of_sea_orm(url, server).await?;
    let work = async {
        let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode, ..Default::default() };
        let transaction = connection.begin_with_options(options).await?;
        if let Some(server) = server {
            prepare(&transaction, server).await?;
        }
        lock_set_up(&transaction).await?;
        // Another process may have been first.
        if store.missing_migrations().await? > 0 {
            Migrator::up(&transaction, None).await?;
        }
        if server.is_some_and(Server::is_pooled) {
            transaction.execute_unprepared(FORGET).await?;
        }
        Ok(transaction.commit().await?)
    };
    let done = tokio::time::timeout(limits::MIGRATION_TIME, work).await;
    let done = done.unwrap_or_else(|_| Err(Fault::Silent(limits::MIGRATION_TIME).into_error().into()));
    // Closing may hang if the database does.
    let _ = tokio::time::timeout(limits::PING_TIME, connection.close()).await;
    done
}

/// Removes the prepared statements of the session. Through a pooler, it may hold some of another client, whose names
/// sea-orm would give again.
const FORGET: &str = "DEALLOCATE ALL";

/// Sets in sea-orm's transaction what is set in ours.
async fn prepare(transaction: &impl ConnectionTrait, server: &Server) -> Result<(), StoreError> {
    let settings = server.settings(Access::Write).for_transaction();
    transaction.execute_unprepared(&format!("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; {settings}")).await?;
    if server.is_pooled() {
        transaction.execute_unprepared(FORGET).await?;
    }
    Ok(())
}

async fn connection_of_sea_orm(url: &DatabaseUrl, server: Option<&Server>) -> Result<DatabaseConnection, StoreError> {
    let wait = limits::CONNECTION_WAIT;
    if let Some(server) = server {
        // Through a pooler it is lost again, and each transaction sets it.
        let session = server.settings(Access::Write).for_session();
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(wait);
        let pool = pool.after_connect(move |connection, _| {
            let set = AssertSqlSafe(session.clone());
            Box::pin(async move { connection.execute(set).await.map(drop) })
        });
        let pool = pool.connect_with(server.plain_options()).await.map_err(connection_error)?;
        return Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool));
    }
    let options = sqlite_options(&url.sqlite_path().unwrap_or_default(), Access::Write);
    let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(wait);
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.connect_with(options).await.map_err(connection_error)?))
}

async fn lock_set_up(transaction: &impl ConnectionTrait) -> Result<(), StoreError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({SET_UP_LOCK})")).await?;
    }
    Ok(())
}
