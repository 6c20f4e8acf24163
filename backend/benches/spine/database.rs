//! Fresh databases for the server under test, and queries that bypass it.

use std::{
    cell::RefCell,
    fmt, fs,
    path::{Path, PathBuf},
};

use sea_orm::{ConnectionTrait, Database as Connector, DatabaseConnection, Statement};

use crate::Failed;

/// The environment variable with a superuser's URL of the PostgreSQL server to measure.
pub(crate) const POSTGRES_VARIABLE: &str = "TEST_POSTGRES_URL";

/// The prefix of a run's folder; the process id follows.
const FOLDER: &str = "spine-";

/// Which database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// The name in the tables' titles.
    pub(crate) fn slug(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// Creates databases, and removes them at the end, even if the run failed.
pub(crate) struct Databases {
    /// A folder on a real disk: where Cargo builds.
    folder: PathBuf,
    postgres: Option<String>,
    made: RefCell<Vec<String>>,
}

/// A database, empty at first.
pub(crate) struct Database {
    pub(crate) url: String,
    /// The program to run on it, unless this checkout's.
    pub(crate) program: Option<PathBuf>,
    /// A folder for its files.
    pub(crate) folder: PathBuf,
}

impl Databases {
    pub(crate) fn new() -> Result<Self, Failed> {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        remove_left_behind(parent)?;
        let folder = parent.join(format!("{FOLDER}{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let postgres = std::env::var(POSTGRES_VARIABLE).ok().filter(|url| !url.is_empty());
        Ok(Self { folder, postgres, made: RefCell::default() })
    }

    /// Where SQLite's files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database's version and relevant settings; `None` if there is no such database.
    pub(crate) async fn version(&self, kind: Kind) -> Result<Option<String>, Failed> {
        let (url, sql) = match (kind, &self.postgres) {
            (Kind::Sqlite, _) => {
                ("sqlite::memory:", "SELECT 'SQLite ' || sqlite_version() || ', synchronous = FULL' AS value")
            }
            (Kind::Postgres, Some(url)) => (
                url.as_str(),
                "SELECT 'PostgreSQL ' || current_setting('server_version') || ', fsync = ' || current_setting('fsync') \
                 || ', shared_buffers = ' || current_setting('shared_buffers') AS value",
            ),
            (Kind::Postgres, None) => return Ok(None),
        };
        let connection = Connector::connect(url).await?;
        let value = value::<String>(&connection, sql).await;
        connection.close().await?;
        value.map(Some)
    }

    pub(crate) async fn create(&self, kind: Kind) -> Result<Database, Failed> {
        let number = self.made.borrow().len();
        let name = format!("backend_sync_bench_{}_{number}", std::process::id());
        let folder = self.folder.join(&name);
        fs::create_dir_all(&folder)?;
        let url = match kind {
            Kind::Sqlite => format!("sqlite://{}", folder.join("bench.sqlite").display()),
            Kind::Postgres => {
                self.as_superuser(&format!("CREATE DATABASE {name}")).await?;
                with_database(self.postgres.as_deref().unwrap_or_default(), &name)
            }
        };
        self.made.borrow_mut().push(name);
        Ok(Database { url, program: None, folder })
    }

    /// Removes a database and its files. Its server must have ended.
    pub(crate) async fn drop(&self, database: Database) -> Result<(), Failed> {
        if let Some(name) = database.folder.file_name().filter(|_| !database.url.starts_with("sqlite")) {
            self.as_superuser(&format!("DROP DATABASE {}", name.display())).await?;
        }
        Ok(fs::remove_dir_all(&database.folder)?)
    }

    /// Removes everything that is left.
    pub(crate) async fn remove(self) -> Result<(), Failed> {
        if self.postgres.is_some() {
            for name in self.made.take() {
                self.as_superuser(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
            }
        }
        Ok(fs::remove_dir_all(&self.folder)?)
    }

    async fn as_superuser(&self, sql: &str) -> Result<(), Failed> {
        let connection = Connector::connect(self.postgres.as_deref().unwrap_or_default()).await?;
        let done = connection.execute_unprepared(sql).await;
        connection.close().await?;
        Ok(done.map(drop)?)
    }
}

impl Database {
    /// The number of events in the log.
    pub(crate) async fn events(&self) -> Result<u64, Failed> {
        Ok(u64::try_from(self.number("SELECT count(*) AS value FROM events").await?)?)
    }

    /// Updates PostgreSQL's statistics, as its autovacuum does within a minute. Until then it reads all rows of a site
    /// to find one, which no database older than a minute has to do.
    pub(crate) async fn settle(&self) -> Result<(), Failed> {
        if self.url.starts_with("sqlite") {
            return Ok(());
        }
        let connection = Connector::connect(&self.url).await?;
        let done = connection.execute_unprepared("ANALYZE").await;
        connection.close().await?;
        Ok(done.map(drop)?)
    }

    /// Lets PostgreSQL collect no statistics of the tables that exist.
    pub(crate) async fn without_autovacuum(&self) -> Result<(), Failed> {
        let connection = Connector::connect(&self.url).await?;
        let done = connection
            .execute_unprepared(
                "DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r' \
                 AND relnamespace = 'public'::regnamespace LOOP \
                 EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', t); END LOOP; END $$",
            )
            .await;
        connection.close().await?;
        Ok(done.map(drop)?)
    }

    /// The number of sync items that are pending or in flight.
    pub(crate) async fn undelivered(&self) -> Result<u64, Failed> {
        let sql = "SELECT (SELECT count(*) FROM sync_items WHERE destination = 'zoho' AND state = 'pending') \
                   + (SELECT count(*) FROM sync_items WHERE destination = 'zoho' AND state = 'in_flight') AS value";
        Ok(u64::try_from(self.number(sql).await?)?)
    }

    /// The time from the first attempt to deliver a grade to the end of the last one.
    pub(crate) async fn delivery_seconds(&self) -> Result<f64, Failed> {
        let sql =
            "SELECT max(started_at + duration_ms) - min(started_at) AS value FROM sync_attempts WHERE kind = 'grade'";
        Ok(self.number(sql).await? as f64 / 1_000.0)
    }

    /// Starts counting statements; false if that is not possible.
    pub(crate) async fn count_statements(&self) -> Result<bool, Failed> {
        if self.url.starts_with("sqlite") {
            return Ok(false);
        }
        let connection = Connector::connect(&self.url).await?;
        // The extension must be loaded when the server starts, as scripts/bench does.
        let made = connection.execute_unprepared("CREATE EXTENSION IF NOT EXISTS pg_stat_statements").await;
        let begun = connection.execute_unprepared("SELECT pg_stat_statements_reset()").await;
        connection.close().await?;
        Ok(made.and(begun).is_ok())
    }

    /// The statements since then.
    pub(crate) async fn statements(&self) -> Result<i64, Failed> {
        self.number(
            "SELECT CAST(coalesce(sum(calls), 0) AS bigint) AS value FROM pg_stat_statements \
             WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await
    }

    async fn number(&self, sql: &str) -> Result<i64, Failed> {
        let connection = Connector::connect(&self.url).await?;
        let number = value::<i64>(&connection, sql).await;
        connection.close().await?;
        number
    }

    /// Its size on disk in bytes, including its log.
    pub(crate) async fn bytes(&self) -> Result<u64, Failed> {
        if self.url.starts_with("sqlite") {
            let files = fs::read_dir(&self.folder)?.filter_map(Result::ok);
            let files = files.filter(|file| file.file_name().to_string_lossy().starts_with("bench.sqlite"));
            return Ok(files.filter_map(|file| Some(file.metadata().ok()?.len())).sum());
        }
        Ok(u64::try_from(self.number("SELECT pg_database_size(current_database()) AS value").await?)?)
    }
}

async fn value<T: sea_orm::TryGetable>(connection: &DatabaseConnection, sql: &str) -> Result<T, Failed> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await?.ok_or("the database answered nothing")?;
    Ok(row.try_get("", "value")?)
}

/// Removes the folders of runs that were killed.
fn remove_left_behind(parent: &Path) -> Result<(), Failed> {
    for entry in fs::read_dir(parent).into_iter().flatten() {
        let entry = entry?;
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(FOLDER));
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// The URL with another database in its path.
fn with_database(url: &str, name: &str) -> String {
    let (before, query) = url.split_once('?').map_or((url, String::new()), |(url, query)| (url, format!("?{query}")));
    let (scheme, rest) = before.split_once("://").unwrap_or(("postgres", before));
    let host = rest.split('/').next().unwrap_or(rest);
    format!("{scheme}://{host}/{name}{query}")
}
