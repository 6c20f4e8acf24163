//! The real server as a child process, and its cost.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{Failed, database::Database};

const PROGRAM: &str = env!("CARGO_BIN_EXE_backend-sync");

/// The name of the sending site.
pub(crate) const SITE: &str = "college";

/// The time-out for the server's start and stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The site token.
    pub(crate) site_token: String,
    /// An API token with scope `read`.
    pub(crate) api_token: String,
}

/// The resources that the server has used since it started.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// CPU seconds, including the kernel's.
    pub(crate) cpu_seconds: f64,
    /// The peak memory, in bytes.
    pub(crate) peak_bytes: u64,
}

impl Server {
    /// Starts it with its default settings except `settings`.
    pub(crate) async fn start(database: &Database, settings: &[(&str, &str)]) -> Result<Self, Failed> {
        run(database, &[], &["migrate"])?;
        let site_token = token(database, &["site", "add", SITE, "--json"])?;
        let api_token = token(database, &["token", "add", "bench", "--scope", "operate", "--json"])?;
        Self::spawn(database, settings, "server.log", site_token, api_token).await
    }

    /// Starts it on a database that already has these tokens.
    pub(crate) async fn start_on(
        database: &Database,
        settings: &[(&str, &str)],
        site_token: String,
        api_token: String,
    ) -> Result<Self, Failed> {
        Self::spawn(database, settings, "server.log", site_token, api_token).await
    }

    /// Starts another process on the same database.
    pub(crate) async fn another(&self, database: &Database, settings: &[(&str, &str)]) -> Result<Self, Failed> {
        let name =
            format!("server-{}.log", self.child.id() + rustix::process::getpid().as_raw_nonzero().get().unsigned_abs());
        Self::spawn(database, settings, &name, self.site_token.clone(), self.api_token.clone()).await
    }

    async fn spawn(
        database: &Database,
        settings: &[(&str, &str)],
        log: &str,
        site_token: String,
        api_token: String,
    ) -> Result<Self, Failed> {
        let log = database.folder.join(log);
        let child = command(database)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        let mut server = Self { child, log, address: SocketAddr::from(([127, 0, 0, 1], 0)), site_token, api_token };
        server.address = tokio::time::timeout(PATIENCE, server.listening()).await??;
        Ok(server)
    }

    async fn listening(&mut self) -> Result<SocketAddr, Failed> {
        loop {
            let text = fs::read_to_string(&self.log)?;
            if let Some((_, rest)) = text.split_once("serving address=")
                && let Some((address, _)) = rest.split_once(' ')
            {
                return Ok(address.parse()?);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended with {status}:\n{text}").into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Adds the server's output to an error.
    pub(crate) fn explain(&self, error: Failed) -> Failed {
        let state = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let state = state.lines().find(|line| line.starts_with("State:")).unwrap_or("State: gone").to_owned();
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().filter(|line| !line.contains("Received")).collect();
        let last = lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("\n");
        format!("{error}\nThe server's {state}. Its log ends with:\n{last}").into()
    }

    pub(crate) fn usage(&self) -> Result<Usage, Failed> {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()));
        let peak_bytes = peak_bytes_of(self.child.id())?.ok_or("no VmHWM in /proc")?;
        Ok(Usage { cpu_seconds: cpu_seconds(&fs::read_to_string(folder.join("stat"))?)?, peak_bytes })
    }

    /// Stops it as an operator does; it must drain and end without an error.
    pub(crate) async fn stop(mut self) -> Result<(), Failed> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let ended = async {
            loop {
                match self.child.try_wait() {
                    Ok(None) => tokio::time::sleep(Duration::from_millis(10)).await,
                    ended => return ended,
                }
            }
        };
        match tokio::time::timeout(PATIENCE, ended).await?? {
            Some(status) if status.success() => Ok(()),
            status => Err(format!("the server did not stop properly: {status:?}").into()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The CPU seconds in a process's `stat`.
fn cpu_seconds(stat: &str) -> Result<f64, Failed> {
    // The second field is the program's name in brackets, which may contain spaces.
    let (_, fields) = stat.rsplit_once(')').ok_or("a malformed /proc/…/stat")?;
    let ticks: Vec<u64> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<u64>() as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// The CPU seconds that another process has used.
pub(crate) fn cpu_seconds_of(process: u32) -> Result<f64, Failed> {
    cpu_seconds(&fs::read_to_string(format!("/proc/{process}/stat"))?)
}

/// The peak memory of a process, in bytes; `None` if it has ended.
pub(crate) fn peak_bytes_of(process: u32) -> Result<Option<u64>, Failed> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<u64> = peak.map(|peak| peak.trim().trim_end_matches(" kB").parse()).transpose()?;
    Ok(kib.map(|kib| kib * 1024))
}

/// Runs a subcommand to its end; it must succeed.
pub(crate) fn run(database: &Database, settings: &[(&str, &str)], arguments: &[&str]) -> Result<(), Failed> {
    let output = command(database).envs(settings.iter().copied()).args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// What a command prints, also one that ends with a failure because of what it found.
pub(crate) fn output(database: &Database, settings: &[(&str, &str)], arguments: &[&str]) -> Result<String, Failed> {
    let output = command(database).envs(settings.iter().copied()).args(arguments).output()?;
    Ok(String::from_utf8(output.stdout)?)
}

/// The CPU seconds that this process has used.
pub(crate) fn own_cpu_seconds() -> Result<f64, Failed> {
    cpu_seconds(&fs::read_to_string("/proc/self/stat")?)
}

pub(crate) fn command(database: &Database) -> Command {
    let program = database.program.as_deref().unwrap_or(Path::new(PROGRAM));
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BACKEND_SYNC_") {
            command.env_remove(name);
        }
    }
    command.env("BACKEND_SYNC_DATABASE_URL", &database.url).stdin(Stdio::null());
    // Older programs create a database without the flag, and refuse flags that they do not know.
    if knows_new_database(program) {
        command.arg("--new-database");
    }
    command
}

fn knows_new_database(program: &Path) -> bool {
    let help = Command::new(program).arg("--help").output();
    help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--new-database"))
}

fn token(database: &Database, arguments: &[&str]) -> Result<String, Failed> {
    let output = command(database).args(arguments).stderr(Stdio::inherit()).output()?;
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    Ok(answer.get("token").and_then(Value::as_str).ok_or("the command line printed no token")?.to_owned())
}
