//! The whole delivery against a model: random histories of a small site, random faults of every kind, kills, stalls and
//! manual changes in Zoho. In the end Zoho holds exactly what a plain fold of the events says, once, and nothing moves.
//!
//! `IT_MODEL_SEEDS=100` runs this many seeds on each database; `IT_SEED=…` runs one. A seed repeats the actions, not
//! their timing,
//! which depends on threads and processes.

mod any_mapping;
mod chaos;
mod check;
mod cluster;
mod expected;
mod history;
mod moments;
mod site;

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backend_sync::{
    clock::Clock,
    model::FindingSort,
    store::{FindingDecision, FindingFilter, Store},
};
use serde_json::json;
use tokio::task::JoinHandle;

use self::{chaos::Chaos, cluster::Cluster, expected::Expected, history::History};
use crate::support::{Database, ZohoSimulator, random::Random};

on_both_databases!(
    zoho_ends_as_the_events_say,
    zoho_ends_as_other_events_say,
    under_any_mapping_the_end_is_what_would_be_judged_again,
);

const SEEDS_VARIABLE: &str = "IT_MODEL_SEEDS";

/// Tests per database, which share the seeds so that they run in parallel.
const TESTS: u64 = 2;

/// The interval of the conservation check.
const CHECK_INTERVAL: Duration = Duration::from_millis(25);

/// How long nothing may change at the end: several of the engine's rounds.
const REST: Duration = Duration::from_millis(1_200);

/// The servers' settings; the defaults would take minutes.
pub(crate) const SETTINGS: [(&str, &str); 2] =
    [("BACKEND_SYNC_SYNC__LEASE_SECONDS", "2"), ("BACKEND_SYNC_SYNC__CHECK_SECONDS", "1")];

/// Reports the seed of a failure.
struct Announced<'a> {
    seed: u64,
    database: &'a str,
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the failing seed, on {}: IT_SEED={}", self.database, self.seed);
        }
    }
}

async fn zoho_ends_as_the_events_say(database: Database) {
    share(0, database, run).await;
}

async fn zoho_ends_as_other_events_say(database: Database) {
    share(1, database, run).await;
}

async fn under_any_mapping_the_end_is_what_would_be_judged_again(database: Database) {
    share(0, database, any_mapping::run_one).await;
}

/// Runs one test's share of the seeds.
async fn share(test: u64, first: Database, run: impl AsyncFn(u64, Database)) {
    let seeds = match number("IT_SEED") {
        Some(seed) => (test == 0).then_some(seed).into_iter().collect(),
        None => random_seeds((number(SEEDS_VARIABLE).unwrap_or(TESTS) + test) / TESTS),
    };
    run_all(seeds, first, run).await;
}

