//! Batches with some bad events: a bad event never blocks the others.

use serde_json::{Value, json};

use super::{assert_well, owned};
use crate::support::{
    Database, Server,
    api::errors,
    events::{at, user_event},
};

on_both_databases!(
    more_events_than_allowed_are_refused_whole,
    one_bad_event_among_999_good_ones_fails_alone,
    an_event_that_only_the_database_refuses_fails_alone,
);

fn users(count: i64) -> Vec<Value> {
    (1..=count).map(|userid| user_event(userid, &format!("user{userid}"))).collect()
}

async fn more_events_than_allowed_are_refused_whole(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let mut events = users(1_001);
    let answer = site.post_batch(&events).await;
    answer.problem(422, "validation_failed");
    assert_eq!(answer.errors(), owned(&[("/events", "too_long")]));
    assert_eq!(database.count("SELECT count(*) FROM events").await, 0);
    events.pop();
    site.apply(&events).await;
    assert_eq!(database.count("SELECT count(*) FROM users").await, 1_000);
    assert_eq!(site.send_batch(&events).await, vec!["duplicate"; 1_000]);
    assert_eq!(database.count("SELECT count(*) FROM events").await, 1_000);
    assert_well(&server).await;
    server.stop().await;
}

async fn one_bad_event_among_999_good_ones_fails_alone(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let mut events = users(1_000);
    events[617]["data"]["userid"] = json!("six hundred");
    events[617]["data"]["timecreated"] = json!(-1);
    let answer = site.post_batch(&events).await;
    assert_eq!(answer.status, 200);
    let outcomes = answer.json()["outcomes"].as_array().unwrap().clone();
    assert_eq!(outcomes.len(), 1_000);
    for (place, (event, outcome)) in events.iter().zip(&outcomes).enumerate() {
        assert_eq!(outcome["client_id"], event["id"], "outcome {place} belongs to another event");
        assert_eq!(outcome["outcome"], if place == 617 { "rejected" } else { "applied" });
    }
    let expected = [("/events/617/data/userid", "wrong_type"), ("/events/617/data/timecreated", "out_of_range")];
    assert_eq!(errors(&outcomes[617]), owned(&expected));
    assert_eq!(database.count("SELECT count(*) FROM users").await, 999);
    assert_eq!(database.count("SELECT count(*) FROM events").await, 999);
    // The returned ids identify the events.
    let event = server.reader().read(&format!("/api/v1/events/{}", outcomes[999]["id"])).await;
    assert_eq!((&event["client_id"], &event["record"]), (&events[999]["id"], &json!("moodle:1000")));
    assert_well(&server).await;
    server.stop().await;
}

async fn an_event_that_only_the_database_refuses_fails_alone(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader) = (server.site(), server.reader());
    database.refuse_user("poison").await;

    let mut events = users(20);
    events[7]["data"]["username"] = json!("poison");
    let answer = site.post_batch(&events).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    for (place, outcome) in answer.json()["outcomes"].as_array().unwrap().iter().enumerate() {
        let expected = if place == 7 { "rejected" } else { "applied" };
        assert_eq!((&outcome["outcome"], &outcome["client_id"]), (&json!(expected), &events[place]["id"]));
        assert_eq!(outcome["code"], if place == 7 { json!("event_not_storable") } else { Value::Null });
        assert!(!outcome.to_string().contains("poison"), "{outcome}");
    }
    assert_eq!(database.count("SELECT count(*) FROM users").await, 19);
    assert_eq!(database.count("SELECT count(*) FROM events").await, 19);
    assert_eq!(database.count("SELECT count(*) FROM changes").await, 19);

    let answer = site.post_event("user_created", &events[7]["data"]).await;
    answer.problem(422, "event_not_storable");
    assert!(!answer.text.contains("poison"), "{}", answer.text);
    // Other requests in the same transaction are unaffected.
    let others = (0..40_i64).map(|number| {
        let (site, poison) = (site.clone(), number % 4 == 0);
        let event =
            at(2, "user_updated", json!({"userid": 100 + number, "username": if poison { "poison" } else { "x" }}));
        async move { (poison, site.send_batch(&[event]).await) }
    });
    for (poison, outcomes) in futures_util::future::join_all(others).await {
        assert_eq!(outcomes, [if poison { "rejected" } else { "applied" }]);
    }
    // The id may be sent again: a rejected event is not in the log.
    let mut healed = events[7].clone();
    healed["data"]["username"] = json!("healed");
    site.apply(&[healed]).await;
    assert_eq!(reader.read("/api/v1/users/moodle:8").await["username"], "healed");
    assert_eq!(reader.get("/api/v1/users/moodle:100").await.status, 404);
    server.stop().await;
}
