//! The duration of the console's pages, on a small database and on a big one.

use std::time::Instant;

use reqwest::{Client, header, redirect::Policy};

use crate::{
    Failed,
    big::{self, Extent},
    database::{Databases, Kind},
    http::Connection,
    load::histogram,
    report::{self, Table, grouped, number, ratio},
    server::{SITE, Server},
};

const SIZES: [u64; 2] = [10_000, 1_000_000];

/// How often each page is requested.
const READS: usize = 30;

/// The goal for each page, in milliseconds, on two cores.
const ENOUGH_MS: f64 = 300.0;

/// Pages as people open them, including those that read the most.
fn pages() -> [(&'static str, String); 17] {
    let own = |path: &str| path.replace("SITE", SITE);
    [
        ("Overview", own("/")),
        ("Overview, a week", own("/?range=week")),
        ("Needs attention", own("/attention")),
        ("Brake", own("/brake")),
        ("Alerts", own("/alerts")),
        ("People, by name", own("/people?q=ann")),
        ("People, by number", own("/people?q=SITE:17")),
        ("People, nobody", own("/people?q=no-such-person@example.com")),
        ("Person", own("/people/SITE:17")),
        ("Records", own("/records")),
        ("Records, failed", own("/records?state=failed")),
        ("Record", own("/records/grade:SITE:17")),
        ("Events", own("/events")),
        ("Events, nothing found", own("/events?type=course_deleted")),
        ("Attempts", own("/attempts")),
        ("Sites and tokens", own("/sites")),
        ("Mapping", own("/mapping")),
    ]
}

/// The percentiles of each page's duration, in milliseconds, in the order of [`pages`].
type Waits = Vec<(f64, f64)>;

pub(crate) async fn run(databases: &Databases, kind: Kind, quick: bool) -> Result<(), Failed> {
    let sizes = SIZES.map(|size| if quick { size / 10 } else { size });
    let mut columns: Vec<Waits> = Vec::new();
    for size in sizes {
        columns.push(measure(databases, kind, size).await?);
    }
    println!("### Pages of the console\n");
    println!(
        "Each asked for {READS} times, one after the other; the first time too. With {} and {} events, {} and {} sync items. A page \
         should take {} ms at most.\n",
        grouped(sizes[0]),
        grouped(sizes[1]),
        grouped(Extent::of(sizes[0]).records()),
        grouped(Extent::of(sizes[1]).records()),
        number(ENOUGH_MS),
    );
    let mut table = Table::new(["page", "p50 ms, small", "p50 ms, big", "slowest ms, big", "big ÷ small", ""]);
    for (index, (name, _)) in pages().into_iter().enumerate() {
        let of = |column: usize| columns.get(column).and_then(|waits| waits.get(index)).copied().unwrap_or_default();
        let ((small, _), (big, slowest)) = (of(0), of(1));
        let verdict = if slowest > ENOUGH_MS { "too slow" } else { "" };
        let cells = [number(small), number(big), number(slowest), ratio(big / small), verdict.to_owned()];
        table.row(std::iter::once(name.to_owned()).chain(cells));
    }
    table.print();
    Ok(())
}

async fn measure(databases: &Databases, kind: Kind, size: u64) -> Result<Waits, Failed> {
    let database = databases.create(kind).await?;
    let server = Server::start(&database, &[]).await?;
    let (site_token, api_token) = (server.site_token.clone(), server.api_token.clone());
    server.stop().await?;
    let started = Instant::now();
    big::fill(&database, Extent::of(size)).await?;
    eprintln!("pages: {} events made in {}", grouped(size), report::duration(started.elapsed()));
    let server = Server::start_on(&database, site_token, api_token).await?;
    let waits = read(&server).await.map_err(|error| server.explain(error))?;
    server.stop().await?;
    databases.drop(database).await?;
    Ok(waits)
}

async fn read(server: &Server) -> Result<Waits, Failed> {
    let cookie = sign_in(server).await?;
    let mut connection = Connection::open(server.address).await?;
    let mut waits = Vec::new();
    for (_, path) in pages() {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nCookie: {cookie}\r\n\r\n");
        let mut latency = histogram()?;
        for _ in 0..READS {
            let started = Instant::now();
            connection.exchange(request.as_bytes()).await?;
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
