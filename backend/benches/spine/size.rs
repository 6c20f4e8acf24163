//! Whether pages, the change feed and ingest stay fast while the event log grows to a million.

use std::time::Instant;

use serde_json::Value;

use crate::{
    Failed,
    database::{Database, Databases, Kind},
    http::{self, Connection},
    load::{Extent, Load, Measured, histogram},
    payload::{self, BATCH, PROBES, Requests},
    report::{self, Table, grouped, number, ratio},
    server::{SITE, Server},
};

const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];

/// Rows of a measured page.
const PAGE: usize = 100;
/// Rows of a page that is read only for its cursor.
const STRIDE: usize = 500;
/// How often a reader requests each page.
const READS: usize = 200;
const WARM_UP_READS: usize = 20;

/// Clients that fill the database.
const LOADERS: usize = 4;
/// The number of events between two progress lines.
const PROGRESS: u64 = 50_000;

/// The load at each size: clients, events per request, events in total.
const INGEST: [(usize, u64, u64); 2] = [(64, 1, 20_000), (4, BATCH, 40_000)];

/// The reader's requests, in turn.
struct Question {
    name: String,
    requests: Vec<Vec<u8>>,
}

/// The percentiles of a request's duration, in milliseconds.
struct Wait {
    p50: f64,
    p95: f64,
}

/// The measurements at one size.
struct Column {
    size: u64,
    bytes: u64,
    /// Each request with the number of rows in its answer.
    reads: Vec<(String, usize, Wait)>,
    ingest: Vec<Measured>,
}

pub(crate) async fn run(databases: &Databases, kind: Kind, quick: bool) -> Result<(), Failed> {
    let database = databases.create(kind).await?;
    let server = Server::start(&database, &[]).await?;
    let load = Load::new(&server);
    let sizes = SIZES.get(..if quick { 2 } else { 3 }).unwrap_or_default();
    let mut columns = Vec::new();
    for size in sizes {
        fill(&load, &server, *size).await.map_err(|error| server.explain(error))?;
        database.settle().await?;
        let column = measure(&load, &server, &database).await.map_err(|error| server.explain(error))?;
        columns.push(column);
    }
    let (sent, stored, peak) = (load.sent(), database.events().await?, server.usage()?.peak_bytes);
    if sent != stored {
        return Err(format!("{sent} events were answered 200, and {stored} are in the database").into());
    }
    server.stop().await?;
    databases.drop(database).await?;
    println!("### Size\n");
    println!(
        "One database that grows, one reader who asks for each page {READS} times, pages of {PAGE} rows at most; ratios are \
         those of p50 to the smallest size. \"End\" is within the last {} rows. The server's memory peaked at {} MB.\n",
        grouped(2 * STRIDE as u64),
        number(report::megabytes(peak)),
    );
    print_reads(&columns);
    println!("Ingest of the same number of events at each size, which then count towards the next:\n");
    print_ingest(&columns);
    Ok(())
}

async fn fill(load: &Load<'_>, server: &Server, size: u64) -> Result<(), Failed> {
    let requests = Requests::batch(&server.site_token)?;
    while load.sent() < size {
        let step = PROGRESS.min(size - load.sent());
        let measured = load.run(&requests, LOADERS, Extent::Events(step)).await?;
        eprintln!("size: {} of {} events, {} events/s", grouped(load.sent()), grouped(size), number(measured.rate()));
    }
    Ok(())
}

async fn measure(load: &Load<'_>, server: &Server, database: &Database) -> Result<Column, Failed> {
    let (size, bytes) = (load.sent(), database.bytes().await?);
    let mut connection = Connection::open(server.address).await?;
    let mut reads = Vec::new();
    for Question { name, requests } in questions(&mut connection, server, size).await? {
        let mut latency = histogram()?;
        let mut rows = 0;
        for (index, request) in requests.iter().cycle().take(WARM_UP_READS + READS).enumerate() {
            let started = Instant::now();
            let body = connection.exchange(request).await?;
            if index < WARM_UP_READS {
                rows = Page::read(body)?.rows;
            } else {
                latency.saturating_record(u64::try_from(started.elapsed().as_micros())?);
            }
        }
        let milliseconds = |percent| latency.value_at_percentile(percent) as f64 / 1_000.0;
        reads.push((name, rows, Wait { p50: milliseconds(50.0), p95: milliseconds(95.0) }));
    }
    let mut ingest = Vec::new();
    for (clients, batch, events) in INGEST {
        let token = &server.site_token;
        let requests = if batch == 1 { Requests::single(token)? } else { Requests::batch(token)? };
        ingest.push(load.run(&requests, clients, Extent::Events(events)).await?);
    }
    eprintln!("size: measured at {} events", grouped(size));
    Ok(Column { size, bytes, reads, ingest })
}

