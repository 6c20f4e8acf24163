//! A PostgreSQL server as it is reached: directly, where settings of a session stay and statements are prepared once,
//! or through a pooler such as PgBouncer.
//!
//! In a pooler's transaction mode each transaction may meet another session. So whatever must be set is set at the
//! beginning of each transaction, everything is done in transactions, and no statement stays prepared. In its session
//! mode that is right too, and the modes cannot be told apart reliably, so every pooler is treated alike.

use std::time::Duration;

use sea_orm::sqlx::{
    self, AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Postgres, Row, Transaction,
    postgres::{PgConnectOptions, PgRow},
};

use super::{
    options::{options, settings},
    settings::{Access, Settings},
};
use crate::{
    limits,
    store::{DatabaseUrl, fault::Fault},
};

/// A start-up parameter that every PostgreSQL accepts, and poolers refuse or drop.
const DIRECT: (&str, &str) = ("backend_sync.direct", "on");

/// SQLSTATE `protocol_violation`: how PgBouncer refuses a start-up parameter.
const PROTOCOL_VIOLATION: &str = "08P01";

const FACTS: &str = "SELECT current_setting('backend_sync.direct', true), current_setting('server_encoding'), \
                     current_setting('server_version_num')::int, current_setting('synchronous_commit')";

/// The pause between two attempts to reach a server that starts.
const START_REST: Duration = Duration::from_millis(200);

/// The time for the first connection of a starting process to PostgreSQL to answer: a busy machine may need more than a
/// request can wait.
const START_WAIT: Duration = Duration::from_secs(20);

/// How a server is reached.
#[derive(Clone)]
pub(in crate::store) struct Server {
    options: PgConnectOptions,
    /// Settings of the session from the URL.
    more: Vec<(String, String)>,
    /// Whether something stands between that shares its sessions among clients.
    is_pooled: bool,
    /// As in 150004.
    version: i32,
}

/// What a server says about a session.
struct Facts {
    is_direct: bool,
    encoding: String,
    version: i32,
    synchronous_commit: String,
}

impl Server {
    /// Finds out how the server is reached, and refuses one that cannot hold our data. Waits a moment for one that is
    /// just starting.
    pub(in crate::store) async fn find(url: &DatabaseUrl) -> Result<Self, sqlx::Error> {
        let options = options(url)?;
        let deadline = tokio::time::Instant::now() + limits::CONNECTION_WAIT;
        loop {
            let rest = deadline.saturating_duration_since(tokio::time::Instant::now());
            // Patient with a slow answer: this is not a request, and giving up would end the process.
            let found = tokio::time::timeout(START_WAIT, Self::look(&options, url)).await;
            let found = found.unwrap_or_else(|_| Err(sqlx::Error::config(Fault::Silent(START_WAIT))));
            match found {
                Err(error) if may_pass(&error) && rest > START_REST => tokio::time::sleep(START_REST).await,
                found => return found,
            }
        }
    }

    async fn look(options: &PgConnectOptions, url: &DatabaseUrl) -> Result<Self, sqlx::Error> {
        let mut connection = match marked(options).connect().await {
            Err(error) if code(&error).as_deref() == Some(PROTOCOL_VIOLATION) => options.connect().await?,
            connection => connection?,
        };
        let facts = read_facts(&mut connection).await?;
        if facts.encoding != "UTF8" {
            return Err(sqlx::Error::config(Fault::Encoding {
                encoding: facts.encoding,
                create: create_line(options),
            }));
        }
        let server =
            Self { options: options.clone(), more: settings(url), is_pooled: !facts.is_direct, version: facts.version };
        if server.is_pooled {
            tracing::info!("the database is reached through a connection pooler: settings go with each transaction");
            // It fails here if the pooler allows no transactions.
            let mut transaction = server.begin(&mut connection, Access::Write).await?;
            check_durability(&read_facts(&mut transaction).await?)?;
            transaction.rollback().await?;
        }
        // Best effort: the connection is of no further use.
        let _ = connection.close().await;
        Ok(server)
    }

    /// A new connection, with everything set.
    pub(in crate::store) async fn connect(&self, access: Access) -> Result<PgConnection, sqlx::Error> {
        if self.is_pooled {
            return self.options.clone().statement_cache_capacity(0).connect().await;
        }
        let options = marked(&self.options).statement_cache_capacity(limits::CACHED_STATEMENTS);
        let mut connection = match options.connect().await {
            Err(error) if code(&error).as_deref() == Some(PROTOCOL_VIOLATION) => {
                return Err(sqlx::Error::config(Fault::Pooler));
            }
            connection => connection?,
        };
        connection.execute(AssertSqlSafe(self.settings(access).for_session())).await?;
        let facts = read_facts(&mut connection).await?;
        if !facts.is_direct {
            return Err(sqlx::Error::config(Fault::Pooler));
        }
        check_durability(&facts)?;
        if let Err(error) = connection.execute(AssertSqlSafe(Settings::helpful().for_session())).await {
            tracing::debug!(%error, "the server's system has no keep-alives");
        }
        Ok(connection)
    }

    /// Whether settings of a session are lost, and prepared statements too.
    pub(in crate::store) fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    /// The statements that begin a transaction, sent as one.
    pub(in crate::store) fn begin_sql(&self, access: Access) -> String {
        let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
        match self.is_pooled {
            true => format!("{begin}; {}", self.settings(access).for_transaction()),
            false => begin.to_owned(),
        }
    }

    /// Begins a transaction of the driver's own.
    pub(in crate::store) async fn begin<'a>(
        &self,
        connection: &'a mut PgConnection,
        access: Access,
    ) -> Result<Transaction<'a, Postgres>, sqlx::Error> {
        connection.begin_with(AssertSqlSafe(self.begin_sql(access))).await
    }

    pub(in crate::store) fn settings(&self, access: Access) -> Settings {
        Settings::new(access, self.version, &self.more)
    }

    /// For connections that are not of our pools; nothing is set there.
    pub(in crate::store) fn plain_options(&self) -> PgConnectOptions {
        self.options.clone().statement_cache_capacity(if self.is_pooled { 0 } else { limits::CACHED_STATEMENTS })
    }
}

fn marked(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().options([DIRECT])
}

async fn read_facts(connection: &mut PgConnection) -> Result<Facts, sqlx::Error> {
    facts_in(&connection.fetch_one(FACTS).await?)
}

fn facts_in(row: &PgRow) -> Result<Facts, sqlx::Error> {
    let direct: Option<String> = row.try_get(0)?;
    Ok(Facts {
        is_direct: direct.as_deref() == Some(DIRECT.1),
        encoding: row.try_get(1)?,
        version: row.try_get(2)?,
        synchronous_commit: row.try_get(3)?,
    })
}

/// What is answered 200 is only durable with this setting, so one that was lost is an error.
fn check_durability(facts: &Facts) -> Result<(), sqlx::Error> {
    match facts.synchronous_commit.as_str() {
        "on" => Ok(()),
        other => Err(sqlx::Error::config(Fault::NotDurable(other.to_owned()))),
    }
}

/// The command that creates such a database as we need.
fn create_line(options: &PgConnectOptions) -> String {
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let name = options.get_database().unwrap_or(options.get_username());
    let [owner, name] =
        [(options.get_username(), "USER"), (name, "NAME")].map(|(text, other)| if plain(text) { text } else { other });
    format!("createdb -E UTF8 -T template0 --locale=C.UTF-8 -O {owner} {name}")
}

pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

/// Whether a connection may succeed soon: the server starts, or has none left at the moment.
pub(super) fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        error => matches!(code(error).as_deref(), Some("53300" | "57P03")),
    }
}
