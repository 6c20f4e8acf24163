//! The duration of the move from SQLite to PostgreSQL, and whether readers see the same afterwards.

use std::{
    fs::File,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    Failed,
    big::{self, Extent},
    database::{Database, Databases, Kind},
    http::{self, Connection},
    report::{self, Table, grouped, number},
    server::{self, Server},
};

/// Lists to compare from the first page to the last, with the name of their cursor's parameter.
const LISTS: [(&str, &str); 7] = [
    ("users", "cursor"),
    ("courses", "cursor"),
    ("enrolments", "cursor"),
    ("grades", "cursor"),
    ("completions", "cursor"),
    ("events", "cursor"),
    ("changes", "after"),
];

/// The interval of sampling the copying process's memory.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(20);

struct Copied {
    seconds: f64,
    peak_bytes: u64,
    /// Its output: the sums, and the duration of each stage.
    printed: String,
    stages: String,
}

pub(crate) async fn run(databases: &Databases, quick: bool) -> Result<(), Failed> {
    let extent = Extent::of(if quick { 100_000 } else { 1_000_000 });
    let source = databases.create(Kind::Sqlite).await?;
    let destination = databases.create(Kind::Postgres).await?;
    let server = Server::start(&source, &[]).await?;
    let (site_token, api_token) = (server.site_token.clone(), server.api_token.clone());
    server.stop().await?;
    let started = Instant::now();
    big::fill(&source, extent).await?;
    eprintln!("copy: a database of {} events made in {}", grouped(extent.events), report::duration(started.elapsed()));
    let (lists, _) = read(&source, &site_token, &api_token).await?;
    let bytes = source.bytes().await?;

    let copied = copy(&source, &destination).await?;
    let (copied_lists, next_event) = read(&destination, &site_token, &api_token).await?;
    if lists != copied_lists {
        return Err("readers do not see the same on both databases".into());
    }
    // Each record has its sync item in the copy too.
    server::run(&destination, &[], &["sync", "audit"])?;
    if next_event <= extent.events {
        return Err(format!("the event after {} got the number {next_event}", extent.events).into());
    }
    println!("### Copy from SQLite\n");
    let rows: u64 = lists.iter().map(|list| list.rows).sum();
    println!(
        "{} events and {} records with their sync items, {} MB: copied and compared in {} s, with {} MB of memory at most. Then \
         {} rows of all lists, read by API page by page from both, were the same, with the same cursors, and the next event was \
         number {}.\n",
        grouped(extent.events),
        grouped(extent.records()),
        number(report::megabytes(bytes)),
        number(copied.seconds),
        number(report::megabytes(copied.peak_bytes)),
        grouped(rows),
        grouped(next_event),
    );
    let mut table = Table::new(["stage", "rows", "seconds", "rows/s"]);
    for line in copied.stages.lines() {
        if let Some((stage, rows, seconds)) = stage(line) {
            let cells = [grouped(rows), number(seconds), number(rows as f64 / seconds)];
            table.row(std::iter::once(stage.to_owned()).chain(cells));
        }
    }
    table.print();
    println!("```text\n{}```\n", copied.printed);
    databases.drop(source).await?;
    databases.drop(destination).await
}

/// The seconds in "copying: 5 of 5 rows, 1 rows/s (took 5.0 s)".
fn stage(line: &str) -> Option<(&str, u64, f64)> {
    let (stage, rest) = line.split_once(": ")?;
    let (rows, rest) = rest.split_once(" of ")?;
    let (_, seconds) = rest.split_once("(took ")?;
    Some((stage, rows.parse().ok()?, seconds.strip_suffix(" s)")?.parse().ok()?))
}

async fn copy(source: &Database, destination: &Database) -> Result<Copied, Failed> {
    let (output, errors) = (destination.folder.join("copy.out"), destination.folder.join("copy.err"));
    let started = Instant::now();
    let mut child = server::command(destination)
        .args(["copy-database", "--from", &source.url, "--to", &destination.url])
        .stdout(File::create(&output)?)
        .stderr(File::create(&errors)?)
        .stdin(Stdio::null())
        .spawn()?;
    let mut peak_bytes = 0;
    let status = loop {
        peak_bytes = server::peak_bytes_of(child.id())?.unwrap_or(peak_bytes);
        match child.try_wait()? {
            Some(status) => break status,
            None => tokio::time::sleep(SAMPLE_INTERVAL).await,
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    let (printed, stages) = (std::fs::read_to_string(output)?, std::fs::read_to_string(errors)?);
    if !status.success() {
        return Err(format!("copy-database: {status}\n{printed}{stages}").into());
    }
    let printed: String = printed.lines().take_while(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
    Ok(Copied { seconds, peak_bytes, printed, stages })
}

/// A list as a reader gets it: pages and cursors.
#[derive(PartialEq, Eq)]
struct List {
    rows: u64,
    digest: [u8; 32],
}

/// Reads all lists of a server on this database. On PostgreSQL, then sends one event and returns its number.
async fn read(database: &Database, site_token: &str, api_token: &str) -> Result<(Vec<List>, u64), Failed> {
    let server = Server::start_on(database, &[], site_token.to_owned(), api_token.to_owned()).await?;
    let mut connection = Connection::open(server.address).await?;
    let mut lists = Vec::new();
    for (list, parameter) in LISTS {
        lists.push(read_list(&mut connection, api_token, list, parameter).await?);
    }
    let mut event = 0;
    if !database.url.starts_with("sqlite") {
        let body = r#"{"userid": 1, "username": "student1", "timemodified": 1900000000}"#;
        let mut request = http::post("/api/v1/events/moodle/user_updated", site_token, body.len());
        request.extend(body.as_bytes());
        let answer: Value = serde_json::from_slice(connection.exchange(&request).await?)?;
        event = answer.get("id").and_then(Value::as_u64).ok_or("an answer without the event's number")?;
    }
    server.stop().await?;
    Ok((lists, event))
}

async fn read_list(connection: &mut Connection, api_token: &str, list: &str, parameter: &str) -> Result<List, Failed> {
    let (mut rows, mut digest, mut cursor) = (0, Sha256::new(), String::new());
    loop {
        let body = connection.exchange(&http::get(&format!("/api/v1/{list}?limit=500{cursor}"), api_token)).await?;
        digest.update(body);
        let page: Value = serde_json::from_slice(body)?;
        rows += page.get("items").and_then(Value::as_array).map_or(0, Vec::len) as u64;
        let next = page.get("next_cursor").and_then(Value::as_str);
        match next.filter(|_| page.get("more").and_then(Value::as_bool) != Some(false)) {
            Some(next) => cursor = format!("&{parameter}={next}"),
            None => return Ok(List { rows, digest: digest.finalize().into() }),
        }
    }
}
