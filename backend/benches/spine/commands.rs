//! Commands on very many records, with ingest beside them.

use std::{
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait, Database as Connector};

use crate::{
    Failed,
    big::{self, Extent as Records},
    database::{Database, Databases, Kind},
    load::{Extent, Load, Measured},
    payload::Requests,
    report::{Table, grouped, number},
    server::{Server, command},
};

/// Its records are 300,000.
const EVENTS: u64 = 1_500_000;
const CLIENTS: usize = 64;

/// Longer than any of the commands should take.
const TIME: Duration = Duration::from_secs(40);

const COMMANDS: [(&str, &[&str]); 3] = [
    ("no command", &[]),
    ("sync retry", &["sync", "retry", "--json"]),
    ("sync resync", &["sync", "resync", "--yes", "--no-wait"]),
];

pub(crate) async fn run(databases: &Databases, kind: Kind, quick: bool) -> Result<(), Failed> {
    let database = databases.create(kind).await?;
    let server = Server::start(&database, &[]).await?;
    let (site_token, api_token) = (server.site_token.clone(), server.api_token.clone());
    server.stop().await?;
    let records = Records::of(if quick { EVENTS / 10 } else { EVENTS });
    big::fill(&database, records).await?;
    let server = Server::start_on(&database, &[], site_token, api_token).await?;
    let load = Load::new(&server);
    let requests = Requests::single(&server.site_token)?;
    let mut table = Table::new(["beside", "the command took s", "events/s", "p50 ms", "p99 ms", "slowest ms"]);
    for (name, arguments) in COMMANDS {
        fail_all(&database).await?;
        let (measured, took) =
            measure(&load, &requests, &database, arguments).await.map_err(|error| server.explain(error))?;
        let took = took.map_or_else(|| "–".to_owned(), |took| number(took.as_secs_f64()));
        let percentile = |percent| number(measured.percentile(percent));
        table.row([
            name.to_owned(),
            took,
            number(measured.rate()),
            percentile(50.0),
            percentile(99.0),
            percentile(100.0),
        ]);
        eprintln!("commands: {name} measured");
    }
    server.stop().await?;
    databases.drop(database).await?;
    println!("### Commands on many records\n");
    println!(
        "Single events from {CLIENTS} clients, each answered 200, while a command concerns {} records, all of them failed before; no \
         destination is served.\n",
        grouped(records.records()),
    );
    table.print();
    Ok(())
}

async fn fail_all(database: &Database) -> Result<(), Failed> {
    let connection = Connector::connect(&database.url).await?;
    let sql = "UPDATE sync_items SET state = 'failed', code = 'INVALID_DATA', waits_kind = NULL, waits_id = NULL";
    connection.execute_unprepared(sql).await?;
    connection.close().await?;
    database.settle().await
}

/// Loads the server while the command runs, and for a while afterwards; also returns how long it took.
async fn measure(
    load: &Load<'_>,
    requests: &Requests,
    database: &Database,
    arguments: &[&str],
) -> Result<(Measured, Option<Duration>), Failed> {
    let child = match arguments {
        [] => None,
        arguments => Some(command(database).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?),
    };
    let took = child.map(|child| tokio::task::spawn_blocking(move || wait(child)));
    let time = if took.is_none() { TIME / 4 } else { TIME };
    let measured = load.run(requests, CLIENTS, Extent::Time(time)).await?;
    let took = match took {
        Some(took) => Some(took.await??),
        None => None,
    };
    if took.is_some_and(|took| took > time) {
        return Err("the command outlasted the measurement".into());
    }
    Ok((measured, took))
}

fn wait(mut child: Child) -> Result<Duration, String> {
    let started = Instant::now();
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(started.elapsed()) } else { Err(format!("the command ended with {status}")) }
}
