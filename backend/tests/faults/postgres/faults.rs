//! What may happen to a PostgreSQL: how it is done, how it ends, how it is seen.

use std::{fmt, time::Duration};

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, TransactionTrait};

use super::{
    cluster::Cluster,
    server::{PRODUCT, Stop},
    sql::Sql,
};
use crate::Failed;

/// How late each piece is when the way is slow: a statement of a few round trips takes a second.
const DELAY: Duration = Duration::from_millis(200);

/// The role that takes all connections. Not a superuser: some are kept for those.
const HOG: &str = "hog";

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `kill -9` of all processes.
    Killed,
    /// Restarted by an operator; clients are thrown out.
    RestartedFast,
    /// The same without a checkpoint, so that it recovers.
    RestartedImmediately,
    /// The primary is killed, the standby promoted. Needs a standby.
    Promoted,
    /// The way swallows everything.
    Vanished,
    /// Connections are reset and new ones refused: a proxy without a server.
    Refused,
    /// Each piece is late.
    Slow,
    /// `default_transaction_read_only`, as an operator sets it for maintenance, or a hosting service when the disk is nearly full.
    ReadOnly,
    /// The way leads to the standby. Needs a standby.
    OnStandby,
    /// No room for the tables. Needs small disks.
    TablesFull,
    /// No room for the write-ahead log, which ends the server. Needs small disks.
    WalFull,
    /// Somebody else has all connections.
    NoConnections,
    /// Row security without a policy, forced on the owner too.
    RowSecurity,
    /// Somebody holds a lock on the table of events.
    Locked,
    /// An operator ends all sessions of the product.
    Terminated,
}

/// A fault that has begun, with what ends it.
pub(crate) struct Applied {
    fault: Fault,
    kept: Kept,
}

enum Kept {
    Nothing,
    Connections(Vec<DatabaseConnection>),
    Lock(DatabaseTransaction),
    /// How many sessions were ended, or what was counted before.
    Number(u64),
}

impl Fault {
    /// All of them.
    pub(crate) const ALL: [Self; 15] = [
        Self::Killed,
        Self::RestartedFast,
        Self::RestartedImmediately,
        Self::Promoted,
        Self::Vanished,
        Self::Refused,
        Self::Slow,
        Self::ReadOnly,
        Self::OnStandby,
        Self::TablesFull,
        Self::WalFull,
        Self::NoConnections,
        Self::RowSecurity,
        Self::Locked,
        Self::Terminated,
    ];

    /// Whether it can happen in this cluster.
    pub(crate) fn fits(self, cluster: &Cluster) -> bool {
        match self {
            Self::Promoted | Self::OnStandby => cluster.standby.is_some(),
            Self::TablesFull | Self::WalFull => cluster.disks.is_some(),
            // Commits would wait for a standby that is not there any more.
            _ => true,
        }
    }

    /// Whether events can be stored while it lasts: it is over as soon as it was done, or is only slow.
    pub(crate) fn lets_events_through(self) -> bool {
        matches!(
            self,
            Self::RestartedFast | Self::RestartedImmediately | Self::Promoted | Self::Slow | Self::Terminated
        )
    }

    /// Begins it.
    pub(crate) async fn apply(self, cluster: &mut Cluster) -> Result<Applied, Failed> {
        let sql = cluster.sql();
        let mut kept = Kept::Nothing;
        match self {
            Self::Killed => cluster.primary.kill()?,
            Self::RestartedFast => restart(cluster, Stop::Fast).await?,
            Self::RestartedImmediately => restart(cluster, Stop::Immediate).await?,
            Self::Promoted => {
                cluster.primary.kill()?;
                drop(cluster.promote().await?);
            }
            Self::Vanished => cluster.relay.vanish(),
            Self::Refused => cluster.relay.refuse().await?,
            Self::Slow => {
                kept = Kept::Number(cluster.relay.counted()[1]);
                cluster.relay.slow_down(DELAY);
            }
            Self::ReadOnly => set(&sql, "default_transaction_read_only", Some("on")).await?,
            Self::OnStandby => {
                let standby = cluster.standby.as_ref().ok_or("there is no standby")?;
                cluster.relay.switch(standby.address());
            }
            Self::TablesFull => cluster.disks.as_ref().ok_or("there are no small disks")?.tables.fill()?,
            Self::WalFull => cluster.disks.as_ref().ok_or("there are no small disks")?.wal.fill()?,
            Self::NoConnections => kept = Kept::Connections(take_all_connections(cluster).await?),
            Self::RowSecurity => {
                sql.execute("ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY").await?;
            }
            Self::Locked => {
                let lock = sql.connect().await?.begin().await?;
                lock.execute_unprepared("LOCK TABLE events IN ACCESS EXCLUSIVE MODE").await?;
                kept = Kept::Lock(lock);
            }
            Self::Terminated => kept = Kept::Number(terminate(&cluster.primary.sql()).await?),
        }
        Ok(Applied { fault: self, kept })
    }
}

