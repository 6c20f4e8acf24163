//! The server under test: a child process that is restarted whenever it ends, as by systemd.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;
use tokio::task::AbortHandle;

use crate::{Failed, programs::unprivileged};

/// The pause between an end and the next start.
const RESTART: Duration = Duration::from_millis(500);

/// The interval of checking whether the process still exists.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// The time-out for a requested stop. The server's own limit is `shutdown.hard_seconds`.
const STOP_TIME: Duration = Duration::from_secs(45);

/// The limit of open files at the start of a process.
const FILES_AT_START: u64 = 64;

/// Lines kept of its log.
const LINES: usize = 4_000;

/// Everything except a line for each event.
const LOG_LEVEL: &str = "info,poem=warn,sea_orm_migration=warn,sqlx=warn,backend_sync::ingest::queue=warn";

/// An end that the harness did not cause.
#[derive(Clone, Debug)]
pub(crate) struct Exit {
    pub(crate) status: ExitStatus,
    /// Its last message.
    pub(crate) message: Option<String>,
}

/// The limits that can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    FileSize,
    OpenFiles,
}

/// How to start it.
pub(crate) struct Settings {
    pub(crate) program: PathBuf,
    pub(crate) address: SocketAddr,
    /// Settings of the product and of the preloaded libraries.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) unprivileged: bool,
}

#[derive(Default)]
struct State {
    pid: Option<Pid>,
    /// Whether to restart it.
    should_run: bool,
    /// Whether the harness causes its next end.
    ours: bool,
    starts: usize,
    last: Option<ExitStatus>,
    exits: Vec<Exit>,
    environment: BTreeMap<String, String>,
    limits: Vec<(Limit, u64)>,
}

struct Shared {
    settings: Settings,
    state: Mutex<State>,
    /// Each with the number of its start.
    lines: Mutex<VecDeque<(usize, Instant, String)>>,
}

/// The server. Dropping it kills it.
pub(crate) struct Server {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Server {
    pub(crate) fn start(settings: Settings) -> Self {
        let environment = settings.environment.clone();
        let state = Mutex::new(State { should_run: true, environment, ..State::default() });
        let shared = Arc::new(Shared { settings, state, lines: Mutex::default() });
        let task = tokio::spawn(supervise(Arc::clone(&shared))).abort_handle();
        Self { shared, task }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.shared.settings.address
    }

    /// Its process, if it is running.
    pub(crate) fn pid(&self) -> Option<Pid> {
        self.shared.state().pid
    }

    pub(crate) fn exits(&self) -> Vec<Exit> {
        self.shared.state().exits.clone()
    }

    /// There is no process between an end and the next start.
    pub(crate) fn signal_if_there(&self, signal: Signal) -> Result<(), Failed> {
        match self.pid().map(|pid| kill_process(pid, signal)) {
            None | Some(Ok(()) | Err(Errno::SRCH)) => Ok(()),
            Some(Err(error)) => Err(error.into()),
        }
    }

    pub(crate) fn program(&self) -> &Path {
        &self.shared.settings.program
    }

    /// `kill -9`; it is restarted, unless it is held.
    pub(crate) async fn kill(&self) -> Result<(), Failed> {
        self.end_with(Signal::KILL).await.map(drop)
    }

    /// Prevents restarts until [`Server::release`].
    pub(crate) fn hold(&self) {
        self.shared.state().should_run = false;
    }

    pub(crate) fn release(&self) {
        self.shared.state().should_run = true;
    }

    /// Stops it for good: as an init system does, or with `kill -9`. Returns how long that took, and how it ended.
    pub(crate) async fn stop(&self, signal: Signal) -> Result<(Duration, Option<ExitStatus>), Failed> {
        let begun = Instant::now();
        self.hold();
        let status = self.end_with(signal).await?;
        Ok((begun.elapsed(), status))
    }

