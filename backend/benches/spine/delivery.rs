//! Records delivered to Zoho per second, the delay of a single one, and the cost.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Failed,
    database::{Database, Databases, Kind},
    http::{self, Connection},
    report::{self, Table, grouped, number},
    server::{self, Server},
    simulator::Simulator,
};

/// People, each with enough grades to make up the records of a round.
const USERS: u64 = 1_000;

/// Single events sent to an idle server.
const SINGLES: usize = 200;

/// The goal in records per second, with one process.
const RATE_GOAL: f64 = 5_000.0;

/// The goal in milliseconds from the answer to Moodle until Zoho has the record, for the 95th percentile.
const DELAY_GOAL: f64 = 250.0;

/// The time-out for all deliveries.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) struct Measured {
    records: u64,
    seconds: f64,
    calls: usize,
    statements: Option<f64>,
    cpu_seconds: f64,
    simulator_cpu_seconds: f64,
    peak_bytes: u64,
    /// The delays of single events to an idle server, sorted, in milliseconds.
    delays: Vec<f64>,
}

impl Measured {
    /// Records per second.
    pub(crate) fn rate(&self) -> f64 {
        self.records as f64 / self.seconds
    }

    /// CPU seconds of the servers per 1,000 records.
    pub(crate) fn cpu_per_thousand(&self) -> f64 {
        self.cpu_seconds / self.records as f64 * 1_000.0
    }
}

/// The records that a round delivers.
pub(crate) fn records(quick: bool) -> u64 {
    if quick { 5_000 } else { 20_000 }
}

pub(crate) async fn run(databases: &Databases, kind: Kind, quick: bool) -> Result<(), Failed> {
    let records = records(quick);
    let processes: &[usize] = if kind == Kind::Postgres { &[1, 3] } else { &[1] };
    println!("### Delivery\n");
    println!(
        "{} grades wait, and are delivered to a simulator that answers at once, on the same processors. Then {SINGLES} grades one by \
         one, when nothing waits: from the answer to their sender until the call that brings them to Zoho has ended. CPU and memory are \
         the servers'.\n",
        grouped(records)
    );
    let mut table = Table::new([
        "",
        "records/s",
        "calls",
        "statements / record",
        "CPU s / 1,000",
        "simulator's",
        "peak MB",
        "p50 ms",
        "p95 ms",
        "max ms",
    ]);
    let mut goals = Table::new(["goal", "target", "measured", "reached"]);
    for &processes in processes {
        let measured = measure(databases, kind, None, processes, records).await?;
        let rate = measured.rate();
        let delay = |share: f64| measured.delays.get((measured.delays.len() as f64 * share) as usize).copied();
        let p95 = delay(0.95).unwrap_or(f64::NAN);
        table.row([
            format!("{processes} process{}", if processes == 1 { "" } else { "es" }),
            number(rate),
            measured.calls.to_string(),
            measured.statements.map_or_else(|| "–".to_owned(), number),
            format!("{:.3}", measured.cpu_per_thousand()),
            format!("{:.3}", measured.simulator_cpu_seconds / measured.records as f64 * 1_000.0),
            number(report::megabytes(measured.peak_bytes)),
            number(delay(0.5).unwrap_or(f64::NAN)),
            number(p95),
            number(measured.delays.last().copied().unwrap_or(f64::NAN)),
        ]);
        if processes == 1 {
            let mut goal = |name: &str, target: String, value: f64, reached: bool| {
                let reached = if reached { "yes" } else { "NO" };
                goals.row([name.to_owned(), target, number(value), reached.to_owned()]);
            };
            goal("records/s", format!("≥ {}", grouped(RATE_GOAL as u64)), rate, rate >= RATE_GOAL);
            goal("from commit to Zoho's answer, p95, ms", format!("< {DELAY_GOAL}"), p95, p95 < DELAY_GOAL);
        }
    }
    table.print();
    goals.print();
    Ok(())
}

