//! Promise 3: the newest state wins, in any order of arrival and with any repetition.
//!
//! Random events go through the real writer into the real database twice: to one site in version order, to another site
//! shuffled, repeated and in random batches. Both must end with the same records, and these must equal a plain fold.
//! Each case has two sites of its own, so that one database serves all cases.

mod history;
mod stored;

use std::{collections::HashMap, sync::Arc, time::Duration};

use backend_sync::{
    activity::Tally,
    clock::Clock,
    ingest::{Ingest, Writer},
    metrics::{Counters, Metrics},
    model::Outcome,
    store::{NewToken, NoDatabase, PageRequest, Scope, Site, Store},
};
use futures_util::future::join_all;
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::json;

use self::{
    history::{Arrivals, Happening, arrivals, history},
    stored::records,
};
use crate::support::{
    Database, Server,
    events::{TIME, user},
    random::new_uuid,
};

on_both_databases!(every_order_of_arrival_ends_in_the_same_records, without_an_id_the_record_decides);

const SQLITE_CASES: u32 = 200;
const POSTGRES_CASES: u32 = 60;

/// A store with a writer, and a site to send events as.
struct Bench {
    store: Store,
    ingest: Ingest,
}

struct Sender {
    site: Arc<Site>,
    token: i64,
}

impl Bench {
    async fn new(database: &Database) -> Self {
        let (store, _) = Store::open(&database.url.parse().unwrap(), NoDatabase::Create).await.unwrap();
        let clock = Clock::system();
        let counters = Counters { metrics: Metrics::new(clock.now()), activity: Tally::default() };
        let (writer, ingest) = Writer::new(store.clone(), 16, 8192, Duration::ZERO, Arc::default(), counters, clock);
        tokio::spawn(writer.run());
        Self { store, ingest }
    }

    async fn sender(&self) -> Sender {
        let name = new_uuid().simple().to_string().parse().unwrap();
        let now = Clock::system().now();
        let site = self.store.add_site(&name, None, now).await.unwrap().unwrap();
        let hash = new_uuid().simple().to_string();
        let token = NewToken {
            scope: Scope::Ingest,
            site_id: Some(site.id),
            name: None,
            hash: hash.clone(),
            created_at: now,
            expires_at: None,
        };
        self.store.add_token(token).await.unwrap();
        let token = self.store.token(&hash, now).await.unwrap().unwrap();
        Sender { site: Arc::new(site), token: token.id }
    }

    /// Sends batches of indexes into `history`; with `at_once`, without waiting for answers in between.
    async fn send(
        &self,
        sender: &Sender,
        history: &[Happening],
        batches: &[Vec<usize>],
        at_once: bool,
    ) -> Vec<(usize, i64, Outcome)> {
        let submit = |batch: &Vec<usize>| {
            let events = batch.iter().map(|place| history[*place].event(*place)).collect();
            let (room, batch) = (self.ingest.enter(Some(sender.site.id)).unwrap(), batch.clone());
            async move {
                let settled = self.ingest.submit(room, &sender.site, sender.token, events).await.unwrap();
                let written = settled.into_iter().map(Result::unwrap);
                batch.into_iter().zip(written).map(|(place, w)| (place, w.event_id, w.outcome)).collect::<Vec<_>>()
            }
        };
        if at_once {
            return join_all(batches.iter().map(submit)).await.concat();
        }
        let mut answers = Vec::new();
        for batch in batches {
            answers.extend(submit(batch).await);
        }
        answers
    }

    async fn check(&self, history: &[Happening], arrivals: &Arrivals) -> Result<(), TestCaseError> {
        let (first, second) = (self.sender().await, self.sender().await);
        let in_order: Vec<Vec<usize>> = (0..history.len()).map(|place| vec![place]).collect();
        self.send(&first, history, &in_order, true).await;
        let answers = self.send(&second, history, &arrivals.batches, arrivals.at_once).await;

        let mut seen = HashMap::new();
        for (place, event_id, outcome) in answers {
            let known = seen.get(&place);
            prop_assert_eq!(known.is_some(), outcome == Outcome::Duplicate, "event {} was {:?}", place, outcome);
            prop_assert_eq!(*known.unwrap_or(&event_id), event_id, "a duplicate names the first");
            seen.insert(place, event_id);
        }
        let (left, right) = (records(&self.store, first.site.id).await, records(&self.store, second.site.id).await);
        prop_assert_eq!(&left, &right, "the result depends on the order of arrival");
        let as_sent: Vec<_> = left.iter().map(stored::Seen::as_sent).collect();
        prop_assert_eq!(as_sent, history::fold(history), "the newest state did not win");
        let feed = self.store.changes(Some(second.site.id), PageRequest { after: None, limit: 500 }).await.unwrap();
        let mut feed: Vec<_> = feed.items.into_iter().map(|c| (c.kind, c.moodle_id.0, c.deleted)).collect();
        feed.sort_unstable();
        let mut expected: Vec<_> = right.iter().map(stored::Seen::in_feed).collect();
        expected.sort_unstable();
        prop_assert_eq!(feed, expected, "the change feed differs from the records");
        Ok(())
    }
}

async fn every_order_of_arrival_ends_in_the_same_records(database: Database) {
    let bench = Bench::new(&database).await;
    let cases = if database.is_postgres() { POSTGRES_CASES } else { SQLITE_CASES };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let strategy = history().prop_flat_map(|history| {
        let count = history.len();
        (Just(history), arrivals(count))
    });
    let handle = tokio::runtime::Handle::current();
    // Proptest's callback cannot await, so it runs on its own thread.
    let checking = tokio::task::spawn_blocking(move || {
        let check = |(history, arrivals): (Vec<Happening>, Arrivals)| handle.block_on(bench.check(&history, &arrivals));
        let result = TestRunner::new(config).run(&strategy, check);
        handle.block_on(bench.store.close());
        result.map_err(|error| error.to_string())
    });
    checking.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
}

/// The original plugin sends no id: A, B, A within one second are three states, and a repetition changes nothing.
async fn without_an_id_the_record_decides(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader) = (server.site(), server.reader());
    let (a, b) = (user(3, "a"), user(3, "b"));
    let mut outcomes = Vec::new();
    for data in [&a, &b, &a, &a] {
        let answer = site.post_event("user_updated", data).await;
        outcomes.push(answer.json()["outcome"].as_str().unwrap().to_owned());
    }
    assert_eq!(outcomes, ["applied", "applied", "applied", "unchanged"]);
    assert_eq!(reader.read("/api/v1/users/moodle:3").await["username"], "a");
    assert_eq!(reader.list("/api/v1/events").await.len(), 4, "the log contains every event, also those without effect");

    let mut old = user(3, "old");
    old["timemodified"] = json!(TIME - 1);
    let answer = site.post_event("user_updated", &old).await;
    assert_eq!(answer.json()["outcome"], "superseded", "the earlier state has an older version");
    assert_eq!(reader.read("/api/v1/users/moodle:3").await["username"], "a");
    server.stop().await;
}
