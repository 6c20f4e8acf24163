//! Three processes on one PostgreSQL under random load and a random mapping: every batch is stored, and no statement
//! deadlocks.
//!
//! `IT_LOAD_SECONDS=600` loads for longer; `IT_SEED=…` repeats a seed.

use std::time::{Duration, Instant};

use backend_sync::zoho::mapping::Mapping;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{assert_conserved, rest, start_with};
use crate::support::{
    Api, Database, ZohoSimulator,
    api::BATCH,
    events::{at, completion, course, enrolment, grade, user},
    random::Random,
};

on_postgres!(no_load_deadlocks);

const SERVERS: usize = 3;
/// Per server.
const CLIENTS: usize = 4;
const SECONDS: u64 = 6;

/// People, courses and items: few, so that clients meet in the same records.
const PEOPLE: u64 = 40;
const COURSES: u64 = 4;
const ITEMS: u64 = 6;

fn one_of<'a>(random: &mut Random, words: &[&'a str]) -> &'a str {
    words[usize::try_from(random.below(words.len() as u64)).unwrap()]
}

fn mapping(random: &mut Random) -> String {
    let grades = one_of(random, &["all", "items", "totals"]);
    let users = one_of(random, &["all", "enrolled"]);
    let courses = one_of(random, &["[]", "[\"course1\", \"course2\"]"]);
    eprintln!("grades {grades}, users {users}, courses {courses}");
    Mapping::DEFAULT
        .replacen("grades = \"all\"", &format!("grades = \"{grades}\""), 1)
        .replacen("users = \"all\"", &format!("users = \"{users}\""), 1)
        .replacen("\ncourses = []", &format!("\ncourses = {courses}"), 1)
}

/// Any change of any record.
fn change(random: &mut Random, version: i64) -> Value {
    let mut id = |end| random.below(end).cast_signed() + 1;
    let (person, in_course, item, kind) = (id(PEOPLE), id(COURSES), id(ITEMS), id(6));
    let number = person * 100 + in_course;
    match kind {
        1 => at(version, "user_updated", user(person, &format!("person{person}v{version}"))),
        2 => at(version, "course_updated", course(in_course, &format!("course{in_course}"))),
        3 => at(version, "user_enrolled", enrolment(number, person, in_course)),
        4 => at(version, "course_completed", completion(number, person, in_course)),
        _ => {
            let mut data = grade(person * 100 + item, person, item, in_course, &format!("{}.00000", version % 100));
            data["itemtype"] = if item == 1 { "course".into() } else { "mod".into() };
            data["grademax"] = format!("{}.00000", 100 + version % 3).into();
            at(version, "grade_updated", data)
        }
    }
}

async fn send(site: Api, mut random: Random, end: Instant) {
    let mut version = 10;
    while Instant::now() < end {
        let events: Vec<Value> = (0..1 + random.below(60))
            .map(|_| {
                version += 1;
                change(&mut random, version)
            })
            .collect();
        let answer = site.post(BATCH, json!({"events": events}).to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

async fn operate(operator: Api, mut random: Random, end: Instant) {
    while Instant::now() < end {
        let command = one_of(&mut random, &["retry", "resync"]);
        let answer = operator.post(&format!("/api/v1/destinations/zoho/{command}"), "{}".to_owned()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        tokio::time::sleep(Duration::from_millis(random.below(400))).await;
    }
}

async fn no_load_deadlocks(database: Database) {
    let mut random = Random::announced("load");
    let zoho = ZohoSimulator::start_set_up().await;
    let file = database.file("mapping.toml");
    std::fs::write(&file, mapping(&mut random)).unwrap();
    let lease = ("BACKEND_SYNC_SYNC__LEASE_SECONDS", "2");
    let settings = [("BACKEND_SYNC_ZOHO__MAPPING", file.to_str().unwrap()), lease];
    let mut servers = Vec::new();
    for _ in 0..SERVERS {
        servers.push(start_with(&database, &zoho, &settings).await);
    }
    let seconds = std::env::var("IT_LOAD_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(SECONDS);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut fork = || Random::from_seed(random.next());
    let clients = servers.iter().flat_map(|server| (0..CLIENTS).map(|_| server.site()));
    let clients: Vec<_> = clients.map(|site| tokio::spawn(send(site, fork(), end))).collect();
    let operator = tokio::spawn(operate(servers[0].reader(), fork(), end));
    for client in join_all(clients).await {
        client.unwrap();
    }
    operator.await.unwrap();
    rest(&database).await;
    assert_conserved(&database);
    for server in servers {
        server.stop().await;
    }
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(database.count(deadlocks).await, 0);
}