/// Delivers with this checkout's or another program, on a fresh database.
pub(crate) async fn measure(
    databases: &Databases,
    kind: Kind,
    program: Option<&Path>,
    processes: usize,
    records: u64,
) -> Result<Measured, Failed> {
    let mut database = databases.create(kind).await?;
    database.program = program.map(Path::to_owned);
    let simulator = Simulator::start(program)?;
    let settings = simulator.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    server::run(&database, &settings, &["zoho", "setup", "--yes"])?;
    let first = Server::start(&database, &settings).await?;
    let mut servers = Vec::new();
    for _ in 1..processes {
        servers.push(first.another(&database, &settings).await?);
    }
    servers.insert(0, first);
    let first = servers.first().ok_or("no server")?;
    let mut sender = Sender::open(first).await?;
    begin_site(&mut sender).await?;
    rest(&database).await?;
    server::run(&database, &settings, &["sync", "pause"])?;
    sender.send((0..records).map(grade)).await?;
    database.settle().await?;

    let mut calls = simulator.connect().await?;
    calls.since_last().await?;
    let counted = database.count_statements().await?;
    let before = usage(&servers)?;
    let simulator_before = server::cpu_seconds_of(simulator.process())?;
    server::run(&database, &settings, &["sync", "resume"])?;
    rest(&database).await?;
    let after = usage(&servers)?;
    let statements = if counted { Some(database.statements().await? as f64 / records as f64) } else { None };
    let made = calls.since_last().await?.len();
    let simulator_cpu_seconds = server::cpu_seconds_of(simulator.process())? - simulator_before;
    let seconds = database.delivery_seconds().await?;

    let mut delays = Vec::with_capacity(SINGLES);
    for number in records..records + SINGLES as u64 {
        sender.send(std::iter::once(grade(number))).await?;
        let committed = Instant::now();
        while calls.since_last().await?.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        delays.push(committed.elapsed().as_secs_f64() * 1_000.0);
        rest(&database).await?;
    }
    delays.sort_by(f64::total_cmp);
    for server in servers {
        server.stop().await?;
    }
    databases.drop(database).await?;
    Ok(Measured {
        records,
        seconds,
        calls: made,
        statements,
        cpu_seconds: after.0 - before.0,
        simulator_cpu_seconds,
        peak_bytes: after.1,
        delays,
    })
}

/// The CPU seconds of all servers, and the largest peak memory of one.
fn usage(servers: &[Server]) -> Result<(f64, u64), Failed> {
    let mut sum = (0.0, 0);
    for server in servers {
        let usage = server.usage()?;
        sum = (sum.0 + usage.cpu_seconds, sum.1.max(usage.peak_bytes));
    }
    Ok(sum)
}

/// Sends a course and its people.
pub(crate) async fn begin_site(sender: &mut Sender) -> Result<(), Failed> {
    let course =
        [json!({"type": "course_created", "data": {"courseid": 1, "fullname": "Biology", "shortname": "bio"}})];
    sender.send(course.into_iter()).await?;
    sender.send((1..=USERS).map(user)).await
}

/// Waits until nothing is pending or in flight.
pub(crate) async fn rest(database: &Database) -> Result<(), Failed> {
    let deadline = Instant::now() + PATIENCE;
    while database.undelivered().await? > 0 {
        if Instant::now() > deadline {
            return Err("the delivery did not come to rest".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn user(id: u64) -> Value {
    json!({"type": "user_created", "data": {
        "userid": id, "username": format!("student{id}"), "firstname": "Ann", "lastname": format!("Student {id}"),
        "email": format!("student{id}@example.com"), "city": "London", "country": "GB", "suspended": false,
    }})
}

pub(crate) fn grade(number: u64) -> Value {
    let item = 1 + number / USERS;
    json!({"type": "grade_updated", "data": {
        "gradeid": number + 1, "userid": 1 + number % USERS, "itemid": item, "courseid": 1, "itemtype": "mod", "itemmodule": "assign",
        "itemname": format!("Essay {item}"), "grademax": "100.00000", "finalgrade": format!("{}.00000", number % 100),
        "feedback": "<p>Well argued, and clearly written. Mind the references.</p>", "timemodified": 1_795_333_607,
    }})
}

/// Sends batches as the plugin does.
pub(crate) struct Sender {
    connection: Connection,
    token: String,
    sent: u64,
}

impl Sender {
    pub(crate) async fn open(server: &Server) -> Result<Self, Failed> {
        let connection = Connection::open(server.address).await?;
        Ok(Self { connection, token: server.site_token.clone(), sent: 0 })
    }

    pub(crate) async fn send(&mut self, events: impl Iterator<Item = Value>) -> Result<(), Failed> {
        let mut events = events.peekable();
        while events.peek().is_some() {
            let batch: Vec<Value> = events.by_ref().take(1_000).map(|event| self.complete(event)).collect();
            let body = json!({ "events": batch }).to_string();
            let mut request = http::post("/api/v1/events/moodle/batch", &self.token, body.len());
            request.extend(body.as_bytes());
            self.connection.exchange(&request).await?;
        }
        Ok(())
    }

    fn complete(&mut self, mut event: Value) -> Value {
        self.sent += 1;
        if let Some(event) = event.as_object_mut() {
            event.insert("id".to_owned(), json!(uuid::Uuid::from_u128(u128::from(self.sent))));
            event.insert("time".to_owned(), json!(1_795_333_607));
            event.insert("sequence".to_owned(), json!(self.sent));
        }
        event
    }
}
