//! Many clients that send without pause, and the answers they got.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{
    Answer, Api, Database, Server,
    api::BATCH,
    events::{at, user},
    random::Random,
    wait::until,
};

const CLIENTS: usize = 64;

/// Requests answered before the load counts as running.
const WARM: u64 = 64;

/// A running load.
pub(crate) struct Load {
    clients: Vec<JoinHandle<Sent>>,
    answered: Arc<AtomicU64>,
}

/// Numbers the users of all loads on one database: each event concerns a user of its own.
pub(crate) type LastUser = Arc<AtomicI64>;

/// What the clients sent, and the answers.
#[derive(Default)]
pub(crate) struct Sent {
    /// The events answered 200: position in the log, and user.
    answered: Vec<(i64, i64)>,
    /// The users of each request, answered or not.
    requests: Vec<Vec<i64>>,
    /// The first answer other than 200: it ended the client.
    pub(crate) refused: Vec<Answer>,
}

impl Load {
    /// 64 clients, each sending single events and small batches until it is refused or the server is gone.
    pub(crate) fn start(server: &Server, random: &mut Random, last_user: &LastUser) -> Self {
        let answered = Arc::new(AtomicU64::new(0));
        let clients = (0..CLIENTS).map(|_| {
            let (site, random) = (server.site(), Random::from_seed(random.next()));
            tokio::spawn(send(site, random, Arc::clone(last_user), Arc::clone(&answered)))
        });
        Self { clients: clients.collect(), answered }
    }

    /// Waits until it is running.
    pub(crate) async fn warm_up(&self) {
        let is_warm =
            || self.answered.load(Ordering::Relaxed) >= WARM || self.clients.iter().all(JoinHandle::is_finished);
        until("the load is running", async || is_warm().then_some(())).await;
    }

    /// Waits until all clients have ended.
    pub(crate) async fn end(self) -> Sent {
        let mut all = Sent::default();
        for sent in join_all(self.clients).await {
            let Sent { answered, requests, refused } = sent.unwrap();
            all.answered.extend(answered);
            all.requests.extend(requests);
            all.refused.extend(refused);
        }
        all
    }
}

fn username(userid: i64) -> String {
    format!("user{userid}")
}

async fn send(api: Api, mut random: Random, last_user: LastUser, answered: Arc<AtomicU64>) -> Sent {
    let mut sent = Sent::default();
    loop {
        let count = if random.below(2) == 0 { 1 } else { 2 + i64::try_from(random.below(4)).unwrap() };
        let first = last_user.fetch_add(count, Ordering::Relaxed) + 1;
        let users: Vec<i64> = (first..first + count).collect();
        sent.requests.push(users.clone());
        let request = if count == 1 {
            let data = user(first, &username(first));
            api.post_request("/api/v1/events/moodle/user_updated", data.to_string())
        } else {
            let event = |id: &i64| at(*id, "user_created", user(*id, &username(*id)));
            let events: Vec<Value> = users.iter().map(event).collect();
            api.post_request(BATCH, json!({ "events": events }).to_string())
        };
        // Without an answer, the outcome of the request is unknown.
        let Ok(answer) = api.try_send(request).await else { return sent };
        if answer.status != 200 {
            sent.refused.push(answer);
            return sent;
        }
        answered.fetch_add(1, Ordering::Relaxed);
        let answer = answer.json();
        let outcomes = answer["outcomes"].as_array().map_or(std::slice::from_ref(&answer), Vec::as_slice);
        for (outcome, userid) in outcomes.iter().zip(users) {
            assert_eq!(outcome["outcome"], "applied", "{outcome}");
            sent.answered.push((outcome["id"].as_i64().unwrap(), userid));
        }
    }
}

impl Sent {
    /// Fails unless every event answered 200 is stored, and no request is half stored. `last_event` is the end of the
    /// log before the load. Returns the number of answered events, and the current end of the log.
    pub(crate) async fn assert_stored(&self, database: &Database, last_event: i64) -> (usize, i64) {
        let stored = stored(database, last_event).await;
        for (id, userid) in &self.answered {
            assert_eq!(stored.get(id), Some(userid), "event {id} was answered 200 and is missing");
        }
        let users: HashSet<i64> = stored.values().copied().collect();
        assert_eq!(users.len(), stored.len(), "an event was stored twice");
        for request in &self.requests {
            let found = request.iter().filter(|userid| users.contains(userid)).count();
            assert!(found == 0 || found == request.len(), "{found} of the {} events of a request", request.len());
        }
        (self.answered.len(), stored.keys().copied().max().unwrap_or(last_event))
    }
}

/// The events after `last_event`: position in the log and user, each with its record and change.
async fn stored(database: &Database, last_event: i64) -> HashMap<i64, i64> {
    let sql = format!(
        "SELECT e.id, e.moodle_id, u.username, c.position FROM events e \
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
