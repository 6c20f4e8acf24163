//! The duration of the console's pages and of the API's answers: on a small database, on a big one, and on a big one while
//! ingest and delivery run.

use std::time::{Duration, Instant};

use reqwest::{Client, header, redirect::Policy};

use crate::{
    Failed,
    big::{self, Extent},
    database::{Database, Databases, Kind},
    http::{self, Connection},
    load::{self, Load, histogram},
    payload::Requests,
    report::{self, Table, grouped, number, ratio},
    server::{self, SITE, Server},
    simulator::Simulator,
};

const SIZES: [u64; 2] = [10_000, 1_000_000];

/// How often each page is requested.
const READS: usize = 30;

/// The goal for each page, in milliseconds, on two cores.
const ENOUGH_MS: f64 = 300.0;

/// Longer than all pages take.
const BUSY_TIME: Duration = Duration::from_secs(600);

/// Pages as people open them, including those that read the most.
const PAGES: [(&str, &str); 19] = [
    ("Overview", "/"),
    ("Overview, a week", "/?range=week"),
    ("Needs attention", "/attention"),
    ("Brake", "/brake"),
    ("Parity", "/parity"),
    ("Alerts", "/alerts"),
    ("People, by name", "/people?q=ann"),
    ("People, by number", "/people?q=SITE:17"),
    ("People, nobody", "/people?q=no-such-person@example.com"),
    ("Person", "/people/SITE:17"),
    ("Records", "/records"),
    ("Records, failed", "/records?state=failed"),
    ("Record", "/records/grade:SITE:17"),
    ("Events", "/events"),
    ("Events, nothing found", "/events?type=course_deleted"),
    ("Attempts", "/attempts"),
    ("Sites and tokens", "/sites"),
    ("Adoptions", "/adoptions"),
    ("Mapping", "/mapping"),
];

/// Answers of the API, the largest and those that look through the most.
const ANSWERS: [(&str, &str); 12] = [
    ("users", "/api/v1/users?limit=500"),
    ("grades", "/api/v1/grades?limit=500"),
    ("grades, deleted", "/api/v1/grades?deleted=true&limit=500"),
    ("grades of a course", "/api/v1/grades?course=SITE:7&limit=500"),
    ("users, changed since", "/api/v1/users?changed_since=2020-01-01T00:00:00Z&limit=500"),
    ("events", "/api/v1/events?limit=500"),
    ("events, nothing found", "/api/v1/events?type=course_deleted"),
    ("changes", "/api/v1/changes?limit=500"),
    ("items, failed", "/api/v1/destinations/zoho/items?state=failed&limit=500"),
    ("items, nothing found", "/api/v1/destinations/zoho/items?code=no_such_code"),
    ("destinations", "/api/v1/destinations"),
    ("timeline", "/api/v1/users/SITE:17/timeline"),
];

/// The percentiles of each page's duration, in milliseconds, in the order of [`PAGES`] and [`ANSWERS`].
type Waits = Vec<(f64, f64)>;

pub(crate) async fn run(databases: &Databases, kind: Kind, quick: bool) -> Result<(), Failed> {
    let sizes = SIZES.map(|size| if quick { size / 10 } else { size });
    let small = measure(databases, kind, sizes[0], false).await?;
    let big = measure(databases, kind, sizes[1], false).await?;
    let busy = measure(databases, kind, sizes[1], true).await?;
    println!("### Pages of the console, and answers of the API\n");
    println!(
        "Each asked for {READS} times, one after the other; the first time too. With {} and {} events, {} and {} sync items; \
         at last with batches of events coming in and going out meanwhile, on the same processors. A page should take {} ms \
         at most.\n",
        grouped(sizes[0]),
        grouped(sizes[1]),
        grouped(Extent::of(sizes[0]).records()),
        grouped(Extent::of(sizes[1]).records()),
        number(ENOUGH_MS),
    );
    let mut table = Table::new([
        "page",
        "p50 ms, small",
        "p50 ms, big",
        "slowest ms, big",
        "big ÷ small",
        "p50 ms, busy",
        "slowest ms, busy",
        "",
    ]);
    for (index, (name, _)) in PAGES.iter().chain(&ANSWERS).enumerate() {
        let of = |waits: &Waits| waits.get(index).copied().unwrap_or_default();
        let ((small, _), (big, slowest), (busy, slowest_busy)) = (of(&small), of(&big), of(&busy));
        let verdict = if slowest.max(slowest_busy) > ENOUGH_MS { "too slow" } else { "" };
        let mut cells = vec![(*name).to_owned(), number(small), number(big), number(slowest), ratio(big / small)];
        cells.extend([number(busy), number(slowest_busy), verdict.to_owned()]);
        table.row(cells);
    }
    table.print();
    Ok(())
}