/// Runs as many seeds as this variable says, or one.
pub(crate) async fn shared_seeds(variable: &str, first: Database, run: impl AsyncFn(u64, Database)) {
    let seeds = number("IT_SEED").map_or_else(|| random_seeds(number(variable).unwrap_or(1)), |seed| vec![seed]);
    run_all(seeds, first, run).await;
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn random_seeds(count: u64) -> Vec<u64> {
    (0..count).map(|_| getrandom::u64().unwrap() >> 16).collect()
}

async fn run_all(seeds: Vec<u64>, first: Database, run: impl AsyncFn(u64, Database)) {
    let is_postgres = first.is_postgres();
    let mut first = Some(first);
    for seed in seeds {
        let database = match first.take() {
            Some(database) => database,
            None if is_postgres => Database::postgres().await,
            None => Database::sqlite(),
        };
        let _announced = Announced { seed, database: if is_postgres { "PostgreSQL" } else { "SQLite" } };
        run(seed, database).await;
    }
}

/// What is left when the chaos is over.
struct Played {
    zoho: Arc<ZohoSimulator>,
    cluster: Arc<Cluster>,
    database: Arc<Database>,
    history: History,
    imported: usize,
    report: chaos::Report,
    store: Store,
    conservation: JoinHandle<u64>,
    over: Arc<AtomicBool>,
}

/// Sends a random history through the chaos. Under a mapping of its own, nobody works in Zoho meanwhile.
async fn play(random: &mut Random, database: Database, mapping: Option<&str>) -> Played {
    let zoho = Arc::new(ZohoSimulator::start_set_up().await);
    let mut history = History::generate(random);
    let imported = history.imported();
    for contact in &imported {
        zoho.make_by_hand("Contacts", contact.clone()).await;
    }
    zoho.make_by_hand("Contacts", History::foreign()).await;
    // Zoho's search lags; these contacts are older than the lag.
    zoho.advance(3_000).await;
    let repeat = random.below(2).to_string();
    let workers = ["1", "4", "16"][usize::try_from(random.below(3)).unwrap()];
    let file = database.file("mapping.toml");
    // A history removes more records in a minute than a person would let pass without a question.
    let mut settings = vec![
        ("BACKEND_SYNC_SYNC__REPEAT_SECONDS", repeat.as_str()),
        ("BACKEND_SYNC_SYNC__WORKERS", workers),
        ("BACKEND_SYNC_BRAKE__WINDOW_MINUTES", "0"),
    ];
    if let Some(text) = mapping {
        std::fs::write(&file, text).unwrap();
        settings.push(("BACKEND_SYNC_ZOHO__MAPPING", file.to_str().unwrap()));
    }
    let database = Arc::new(database);
    let cluster = Arc::new(Cluster::start(&database, &zoho, &settings).await);
    let store = Store::connect(&database.url.parse().unwrap()).await.unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let conservation = tokio::spawn(watch_conservation(store.clone(), Arc::clone(&over)));

    // Slow calls, so that records change while they are being delivered.
    let call_ms = [20, 100, 250][usize::try_from(random.below(3)).unwrap()];
    zoho.change(json!({"delay_ms": call_ms})).await;
    let chaos = Chaos::new(random, &cluster, &zoho, &database, mapping.is_none());
    let stop = Arc::new(AtomicBool::new(false));
    let chaos = tokio::spawn(chaos.run(Arc::clone(&stop)));
    let batches = history.arrivals(random);
    site::send_all(&cluster, batches, random).await;
    stop.store(true, Ordering::Relaxed);
    let report = chaos.await.unwrap();
    let last = history.touch(&report.touched);
    site::send_all(&cluster, vec![last], random).await;
    check::rest(&database, &cluster).await;
    // What was deleted by hand is created again once somebody says so.
    while restores_deleted(&store).await > 0 {
        check::rest(&database, &cluster).await;
    }

    let imported = imported.len();
    Played { zoho, cluster, database, history, imported, report, store, conservation, over }
}

async fn restores_deleted(store: &Store) -> u64 {
    let filter = FindingFilter { sort: Some(FindingSort::Deleted), ..FindingFilter::default() };
    let decision = (FindingDecision::Restore, "the test");
    store.decide_findings("zoho", filter, None, decision, Clock::system().now(), 1_000).await.unwrap().0
}

async fn run(seed: u64, database: Database) {
    let mut random = Random::from_seed(seed);
    let Played { zoho, cluster, database, history, imported, report, store, conservation, over } =
        play(&mut random, database, None).await;

    let expected = Expected::fold(history.events());
    check::zoho_agrees(&expected, &report, imported, &zoho, &database).await;
    check::items_agree(&expected, &database, &zoho).await;
    let log = zoho.log().await;
    let (calls, struck) = (log.len(), log.iter().filter(|call| !call["fault"].is_null()).count());
    zoho.empty_log().await;
    tokio::time::sleep(REST).await;
    let log = zoho.log().await;
    assert!(log.is_empty(), "calls at rest: {}", json!(log));
    over.store(true, Ordering::Relaxed);
    let checks = conservation.await.unwrap();
    cluster.stop().await;
    store.close().await;
    check::nobody_panicked(&database);
    // Not by a print macro, whose output only a failed test shows: scripts/test counts the seeds.
    let mut error = std::io::stderr();
    let _ = writeln!(
        error,
        "seed {seed}: {report}; {struck} of {calls} calls struck; conservation held {checks} times; {expected}"
    );
}

/// Returns the number of checks.
async fn watch_conservation(store: Store, over: Arc<AtomicBool>) -> u64 {
    let mut checks = 0;
    while !over.load(Ordering::Relaxed) {
        // A process stalled in the middle of a transaction may lock SQLite's readers out for a while.
        let conservation = store.conservation("zoho").await.unwrap();
        assert!(conservation.holds(), "{conservation:?}");
        checks += 1;
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
    checks
}
