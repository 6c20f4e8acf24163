//! Setting the database up: its tables, its migrations, and whether it is the one that is meant.

use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use backend_sync_migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, SqliteTransactionMode, SqlxPostgresConnector,
    SqlxSqliteConnector, TransactionOptions, TransactionTrait,
    sqlx::{postgres::PgPoolOptions, sqlite::SqlitePoolOptions},
};

use super::{
    connect::{Access, Store, create_file, postgres_options, sqlite_options, unavailable},
    file::beside,
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

/// The key of PostgreSQL's advisory lock under which a database is set up; any number, the same in all processes.
const SET_UP_LOCK: i64 = 7_263_001;

/// The table of a PostgreSQL database to which `copy-database` has not copied everything yet; see `store::copy`.
pub(in crate::store) const COPY_PROGRESS: &str = "copy_progress";

/// What lies beside a SQLite file and says that there was a database.
const MADE: &str = "-made";

const MADE_TEXT: &str = "Backend Sync made its database here. When this file is there and the database is not, the database was lost, \
                         and nothing is begun anew unless --new-database says so.\n";

/// What stands before the number of the database in that file.
const MARK: &str = "Its number: ";

const HELD_MARK: &str = "SELECT user_version AS count FROM pragma_user_version()";

/// What to do where there is no database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoDatabase {
    /// Somebody said that a new one is wanted.
    Make,
    /// Make one where there was none before: a SQLite file leaves a trace. An empty PostgreSQL database is refused.
    #[default]
    Doubt,
}

impl Store {
    /// Connects to the database and applies the migrations that are missing; returns how many. A database that is not there is
    /// made, if that is right.
    pub async fn open(url: &DatabaseUrl, none: NoDatabase) -> Result<(Self, usize), StoreError> {
        let path = url.sqlite_path();
        if let Some(path) = path.as_deref().filter(|path| !path.exists()) {
            // What SQLite leaves beside the file tells of it, too.
            let left = [MADE, "-wal", "-shm"].map(|ending| beside(path, ending)).into_iter().find(|path| path.exists());
            if let (Some(left), NoDatabase::Doubt) = (left, none) {
                return Err(lost(&format!("{} is gone, but {} is there", path.display(), left.display())));
            }
            let folder = path.parent().unwrap_or(Path::new(""));
            // Only that of the default is made here: any other that is missing may be a disk that is not mounted.
            if none == NoDatabase::Doubt && folder.is_absolute() && !folder.exists() {
                return Err(lost(&format!("the folder {} is not there", folder.display())));
            }
            create_file(path)?;
        }
        let store = Self::connect(url).await?;
        if store.has_no_tables().await? {
            store.refuse_another_place().await?;
            if none == NoDatabase::Doubt {
                store.refuse_emptiness()?;
            }
        }
        if let (Some(path), NoDatabase::Doubt) = (&path, none) {
            store.refuse_another_file(path).await?;
        }
        let applied = store.migrate().await?;
        if let Some(path) = path {
            store.leave_a_trace(&path).await?;
        }
        Ok((store, applied))
    }