    async fn end_with(&self, signal: Signal) -> Result<Option<ExitStatus>, Failed> {
        let pid = {
            let mut state = self.shared.state();
            let Some(pid) = state.pid else { return Ok(None) };
            state.ours = true;
            // A stopped process would not see any other signal.
            for signal in [signal, Signal::CONT] {
                match kill_process(pid, signal) {
                    // It has just ended.
                    Ok(()) | Err(Errno::SRCH) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            pid
        };
        let deadline = Instant::now() + STOP_TIME;
        while self.pid() == Some(pid) {
            if Instant::now() > deadline {
                kill_process(pid, Signal::KILL)?;
                return Err(format!("the server did not stop within {} s", STOP_TIME.as_secs()).into());
            }
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
        Ok(self.shared.state().last)
    }

    /// Sets a soft limit for this process and later ones.
    pub(crate) fn limit(&self, limit: Limit, value: u64) -> Result<(), Failed> {
        self.shared.state().limits.push((limit, value));
        self.set_limit(limit, &value.to_string())
    }

    /// Raises a limit to the hard one again.
    pub(crate) fn unlimit(&self, limit: Limit) -> Result<(), Failed> {
        self.shared.state().limits.retain(|(limited, _)| *limited != limit);
        let hard = self.pid().map(|pid| hard_limit(pid, limit));
        hard.map_or(Ok(()), |hard| self.set_limit(limit, &hard))
    }

    /// As the process's own user, who may do so even if the harness may not.
    fn set_limit(&self, limit: Limit, value: &str) -> Result<(), Failed> {
        let Some(pid) = self.pid() else { return Ok(()) };
        let mut command = Command::new("setpriv");
        if self.shared.settings.unprivileged {
            command.args(unprivileged());
        }
        command.args(["prlimit", "--pid", &pid.as_raw_nonzero().to_string(), &format!("{}={value}:", limit.option())]);
        let output = command.output()?;
        // A process that has just ended needs no limit.
        if output.status.success() || self.pid() != Some(pid) {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into())
    }

    /// Sets the environment of processes started from now on.
    pub(crate) fn set_environment(&self, name: &str, value: Option<&str>) {
        let environment = &mut self.shared.state().environment;
        match value {
            Some(value) => environment.insert(name.to_owned(), value.to_owned()),
            None => environment.remove(name),
        };
    }

    /// Its environment.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        self.shared.state().environment.clone()
    }

    /// The lines of its log since `moment` that contain `text`.
    pub(crate) fn log_since(&self, moment: Instant, text: &str) -> Vec<String> {
        let lines = self.shared.lines();
        let found = lines.iter().filter(|(_, at, line)| *at > moment && line.contains(text));
        found.map(|(_, _, line)| line.clone()).collect()
    }

    /// The kept part of its log.
    pub(crate) fn log(&self) -> Vec<String> {
        self.shared.lines().iter().map(|(_, _, line)| line.clone()).collect()
    }

    /// The first word of its output with this prefix.
    pub(crate) fn printed_word(&self, prefix: &str) -> Option<String> {
        let lines = self.shared.lines();
        let mut words = lines.iter().flat_map(|(_, _, line)| line.split_whitespace());
        words.find(|word| word.starts_with(prefix)).map(str::to_owned)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        let mut state = self.shared.state();
        state.should_run = false;
        if let Some(pid) = state.pid.take() {
            // It may have ended already.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

impl Limit {
    /// Nobody runs a server with fewer files than it needs to start.
    fn at_start(self, value: u64) -> u64 {
        if self == Self::OpenFiles { value.max(FILES_AT_START) } else { value }
    }

    fn option(self) -> &'static str {
        match self {
            Self::FileSize => "--fsize",
            Self::OpenFiles => "--nofile",
        }
    }
}

/// In the kernel's format: a number or "unlimited".
fn hard_limit(pid: Pid, limit: Limit) -> String {
    let name = match limit {
        Limit::FileSize => "Max file size",
        Limit::OpenFiles => "Max open files",
    };
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", pid.as_raw_nonzero())).unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix(name));
    let hard = line.and_then(|line| line.split_whitespace().nth(1));
    hard.unwrap_or("unlimited").to_owned()
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<(usize, Instant, String)>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_line(&self, start: usize, line: String) {
        let mut lines = self.lines();
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back((start, Instant::now(), line));
    }

    fn spawn(&self) -> Result<Child, Failed> {
        let (environment, limits) = {
            let state = self.state();
            (state.environment.clone(), state.limits.clone())
        };
        let mut command = Command::new("prlimit");
        command.args(limits.iter().map(|(limit, value)| format!("{}={}:", limit.option(), limit.at_start(*value))));
        // It ends with this process, however that ends.
        command.args(["setpriv", "--pdeathsig", "KILL"]);
        if self.settings.unprivileged {
            command.args(unprivileged());
        }
        // Preloaded libraries create files that belong to the user, so only preload after the change of user.
        command.arg("env").args(environment.iter().map(|(name, value)| format!("{name}={value}")));
        command.arg(&self.settings.program).args(["serve", "--listen", &self.settings.address.to_string()]);
        // Settings of the calling shell must not change what is tested.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BACKEND_SYNC")) {
            command.env_remove(name);
        }
        command.env("BACKEND_SYNC_LOG__FORMAT", "json").env("BACKEND_SYNC_LOG__LEVEL", LOG_LEVEL);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command.spawn()?)
    }

    /// The process's last message: that of its last error.
    fn last_message(&self, start: usize) -> Option<String> {
        let lines = self.lines();
        let mut own = lines.iter().rev().filter(|(of, _, line)| *of == start && !line.is_empty());
        let error =
            |line: &str| line.starts_with("error:") || line.contains("panicked at") || line.contains("\"ERROR\"");
        own.find(|(_, _, line)| error(line)).map(|(_, _, line)| message(line))
    }
}

/// The message in a line of the log.
fn message(line: &str) -> String {
    let Ok(json) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    let error = json["error"].as_str().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{}{error}", json["message"].as_str().unwrap_or_default())
}

async fn supervise(shared: Arc<Shared>) {
    loop {
        while !shared.state().should_run {
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
        let start = {
            let mut state = shared.state();
            state.starts += 1;
            state.ours = false;
            state.starts
        };
        let mut child = match shared.spawn() {
            Ok(child) => child,
            Err(error) => return shared.add_line(start, format!("error: the server could not be started: {error}")),
        };
        let pid = Pid::from_child(&child);
        shared.state().pid = Some(pid);
        let readers = [read(&shared, start, child.stdout.take()), read(&shared, start, child.stderr.take())];
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) | Err(_) => tokio::time::sleep(CHECK_INTERVAL).await,
            }
        };
        while !readers.iter().flatten().all(std::thread::JoinHandle::is_finished) {
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
        {
            let message = shared.last_message(start);
            let mut state = shared.state();
            state.pid = None;
            state.last = Some(status);
            if !state.ours {
                state.exits.push(Exit { status, message });
            }
        }
        tokio::time::sleep(RESTART).await;
    }
}

/// Stores its output, on a thread that reads the pipe to its end.
fn read(
    shared: &Arc<Shared>,
    start: usize,
    pipe: Option<impl Read + Send + 'static>,
) -> Option<std::thread::JoinHandle<()>> {
    let shared = Arc::clone(shared);
    let read = move |pipe| {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            shared.add_line(start, line);
        }
    };
    pipe.map(|pipe| std::thread::spawn(move || read(pipe)))
}
