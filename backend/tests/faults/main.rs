//! Breaks the world around the real server, in many ways and combinations, and proves that what was answered 200 is
//! stored.
//!
//!     scripts/faults [--seed N] [--combinations N] [--only NAME] [--database sqlite|postgres] [--short]
//!
//! Each case starts the real binary on a new database. Senders record in a book what is answered 200, a watcher polls
//! readiness, and faults begin and end meanwhile: nothing is mocked. Then the database itself is compared with the
//! book.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a program whose output is for people, and that fails by panicking like any test"
)]

mod book;
mod case;
mod clock;
mod failover;
mod fault;
mod mounts;
mod plan;
mod postgres;
mod process;
mod programs;
mod readiness;
mod register;
mod runner;
mod senders;
mod server;
mod sqlite;
mod stored;
mod support;
mod verdict;
mod world;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::Parser;

use failover::Scenario;
use world::DatabaseKind;

/// An error of the harness: shown to a person, and ends the case.
pub(crate) type Failed = Box<dyn Error + Send + Sync>;

/// Starts the real server, breaks the world around it, and proves that everything answered 200 is stored exactly once,
/// that the server recovers by itself when the fault is over, and that readiness tells the truth. By default: each
/// fault alone, then 20 combinations.
#[derive(Parser)]
#[command(name = "scripts/faults")]
struct Arguments {
    /// The seed of the first case; each further case increments it
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Only this many random combinations of faults
    #[arg(long, value_name = "N")]
    combinations: Option<usize>,
    /// Only faults whose name contains NAME; in combinations, those with at least one
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    only: String,
    /// Only this database
    #[arg(long, value_enum)]
    database: Option<DatabaseKind>,
    /// Each fault alone and briefly: two minutes at most
    #[arg(long)]
    short: bool,
    /// Cases in parallel [default: three times the number of processors, because most cases mostly wait]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// The server binary to test
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_backend-sync"), hide_default_value = true)]
    server: PathBuf,
    /// Instead: three processes on a PostgreSQL with a standby, and a primary or a standby that fails; all scenarios,
    /// or this one
    #[arg(long, value_name = "SCENARIO", value_enum, num_args = 0..)]
    failover: Option<Vec<Scenario>>,
    /// Instead: two processes of this older program on a PostgreSQL are upgraded to the server, while senders send
    #[arg(long, value_name = "FILE")]
    upgrade: Option<PathBuf>,
    /// List the faults and exit
    #[arg(long)]
    list: bool,
    #[arg(long = "run", hide = true)]
    _run: bool,
    /// Passed by scripts/faults when the program has namespaces of its own
    #[arg(long, hide = true)]
    own_namespaces: bool,
}

fn main() -> ExitCode {
    // `cargo test` runs this program too, with other options, and must break nothing.
    if !std::env::args().any(|argument| argument == "--run") {
        println!("scripts/faults runs this");
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::parse();
    // Children end with the thread that started them, so each such thread must live as long as the program.
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let run = async {
        match (&arguments.upgrade, &arguments.failover) {
            (Some(older), _) => failover::run_upgrade(older, &arguments.server).await,
            (None, Some(scenarios)) => failover::run(&arguments.server, scenarios).await,
            (None, None) => runner::run(arguments.into()).await,
        }
    };
    match runtime.block_on(run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failed(error.as_ref()),
    }
}

fn failed(error: &dyn Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
