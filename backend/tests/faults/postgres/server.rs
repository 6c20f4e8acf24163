//! One PostgreSQL server of the harness: a folder, a port, a process.

use std::{
    fs::{self, File, OpenOptions},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::Child,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{
    programs::{Programs, run},
    sql::Sql,
};
use crate::Failed;

/// The time-out for starting or stopping, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The interval of checks meanwhile.
const REST: Duration = Duration::from_millis(50);

/// The harness's user, and the product's role and database.
const SUPERUSER: &str = "postgres";
pub(crate) const PRODUCT: &str = "sync";

/// The ways to stop a server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// Waits for its clients.
    #[expect(dead_code, reason = "waits for ever while the product is connected")]
    Smart,
    /// Disconnects its clients.
    Fast,
    /// Without a checkpoint: the next start recovers.
    Immediate,
}

/// Where the parts of a server are that may be on a disk of their own.
#[derive(Clone, Default)]
pub(crate) struct Place {
    /// The folder of the write-ahead log.
    pub(crate) wal: Option<PathBuf>,
    /// The network namespace, and its address from outside.
    pub(crate) namespace: Option<(String, Ipv4Addr)>,
}

/// A server. Dropping it kills it and removes its data.
pub(crate) struct Server {
    programs: Programs,
    folder: TempDir,
    place: Place,
    password: String,
    port: u16,
    name: &'static str,
    process: Option<Child>,
}

impl Server {
    /// A new, empty, running server with the product's role and database.
    pub(crate) async fn create(programs: &Programs, name: &'static str, place: Place) -> Result<Self, Failed> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        let mut server = Self::prepare(programs, name, place, hex::encode(bytes))?;
        server.initialise()?;
        server.start().await?;
        // Not a superuser, as in any deployment.
        let role = format!("CREATE ROLE {PRODUCT} LOGIN PASSWORD '{}'", server.password);
        server.sql().execute(&role).await?;
        Ok(server)
    }

    /// A hot standby of `primary`, with streaming replication.
    pub(crate) async fn standby_of(primary: &Self, name: &'static str) -> Result<Self, Failed> {
        let mut standby = Self::prepare(&primary.programs, name, Place::default(), primary.password.clone())?;
        let source = primary.address();
        let mut copy = primary.programs.command("pg_basebackup");
        copy.args(["--host", &source.ip().to_string(), "--port", &source.port().to_string()]);
        copy.args(["--username", SUPERUSER, "--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf"]);
        copy.arg("--pgdata").arg(standby.data()).env("PGPASSWORD", &primary.password);
        run(copy.current_dir(standby.folder.path()))?;
        standby.start().await?;
        Ok(standby)
    }

    /// Its folder and its port.
    fn prepare(programs: &Programs, name: &'static str, place: Place, password: String) -> Result<Self, Failed> {
        // Not in /tmp, which may be in memory: then fsync would cost nothing and prove nothing.
        let folder = tempfile::Builder::new().prefix("backend-sync-faults-postgres.").tempdir_in("/var/tmp")?;
        programs.give(folder.path())?;
        let port = free_port()?;
        Ok(Self { programs: programs.clone(), folder, place, password, port, name, process: None })
    }

    fn initialise(&self) -> Result<(), Failed> {
        let password = self.folder.path().join("password");
        fs::write(&password, &self.password)?;
        self.programs.give(&password)?;
        let mut initdb = self.programs.command("initdb");
        // With a password, because any user of this machine can connect; in plain text, because hashing takes a debug
        // build a second. Small segments let a small disk hold the log.
        initdb.args(["--username", SUPERUSER, "--auth=password", "--encoding=UTF8", "--locale=C"]);
        initdb.args(["--no-sync", "--wal-segsize=1"]).arg("--pwfile").arg(&password).arg("--pgdata").arg(self.data());
        if let Some(wal) = &self.place.wal {
            initdb.arg("--waldir").arg(wal);
        }
        run(initdb.current_dir(self.folder.path()))?;
        // Connections over a network of the harness.
        let access = "host all all samenet password\nhost replication all samenet password\n";
        let file = self.data().join("pg_hba.conf");
        let mut rules = fs::read_to_string(&file)?;
        rules.push_str(access);
        Ok(fs::write(&file, rules)?)
    }

    /// Starts it and waits until it accepts connections.
    pub(crate) async fn start(&mut self) -> Result<(), Failed> {
        self.spawn()?;
        let deadline = Instant::now() + PATIENCE;
        while self.sql().execute("SELECT 1").await.is_err() {
            if !self.is_running() || Instant::now() > deadline {
                return Err(format!("PostgreSQL did not start:\n{}", self.log()).into());
            }
            tokio::time::sleep(REST).await;
        }
        Ok(())
    }