impl Applied {
    /// Which one.
    pub(crate) fn fault(&self) -> Fault {
        self.fault
    }

    /// What shows, past the product, that it has taken hold; `None` when nothing does (yet).
    pub(crate) async fn evidence(&self, cluster: &Cluster) -> Result<Option<String>, Failed> {
        let refusal = |result: Result<i32, Failed>| result.err().map(|error| error.to_string());
        Ok(match (self.fault, &self.kept) {
            (Fault::Killed, _) => refusal(cluster.primary.sql().impatient().value("SELECT 1").await),
            // They have waited for their end.
            (Fault::RestartedFast | Fault::RestartedImmediately | Fault::Promoted, _) => {
                Some(format!("up since {}", cluster.primary.sql().value::<String>(UP_SINCE).await?))
            }
            (Fault::Vanished, _) => {
                let [held, ..] = cluster.relay.counted();
                (held > 0).then(|| format!("{held} pieces swallowed"))
            }
            (Fault::Refused, _) => refusal(cluster.as_product().impatient().value("SELECT 1").await),
            (Fault::Slow, Kept::Number(before)) => {
                let late = cluster.relay.counted()[1] - before;
                (late > 0).then(|| format!("{late} pieces late"))
            }
            (Fault::ReadOnly | Fault::OnStandby, _) => {
                let read_only = cluster.as_product().value::<String>("SHOW transaction_read_only").await?;
                (read_only == "on").then(|| "transactions are read-only".to_owned())
            }
            (Fault::TablesFull | Fault::WalFull, _) => {
                let full =
                    cluster.primary.log().lines().rev().find(|line| line.contains("No space left")).map(str::to_owned);
                full.filter(|_| {
                    cluster.disks.as_ref().is_some_and(|disks| disks.wal.is_filled() || disks.tables.is_filled())
                })
            }
            (Fault::NoConnections, _) => refusal(cluster.as_product().impatient().value("SELECT 1").await),
            (Fault::RowSecurity, _) => {
                let seen: i64 = cluster.as_product().value("SELECT count(*) FROM events").await?;
                let there: i64 = cluster.sql().value("SELECT count(*) FROM events").await?;
                (seen < there).then(|| format!("{seen} of {there} events seen"))
            }
            (Fault::Locked, _) => {
                let waiting: i64 = cluster.sql().value(WAITING_FOR_LOCKS).await?;
                (waiting > 0).then(|| format!("{waiting} sessions wait for the lock"))
            }
            (Fault::Terminated, Kept::Number(count)) => (*count > 0).then(|| format!("{count} sessions ended")),
            (Fault::Slow | Fault::Terminated, _) => None,
        })
    }

