//! Promise 1: what was answered 200 survives `kill -9` at any moment.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::Value;

use crate::support::{
    Answer, Api, Database, Server,
    events::{at, user},
    random::Random,
};

on_both_databases!(what_was_answered_survives_kill_9);

const ROUNDS: u32 = 20;
const CLIENTS: usize = 64;
/// Requests that a round answers before its end may come, so that it comes in the middle of the load.
const WARM: u64 = 64;

/// What one client sent in one round.
#[derive(Default)]
struct Sent {
    /// The events answered 200: place in the log, and user.
    answered: Vec<(i64, i64)>,
    /// The users of each request, answered or not.
    requests: Vec<Vec<i64>>,
}

fn username(userid: i64) -> String {
    format!("user{userid}")
}

/// Sends events, each about a user of its own, until the server is gone.
async fn send_until_killed(
    api: Api,
    mut random: Random,
    last_user: Arc<AtomicI64>,
    answered_requests: Arc<AtomicU64>,
) -> Sent {
    let mut sent = Sent::default();
    loop {
        let count = if random.below(2) == 0 { 1 } else { 2 + i64::try_from(random.below(4)).unwrap() };
        let first = last_user.fetch_add(count, Ordering::Relaxed) + 1;
        let users: Vec<i64> = (first..first + count).collect();
        sent.requests.push(users.clone());
        let answer = if count == 1 {
            send(&api, "/api/v1/events/moodle/user_updated", user(first, &username(first)).to_string()).await
        } else {
            let event = |id: &i64| at(*id, "user_created", user(*id, &username(*id)));
            let batch = serde_json::json!({"events": users.iter().map(event).collect::<Vec<_>>()});
            send(&api, crate::support::api::BATCH, batch.to_string()).await
        };
        let Some(answer) = answer else { return sent };
        assert_eq!(answer.status, 200, "{}", answer.text);
        answered_requests.fetch_add(1, Ordering::Relaxed);
        let answer = answer.json();
        let outcomes = answer["outcomes"].as_array().map_or(std::slice::from_ref(&answer), Vec::as_slice);
        for (outcome, userid) in outcomes.iter().zip(users) {
            assert_eq!(outcome["outcome"], "applied", "{outcome}");
            sent.answered.push((outcome["id"].as_i64().unwrap(), userid));
        }
    }
}

/// `None` when the server died meanwhile: then nobody knows what became of the request.
async fn send(api: &Api, path: &str, body: String) -> Option<Answer> {
    api.try_send(api.post_request(path, body)).await.ok()
}

/// The events after `last_event`: place in the log and user, each with the record and the change that belong to it.
async fn stored(database: &Database, last_event: i64) -> HashMap<i64, i64> {
    let sql = format!(
        "SELECT e.id, e.moodle_id, u.username, c.event_id FROM events e \
         LEFT JOIN users u ON u.site_id = e.site_id AND u.moodle_id = e.moodle_id \
         LEFT JOIN changes c ON c.site_id = e.site_id AND c.moodle_id = e.moodle_id AND c.kind = 'user' \
         WHERE e.id > {last_event}"
    );
    let mut stored = HashMap::new();
    for row in database.rows(&sql).await {
        let (id, userid): (i64, i64) = (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
        let (name, change): (Option<String>, Option<i64>) =
            (row.try_get_by_index(2).unwrap(), row.try_get_by_index(3).unwrap());
        assert_eq!(name, Some(username(userid)), "event {id} is in the log without its record");
        assert_eq!(change, Some(id), "event {id} is in the log without its change");
        stored.insert(id, userid);
    }
    stored
}

async fn what_was_answered_survives_kill_9(database: Database) {
    let mut random = Random::announced("kill -9 under load");
    let last_user = Arc::new(AtomicI64::new(0));
    let (mut last_event, mut total) = (0, 0);
    let mut server = Server::start(&database).await;
    for round in 1..=ROUNDS {
        let answered = Arc::new(AtomicU64::new(0));
        let clients = (0..CLIENTS).map(|_| {
            let random = Random::from_seed(random.next());
            tokio::spawn(send_until_killed(server.site(), random, Arc::clone(&last_user), Arc::clone(&answered)))
        });
        let clients: Vec<_> = clients.collect();
        while answered.load(Ordering::Relaxed) < WARM && !clients.iter().all(tokio::task::JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_micros(random.below(500_000))).await;
        server.kill();
        let sent: Vec<Sent> = join_all(clients).await.into_iter().map(Result::unwrap).collect();

        server = Server::start(&database).await;
        let stored = stored(&database, last_event).await;
        for (id, userid) in sent.iter().flat_map(|sent| &sent.answered) {
            assert_eq!(stored.get(id), Some(userid), "round {round}: event {id} was answered 200 and is gone");
            total += 1;
        }
        // A request is one transaction: nobody finds half of it.
        let users: std::collections::HashSet<i64> = stored.values().copied().collect();
        assert_eq!(users.len(), stored.len(), "round {round}: an event was stored twice");
        for request in sent.iter().flat_map(|sent| &sent.requests) {
            let found = request.iter().filter(|userid| users.contains(userid)).count();
            assert!(found == 0 || found == request.len(), "round {round}: {found} of {} are stored", request.len());
        }
        last_event = stored.keys().copied().max().unwrap_or(last_event);
    }
    eprintln!("{total} answered events survived {ROUNDS} kills");
    let events = server.reader().read("/api/v1/events?limit=1").await;
    assert!(matches!(events["items"].as_array().map(Vec::as_slice), Some([Value::Object(_)])), "{events}");
    server.stop().await;
}
