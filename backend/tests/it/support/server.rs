//! The real server process.

use std::{
    ffi::OsStr,
    fs::File,
    io::{PipeReader, Read, Write},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{
    Api, Database,
    api::Credential,
    random::new_uuid,
    wait::{PATIENCE, until},
};

/// The tokens that the first start on an empty database printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) site: String,
    pub(crate) api: String,
}

impl Tokens {
    /// Finds them in the output of a first start.
    pub(crate) fn find(printed: &str) -> Option<Self> {
        let token = |prefix| printed.split_whitespace().find(|word| word.starts_with(prefix)).map(str::to_owned);
        Some(Self { site: token("bss_")?, api: token("bsa_")? })
    }
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    tokens: Tokens,
    log: PathBuf,
    printed: PathBuf,
    http: reqwest::Client,
}

/// The name of the site that the first start creates.
pub(crate) const SITE: &str = "moodle";

/// The binary on this database, without settings from the tests' environment.
pub(crate) fn command(database_url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backend-sync"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BACKEND_SYNC") {
            command.env_remove(name);
        }
    }
    // No test depends on how full the machine's disk is.
    for limit in ["PERCENT", "MIB"] {
        command.env(format!("BACKEND_SYNC_ALERTS__RULES__DISK_FREE_{limit}"), "0");
    }
    // Each test's database is new and empty.
    command.env("BACKEND_SYNC_DATABASE_URL", database_url).arg("--new-database").stdin(Stdio::null());
    command
}

/// Runs a subcommand to its end.
pub(crate) fn run(database: &Database, arguments: &[&str]) -> Output {
    command(&database.url).args(arguments).output().unwrap()
}

/// Runs a subcommand to its end, with settings from the environment.
pub(crate) fn run_with<V: AsRef<OsStr>>(database: &Database, settings: &[(&str, V)], arguments: &[&str]) -> Output {
    let settings = settings.iter().map(|(name, value)| (name, value));
    command(&database.url).envs(settings).args(arguments).output().unwrap()
}

