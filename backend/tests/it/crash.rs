//! Promise 1: what was answered 200 survives `kill -9` at any moment.

use std::time::Duration;

use serde_json::Value;

use crate::support::{
    Database, Server,
    load::{LastUser, Load},
    random::Random,
};

on_both_databases!(what_was_answered_survives_kill_9);

const ROUNDS: u32 = 20;

async fn what_was_answered_survives_kill_9(database: Database) {
    let mut random = Random::announced("kill -9 under load");
    let last_user = LastUser::default();
    let (mut last_event, mut total) = (0, 0);
    let mut server = Server::start(&database).await;
    for _ in 0..ROUNDS {
        let load = Load::start(&server, &mut random, &last_user);
        load.warm_up().await;
        tokio::time::sleep(Duration::from_micros(random.below(500_000))).await;
        server.kill();
        let sent = load.end().await;
        assert!(sent.refused.is_empty(), "{}", sent.refused[0].text);

        server = Server::start(&database).await;
        let (answered, end) = sent.assert_stored(&database, last_event).await;
        total += answered;
        last_event = end;
    }
    eprintln!("{total} answered events survived {ROUNDS} kills");
    let events = server.reader().read("/api/v1/events?limit=1").await;
    assert!(matches!(events["items"].as_array().map(Vec::as_slice), Some([Value::Object(_)])), "{events}");
    server.stop().await;
}