    /// Ends it. The product must then work again by itself.
    pub(crate) async fn lift(self, cluster: &mut Cluster) -> Result<(), Failed> {
        match (self.fault, self.kept) {
            (Fault::Killed, _) => cluster.primary.start().await?,
            (Fault::RestartedFast | Fault::RestartedImmediately | Fault::Terminated, _) => {}
            // A new standby takes the place of the old one, so that it may happen again.
            (Fault::Promoted, _) => cluster.add_standby().await?,
            (Fault::Vanished | Fault::Refused, _) => cluster.relay.heal(),
            (Fault::Slow, _) => cluster.relay.slow_down(Duration::ZERO),
            (Fault::ReadOnly, _) => set(&cluster.sql(), "default_transaction_read_only", None).await?,
            (Fault::OnStandby, _) => cluster.relay.switch(cluster.primary.address()),
            (Fault::TablesFull, _) => cluster.disks.as_ref().ok_or("there are no small disks")?.tables.make_room()?,
            (Fault::WalFull, _) => {
                cluster.disks.as_ref().ok_or("there are no small disks")?.wal.make_room()?;
                cluster.revive().await?;
            }
            (Fault::RowSecurity, _) => {
                let sql = "ALTER TABLE events DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY";
                cluster.sql().execute(sql).await?;
            }
            (Fault::NoConnections, Kept::Connections(connections)) => {
                for connection in connections {
                    connection.close().await?;
                }
            }
            (Fault::Locked, Kept::Lock(lock)) => lock.rollback().await?,
            (Fault::NoConnections | Fault::Locked, _) => {}
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Killed => "PostgreSQL killed",
            Self::RestartedFast => "PostgreSQL restarted (fast)",
            Self::RestartedImmediately => "PostgreSQL restarted (immediate)",
            Self::Promoted => "PostgreSQL's standby promoted",
            Self::Vanished => "PostgreSQL vanished",
            Self::Refused => "PostgreSQL refuses connections",
            Self::Slow => "PostgreSQL slow",
            Self::ReadOnly => "PostgreSQL read-only",
            Self::OnStandby => "connected to the standby",
            Self::TablesFull => "PostgreSQL's disk full",
            Self::WalFull => "PostgreSQL's disk full (log)",
            Self::NoConnections => "PostgreSQL out of connections",
            Self::RowSecurity => "row security forced",
            Self::Locked => "events locked",
            Self::Terminated => "sessions terminated",
        })
    }
}

const UP_SINCE: &str = "SELECT CAST(pg_postmaster_start_time() AS text)";

const WAITING_FOR_LOCKS: &str =
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = CAST('events' AS regclass)";

async fn restart(cluster: &mut Cluster, how: Stop) -> Result<(), Failed> {
    cluster.primary.stop(how).await?;
    cluster.primary.start().await
}

/// Sets a setting of the whole server; sessions that exist follow with their next statement.
async fn set(sql: &Sql, name: &str, value: Option<&str>) -> Result<(), Failed> {
    // What the superuser does here must work although transactions are read-only by default; ALTER SYSTEM is no transaction.
    let statement = value
        .map_or_else(|| format!("ALTER SYSTEM RESET {name}"), |value| format!("ALTER SYSTEM SET {name} = {value}"));
    sql.execute(&statement).await?;
    sql.execute("SELECT pg_reload_conf()").await
}

/// Ends the product's sessions; returns how many.
async fn terminate(sql: &Sql) -> Result<u64, Failed> {
    let ended = format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{PRODUCT}'");
    Ok(u64::try_from(sql.value::<i64>(&ended).await?)?)
}

/// Takes every connection that is not kept for superusers, those of the product too.
async fn take_all_connections(cluster: &Cluster) -> Result<Vec<DatabaseConnection>, Failed> {
    let sql = cluster.primary.sql();
    let there: bool = sql.value(&format!("SELECT count(*) > 0 FROM pg_roles WHERE rolname = '{HOG}'")).await?;
    if !there {
        sql.execute(&format!("CREATE ROLE {HOG} LOGIN PASSWORD '{}'", cluster.primary.password())).await?;
    }
    let hog = Sql::new(cluster.primary.url_of(HOG)).impatient();
    let mut taken = Vec::new();
    // The product comes back for its own as fast as it can: until it has none.
    let of_product = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{PRODUCT}'");
    for _ in 0..100 {
        while let Ok(connection) = hog.connect().await {
            taken.push(connection);
        }
        if sql.value::<i64>(&of_product).await? == 0 {
            return Ok(taken);
        }
        terminate(&sql).await?;
    }
    Err("the product kept some connections".into())
}
