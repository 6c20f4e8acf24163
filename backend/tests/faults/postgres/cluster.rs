//! A PostgreSQL server, perhaps with a standby, and the product's route to it.

use std::{
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{
    host::Host,
    programs::{Programs, run},
    relay::Relay,
    server::{PRODUCT, Place, Server, Stop},
    sql::Sql,
};
use crate::{Failed, mounts::Mount};

/// The time-out for a standby to catch up.
const PATIENCE: Duration = Duration::from_secs(120);

/// The names of the two servers, which alternate as the primary.
const NAMES: [&str; 2] = ["one", "two"];

/// What it has besides a primary.
#[derive(Default)]
pub(crate) struct Parts {
    /// A standby to which each commit is replicated before it succeeds.
    pub(crate) standby: bool,
    /// The write-ahead log on its own disk, and the product's tables on another.
    pub(crate) own_disks: bool,
    /// The primary on its own host; the product uses that host's address instead of the relay.
    pub(crate) host: Option<Host>,
}

/// Disks that can be filled. Dropped after the server.
pub(crate) struct Disks {
    pub(crate) wal: Mount,
    pub(crate) tables: Mount,
    folder: TempDir,
}

/// The servers and the route to them.
pub(crate) struct Cluster {
    pub(crate) relay: Relay,
    pub(crate) primary: Server,
    pub(crate) standby: Option<Server>,
    pub(crate) disks: Option<Disks>,
    /// The host of the first primary; `None` for this machine.
    host: Option<Host>,
    /// The address that the product connects to, whichever server answers there.
    way_in: SocketAddr,
}

impl Cluster {
    /// Starts it, with an empty database for the product.
    pub(crate) async fn start(programs: &Programs, parts: Parts) -> Result<Self, Failed> {
        let disks = if parts.own_disks { Some(Disks::mount(programs)?) } else { None };
        let wal = disks.as_ref().map(|disks| disks.folder.path().join(WAL).join("data"));
        let namespace = parts.host.as_ref().map(|host| (host.namespace().to_owned(), host.address()));
        let primary = Server::create(programs, NAMES[0], Place { wal, namespace }).await?;
        let mut create = format!("CREATE DATABASE {PRODUCT} OWNER {PRODUCT}");
        if let Some(disks) = &disks {
            let folder = disks.folder.path().join(TABLES);
            primary.sql().execute(&format!("CREATE TABLESPACE apart LOCATION '{}'", folder.display())).await?;
            create.push_str(" TABLESPACE apart");
        }
        primary.sql().execute(&create).await?;
        let relay = Relay::start(primary.address()).await?;
        let way_in = if parts.host.is_some() { primary.address() } else { relay.address() };
        let mut cluster = Self { relay, primary, standby: None, disks, host: parts.host, way_in };
        if parts.standby {
            cluster.add_standby().await?;
        }
        Ok(cluster)
    }

    /// Creates the product's tables, so that it starts without `--new-database`.
    pub(crate) fn set_up(&self, program: &Path) -> Result<(), Failed> {
        self.migrate(program, &["--new-database"])
    }

    /// Creates or updates the product's tables.
    pub(crate) fn migrate(&self, program: &Path, flags: &[&str]) -> Result<(), Failed> {
        let mut migrate = Command::new(program);
        migrate.arg("migrate").args(flags).env("BACKEND_SYNC_DATABASE_URL", self.own_url());
        run(&mut migrate).map(drop)
    }

    /// Gives the primary a standby, and makes each commit wait for it.
    pub(crate) async fn add_standby(&mut self) -> Result<(), Failed> {
        let name = NAMES.into_iter().find(|name| *name != self.primary.name()).unwrap_or(NAMES[1]);
        self.standby = Some(Server::standby_of(&self.primary, name).await?);
        self.replicate_synchronously(name).await
    }

    async fn replicate_synchronously(&self, name: &str) -> Result<(), Failed> {
        let sql = self.primary.sql();
        sql.execute(&format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'")).await?;
        sql.execute("SELECT pg_reload_conf()").await?;
        self.standby_follows().await
    }

    /// Waits until each commit is replicated.
    pub(crate) async fn standby_follows(&self) -> Result<(), Failed> {
        let deadline = Instant::now() + PATIENCE;
        let states = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'";
        while !self.primary.sql().values::<String>(states).await?.iter().any(|state| state == "sync") {
            if Instant::now() > deadline {
                return Err(format!("the standby does not follow:\n{}", self.primary.log()).into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Silences the primary.
    pub(crate) fn vanish(&self) -> Result<(), Failed> {
        self.relay.vanish();
        self.host.as_ref().map_or(Ok(()), Host::vanish)
    }

    /// Promotes the standby and switches the route to it. Returns the old primary, unchanged.
    pub(crate) async fn promote(&mut self) -> Result<Server, Failed> {
        let standby = self.standby.take().ok_or("there is no standby to promote")?;
        standby.promote().await?;
        if let Some(host) = &mut self.host {
            host.take_over_address()?;
            self.relay = Relay::start_on(self.way_in, standby.address()).await?;
        } else {
            self.relay.switch(standby.address());
        }
        Ok(std::mem::replace(&mut self.primary, standby))
    }

    /// The standby, if it has one at the moment.
    pub(crate) fn standby(&self) -> Result<&Server, Failed> {
        self.standby.as_ref().ok_or_else(|| "there is no standby".into())
    }

    /// Starts the primary if it is not running, as an operator does, and waits until it accepts connections.
    pub(crate) async fn revive(&mut self) -> Result<(), Failed> {
        if self.primary.is_running() && self.primary.sql().execute("SELECT 1").await.is_ok() {
            return Ok(());
        }
        self.primary.stop(Stop::Immediate).await?;
        self.primary.start().await
    }

    /// The superuser in the product's database, without the relay.
    pub(crate) fn sql(&self) -> Sql {
        self.primary.sql_in(PRODUCT)
    }

    /// The URL that the product is configured with.
    pub(crate) fn url(&self) -> String {
        self.primary.product_url(self.way_in)
    }

    /// The product's role and database, without the relay.
    pub(crate) fn own_url(&self) -> String {
        self.primary.product_url(self.primary.address())
    }

    /// The product's role, by the product's route.
    pub(crate) fn as_product(&self) -> Sql {
        Sql::new(self.url())
    }
}

/// Where the disks are mounted.
const WAL: &str = "wal";
const TABLES: &str = "tables";

impl Disks {
    fn mount(programs: &Programs) -> Result<Self, Failed> {
        let folder = tempfile::Builder::new().prefix("backend-sync-faults-disks.").tempdir_in("/var/tmp")?;
        programs.give(folder.path())?;
        let mount = |name| {
            let place = folder.path().join(name);
            std::fs::create_dir(&place)?;
            let mounted = Mount::memory(&place)?;
            programs.give(&place)?;
            Ok::<_, Failed>(mounted)
        };
        let (wal, tables) = (mount(WAL)?, mount(TABLES)?);
        Ok(Self { wal, tables, folder })
    }
}
