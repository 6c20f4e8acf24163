//! Many changes of few records cause few calls.

use serde_json::{Value, json};

use super::{assert_conserved, rest, start, start_with, until, with};
use crate::support::{
    Database, Server, ZohoSimulator,
    events::{TIME, at, course, event, grade, user},
    random::Random,
};

on_both_databases!(a_storm_of_gradings_is_few_calls, processes_share_the_work_and_the_token);

const GRADES: i64 = 500;
const EVENTS: i64 = 50_000;

async fn a_storm_of_gradings_is_few_calls(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    // The default: a record delivered a moment ago waits a little.
    let server = start_with(&database, &zoho, &[("BACKEND_SYNC_SYNC__REPEAT_SECONDS", "5")]).await;
    let site = server.site();
    let mut setting = vec![at(1, "course_created", course(2, "bio"))];
    setting.extend((1..=GRADES).map(|id| at(1 + id, "user_created", user(id, &format!("user{id}")))));
    site.apply(&setting).await;
    rest(&database).await;
    zoho.empty_log().await;

    let started = std::time::Instant::now();
    let mut random = Random::announced("a storm of gradings");
    let mut last = vec![0; usize::try_from(GRADES).unwrap()];
    let numbers: Vec<i64> = (0..EVENTS).collect();
    for batch in numbers.chunks(1_000) {
        let events: Vec<Value> = batch
            .iter()
            .map(|number| {
                let id = 1 + i64::try_from(random.below(u64::try_from(GRADES).unwrap())).unwrap();
                let value = i64::try_from(random.below(100)).unwrap();
                last[usize::try_from(id - 1).unwrap()] = value;
                let data = grade(id, id, 4, 2, &format!("{value}.00000"));
                event("grade_updated", TIME + 1_000 + number / 1_000, 10_000 + number, data)
            })
            .collect();
        site.send_batch(&events).await;
    }
    rest(&database).await;
    assert_conserved(&database);

    let grades = zoho.records("Moodle_Grades").await;
    for (id, value) in (1..).zip(last) {
        let grade = with(&grades, "Moodle_Grade_Key", &format!("moodle:{id}:4"));
        assert_eq!(grade["Final_Grade"].as_f64().map(|value| value as i64), Some(value), "{grade:?}");
    }
    let log = zoho.log().await;
    let calls = log.iter().filter(|call| call["module"] == json!("Moodle_Grades")).count();
    let states: u64 = log.iter().filter_map(|call| call["records"].as_u64()).sum();
    eprintln!(
        "{EVENTS} events on {GRADES} grades: {calls} calls with {states} states; 5 is the least for one state of rest"
    );
    // Without coalescing, each event would be a delivery. A slow machine sends for longer, so it has more pauses.
    let rests = started.elapsed().as_secs() / 5 + 2;
    assert!(states <= rests * GRADES.unsigned_abs(), "{states} states in {rests} rests");
    server.stop().await;
}

async fn processes_share_the_work_and_the_token(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.change(json!({"delay_ms": 20})).await;
    let servers = [start(&database, &zoho).await, start(&database, &zoho).await, start(&database, &zoho).await];
    // By chance one process may deliver a whole batch, and on a busy machine several.
    let (mut sent, mut shares) = (0, Vec::new());
    until("each process delivers something", async || {
        for server in &servers {
            let courses =
                (sent + 1..=sent + 700).map(|id| at(id, "course_created", course(id, &format!("course{id}"))));
            server.site().apply(&courses.collect::<Vec<_>>()).await;
            sent += 700;
        }
        rest(&database).await;
        shares = vec![delivered(&servers[0]).await, delivered(&servers[1]).await, delivered(&servers[2]).await];
        shares.iter().all(|share| *share > 0).then_some(())
    })
    .await;
    eprintln!("each process delivered its share: {shares:?}");
    assert_eq!(shares.iter().sum::<i64>(), sent, "no record was delivered twice");
    assert_eq!(i64::try_from(zoho.records("Products").await.len()).unwrap(), sent);
    let outcomes = database.texts("SELECT outcome FROM sync_attempts").await;
    assert!(outcomes.iter().all(|outcome| outcome.as_deref() == Some("inserted")), "nothing was delivered twice");
    assert_eq!(i64::try_from(outcomes.len()).unwrap(), sent);
    let log = zoho.log().await;
    let tokens = log.iter().filter(|call| call["path"] == json!("/oauth/v2/token")).count();
    assert_eq!(tokens, 1, "one access token for all");
    for server in servers {
        server.stop().await;
    }
}

/// The number of records this process has delivered.
async fn delivered(server: &Server) -> i64 {
    let metrics = server.reader().get("/metrics").await.text;
    let counts = metrics
        .lines()
        .filter(|line| line.starts_with("backend_sync_deliveries_total{") && line.contains("outcome=\"delivered\""));
    counts.map(|line| line.rsplit_once(' ').unwrap().1.parse::<i64>().unwrap()).sum()
}
