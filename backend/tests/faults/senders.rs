//! The senders: plugins that send without pause and repeat what was not answered, as the real one does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use backend_sync::clock::Clock;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    book::{Acknowledged, Book, Sent},
    support::{
        api::{BATCH, http_client},
        random::{Random, new_uuid},
    },
};

const SENDERS: usize = 4;

/// The time-out of an answer: longer than every deadline of the server.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(20);

/// The pause between two requests of a sender, in milliseconds: a steady load that leaves room for parallel cases.
const PAUSE: u64 = 40;

/// The pause before a sender retries.
const AGAIN: Duration = Duration::from_millis(100);

/// Users that all senders change again and again. All others have one event.
const BUSY_USERS: u64 = 8;

/// The first user with only one event.
const FIRST_USER: i64 = 1_000;

/// Shared by the senders of a case.
pub(crate) struct Site {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) book: Arc<Book>,
    last_user: AtomicI64,
    last_sequence: AtomicI64,
    stop: AtomicBool,
    clock: Clock,
}

/// The running senders.
pub(crate) struct Senders {
    site: Arc<Site>,
    tasks: JoinSet<()>,
}

impl Site {
    pub(crate) fn new(url: String, token: String, book: Arc<Book>) -> Self {
        let clock = Clock::system();
        let (last_user, last_sequence) = (FIRST_USER.into(), 0.into());
        Self { url, token, book, last_user, last_sequence, stop: AtomicBool::new(false), clock }
    }

    fn seconds(&self) -> i64 {
        self.clock.now().0 / 1_000
    }

    fn post(&self, http: &reqwest::Client, path: &str, body: &Value) -> RequestBuilder {
        let request = http.post(format!("{}{path}", self.url)).header("X-Moodle-Token", &self.token);
        request.header("Content-Type", "application/json").timeout(ANSWER_TIME).body(body.to_string())
    }

    fn user(&self, record: i64, username: &str) -> Value {
        let now = self.seconds().to_string();
        json!({
            "userid": record.to_string(), "username": username, "firstname": "Ann", "lastname": "O'Neil",
            "email": format!("{username}@example.com"), "suspended": false, "deleted": false,
            "timecreated": now, "timemodified": now,
        })
    }

    /// Records a new event for a batch; returns its index in the book, and its data.
    pub(crate) fn event(&self, event_type: &str, record: i64) -> (usize, Value) {
        let sequence = self.last_sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let (client_id, username) = (new_uuid(), format!("user{record}v{sequence}"));
        let data = match event_type {
            "user_deleted" => json!({"userid": record.to_string()}),
            _ => self.user(record, &username),
        };
        let event =
            json!({"id": client_id, "type": event_type, "time": self.seconds(), "sequence": sequence, "data": data});
        let sent = Sent { client_id: Some(client_id), record, sequence: Some(sequence), acknowledged: Vec::new() };
        (self.book.note(sent), event)
    }

    /// Sends a batch once; returns whether it was answered 200.
    pub(crate) async fn send_batch(&self, http: &reqwest::Client, events: &[(usize, Value)]) -> bool {
        let body = json!({ "events": events.iter().map(|(_, event)| event).collect::<Vec<_>>() });
        let begun = Instant::now();
        let Some(answer) = self.answer(begun, self.post(http, BATCH, &body)).await else { return false };
        let outcomes = answer["outcomes"].as_array().map_or([].as_slice(), Vec::as_slice);
        if outcomes.len() != events.len() {
            self.book.wrong(format!("{} outcomes for {} events", outcomes.len(), events.len()));
        }
        for ((event, _), outcome) in events.iter().zip(outcomes) {
            self.settle(*event, begun, outcome);
        }
        true
    }

    async fn send_single(&self, http: &reqwest::Client, record: i64) -> bool {
        let username = format!("user{record}");
        let sent = Sent { client_id: None, record, sequence: None, acknowledged: Vec::new() };
        let event = self.book.note(sent);
        let body = self.user(record, &username);
        let begun = Instant::now();
        let request = self.post(http, "/api/v1/events/moodle/user_updated", &body);
        let Some(answer) = self.answer(begun, request).await else { return false };
        self.settle(event, begun, &answer);
        true
    }

    /// The body of a 200.
    async fn answer(&self, begun: Instant, request: RequestBuilder) -> Option<Value> {
        let answer = answer(request).await.ok();
        self.book.ended(begun, answer.as_ref().map(|(status, _)| *status));
        let (status, text) = answer?;
        let json: Option<Value> = serde_json::from_str(&text).ok();
        match status {
            200 => json,
            503 => None,
            // The events are valid, so any other status is wrong: a plugin would set them aside or start to halve the
            // batch.
            status => {
                let code = json.and_then(|problem| problem["code"].as_str().map(str::to_owned)).unwrap_or_default();
                // The server's clock is wrong, and the answer says so.
                if code != "clock_ahead" && !self.book.excuses(status) {
                    self.book.wrong(format!("an answer {status} {code}"));
                }
                None
            }
        }
    }

    fn settle(&self, event: usize, begun: Instant, outcome: &Value) {
        let place = outcome["id"].as_i64();
        match (outcome["outcome"].as_str(), place) {
            (Some("applied" | "unchanged" | "superseded" | "duplicate"), Some(place)) => {
                self.book.acknowledge(event, Acknowledged { begun, answered: Instant::now(), place });
            }
            _ => self.book.wrong(format!("a valid event got the outcome {outcome}")),
        }
    }
}

async fn answer(request: RequestBuilder) -> Result<(u16, String), reqwest::Error> {
    let response = request.send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

impl Senders {
    /// Starts the senders.
    pub(crate) fn start(site: &Arc<Site>, random: &mut Random) -> Self {
        let mut tasks = JoinSet::new();
        for _ in 0..SENDERS {
            tasks.spawn(send(Arc::clone(site), Random::from_seed(random.next())));
        }
        Self { site: Arc::clone(site), tasks }
    }

    /// Ends when the requests under way are answered.
    pub(crate) async fn end(self) {
        self.site.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
    }
}

async fn send(site: Arc<Site>, mut random: Random) {
    // A connection of its own, kept alive.
    let http = http_client();
    while !site.stop.load(Ordering::Relaxed) {
        if random.below(4) == 0 {
            let record = site.last_user.fetch_add(1, Ordering::Relaxed);
            if !site.send_single(&http, record).await {
                tokio::time::sleep(AGAIN).await;
            }
        } else {
            let events = batch(&site, &mut random);
            // Some are given up, as when a Moodle is stopped: then it is unknown whether they were stored.
            while !site.send_batch(&http, &events).await && !site.stop.load(Ordering::Relaxed) && random.below(8) != 0 {
                tokio::time::sleep(AGAIN).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(random.below(PAUSE))).await;
    }
}

fn batch(site: &Site, random: &mut Random) -> Vec<(usize, Value)> {
    let count = 1 + random.below(6);
    let one = |random: &mut Random| {
        let record = if random.below(3) == 0 {
            1 + i64::try_from(random.below(BUSY_USERS)).unwrap()
        } else {
            site.last_user.fetch_add(1, Ordering::Relaxed)
        };
        site.event("user_updated", record)
    };
    (0..count).map(|_| one(random)).collect()
}