/// Runs a subcommand that must succeed and print JSON.
pub(crate) fn run_json(database: &Database, arguments: &[&str]) -> Value {
    let output = run(database, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

impl Server {
    pub(crate) async fn start(database: &Database) -> Self {
        Self::start_with::<&str>(database, &[]).await
    }

    /// Starts with settings from the environment.
    pub(crate) async fn start_with<V: AsRef<OsStr>>(database: &Database, settings: &[(&str, V)]) -> Self {
        let [server] = Self::serving(database, [Starting::spawn(database, settings)]).await;
        server
    }

    /// With so many file descriptors.
    pub(crate) async fn start_with_files(database: &Database, files: u32) -> Self {
        let [server] = Self::serving(database, [Starting::by(database, limited(&database.url, files))]).await;
        server
    }

    /// With a pipe as its standard error, which a valve may close.
    pub(crate) async fn start_piped(database: &Database) -> (Self, Valve) {
        let mut starting = Starting::default();
        let (reader, writer) = std::io::pipe().unwrap();
        starting.prepare(database);
        let valve = Valve::open(reader, File::create(&starting.log).unwrap());
        starting.start(command(&database.url), writer.into());
        let [server] = Self::serving(database, [starting]).await;
        (server, valve)
    }

    /// Starts several at the same moment.
    pub(crate) async fn start_together<const COUNT: usize>(database: &Database) -> [Self; COUNT] {
        Self::serving(database, std::array::from_fn(|_| Starting::spawn::<&str>(database, &[]))).await
    }

    /// Waits until all of them serve.
    async fn serving<const COUNT: usize>(database: &Database, mut starting: [Starting; COUNT]) -> [Self; COUNT] {
        let mut printed = String::new();
        for server in &mut starting {
            server.wait().await;
            printed += &std::fs::read_to_string(&server.printed).unwrap();
        }
        let tokens = database.tokens.get_or_init(|| Tokens::find(&printed).expect("the first start prints tokens"));
        starting.map(|mut server| Self {
            child: server.child.take().unwrap(),
            address: server.address.unwrap(),
            tokens: tokens.clone(),
            log: std::mem::take(&mut server.log),
            printed: std::mem::take(&mut server.printed),
            http: super::api::http_client(),
        })
    }

    fn api(&self, credential: Credential) -> Api {
        Api::new(self.http.clone(), self.address, credential)
    }

    /// The first site's token.
    pub(crate) fn site_token(&self) -> &str {
        &self.tokens.site
    }

    /// The API token that the first start created.
    pub(crate) fn api_token(&self) -> &str {
        &self.tokens.api
    }

    /// The API with the first site's token.
    pub(crate) fn site(&self) -> Api {
        self.site_with(&self.tokens.site)
    }

    /// The API with this site token.
    pub(crate) fn site_with(&self, token: &str) -> Api {
        self.api(Credential::Site(token.to_owned()))
    }

    /// The API with the first API token.
    pub(crate) fn reader(&self) -> Api {
        self.reader_with(&self.tokens.api)
    }

    /// The API with this API token.
    pub(crate) fn reader_with(&self, token: &str) -> Api {
        self.api(Credential::Bearer(token.to_owned()))
    }

    /// The API without credentials.
    pub(crate) fn anonymous(&self) -> Api {
        self.api(Credential::None)
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Its standard error so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The log messages so far, as the objects of the JSON format. A separate thread of the server writes them, so the
    /// last ones may come later, and the very last may be incomplete.
    pub(crate) fn log_messages(&self) -> Vec<Value> {
        let log = self.log();
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
    }

    /// Waits for the first log message with this text.
    pub(crate) async fn logged(&self, matches: impl Fn(&Value) -> bool) -> Value {
        until("a message in the log", async || self.log_messages().into_iter().find(&matches)).await
    }

    /// Waits until the events of this many requests are queued or being stored.
    pub(crate) async fn queued(&self, requests: usize) {
        let line = format!("\nbackend_sync_queue_jobs {requests}\n");
        let check = async || self.reader().get("/metrics").await.text.contains(&line).then_some(());
        until("the requests wait in the queue", check).await;
    }

    /// Its standard output so far.
    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(&self.printed).unwrap()
    }

    /// Asks it to stop, as an init system does.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end; `None` if it still runs after `time`.
    pub(crate) async fn wait(&mut self, time: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        None
    }

    /// Asks it to stop, and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.end().await;
    }

    /// Asks it to stop, and waits for its end. Then its log is complete.
    pub(crate) async fn end(&mut self) {
        self.terminate();
        let status = self.wait(PATIENCE).await.expect("the server stops");
        assert!(status.success(), "{status}: {}", self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary as `command` makes it, with so many file descriptors.
pub(crate) fn limited(database_url: &str, files: u32) -> Command {
    let binary = command(database_url);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &files.to_string()]);
    limited.arg(binary.get_program()).args(binary.get_args()).stdin(Stdio::null());
    for (name, value) in binary.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

/// Writes what a server logs into its file, while it is open.
pub(crate) struct Valve(Arc<AtomicBool>);

impl Valve {
    fn open(mut from: PipeReader, mut to: File) -> Self {
        let open = Arc::new(AtomicBool::new(true));
        let is_open = Arc::clone(&open);
        // It ends with the server.
        std::thread::spawn(move || {
            let mut buffer = vec![0; 16 * 1024];
            loop {
                while !is_open.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                match from.read(&mut buffer) {
                    Ok(count) if count > 0 => to.write_all(&buffer[..count]).unwrap(),
                    _ => return,
                }
            }
        });
        Self(open)
    }

    pub(crate) fn turn(&self, open: bool) {
        self.0.store(open, Ordering::Relaxed);
    }
}

/// A server that may not serve yet. Dropping it kills it.
#[derive(Default)]
struct Starting {
    child: Option<Child>,
    log: PathBuf,
    printed: PathBuf,
    address: Option<SocketAddr>,
}

impl Starting {
    fn spawn<V: AsRef<OsStr>>(database: &Database, settings: &[(&str, V)]) -> Self {
        let mut command = command(&database.url);
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        Self::by(database, command)
    }

    /// By this command, with its arguments and settings still to come.
    fn by(database: &Database, command: Command) -> Self {
        let mut starting = Self::default();
        starting.prepare(database);
        // Into files, which nothing has to read while the server runs.
        let log = File::create(&starting.log).unwrap();
        starting.start(command, log.into());
        starting
    }

    fn prepare(&mut self, database: &Database) {
        let name = new_uuid().simple().to_string();
        self.log = database.file(&format!("{name}.log"));
        self.printed = database.file(&format!("{name}.out"));
    }

    fn start(&mut self, mut command: Command, log: Stdio) {
        if !command.get_envs().any(|(name, _)| name == "BACKEND_SYNC_LOG__FORMAT") {
            command.env("BACKEND_SYNC_LOG__FORMAT", "json");
        }
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        self.child = Some(command.stdout(File::create(&self.printed).unwrap()).stderr(log).spawn().unwrap());
    }

    /// Waits for the message `serving`, and reads the address from it.
    async fn wait(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = std::fs::read_to_string(&self.log).unwrap();
            let messages = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let serving = messages.into_iter().find(|message| message["message"] == "serving");
            self.address = serving.and_then(|message| message["address"].as_str()?.parse().ok());
            if self.address.is_some() {
                return;
            }
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "the server did not start: {ended:?}\n{log}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