    /// Starts it without waiting.
    pub(crate) fn spawn(&mut self) -> Result<(), Failed> {
        let log = OpenOptions::new().create(true).append(true).open(self.log_file())?;
        let within: Vec<&str> = match &self.place.namespace {
            Some((namespace, _)) => vec!["ip", "netns", "exec", namespace],
            None => Vec::new(),
        };
        let mut postgres = self.programs.command_within("postgres", &within);
        postgres.arg("-D").arg(self.data()).current_dir(self.folder.path());
        let (listen, port) = (format!("listen_addresses={}", self.address().ip()), format!("port={}", self.port));
        let name = format!("cluster_name={}", self.name);
        for setting in [&listen, &port, &name].map(String::as_str).into_iter().chain(SETTINGS) {
            postgres.args(["-c", setting]);
        }
        self.process = Some(postgres.stdout(File::create("/dev/null")?).stderr(log).spawn()?);
        Ok(())
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(&mut self, how: Stop) -> Result<(), Failed> {
        let Some(process) = &mut self.process else { return Ok(()) };
        let signal = match how {
            Stop::Smart => Signal::TERM,
            Stop::Fast => Signal::INT,
            Stop::Immediate => Signal::QUIT,
        };
        if process.try_wait()?.is_none() {
            kill_process(Pid::from_child(process), signal)?;
        }
        let deadline = Instant::now() + PATIENCE;
        while process.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return Err(format!("PostgreSQL did not stop ({how:?})").into());
            }
            tokio::time::sleep(REST).await;
        }
        self.process = None;
        Ok(())
    }

    /// `kill -9` of all its processes at once, like a power failure.
    pub(crate) fn kill(&mut self) -> Result<(), Failed> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let postmaster = Pid::from_child(&process);
        // Stopped first, so that it starts no process that is missed.
        if kill_process(postmaster, Signal::STOP).is_ok() {
            let children = children_of(process.id())?;
            process.kill()?;
            for child in &children {
                // One may have ended by itself.
                let _ = kill_process(*child, Signal::KILL);
            }
            // A zombie counts as gone: where the harness is the first process of a namespace, nothing reaps it.
            let gone = |child: &Pid| stat(child.as_raw_nonzero().get()).is_none_or(|(state, _)| state == "Z");
            let deadline = Instant::now() + PATIENCE;
            while !children.iter().all(gone) && Instant::now() < deadline {
                std::thread::sleep(REST);
            }
        }
        process.wait()?;
        Ok(())
    }

    /// Whether its process exists.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    /// Makes a standby the primary.
    pub(crate) async fn promote(&self) -> Result<(), Failed> {
        match self.sql().value::<bool>("SELECT pg_promote(true, 60)").await? {
            true => Ok(()),
            false => Err(format!("the standby was not promoted:\n{}", self.log()).into()),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        let ip = self.place.namespace.as_ref().map_or(Ipv4Addr::LOCALHOST, |(_, address)| *address);
        SocketAddr::new(IpAddr::V4(ip), self.port)
    }

    /// The superuser in the database that initdb created, without any relay.
    pub(crate) fn sql(&self) -> Sql {
        self.sql_in(SUPERUSER)
    }

    /// The superuser in a database.
    pub(crate) fn sql_in(&self, database: &str) -> Sql {
        Sql::new(format!("postgres://{SUPERUSER}:{}@{}/{database}", self.password, self.address()))
    }

    /// The product's URL of its database through this address.
    pub(crate) fn product_url(&self, way_in: SocketAddr) -> String {
        format!("postgres://{PRODUCT}:{}@{way_in}/{PRODUCT}", self.password)
    }

    /// A URL of another role with the product's password.
    pub(crate) fn url_of(&self, role: &str) -> String {
        format!("postgres://{role}:{}@{}/{SUPERUSER}", self.password, self.address())
    }

    /// The name by which a primary knows its standby.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        fs::read(self.log_file()).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A destructor has nobody to report to.
        let _ = self.kill();
    }
}

/// Durability as in Debian (fsync is on by default); the rest keeps a server small.
const SETTINGS: [&str; 8] = [
    "fsync=on",
    "unix_socket_directories=",
    "max_connections=60",
    "shared_buffers=32MB",
    "max_wal_size=32MB",
    "min_wal_size=4MB",
    "wal_keep_size=64MB",
    // A standby soon notices that its primary is back.
    "wal_retrieve_retry_interval=500ms",
];

/// Its child processes.
fn children_of(process: u32) -> Result<Vec<Pid>, Failed> {
    let names = fs::read_dir("/proc")?.filter_map(Result::ok).map(|entry| entry.file_name());
    let ids = names.filter_map(|name| name.to_str()?.parse::<i32>().ok());
    let children = ids.filter(|id| stat(*id).is_some_and(|(_, parent)| parent == process));
    Ok(children.filter_map(Pid::from_raw).collect())
}

/// A process's state and parent; `None` if there is no such process.
fn stat(process: i32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in brackets may contain spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

/// Below 32768, where the kernel's ports for outgoing connections start: a restarted server finds its port free.
fn free_port() -> Result<u16, Failed> {
    for _ in 0..1_000 {
        let port = 20_000 + u16::try_from(getrandom::u32()? % 10_000)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no free port".into())
}
