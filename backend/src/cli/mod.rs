//! The command line: one file per subcommand, each thin.

mod alerts;
mod backup;
mod clock;
mod copy_database;
mod database;
mod demo;
mod doctor;
mod erase;
mod health;
mod migrate;
mod openapi;
mod parity;
mod print_config;
mod restore;
mod serve;
mod site;
mod sync;
mod token;
mod zoho;

use std::{
    io::{BufRead, IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use database::{open, open_or_create, unopened};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    app::AppError,
    clock::{Clock, Timestamp},
    config::{self, Config, ConfigError, FILE_VARIABLE, Overrides, find_file},
    demo::DemoError,
    descriptors::{self, TooFewDescriptors},
    live::LiveError,
    model::SiteName,
    probe::ProbeError,
    secret::{self, TokenKind},
    store::{DatabaseUrl, StoreError, TokenSummary, backup::BackupError, copy::CopyError},
    telemetry::TelemetryError,
    tokens::{Lifetime, TokenError},
    views::UNNAMED_SITE,
    zoho::client::CallError,
};

/// Receives changes from Moodle, stores them durably, serves them through an API, and delivers them to Zoho CRM.
///
/// Start with `backend-sync serve`: it creates its database, shows what to paste into Moodle, and listens.
/// Every setting has a default; `backend-sync config` prints all of them with explanations.
#[derive(Debug, Parser)]
#[command(name = "backend-sync", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    settings: SettingsArguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct SettingsArguments {
    /// Read settings from this TOML file [environment: BACKEND_SYNC_CONFIG] [default:
    /// /etc/backend-sync/backend-sync.toml if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database: sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/NAME [environment: BACKEND_SYNC_DATABASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// Start with an empty database although one may have been lost: needed once for an empty PostgreSQL database
    #[arg(long, global = true)]
    new_database: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server: apply migrations, then serve until SIGTERM or Ctrl-C
    Serve {
        /// Listen here instead of 127.0.0.1:8001; port 0 takes a free port [environment: BACKEND_SYNC_LISTEN]
        #[arg(long, value_name = "ADDRESS:PORT", value_parser = config::address)]
        listen: Option<SocketAddr>,
        /// Name of the Moodle site that the first start creates: a-z, 0-9 and -. It becomes part of every record's key
        #[arg(long, value_name = "NAME", default_value = UNNAMED_SITE)]
        site: SiteName,
        /// Write the tokens of the first start to this file, readable only by its owner, instead of printing them
        #[arg(long, value_name = "FILE")]
        first_tokens: Option<PathBuf>,
    },
    /// Create or update the tables of the database
    Migrate,
    /// Move from SQLite to PostgreSQL: copy the whole database, and prove that the copy is equal
    ///
    /// Stop the server first: no other process may have the SQLite file open. The file is only read, and kept. The
    /// PostgreSQL database must exist and be empty; the command creates its tables. An interrupted copy continues when
    /// you run the same command again. At the end the command compares every value of every row, and fails if they
    /// differ.
    ///
    /// The password need not be in the URL: the environment variable PGPASSWORD and the file .pgpass are read.
    CopyDatabase(copy_database::CopyArguments),
    /// Write a backup to a new file, while the server runs
    ///
    /// The file is complete once it is there, readable by its owner alone, and in the database's own format: a SQLite
    /// database, or an archive of PostgreSQL's pg_dump. It holds personal data. Settings are not in it, nor is the register of
    /// erasures and revocations ([backup] in the settings): keep the newest copy of that, and this file elsewhere.
    Backup(backup::BackupArguments),
    /// Put a backup in the place of the database, with the server stopped
    ///
    /// The backup is checked, and nothing is changed before. Erasures and revocations since then are applied again from the
    /// register. Readers that follow changes are told to begin again, and no number is given out twice.
    Restore(restore::RestoreArguments),
    /// Add Moodle sites and manage their site tokens
    #[command(subcommand)]
    Site(site::SiteCommand),
    /// Manage API tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// See and control the delivery of records
    #[command(subcommand)]
    Sync(sync::SyncCommand),
    /// See whether the backend holds what Moodle holds
    #[command(subcommand)]
    Parity(parity::ParityCommand),
    /// See and acknowledge alerts, and test their channels
    #[command(subcommand)]
    Alerts(alerts::AlertsCommand),
    /// Connect to Zoho CRM, check it, and create what the mapping needs
    #[command(subcommand)]
    Zoho(zoho::ZohoCommand),
    /// Erase a person from records, event log and Zoho, for good
    ///
    /// Shows what would be erased, asks for confirmation, erases it, and prints the certificate. This cannot be undone.
    Erase(erase::EraseArguments),
    /// See and check the erasures of people
    #[command(subcommand)]
    Erasures(erase::ErasuresCommand),
    /// Print the OpenAPI document: the contract with Moodle's plugin and with API consumers
    Openapi {
        /// Write it to this file
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Try everything: the events of a college's Moodle, this backend and a simulated Zoho CRM, in one process
    ///
    /// It needs nothing else and touches nothing else: it has its own database and configuration. It prints where to
    /// look. Receivers of its alerts may be named in the environment (BACKEND_SYNC_ALERTS__…).
    Demo(demo::DemoArguments),
    /// See the clocks and whether the time is agreed; confirm it, or repair times after a wrong clock
    Clock(clock::ClockArguments),
    /// Print every setting with its default and an explanation, as a file to start from
    Config,
    /// Check configuration, database, migrations, writing, clock and disk, and say what to do
    Doctor,
    /// Ask the server on this machine whether it is ready
    Health,
}

/// A command that failed. The message is for a person.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot reach {url}: {error}. {}", .error.cause().in_words().2)]
    Unreachable { url: Box<DatabaseUrl>, error: StoreError },
    #[error("{} ({})", .0.cause().sentence(), .0)]
    TakesNoEvents(StoreError),
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("interrupted; nothing is left of the backup")]
    Interrupted,
    #[error("the copy differs from the source in {}; see above", .0.join(", "))]
    CopyDiffers(Vec<String>),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error(transparent)]
    Zoho(#[from] CallError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("no randomness for a token: {0}")]
    Randomness(#[from] getrandom::Error),
    #[error("cannot write {}: {error}", path.display())]
    Write { path: PathBuf, error: std::io::Error },
    #[error("cannot write to standard output: {0}")]
    Output(std::io::Error),
    #[error("cannot read from standard input: {0}")]
    Input(std::io::Error),
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    #[error("the runtime did not start: {0}")]
    Runtime(std::io::Error),
    #[error("{0}")]
    Usage(String),
    #[error("what should be the same differs in {0}; see above")]
    Differs(String),
    /// The command worked, but something is wrong with the delivery.
    #[error("{0}")]
    Delivery(String),
    #[error("the server at {address} is not ready: {error}{}", if .error.is_refused() { ". Is it running?" } else { "" })]
    NotReady { address: SocketAddr, error: ProbeError },
    #[error("{} failed", counted(*.0 as u64, "check"))]
    Unhealthy(usize),
}

/// The exit status when nobody reads the output any more, as of a pipe into `head`: that of a program that the signal for
/// it ended, 128 + 13.
const BROKEN_PIPE: u8 = 141;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let Cli { settings, command } = Cli::parse();
    match run(settings, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(BROKEN_PIPE),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(settings: SettingsArguments, command: Command) -> Result<(), CliError> {
    if matches!(command, Command::Demo(_)) && (settings.config.is_some() || settings.database_url.is_some()) {
        return Err(CliError::Usage(
            "the demo has its own configuration and database; leave out --config and --database-url".to_owned(),
        ));
    }
    let overrides = Overrides {
        file: find_file(settings.config.or_else(|| std::env::var_os(FILE_VARIABLE).map(PathBuf::from))),
        listen: if let Command::Serve { listen, .. } = &command { *listen } else { None },
        database_url: settings.database_url,
        new_database: settings.new_database,
    };
    let load = || Config::load(&overrides, std::env::vars());
    let clock = Clock::steady();
    match command {
        Command::Openapi { output } => openapi::run(output),
        Command::Config => print_config::run(),
        Command::Doctor => wait_for(doctor::run(load())),
        Command::Demo(arguments) => wait_for(demo::run(arguments, clock)),
        Command::Health => wait_for(health::run(load()?)),
        Command::Serve { first_tokens, site, .. } => {
            let config = load()?;
            let overrides = overrides.clone();
            let again = move || Config::load(&overrides, std::env::vars());
            wait_for(serve::run(config, Box::new(again), (site, first_tokens), clock))
        }
        Command::Clock(arguments) => wait_for(clock::run(load()?, arguments, &clock)),
        Command::Migrate => wait_for(migrate::run(load()?)),
        Command::Backup(arguments) => wait_for(backup::run(load()?, arguments, &clock)),
        Command::Restore(arguments) => wait_for(restore::run(load()?, arguments)),
        Command::CopyDatabase(arguments) => wait_for(copy_database::run(load()?, arguments)),
        Command::Site(command) => wait_for(site::run(load()?, command, &clock)),
        Command::Token(command) => wait_for(token::run(load()?, command, &clock)),
        Command::Sync(command) => wait_for(sync::run(load()?, command, &clock)),
        Command::Erase(arguments) => wait_for(erase::run(load()?, arguments, &clock)),
        Command::Erasures(command) => wait_for(erase::erasures(load()?, command, &clock)),
        Command::Parity(command) => wait_for(parity::run(load()?, command, &clock)),
        Command::Alerts(command) => wait_for(alerts::run(load()?, command, clock)),
        Command::Zoho(command) => wait_for(zoho::run(load, command, &clock)),
    }
}

fn wait_for(work: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    // First, because tokio panics without.
    descriptors::raise()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Runtime)?;
    runtime.block_on(async {
        // A file at its size limit (`ulimit -f`) should fail the write, like a full disk, and not kill the process.
        let _limit = signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map_err(CliError::Runtime)?;
        work.await
    })
}

/// Prints to standard output.
fn print(text: impl std::fmt::Display) -> Result<(), CliError> {
    writeln!(std::io::stdout(), "{text}").map_err(CliError::Output)
}

/// Prompts for a line from standard input.
fn ask(what: &str) -> Result<String, CliError> {
    let mut output = std::io::stdout();
    write!(output, "{what}: ").and_then(|()| output.flush()).map_err(CliError::Output)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(CliError::Input)?;
    Ok(answer)
}

/// Whether a person agrees, or has agreed by `--yes`. Without a terminal nobody can, which is an error that tells of the
/// `consequence`.
fn confirm(yes: bool, consequence: &str, question: &str) -> Result<bool, CliError> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(CliError::Usage(format!("{consequence}; confirm with --yes")));
    }
    Ok(matches!(ask(&format!("{question} [y/N]"))?.trim(), "y" | "Y" | "yes"))
}

/// A new token and its hash.
fn make_token(kind: TokenKind) -> Result<(String, String), CliError> {
    let token = secret::new_token(kind, &mut |bytes| getrandom::fill(bytes))?;
    let hash = secret::hash(&token);
    Ok((token, hash))
}

#[derive(Clone, Copy, Debug, clap::Args)]
struct Validity {
    /// Days until the token expires [default: never]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
    expires: Option<u16>,
}

impl Validity {
    fn from(self, now: Timestamp) -> Lifetime {
        let day = Duration::from_secs(24 * 60 * 60);
        Lifetime { begin: now, end: self.expires.map(|days| now.after(day * u32::from(days))) }
    }
}

/// A token's state in words.
fn token_state(token: &TokenSummary, now: Timestamp) -> String {
    match (token.revoked_at, token.expires_at) {
        (Some(time), _) => format!("revoked {}", time.to_rfc3339()),
        (None, Some(time)) if time <= now => format!("expired {}", time.to_rfc3339()),
        (None, Some(time)) => format!("valid until {}", time.to_rfc3339()),
        (None, None) => "valid".to_owned(),
    }
}

/// A count with its noun, as in `1 row` or `2 rows`.
fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn or_never(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "never".to_owned(), Timestamp::to_rfc3339)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
