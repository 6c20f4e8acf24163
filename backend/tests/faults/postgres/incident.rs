//! Incidents of a PostgreSQL server: how each begins, ends, and shows.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, TransactionTrait};

use super::{
    cluster::{Cluster, Disks},
    server::{PRODUCT, Stop},
    sql::Sql,
};
use crate::Failed;

/// The delay of each chunk on a slow route: a transaction of a few round trips takes a second.
const DELAY: Duration = Duration::from_millis(100);

/// The time until all sessions have read a changed setting.
const RELOAD: Duration = Duration::from_secs(1);

/// No long wait for a lock: another fault may have to end first, and cannot meanwhile.
const BRIEFLY: &str = "SET lock_timeout = '2s'";

/// The time-out for taking all connections.
const PATIENCE: Duration = Duration::from_secs(60);

/// The role that takes all connections. Not a superuser: some connections are reserved for those.
const HOG: &str = "hog";

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Incident {
    /// `kill -9` of all processes.
    Killed,
    /// Restarted by an operator, which disconnects its clients.
    RestartedFast,
    /// The same without a checkpoint, so that it recovers.
    RestartedImmediately,
    /// The primary is killed, the standby promoted. Needs a standby.
    Promoted,
    /// The route drops everything silently.
    Vanished,
    /// Connections are reset and new ones refused: a proxy without a server.
    Refused,
    /// Each chunk is delayed.
    Slow,
    /// `default_transaction_read_only`, which an operator sets for maintenance, or a hosting service when the disk is
    /// nearly full.
    ReadOnly,
    /// The route leads to the standby. Needs a standby.
    OnStandby,
    /// No room for the tables. Needs disks of its own.
    TablesFull,
    /// No room for the write-ahead log, which ends the server. Needs disks of its own.
    WalFull,
    /// Another role holds all connections.
    NoConnections,
    /// Row security without a policy, forced on the owner too.
    RowSecurity,
    /// Another session holds a lock on the table of events.
    Locked,
    /// An operator ends all sessions of the product.
    Terminated,
}

/// What must be kept while it lasts.
pub(crate) enum Kept {
    Nothing,
    Connections(Vec<DatabaseConnection>),
    Lock(DatabaseTransaction),
    /// The number of sessions ended, or a count from before it began.
    Number(u64),
    /// Evidence from the moment it began.
    Done(String),
}

impl Incident {
    /// Whether no event can be stored while it lasts, unless something else ends it early.
    pub(crate) fn stores_nothing(self) -> bool {
        match self {
            Self::Killed | Self::Vanished | Self::Refused | Self::ReadOnly => true,
            Self::OnStandby | Self::NoConnections | Self::RowSecurity | Self::Locked => true,
            // These are over at once, or not complete: existing files may have room.
            Self::RestartedFast | Self::RestartedImmediately | Self::Promoted | Self::Terminated => false,
            Self::Slow | Self::TablesFull | Self::WalFull => false,
        }
    }

    /// Begins it.
    pub(crate) async fn begin(self, cluster: &mut Cluster) -> Result<Kept, Failed> {
        let sql = cluster.sql();
        match self {
            Self::Killed => cluster.primary.kill()?,
            Self::RestartedFast => return cluster.restart(Stop::Fast).await,
            Self::RestartedImmediately => return cluster.restart(Stop::Immediate).await,
            Self::Promoted => {
                cluster.primary.kill()?;
                drop(cluster.promote().await?);
                return cluster.up_since().await;
            }
            Self::Vanished => {
                let [held, ..] = cluster.relay.counted();
                cluster.relay.vanish();
                return Ok(Kept::Number(held));
            }
            Self::Refused => cluster.relay.refuse().await?,
            Self::Slow => {
                let [_, late, _] = cluster.relay.counted();
                cluster.relay.slow_down(DELAY);
                return Ok(Kept::Number(late));
            }
            Self::ReadOnly => set(&sql, "default_transaction_read_only", Some("on")).await?,
            Self::OnStandby => cluster.relay.switch(cluster.standby()?.address()),
            Self::TablesFull => cluster.disks()?.tables.fill(0)?,
            Self::WalFull => cluster.disks()?.wal.fill(0)?,
            Self::NoConnections => return Ok(Kept::Connections(take_all_connections(cluster).await?)),
            Self::RowSecurity => {
                let alter = "ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY";
                sql.execute(&format!("{BRIEFLY}; {alter}")).await?;
            }
            Self::Locked => {
                let lock = sql.connect().await?.begin().await?;
                lock.execute_unprepared(BRIEFLY).await?;
                lock.execute_unprepared("LOCK TABLE events IN ACCESS EXCLUSIVE MODE").await?;
                return Ok(Kept::Lock(lock));
            }
            Self::Terminated => return Ok(Kept::Number(terminate(&cluster.primary.sql()).await?)),
        }
        Ok(Kept::Nothing)
    }