async fn measure(databases: &Databases, kind: Kind, size: u64, busy: bool) -> Result<Waits, Failed> {
    let database = databases.create(kind).await?;
    let server = Server::start(&database, &[]).await?;
    let (site_token, api_token) = (server.site_token.clone(), server.api_token.clone());
    server.stop().await?;
    let started = Instant::now();
    big::fill(&database, Extent::of(size)).await?;
    eprintln!("pages: {} events made in {}", grouped(size), report::duration(started.elapsed()));
    let simulator = if busy { Some(delivering(&database)?) } else { None };
    let settings = simulator.as_ref().map(Simulator::settings).unwrap_or_default();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = Server::start_on(&database, &settings, site_token, api_token).await?;
    let waits = if busy { read_beside_load(&server).await } else { read(&server).await };
    let waits = waits.map_err(|error| server.explain(error))?;
    server.stop().await?;
    databases.drop(database).await?;
    Ok(waits)
}

/// A simulator with all that the mapping needs.
fn delivering(database: &Database) -> Result<Simulator, Failed> {
    let simulator = Simulator::start(None)?;
    let settings = simulator.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    server::run(database, &settings, &["zoho", "setup", "--yes"])?;
    Ok(simulator)
}

async fn read_beside_load(server: &Server) -> Result<Waits, Failed> {
    let (load, requests) = (Load::new(server), Requests::batch(&server.site_token)?);
    tokio::select! {
        waits = read(server) => waits,
        ended = load.run(&requests, 1, load::Extent::Time(BUSY_TIME)) => {
            Err(ended.err().unwrap_or_else(|| "the load ended before the last page".into()))
        }
    }
}

async fn read(server: &Server) -> Result<Waits, Failed> {
    let cookie = sign_in(server).await?;
    let own = |path: &str| path.replace("SITE", SITE);
    let page = |(_, path): &(&str, &str)| {
        let head = "HTTP/1.1\r\nHost: localhost\r\nAccept: text/html";
        format!("GET {} {head}\r\nCookie: {cookie}\r\n\r\n", own(path)).into_bytes()
    };
    let answer = |(_, path): &(&str, &str)| http::get(&own(path), &server.api_token);
    let requests = PAGES.iter().map(page).chain(ANSWERS.iter().map(answer));
    let mut connection = Connection::open(server.address).await?;
    let mut waits = Vec::new();
    for request in requests {
        let mut latency = histogram()?;
        for _ in 0..READS {
            let started = Instant::now();
            connection.exchange(&request).await?;
            latency.saturating_record(u64::try_from(started.elapsed().as_micros())?);
        }
        waits.push((latency.value_at_percentile(50.0) as f64 / 1_000.0, latency.max() as f64 / 1_000.0));
    }
    Ok(waits)
}

/// Signs in as a browser does; returns its cookie.
#[expect(clippy::disallowed_methods, reason = "a client that follows no redirects")]
async fn sign_in(server: &Server) -> Result<String, Failed> {
    // Every client needs a provider, even for plain HTTP; if one is installed already, that one stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().redirect(Policy::none()).build()?;
    let form = [("token", server.api_token.as_str())];
    let request = client.post(format!("http://{}/sign-in", server.address)).header("sec-fetch-site", "same-origin");
    let answer = request.form(&form).send().await?;
    let cookie = answer.headers().get(header::SET_COOKIE).ok_or("the console refused the sign-in")?;
    Ok(cookie.to_str()?.split(';').next().unwrap_or_default().to_owned())
}