/// The reader's requests on a database with this many events.
async fn questions(connection: &mut Connection, server: &Server, events: u64) -> Result<Vec<Question>, Failed> {
    let token = &server.api_token;
    let mut questions = Vec::new();
    for (list, parameter) in [("events", "cursor"), ("users", "cursor"), ("grades", "cursor"), ("changes", "after")] {
        let (rows, cursors) = walk(connection, token, list, parameter).await?;
        if list == "events" && rows != events {
            return Err(format!("a reader of all events got {rows} of {events}").into());
        }
        let at = |index: usize| cursors.get(index).map(|cursor| format!("&{parameter}={cursor}")).unwrap_or_default();
        let places = [("first page", String::new()), ("middle", at(cursors.len() / 2)), ("end", at(cursors.len() - 2))];
        for (place, cursor) in places {
            let path = format!("/api/v1/{list}?limit={PAGE}{cursor}");
            questions.push(Question { name: format!("{list}, {place}"), requests: vec![http::get(&path, token)] });
        }
    }
    let user = |list: &'static str| move |user| format!("{list}?limit={PAGE}&user={SITE}:{user}");
    let email = |user| format!("users?email={}", payload::email(user));
    for (name, path) in [
        ("grades of one user", &user("grades") as &dyn Fn(u64) -> String),
        ("events of one user", &user("events")),
        ("users by e-mail", &email),
    ] {
        let request = |number| http::get(&format!("/api/v1/{}", path(payload::probe(number))), token);
        questions.push(Question { name: name.to_owned(), requests: (0..PROBES).map(request).collect() });
    }
    Ok(questions)
}

/// Reads a list to its end; returns the number of rows, and the cursors on the way.
async fn walk(
    connection: &mut Connection,
    token: &str,
    list: &str,
    parameter: &str,
) -> Result<(u64, Vec<String>), Failed> {
    let (mut total, mut cursors) = (0, Vec::<String>::new());
    loop {
        let cursor = cursors.last().map(|cursor| format!("&{parameter}={cursor}")).unwrap_or_default();
        let path = format!("/api/v1/{list}?limit={STRIDE}{cursor}");
        let page = Page::read(connection.exchange(&http::get(&path, token)).await?)?;
        total += page.rows as u64;
        match page.next {
            Some(next) if page.rows == STRIDE => cursors.push(next),
            _ if cursors.len() < 2 => return Err(format!("the list of {list} is too short to be measured").into()),
            _ => return Ok((total, cursors)),
        }
    }
}

/// The relevant part of an answer.
struct Page {
    rows: usize,
    next: Option<String>,
}

impl Page {
    fn read(body: &[u8]) -> Result<Self, Failed> {
        let page: Value = serde_json::from_slice(body)?;
        let rows = page.get("items").and_then(Value::as_array).ok_or("an answer without items")?.len();
        Ok(Self { rows, next: page.get("next_cursor").and_then(Value::as_str).map(str::to_owned) })
    }
}

/// The head of a table with `cells` for each size, and a ratio for each but the first.
fn head(columns: &[Column], first: &[&str], cells: &[&str]) -> Vec<String> {
    let mut head: Vec<String> = first.iter().map(|cell| (*cell).to_owned()).collect();
    for (index, column) in columns.iter().enumerate() {
        head.extend(cells.iter().map(|cell| format!("{}: {cell}", grouped(column.size))));
        head.extend((index > 0).then(|| "ratio".to_owned()));
    }
    head
}

fn print_reads(columns: &[Column]) {
    let Some(first) = columns.first() else { return };
    let mut table = Table::new(head(columns, &["page", "rows"], &["p50 ms", "p95 ms"]));
    for (row, (name, rows, base)) in first.reads.iter().enumerate() {
        let mut cells = vec![name.clone(), rows.to_string()];
        for (index, wait) in columns.iter().filter_map(|column| Some(&column.reads.get(row)?.2)).enumerate() {
            cells.extend([number(wait.p50), number(wait.p95)]);
            cells.extend((index > 0).then(|| ratio(wait.p50 / base.p50)));
        }
        table.row(cells);
    }
    table.print();
}

fn print_ingest(columns: &[Column]) {
    let Some(first) = columns.first() else { return };
    let mut table = Table::new(head(columns, &["ingest"], &["events/s", "p95 ms", "CPU s / 1,000"]));
    for (row, ((clients, batch, events), base)) in INGEST.into_iter().zip(&first.ingest).enumerate() {
        let way = if batch == 1 { "single".to_owned() } else { format!("batches of {batch}") };
        let mut cells = vec![format!("{} events, {way}, {clients} clients", grouped(events))];
        for (index, measured) in columns.iter().filter_map(|column| column.ingest.get(row)).enumerate() {
            cells.extend([number(measured.rate()), number(measured.percentile(95.0))]);
            cells.push(format!("{:.3}", measured.cpu_per_thousand()));
            cells.extend((index > 0).then(|| ratio(measured.rate() / base.rate())));
        }
        table.row(cells);
    }
    table.print();
    let size = |column: &Column| format!("{} MB at {}", number(report::megabytes(column.bytes)), grouped(column.size));
    println!("On disk: {}.\n", columns.iter().map(size).collect::<Vec<_>>().join(", "));
}