    /// Evidence from outside the product that it has taken effect; `None` without any (yet).
    pub(crate) async fn seen(self, kept: &Kept, cluster: &Cluster) -> Result<Option<String>, Failed> {
        let refusal = |result: Result<i32, Failed>| result.err().map(|error| error.to_string());
        let [held, late, _] = cluster.relay.counted();
        Ok(match (self, kept) {
            (Self::Killed, _) => refusal(cluster.primary.sql().impatient().value("SELECT 1").await),
            (_, Kept::Done(seen)) => Some(seen.clone()),
            (Self::Vanished, Kept::Number(before)) => {
                (held > *before).then(|| format!("{} pieces swallowed", held - before))
            }
            (Self::Slow, Kept::Number(before)) => (late > *before).then(|| format!("{} pieces late", late - before)),
            (Self::Refused | Self::NoConnections, _) => {
                refusal(cluster.as_product().impatient().value("SELECT 1").await)
            }
            (Self::ReadOnly | Self::OnStandby, _) => {
                let read_only = cluster.as_product().value::<String>("SHOW transaction_read_only").await?;
                (read_only == "on").then(|| "transactions are read-only".to_owned())
            }
            // Each of these servers is new, so its log has no older messages.
            (Self::TablesFull | Self::WalFull, _) => {
                cluster.primary.log().lines().rev().find(|line| line.contains("No space left")).map(str::to_owned)
            }
            (Self::RowSecurity, _) => {
                let seen: i64 = cluster.as_product().value("SELECT count(*) FROM events").await?;
                let there: i64 = cluster.sql().value("SELECT count(*) FROM events").await?;
                (seen < there).then(|| format!("{seen} of {there} events seen"))
            }
            (Self::Locked, _) => {
                let waiting: i64 = cluster.sql().value(WAITING_FOR_LOCKS).await?;
                (waiting > 0).then(|| format!("{waiting} sessions wait for the lock"))
            }
            (Self::Terminated, Kept::Number(count)) => (*count > 0).then(|| format!("{count} sessions ended")),
            (Self::Vanished | Self::Slow | Self::Terminated, _)
            | (Self::RestartedFast | Self::RestartedImmediately | Self::Promoted, _) => None,
        })
    }

    /// Ends it. The product must then recover by itself.
    pub(crate) async fn end(self, cluster: &mut Cluster) -> Result<(), Failed> {
        match self {
            Self::Killed => cluster.revive().await?,
            // A new standby replaces the old one.
            Self::Promoted if cluster.standby.is_none() => cluster.add_standby().await?,
            Self::RestartedFast | Self::RestartedImmediately | Self::Promoted | Self::Terminated => {}
            Self::Vanished | Self::Refused => cluster.relay.heal(),
            Self::Slow => cluster.relay.slow_down(Duration::ZERO),
            Self::ReadOnly => set(&cluster.sql(), "default_transaction_read_only", None).await?,
            Self::OnStandby => cluster.relay.switch(cluster.primary.address()),
            Self::TablesFull => cluster.disks()?.tables.make_room()?,
            Self::WalFull => {
                cluster.disks()?.wal.make_room()?;
                cluster.revive().await?;
            }
            Self::RowSecurity => {
                let alter = "ALTER TABLE events DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY";
                cluster.sql().execute(&format!("{BRIEFLY}; {alter}")).await?;
            }
            // Dropping what was kept ends them.
            Self::NoConnections | Self::Locked => {}
        }
        Ok(())
    }
}

