//! The change feed: a follower misses nothing, however many processes write.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    Api, Database, Server,
    events::{at, completion, course, enrolment, grade, user},
    random::Random,
};

on_both_databases!(the_feed_has_what_changed, a_follower_misses_nothing, a_follower_of_two_servers_misses_nothing);

const WRITERS: u64 = 8;
const ROUNDS: u64 = 40;

/// The place in a page's cursor, without the database's incarnation.
fn place(page: &Value) -> &str {
    page["next_cursor"].as_str().unwrap().split_once('-').unwrap().1
}

async fn the_feed_has_what_changed(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader) = (server.site(), server.reader());
    let empty = reader.read("/api/v1/changes").await;
    assert_eq!((&empty["items"], &empty["more"], place(&empty)), (&json!([]), &json!(false), "0"));
    site.apply(&[
        at(1, "user_created", user(1, "a")),
        at(1, "course_created", course(1, "c")),
        at(1, "user_enrolled", enrolment(1, 1, 1)),
        at(1, "grade_updated", grade(1, 1, 1, 1, "1.00000")),
        at(1, "course_completed", completion(1, 1, 1)),
    ])
    .await;
    let all = reader.read("/api/v1/changes").await;
    let items = all["items"].as_array().unwrap();
    let kinds: Vec<_> = items.iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["user", "course", "enrolment", "grade", "completion"]);
    for (place, item) in (1..).zip(items) {
        assert_eq!(
            (&item["position"], &item["id"], &item["deleted"]),
            (&json!(place), &json!("moodle:1"), &json!(false))
        );
        let record = reader.read(item["href"].as_str().unwrap()).await;
        assert_eq!((&record["id"], &record["changed_at"]), (&item["id"], &item["changed_at"]));
    }
    assert_eq!((place(&all), &all["more"]), ("5", &json!(false)));
    // As an earlier version gave it out.
    let page = reader.read("/api/v1/changes?after=1&limit=2").await;
    assert_eq!(page["items"].as_array().unwrap()[..], items[1..3]);
    assert_eq!((place(&page), &page["more"]), ("3", &json!(true)));
    let next = reader.read(&format!("/api/v1/changes?after={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!(next["items"].as_array().unwrap()[..], items[3..]);
    // Another database's, and one that lost what came later.
    reader.get("/api/v1/changes?after=0000000000000001-3").await.problem(410, "cursor_gone");
    reader.get("/api/v1/changes?after=6").await.problem(410, "cursor_gone");
    reader.get("/api/v1/events?cursor=6").await.problem(410, "cursor_gone");
    reader.get("/api/v1/users?cursor=0000000000000001-1.1").await.problem(410, "cursor_gone");
    reader.get("/api/v1/changes?after=x-3").await.problem(400, "invalid_parameter");

    // An event without effect is no change, and a record appears at its newest change only.
    assert_eq!(site.send_batch(&[at(2, "user_updated", user(1, "a"))]).await, ["unchanged"]);
    assert_eq!(site.send_batch(&[at(0, "user_updated", user(1, "old"))]).await, ["superseded"]);
    assert_eq!(reader.read("/api/v1/changes?after=5").await["items"], json!([]));
    site.apply(&[at(3, "user_deleted", json!({"userid": 1}))]).await;
    let rest = reader.read("/api/v1/changes?after=5").await;
    assert_eq!((&rest["items"][0]["position"], &rest["items"][0]["deleted"]), (&json!(8), &json!(true)));
    let all = reader.read("/api/v1/changes").await;
    assert_eq!(all["items"].as_array().map(Vec::len), Some(5));
    server.stop().await;
}

/// Writes states of records that other writers write too; returns the events that changed them.
async fn write(api: Api, number: u64, seed: u64) -> Vec<(String, i64)> {
    let mut random = Random::from_seed(seed);
    let mut applied = Vec::new();
    for round in 0..ROUNDS {
        let version = i64::try_from(round * WRITERS + number).unwrap();
        let count = 1 + random.below(6);
        let events: Vec<Value> = (0..count)
            .map(|_| {
                let id = 1 + i64::try_from(random.below(60)).unwrap();
                match random.below(8) {
                    0 => at(version, "user_deleted", json!({"userid": id})),
                    1 => at(version, "course_updated", course(id, &random.next().to_string())),
                    2 => at(version, "grade_updated", grade(id, id, id, 1, &random.below(100).to_string())),
                    _ => at(version, "user_updated", user(id, &random.next().to_string())),
                }
            })
            .collect();
        let mut answer = api.post_batch(&events).await;
        // Two servers on one SQLite file may time out waiting for each other; then nothing was stored.
        while answer.status == 503 {
            answer = api.post_batch(&events).await;
        }
        assert_eq!(answer.status, 200, "{}", answer.text);
        for (event, outcome) in events.iter().zip(answer.json()["outcomes"].as_array().unwrap()) {
            if outcome["outcome"] == "applied" {
                let kind = event["type"].as_str().unwrap().split('_').next().unwrap();
                let id = &event["data"][format!("{kind}id")];
                let record = format!("{kind} moodle:{}", id.to_string().trim_matches('"'));
                applied.push((record, outcome["id"].as_i64().unwrap()));
            }
        }
    }
    applied
}

/// Follows the feed until the writers are done and it is quiet; returns the last change seen of each record.
async fn follow(api: Api, done: Arc<AtomicBool>, limit: u64) -> HashMap<String, (i64, Value)> {
    let (mut seen, mut after) = (HashMap::new(), String::new());
    loop {
        let was_done = done.load(Ordering::SeqCst);
        let page = api.read(&format!("/api/v1/changes?limit={limit}{after}")).await;
        let items = page["items"].as_array().unwrap();
        let mut last = 0;
        for item in items {
            let event = item["position"].as_i64().unwrap();
            assert!(event > last, "the feed is in order");
            last = event;
            let record = format!("{} {}", item["kind"].as_str().unwrap(), item["id"].as_str().unwrap());
            seen.insert(record, (event, item["deleted"].clone()));
        }
        if items.is_empty() && was_done {
            return seen;
        }
        after = format!("&after={}", page["next_cursor"].as_str().unwrap());
    }
}

async fn follow_writers(servers: &[Server]) {
    let mut random = Random::announced("the change feed under eight writers");
    let done = Arc::new(AtomicBool::new(false));
    let followers = [(0, 500), (servers.len() - 1, 3)]
        .map(|(place, limit)| tokio::spawn(follow(servers[place].reader(), Arc::clone(&done), limit)));
    let writers = (0..WRITERS).map(|number| {
        let server = &servers[usize::try_from(number).unwrap() % servers.len()];
        tokio::spawn(write(server.site(), number, random.next()))
    });
    let applied = join_all(writers.collect::<Vec<_>>()).await.into_iter().flat_map(Result::unwrap);
    let mut last: HashMap<String, i64> = HashMap::new();
    for (record, event) in applied {
        let known = last.entry(record).or_default();
        *known = event.max(*known);
    }
    done.store(true, Ordering::SeqCst);
    assert!(last.len() > 100, "{}", last.len());
    for follower in followers {
        let seen = follower.await.unwrap();
        for (record, event) in &last {
            let found = seen.get(record).map(|(event, _)| event);
            assert_eq!(found, Some(event), "the follower missed the last change of {record}");
        }
        assert_eq!(seen.len(), last.len());
        let reader = servers[0].reader();
        for user in reader.list("/api/v1/users").await {
            let record = format!("user {}", user["id"].as_str().unwrap());
            assert_eq!(seen[&record].1, user["deleted"], "{record}");
        }
    }
}

async fn a_follower_misses_nothing(database: Database) {
    let server = Server::start(&database).await;
    follow_writers(std::slice::from_ref(&server)).await;
    server.stop().await;
}

/// SQLite is for one server; this is somebody starting a second one by mistake.
async fn a_follower_of_two_servers_misses_nothing(database: Database) {
    let servers = [Server::start(&database).await, Server::start(&database).await];
    follow_writers(&servers).await;
    for server in servers {
        server.stop().await;
    }
}
