//! A database for one test, on either engine, and SQL that bypasses the server.

use std::{path::PathBuf, sync::OnceLock};

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, QueryResult, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{command, random::new_uuid, server::Tokens};

/// The name of the file of a SQLite database.
const SQLITE_FILE: &str = "test.sqlite";

const POSTGRES_VARIABLE: &str = "TEST_POSTGRES_URL";

/// Created for the test, and removed when dropped.
pub(crate) struct Database {
    pub(crate) url: String,
    /// For the server's output, and for SQLite's file.
    pub(crate) folder: TempDir,
    postgres: Option<PostgresDatabase>,
    /// The tokens that the first server start on it printed.
    pub(crate) tokens: OnceLock<Tokens>,
}

struct PostgresDatabase {
    server_url: String,
    name: String,
    /// PostgreSQL starts a process for each connection, and tests query often.
    connection: OnceCell<DatabaseConnection>,
}

impl Database {
    /// With all tables, all empty.
    pub(crate) fn sqlite() -> Self {
        /// The file of one, to be copied.
        static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
        let (database, template) = (Self::empty_sqlite(), TEMPLATE.get_or_init(migrated_sqlite));
        std::fs::write(database.file(SQLITE_FILE), template).unwrap();
        database
    }

    /// Without a file.
    pub(crate) fn empty_sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite://{}", folder.path().join(SQLITE_FILE).display());
        Self { url, folder, postgres: None, tokens: OnceLock::new() }
    }

    /// With all tables, all empty.
    pub(crate) async fn postgres() -> Self {
        /// A template, kept for the life of the PostgreSQL server. Copying it takes a tenth of the time of the
        /// migrations.
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let server_url = postgres_url();
        let template = TEMPLATE.get_or_init(|| migrated(&server_url)).await;
        Self::create(server_url, &format!("TEMPLATE {template}")).await
    }

    /// Without tables.
    pub(crate) async fn empty_postgres() -> Self {
        Self::create(postgres_url(), "").await
    }

    async fn create(server_url: String, options: &str) -> Self {
        let name = format!("it_{}", new_uuid().simple());
        execute_at(&server_url, &format!("CREATE DATABASE {name} {options}")).await;
        let url = url_of(&server_url, &name);
        let postgres = Some(PostgresDatabase { server_url, name, connection: OnceCell::new() });
        Self { url, folder: TempDir::new().unwrap(), postgres, tokens: OnceLock::new() }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.postgres.is_some()
    }

    /// A path beside the database where no file exists yet.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A connection of the test's own.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        connect(&self.url).await
    }

    pub(crate) async fn execute(&self, sql: &str) {
        execute_at(&self.url, sql).await;
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<QueryResult> {
        let Some(postgres) = &self.postgres else {
            // Not cached: SQLite's write-ahead log stays until its last connection is closed.
            let connection = self.connect().await;
            let rows = query(&connection, sql).await;
            connection.close().await.unwrap();
            return rows;
        };
        query(postgres.connection.get_or_init(|| self.connect()).await, sql).await
    }

    /// The rows of a query with one text column.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<Option<String>> {
        self.rows(sql).await.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }

    /// The result of a query for one number.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.rows(sql).await.first().unwrap().try_get_by_index(0).unwrap()
    }

    /// Takes the lock that every transaction of the server's writer needs, until the transaction is dropped.
    pub(crate) async fn hold_writers_lock(&self) -> DatabaseTransaction {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let transaction = self.connect().await.begin_with_options(options).await.unwrap();
        if self.is_postgres() {
            transaction.execute_unprepared("SELECT value FROM counters FOR UPDATE").await.unwrap();
        }
        transaction
    }

    /// Makes a PostgreSQL database read-only or writable, and ends all sessions that do not know of it yet.
    pub(crate) async fn set_read_only(&self, read_only: bool) {
        let PostgresDatabase { server_url, name, .. } = self.postgres.as_ref().unwrap();
        let value = if read_only { "on" } else { "off" };
        execute_at(server_url, &format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}")).await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname =";
        execute_at(server_url, &format!("{end} '{name}'")).await;
    }

    /// Makes the database itself refuse users of this name, as no validation does.
    pub(crate) async fn refuse_user(&self, username: &str) {
        if self.is_postgres() {
            self.execute(&format!(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN IF NEW.username = ''{username}'' THEN RAISE EXCEPTION ''poison''; END IF; RETURN NEW; END'"
            ))
            .await;
            self.execute(
                "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION refuse()",
            )
            .await;
            return;
        }
        for action in ["INSERT", "UPDATE"] {
            self.execute(&format!(
                "CREATE TRIGGER refuse_{action} BEFORE {action} ON users WHEN NEW.username = '{username}' \
                 BEGIN SELECT RAISE(ABORT, 'poison'); END"
            ))
            .await;
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(PostgresDatabase { server_url, name, .. }) = self.postgres.take() else { return };
        // On its own thread and runtime, because a destructor cannot wait for the test's.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute_at(&server_url, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
        });
        if dropping.join().is_err() {
            eprintln!("a database of this test could not be dropped");
        }
    }
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|options| options.busy_timeout(std::time::Duration::from_secs(20)));
    sea_orm::Database::connect(options).await.unwrap()
}

/// The server for tests with `postgres` in their names.
fn postgres_url() -> String {
    std::env::var(POSTGRES_VARIABLE).unwrap_or_else(|_| {
        panic!("{POSTGRES_VARIABLE} names no PostgreSQL (scripts/test starts one); to test SQLite alone: -- --skip postgres")
    })
}

fn url_of(server_url: &str, name: &str) -> String {
    let (server, _) = server_url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// Creates a database with all tables; returns its name.
async fn migrated(server_url: &str) -> String {
    let name = format!("it_template_{}", new_uuid().simple());
    execute_at(server_url, &format!("CREATE DATABASE {name}")).await;
    let output = command(&url_of(server_url, &name)).arg("migrate").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    name
}

/// A SQLite database with all tables, which no marker file knows yet.
fn migrated_sqlite() -> Vec<u8> {
    let database = Database::empty_sqlite();
    let output = command(&database.url).arg("migrate").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut file = std::fs::read(database.file(SQLITE_FILE)).unwrap();
    // Its number (user_version in the header), or all copies would be the same database.
    file[60..64].fill(0);
    file
}

async fn query(connection: &DatabaseConnection, sql: &str) -> Vec<QueryResult> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    connection.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

async fn execute_at(url: &str, sql: &str) {
    let connection = connect(url).await;
    connection.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    connection.close().await.unwrap();
}