    /// Applies the migrations that are missing; returns how many. All or none, and one process at a time.
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
            "the tables of Backend Sync are in the schema {place}, but search_path leads to {here}; a second, empty instance is \
             not begun. Set the user's search_path, or name it in the URL: ?options=-csearch_path%3D{place}"
        )))
    }

    /// Refuses a database without tables, unless nothing was ever there.
    fn refuse_emptiness(&self) -> Result<(), StoreError> {
        let url = &self.url;
        match url.sqlite_path().map(|path| beside(&path, MADE)) {
            None => Err(lost(&format!("{url} is empty"))),
            Some(made) if made.exists() => Err(lost(&format!("{url} is empty, but {} is there", made.display()))),
            Some(_) => Ok(()),
        }
    }

    /// Refuses a file that lies where another database was: before anything is changed in it.
    async fn refuse_another_file(&self, path: &Path) -> Result<(), StoreError> {
        let made = beside(path, MADE);
        let text = std::fs::read_to_string(&made).unwrap_or_default();
        if text.contains(MARK) && !text.ends_with(&line(self.count(HELD_MARK).await?)) {
            return Err(lost(&format!(
                "{} is another database than was there; {} tells of that",
                path.display(),
                made.display()
            )));
        }
        Ok(())
    }

    /// Gives the database a number, in the file, which copies keep, and in what lies beside it; so that a file that is gone or another
    /// is noticed.
    async fn leave_a_trace(&self, path: &Path) -> Result<(), StoreError> {
        let (made, line) = (beside(path, MADE), line(self.mark().await?));
        if !std::fs::read_to_string(&made).unwrap_or_default().ends_with(&line) {
            // Without it all works; nobody is told of a folder that cannot be written.
            let mut options = std::fs::OpenOptions::new();
            if let Ok(mut file) = options.write(true).create(true).truncate(true).mode(0o600).open(made) {
                let _ = file.write_all(format!("{MADE_TEXT}{line}").as_bytes());
            }
        }
        Ok(())
    }

    /// The number in the file: 31 random bits, in SQLite's own place for a number of its user's.
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

    /// Begins a transaction that sets the database up; one process at a time.
    pub(in crate::store) async fn begin_set_up(&self) -> Result<Transaction, StoreError> {
        let transaction = self.begin_immediate().await?;
        lock_set_up(&transaction).await?;
        Ok(transaction)
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

    /// Whether nothing of ours is there, as in a database that was never set up.
    pub async fn has_no_tables(&self) -> Result<bool, StoreError> {
        Ok(self.missing_migrations().await? == Migrator::migrations().len())
    }

    async fn count(&self, sql: &str) -> Result<u64, StoreError> {
        count(&self.read, sql, vec![]).await
    }
}

/// The last line of what lies beside a database with this number.
fn line(mark: u64) -> String {
    format!("{MARK}{mark}\n")
}

/// There is no database where one is expected.
fn lost(what: &str) -> StoreError {
    unavailable(format!(
        "{what}. If a database was here before, put it back; if a new one is wanted, say so once: --new-database"
    ))
}

/// Applies the migrations that are missing: all or none, and one process at a time. On a connection of its own, because sea-orm
/// wants one of its own kind, which must not be used again after a failure.
async fn migrate(url: &DatabaseUrl, store: &Store) -> Result<(), StoreError> {
    let connection = connection_of_sea_orm(url).await?;
    let work = async {
        let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode, ..Default::default() };
        let transaction = connection.begin_with_options(options).await?;
        lock_set_up(&transaction).await?;
        // Another process may have been first.
        if store.missing_migrations().await? > 0 {
            Migrator::up(&transaction, None).await?;
        }
        Ok(transaction.commit().await?)
    };
    let done = tokio::time::timeout(limits::MIGRATION_TIME, work).await;
    let done = done.unwrap_or_else(|_| Err(Fault::Silent(limits::MIGRATION_TIME).into_error().into()));
    // Its end may hang with the database.
    let _ = tokio::time::timeout(limits::PING_TIME, connection.close()).await;
    done
}

async fn connection_of_sea_orm(url: &DatabaseUrl) -> Result<DatabaseConnection, StoreError> {
    let failed = |error| DbErr::Conn(sea_orm::RuntimeErr::SqlxError(std::sync::Arc::new(error)));
    let wait = limits::CONNECTION_WAIT;
    Ok(match url.sqlite_path() {
        Some(path) => {
            let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(wait);
            let pool = pool.connect_with(sqlite_options(&path, Access::Write)).await.map_err(failed)?;
            SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)
        }
        None => {
            let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(wait);
            let pool = pool.connect_with(postgres_options(url, Access::Write)?).await.map_err(failed)?;
            SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
        }
    })
}

async fn lock_set_up(transaction: &impl ConnectionTrait) -> Result<(), StoreError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({SET_UP_LOCK})")).await?;
    }
    Ok(())
}
