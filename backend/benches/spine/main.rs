//! What the backend can take: events in, pages out, records to Zoho, the console, on SQLite and on PostgreSQL; and the
//! move from one to the other.
//!
//!     cargo bench -p backend-sync --bench spine -- [--quick] [--only NAME]
//!
//! It starts the real binary with its real settings on fresh databases and loads it over HTTP from this process.
//! Clients and server share the machine, so the clients do as little as possible: one thread, raw connections, prebuilt
//! bytes.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program whose output is for people")]

mod backfill;
mod big;
mod commands;
mod compare;
mod copy;
mod database;
mod delivery;
mod http;
mod ingest;
mod load;
mod pages;
mod parity;
mod payload;
mod report;
mod server;
mod simulator;
mod size;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Instant};

use clap::{CommandFactory, Parser};

use compare::Work;
use database::{Databases, Kind};

/// An error, shown to a person; ends the run.
type Failed = Box<dyn Error>;

/// Measures ingest, reading and delivery, on SQLite and, when TEST_POSTGRES_URL names a superuser's connection, on
/// PostgreSQL. Prints Markdown tables to standard output and progress to standard error.
#[derive(Parser)]
#[command(name = "spine")]
struct Arguments {
    /// Shorter: one round of two seconds per row, and sizes up to 10^5 events
    #[arg(long)]
    quick: bool,
    /// Only what has NAME in its name, of: ingest-sqlite, ingest-postgres, delivery-sqlite, delivery-postgres,
    /// pages-sqlite, pages-postgres, parity-sqlite, parity-postgres, size-sqlite, size-postgres, commands-sqlite, commands-postgres, copy-postgres,
    /// backfill-postgres (also of the programs that --against names)
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    only: String,
    /// Of the ingest tables only the rows with TEXT in their name, as in "64 clients"; for profiling
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    row: String,
    /// Only this: the ingest of this program and of FILE (an older or a changed backend-sync) side by side, or their
    /// delivery with --only delivery; may be given again. With --only sqlite or --only postgres, on that database alone
    #[arg(long, value_name = "FILE")]
    against: Vec<PathBuf>,
    /// Cargo passes this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.bench {
        // `cargo test --benches` runs this too, without the flag, and must measure nothing.
        let _ = Arguments::command().print_help();
        return ExitCode::SUCCESS;
    }
    let databases = match Databases::new() {
        Ok(databases) => databases,
        Err(error) => return failed(error.as_ref()),
    };
    let outcome = tokio::select! {
        outcome = run(&arguments, &databases) => outcome,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    match outcome.and(databases.remove().await) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(error.as_ref()),
    }
}

fn failed(error: &dyn Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

async fn run(arguments: &Arguments, databases: &Databases) -> Result<(), Failed> {
    let started = Instant::now();
    println!("# Benchmark\n\n{}\n", report::machine(databases)?);
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let selected = |table: &str| format!("{table}-{}", kind.slug()).contains(&arguments.only);
        let copies = kind == Kind::Postgres && selected("copy");
        let backfills = kind == Kind::Postgres && selected("backfill");
        if !backfills
            && !copies
            && !["ingest", "delivery", "pages", "parity", "size", "commands"].into_iter().any(selected)
            && !selected("")
        {
            continue;
        }
        let Some(version) = databases.version(kind).await? else {
            println!("## {kind}\n\nSkipped: set {} to a superuser's URL to measure it.\n", database::POSTGRES_VARIABLE);
            continue;
        };
        println!("## {kind}\n\n{version}\n");
        if backfills && (arguments.against.is_empty() || !arguments.only.is_empty()) {
            backfill::run(databases, &arguments.against, arguments.quick).await?;
            if !selected("ingest") {
                continue;
            }
        }
        if !arguments.against.is_empty() {
            let work = if arguments.only.contains("delivery") { Work::Delivery } else { Work::Ingest };
            compare::run(databases, kind, work, &arguments.against, arguments.quick).await?;
            continue;
        }
        if selected("ingest") {
            ingest::run(databases, kind, arguments.quick, &arguments.row).await?;
        }
        if selected("delivery") {
            delivery::run(databases, kind, arguments.quick).await?;
        }
        if selected("pages") {
            pages::run(databases, kind, arguments.quick).await?;
        }
        if selected("parity") {
            parity::run(databases, kind, arguments.quick).await?;
        }
        if selected("size") {
            size::run(databases, kind, arguments.quick).await?;
        }
        if selected("commands") {
            commands::run(databases, kind, arguments.quick).await?;
        }
        if copies {
            copy::run(databases, arguments.quick).await?;
        }
    }
    println!("The whole run took {}.", report::duration(started.elapsed()));
    Ok(())
}
