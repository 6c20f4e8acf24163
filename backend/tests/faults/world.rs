//! The world of one case: a new database, a server on it, senders and a watcher, all on loopback.

use std::{
    collections::BTreeMap,
    fmt, fs,
    net::SocketAddr,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use clap::ValueEnum;
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::{
    Failed,
    book::Book,
    fault::Need,
    mounts::Mount,
    postgres::{Cluster, Parts},
    programs::{NOBODY, Programs, is_root},
    readiness::Watcher,
    server::{Server, Settings},
    support::zoho::ZohoSimulator,
};

/// The time-out of the first start on a busy machine.
const START_TIME: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DatabaseKind {
    Sqlite,
    Postgres,
}

impl fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

impl DatabaseKind {
    /// Named as on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// What a case needs of its world.
pub(crate) struct Requirements {
    pub(crate) database: DatabaseKind,
    pub(crate) needs: Vec<Need>,
    /// Whether records are delivered.
    pub(crate) destination: bool,
    pub(crate) address: SocketAddr,
}

/// The world. Dropping it ends the server and removes all files.
pub(crate) struct World {
    // Dropped first: the server ends before what it depends on.
    pub(crate) server: Server,
    pub(crate) watcher: Watcher,
    pub(crate) book: Arc<Book>,
    pub(crate) zoho: Option<ZohoSimulator>,
    /// The file system of SQLite's folder, if it has its own.
    pub(crate) disk: Option<Mount>,
    /// That of the register's folder, if it has its own.
    register_disk: Option<Mount>,
    /// PostgreSQL, if that is the database. A fault has exclusive access while it begins or ends.
    cluster: Option<Mutex<Cluster>>,
    pub(crate) home: TempDir,
    needs: Vec<Need>,
}

impl World {
    /// Prepares it and starts the server.
    pub(crate) async fn start(programs: &Programs, requirements: Requirements) -> Result<Self, Failed> {
        // Not in /tmp, which may be in memory: then fsync would cost nothing and prove nothing.
        let home = tempfile::Builder::new().prefix("backend-sync-faults.").tempdir_in("/var/tmp")?;
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755))?;
        let (disk, data) = (home.path().join("disk"), home.path().join(DATA));
        fs::create_dir(&disk)?;
        let on_sqlite = requirements.database == DatabaseKind::Sqlite;
        let disk =
            (on_sqlite && requirements.needs.contains(&Need::OwnDisk)).then(|| Mount::memory(&disk)).transpose()?;
        let register = home.path().join(REGISTER);
        fs::create_dir(&register)?;
        let own_register = requirements.needs.contains(&Need::OwnRegister);
        let register_disk = own_register.then(|| Mount::memory(&register)).transpose()?;
        let unprivileged = requirements.needs.contains(&Need::Unprivileged) && is_root();
        for folder in [&data, &home.path().join("fiu")] {
            fs::create_dir_all(folder)?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
            if unprivileged {
                chown(folder, Some(NOBODY), Some(NOBODY))?;
            }
        }
        let zoho = if requirements.destination { Some(ZohoSimulator::start_set_up().await) } else { None };
        let cluster = if on_sqlite { None } else { Some(Self::start_cluster(programs, &requirements.needs).await?) };
        let sqlite = || format!("sqlite://{}", data.join(DATABASE).display());
        let url = cluster.as_ref().map_or_else(sqlite, Cluster::url);
        let mut environment = BTreeMap::new();
        let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
        set("BACKEND_SYNC_DATABASE_URL", url);
        if own_register {
            set("BACKEND_SYNC_BACKUP__REGISTER", register.join(REGISTER).display().to_string());
        }
        for (name, value) in zoho.iter().flat_map(ZohoSimulator::settings) {
            set(name, value);
        }
        set("LD_PRELOAD", programs.preloaded(&requirements.needs));
        if requirements.needs.contains(&Need::Fiu) {
            set("FIU_CTRL_FIFO", home.path().join("fiu/control").display().to_string());
        }
        if requirements.needs.contains(&Need::Faketime) {
            let file = home.path().join("clock");
            fs::write(&file, "+0")?;
            set("FAKETIME_TIMESTAMP_FILE", file.display().to_string());
            // The file is read each time; intervals are unaffected; files keep their times.
            for name in ["FAKETIME_NO_CACHE", "DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"] {
                set(name, "1".to_owned());
            }
        }
        let program = programs.server.clone();
        let server = Server::start(Settings { program, address: requirements.address, environment, unprivileged });
        let watcher = Watcher::start(requirements.address);
        let cluster = cluster.map(Mutex::new);
        Ok(Self {
            server,
            watcher,
            book: Arc::default(),
            zoho,
            disk,
            register_disk,
            cluster,
            home,
            needs: requirements.needs,
        })
    }

    async fn start_cluster(programs: &Programs, needs: &[Need]) -> Result<Cluster, Failed> {
        let (standby, own_disks) = (needs.contains(&Need::Standby), needs.contains(&Need::OwnDisk));
        let cluster = Cluster::start(programs.postgres()?, Parts { standby, own_disks, host: None }).await?;
        cluster.set_up(&programs.server)?;
        Ok(cluster)
    }

    /// PostgreSQL.
    pub(crate) fn cluster(&self) -> Result<&Mutex<Cluster>, Failed> {
        self.cluster.as_ref().ok_or_else(|| "the database is no PostgreSQL".into())
    }

    /// The token of the site that the first start creates.
    pub(crate) async fn token(&self) -> Result<String, Failed> {
        let deadline = Instant::now() + START_TIME;
        loop {
            if let Some(token) = self.server.printed_word("bss_") {
                return Ok(token);
            }
            if Instant::now() > deadline || !self.server.exits().is_empty() {
                return Err(format!("the server did not start:\n{}", self.server.log().join("\n")).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Makes the server's user the owner of a file.
    pub(crate) fn give(&self, file: &Path) -> Result<(), Failed> {
        if self.has(Need::Unprivileged) && is_root() {
            chown(file, Some(NOBODY), Some(NOBODY))?;
        }
        Ok(())
    }

    /// The observations since `moment`: refused requests, errors in the server's log, readiness.
    pub(crate) fn observed_since(&self, moment: Instant) -> Option<String> {
        let errors = self.server.log_since(moment, "\"level\":\"ERROR\"").len();
        let polls = self.watcher.polls();
        let unready = polls.iter().rev().find(|poll| !poll.ready && poll.asked > moment);
        let seen = [
            self.book.refusals_since(moment),
            (errors > 0).then(|| format!("{errors} errors in the log")),
            unready.map(|poll| format!("readiness: {}", poll.said)),
        ];
        let seen: Vec<String> = seen.into_iter().flatten().collect();
        (!seen.is_empty()).then(|| seen.join(", "))
    }

    pub(crate) fn has(&self, need: Need) -> bool {
        self.needs.contains(&need)
    }

    /// A file or folder of the harness, beside the database.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// SQLite's folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.file(DATA)
    }

    /// SQLite's file, or another one beside it.
    pub(crate) fn database(&self, suffix: &str) -> PathBuf {
        self.data().join(format!("{DATABASE}{suffix}"))
    }

    /// The register.
    pub(crate) fn register(&self) -> PathBuf {
        self.file(REGISTER).join(REGISTER)
    }

    /// The file system of its folder.
    pub(crate) fn register_disk(&self) -> Result<&Mount, Failed> {
        self.register_disk.as_ref().ok_or_else(|| "the register lies on no file system of its own".into())
    }

    /// The file system of SQLite's folder.
    pub(crate) fn own_disk(&self) -> Result<&Mount, Failed> {
        self.disk.as_ref().ok_or_else(|| "SQLite's folder lies on no file system of its own".into())
    }

    /// How the harness reaches the database itself.
    pub(crate) async fn own_url(&self) -> String {
        match &self.cluster {
            Some(cluster) => cluster.lock().await.own_url(),
            None => format!("sqlite://{}", self.database("").display()),
        }
    }
}

/// SQLite's folder, on a disk that may be its own.
const DATA: &str = "disk/data";

/// The register's folder, which may be a file system of its own, and its file there.
const REGISTER: &str = "register";

/// The name of SQLite's file.
const DATABASE: &str = "backend-sync.sqlite";

/// The size of a file, in bytes.
pub(crate) fn size(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len())
}
