//! Events per second: with one transaction each, through the writer, and in batch requests.

use std::{path::Path, time::Duration};

use crate::{
    Failed,
    database::{Databases, Kind},
    load::{Extent, Load, Measured},
    payload::{BATCH, Requests},
    report::{self, Table, grouped, number, ratio},
    server::Server,
};

/// One way of sending.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Single events, each in its own transaction.
    Alone,
    /// Single events, through the unchanged writer.
    Writer,
    /// Batch requests.
    Batch,
}

/// A row of the table: a way of sending, and the number of clients.
pub(crate) type Row = (Way, usize);

const ROWS: [Row; 9] = [
    (Way::Alone, 64),
    (Way::Alone, 1),
    (Way::Writer, 1),
    (Way::Writer, 8),
    (Way::Writer, 64),
    (Way::Writer, 256),
    (Way::Batch, 1),
    (Way::Batch, 4),
    (Way::Batch, 8),
];

/// The goal for the server's peak memory.
const MEMORY_GOAL: f64 = 100.0;

pub(crate) async fn run(databases: &Databases, kind: Kind, quick: bool, only: &str) -> Result<(), Failed> {
    let (rounds, warm_up, measured) = if quick { (1, 1, 2) } else { (3, 2, 5) };
    let times = (Duration::from_secs(warm_up), Duration::from_secs(measured));
    let rows = ROWS.into_iter().filter(|row| name(*row).contains(only));
    let mut results: Vec<(Row, Vec<Measured>)> = rows.map(|row| (row, Vec::new())).collect();
    for round in 1..=rounds {
        for (row, results) in &mut results {
            let measured = measure(databases, kind, None, *row, times).await?;
            let (name, rate) = (name(*row), number(measured.rate()));
            eprintln!("ingest-{} round {round} of {rounds}: {name}: {rate} events/s", kind.slug());
            results.push(measured);
        }
    }
    println!("### Ingest\n");
    println!(
        "Each row on a fresh database: {warm_up} s to warm up, {measured} s measured, the median of {rounds} rounds, \
         with the slowest and the fastest. Latency is that of a request. CPU and memory are the server's{}.\n",
        if kind == Kind::Postgres {
            " alone, without PostgreSQL's own processes; PostgreSQL had its statistics after the warm-up"
        } else {
            ", SQLite in it"
        },
    );
    let medians: Vec<(Row, Median)> =
        results.into_iter().filter_map(|(row, results)| Some((row, Median::of(results)?))).collect();
    print_table(&medians);
    if only.is_empty() {
        print_goals(kind, &medians);
    }
    Ok(())
}

/// Starts a server, this checkout's or another program, on a fresh database and loads it; at the end all events must be
/// in the database.
pub(crate) async fn measure(
    databases: &Databases,
    kind: Kind,
    program: Option<&Path>,
    (way, clients): Row,
    times: (Duration, Duration),
) -> Result<Measured, Failed> {
    let mut database = databases.create(kind).await?;
    database.program = program.map(Path::to_owned);
    let settings: &[_] = if way == Way::Alone { &[("BACKEND_SYNC_INGEST__TRANSACTION_EVENTS", "1")] } else { &[] };
    let server = Server::start(&database, settings).await?;
    let requests = match way {
        Way::Batch => Requests::batch(&server.site_token)?,
        Way::Alone | Way::Writer => Requests::single(&server.site_token)?,
    };
    let load = Load::new(&server);
    let (warm_up, measured) = times;
    load.run(&requests, clients, Extent::Time(warm_up)).await.map_err(|error| server.explain(error))?;
    database.settle().await?;
    let measured = load.run(&requests, clients, Extent::Time(measured)).await.map_err(|error| server.explain(error))?;
    let (sent, stored) = (load.sent(), database.events().await?);
    if sent != stored {
        return Err(format!("{sent} events were answered 200, and {stored} are in the database").into());
    }
    server.stop().await?;
    databases.drop(database).await?;
    Ok(measured)
}

/// The round with the median rate.
struct Median {
    measured: Measured,
    slowest: f64,
    fastest: f64,
}

impl Median {
    fn of(mut rounds: Vec<Measured>) -> Option<Self> {
        rounds.sort_by(|a, b| a.rate().total_cmp(&b.rate()));
        let (slowest, fastest) = (rounds.first()?.rate(), rounds.last()?.rate());
        let measured = rounds.swap_remove(rounds.len() / 2);
        Some(Self { measured, slowest, fastest })
    }
}

fn name((way, clients): Row) -> String {
    let clients = if clients == 1 { "1 client".to_owned() } else { format!("{clients} clients") };
    match way {
        Way::Alone => format!("(a) a transaction each, {clients}"),
        Way::Writer => format!("(b) the writer, {clients}"),
        Way::Batch => format!("(c) batches of {BATCH}, {clients}"),
    }
}

fn find(medians: &[(Row, Median)], row: Row) -> Option<&Measured> {
    medians.iter().find(|(other, _)| *other == row).map(|(_, median)| &median.measured)
}

fn print_table(medians: &[(Row, Median)]) {
    let base = find(medians, (Way::Alone, 64)).map_or(f64::NAN, Measured::rate);
    let mut table = Table::new([
        "",
        "events/s",
        "slowest",
        "fastest",
        "ratio to (a) 64",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "CPU s / 1,000",
        "peak MB",
        "clients' CPU s / 1,000",
    ]);
    for (row, Median { measured, slowest, fastest }) in medians {
        table.row([
            name(*row),
            number(measured.rate()),
            number(*slowest),
            number(*fastest),
            ratio(measured.rate() / base),
            number(measured.percentile(50.0)),
            number(measured.percentile(95.0)),
            number(measured.percentile(99.0)),
            format!("{:.3}", measured.cpu_per_thousand()),
            number(report::megabytes(measured.peak_bytes)),
            format!("{:.3}", measured.client_cpu_seconds / measured.events as f64 * 1_000.0),
        ]);
    }
    table.print();
}

fn print_goals(kind: Kind, medians: &[(Row, Median)]) {
    let of = |row, value: fn(&Measured) -> f64| find(medians, row).map_or(f64::NAN, value);
    let factor = if kind == Kind::Sqlite { 5.0 } else { 2.0 };
    let batching = of((Way::Writer, 64), Measured::rate) / of((Way::Alone, 64), Measured::rate);
    let wait = of((Way::Writer, 1), |m| m.percentile(50.0)) / of((Way::Alone, 1), |m| m.percentile(50.0));
    let peak = medians.iter().map(|(_, median)| median.measured.peak_bytes).max().unwrap_or(0);
    let best = [1, 4, 8].map(|clients| of((Way::Batch, clients), Measured::rate)).into_iter().fold(0.0, f64::max);
    let mut table = Table::new(["goal", "target", "measured", "reached"]);
    let mut goal = |name: &str, target: String, measured: String, reached: bool| {
        table.row([name.to_owned(), target, measured, if reached { "yes" } else { "NO" }.to_owned()]);
    };
    goal("(b) to (a), 64 clients", format!("≥ {factor}×"), ratio(batching), batching >= factor);
    if kind == Kind::Sqlite {
        goal("(c) events/s, best row", format!("≥ {}", grouped(20_000)), number(best), best >= 20_000.0);
    }
    goal("(b) to (a), 1 client, p50", "about 1× (≤ 1.20×)".to_owned(), ratio(wait), wait <= 1.2);
    let peak = report::megabytes(peak);
    goal("peak memory of all rows, MB", format!("< {MEMORY_GOAL}"), number(peak), peak < MEMORY_GOAL);
    table.print();
}
