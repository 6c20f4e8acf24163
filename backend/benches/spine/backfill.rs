//! A first backfill into a new PostgreSQL, which knows nothing about its tables yet: the rate over time, with autovacuum
//! and without, and beside it into a database that has statistics.

use std::path::{Path, PathBuf};

use crate::{
    Failed,
    database::{Databases, Kind},
    load::{Extent, Load},
    payload::{BATCH, Requests},
    report::{Table, number, ratio},
    server::Server,
};

/// Events of one backfill, and of each step of it whose rate is shown.
const EVENTS: u64 = 100_000;
const STEP: u64 = 10_000;

/// What PostgreSQL may learn about its tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Statistics {
    /// Analysed by us after each step.
    Settled,
    Autovacuum,
    NoAutovacuum,
}

const GOAL: f64 = 0.9;

pub(crate) async fn run(databases: &Databases, others: &[PathBuf], quick: bool) -> Result<(), Failed> {
    let events = if quick { EVENTS / 5 } else { EVENTS };
    println!("### A first backfill\n");
    println!("Events per second of each {STEP}, in batches of {BATCH} from one client, into a new database.\n");
    let steps = (1..=events / STEP).map(|step| format!("to {}", step * STEP));
    let mut table = Table::new(["".to_owned(), "all".to_owned(), "to settled".to_owned()].into_iter().chain(steps));
    for program in std::iter::once(None).chain(others.iter().map(|other| Some(other.as_path()))) {
        let mut settled = f64::NAN;
        for statistics in [Statistics::Settled, Statistics::Autovacuum, Statistics::NoAutovacuum] {
            let rates = backfill(databases, program, statistics, events).await?;
            // Each step has as many events.
            let all = rates.len() as f64 / rates.iter().map(|rate| 1.0 / rate).sum::<f64>();
            if statistics == Statistics::Settled {
                settled = all;
            }
            let name = match statistics {
                Statistics::Settled => "analysed after each step",
                Statistics::Autovacuum => "autovacuum on",
                Statistics::NoAutovacuum => "autovacuum off",
            };
            let of = program.map_or_else(String::new, |program| format!("{}: ", program.display()));
            eprintln!("backfill-postgres: {of}{name}: {} events/s", number(all));
            let goal = if program.is_none() && all / settled < GOAL { " NO" } else { "" };
            let row = [format!("{of}{name}"), number(all), format!("{}{goal}", ratio(all / settled))];
            table.row(row.into_iter().chain(rates.into_iter().map(number)));
        }
    }
    table.print();
    Ok(())
}

/// The rates of its steps.
async fn backfill(
    databases: &Databases,
    program: Option<&Path>,
    statistics: Statistics,
    events: u64,
) -> Result<Vec<f64>, Failed> {
    let mut database = databases.create(Kind::Postgres).await?;
    database.program = program.map(Path::to_owned);
    let server = Server::start(&database, &[]).await?;
    if statistics != Statistics::Autovacuum {
        database.without_autovacuum().await?;
    }
    let load = Load::new(&server);
    let requests = Requests::batch(&server.site_token)?;
    let mut rates = Vec::new();
    for _ in 0..events / STEP {
        let measured = load.run(&requests, 1, Extent::Events(STEP)).await.map_err(|error| server.explain(error))?;
        rates.push(measured.rate());
        if statistics == Statistics::Settled {
            database.settle().await?;
        }
    }
    server.stop().await?;
    databases.drop(database).await?;
    Ok(rates)
}