impl Kept {
    /// Releases it; returns whether it lasted until now.
    pub(crate) async fn let_go(self) -> bool {
        match self {
            Self::Nothing | Self::Number(_) | Self::Done(_) => true,
            Self::Lock(lock) => lock.execute_unprepared("SELECT 1").await.is_ok() & lock.rollback().await.is_ok(),
            Self::Connections(connections) => {
                let mut lasted = true;
                for connection in connections {
                    lasted &= connection.execute_unprepared("SELECT 1").await.is_ok();
                    lasted &= connection.close().await.is_ok();
                }
                lasted
            }
        }
    }
}

impl Cluster {
    fn disks(&self) -> Result<&Disks, Failed> {
        self.disks.as_ref().ok_or_else(|| "it has no disks of its own".into())
    }

    async fn restart(&mut self, how: Stop) -> Result<Kept, Failed> {
        self.primary.stop(how).await?;
        self.primary.start().await?;
        self.up_since().await
    }

    async fn up_since(&self) -> Result<Kept, Failed> {
        let since = self.primary.sql().value::<String>(UP_SINCE).await?;
        Ok(Kept::Done(format!("{} up since {since}", self.primary.name())))
    }
}

const UP_SINCE: &str = "SELECT CAST(pg_postmaster_start_time() AS text)";

const WAITING_FOR_LOCKS: &str =
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = CAST('events' AS regclass)";

/// Whether that role has all connections except the reserved ones.
const ALL_TAKEN: &str = "SELECT count(*) >= CAST(current_setting('max_connections') AS integer) \
    - CAST(current_setting('superuser_reserved_connections') AS integer) FROM pg_stat_activity WHERE usename = 'hog'";

/// Changes a setting of the whole server; existing sessions follow with their next statement.
async fn set(sql: &Sql, name: &str, value: Option<&str>) -> Result<(), Failed> {
    // ALTER SYSTEM works in a read-only transaction too.
    let reset = || format!("ALTER SYSTEM RESET {name}");
    sql.execute(&value.map_or_else(reset, |value| format!("ALTER SYSTEM SET {name} = {value}"))).await?;
    sql.execute("SELECT pg_reload_conf()").await?;
    tokio::time::sleep(RELOAD).await;
    Ok(())
}

/// Ends the product's sessions; returns their number.
async fn terminate(sql: &Sql) -> Result<u64, Failed> {
    let ended = format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{PRODUCT}'");
    Ok(u64::try_from(sql.value::<i64>(&ended).await?)?)
}

/// Takes every connection that is not reserved for superusers, including the product's.
async fn take_all_connections(cluster: &Cluster) -> Result<Vec<DatabaseConnection>, Failed> {
    let sql = cluster.primary.sql();
    let there: bool = sql.value(&format!("SELECT count(*) > 0 FROM pg_roles WHERE rolname = '{HOG}'")).await?;
    if !there {
        sql.execute(&format!("CREATE ROLE {HOG} LOGIN PASSWORD '{}'", cluster.primary.password())).await?;
    }
    let hog = Sql::new(cluster.primary.url_of(HOG)).impatient();
    let mut taken = Vec::new();
    // The product reconnects as fast as it can, so continue until none is left for it. A time-out on a busy machine is
    // not yet evidence of that.
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        while let Ok(connection) = hog.connect().await {
            taken.push(connection);
        }
        if sql.value::<bool>(ALL_TAKEN).await? {
            return Ok(taken);
        }
        terminate(&sql).await?;
    }
    Err("the product kept some connections".into())
}
