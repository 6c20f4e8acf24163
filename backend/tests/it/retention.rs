//! Old events are deleted, in steps; records stay.

use crate::{
    delivery::until,
    support::{
        Database, Server,
        events::{at, user},
    },
};

on_both_databases!(old_events_go_and_records_stay, zero_days_are_for_ever);

/// Stores this many people, each by its own event.
async fn people(server: &Server, count: i64) {
    for first in (1..=count).step_by(1_000) {
        let last = count.min(first + 999);
        let events: Vec<_> =
            (first..=last).map(|id| at(id, "user_created", user(id, &format!("person{id}")))).collect();
        server.site().apply(&events).await;
    }
}

/// Makes all events but the last hundred two years old, and the next server's turn due at once.
async fn grow_old(database: &Database) {
    let two_years = 2 * 365 * 24 * 60 * 60 * 1_000_i64;
    let sql = format!(
        "UPDATE events SET received_at = received_at - {two_years} WHERE id <= (SELECT max(id) - 100 FROM events)"
    );
    database.execute(&sql).await;
    database.execute("DELETE FROM turns").await;
}

async fn old_events_go_and_records_stay(database: Database) {
    let server = Server::start(&database).await;
    people(&server, 3_500).await;
    server.stop().await;
    grow_old(&database).await;
    let server = Server::start(&database).await;
    until("the old events are gone", async || {
        (database.count("SELECT count(*) FROM events").await == 100).then_some(())
    })
    .await;
    assert_eq!(database.count("SELECT count(*) FROM users").await, 3_500);
    assert_eq!(database.count("SELECT count(*) FROM changes").await, 3_500);
    // Repeating an old event changes nothing: its id is forgotten, its version is not. New events are numbered on.
    let again = at(1, "user_created", user(1, "older"));
    assert_eq!(
        server.site().send_batch(&[at(9_999, "user_updated", user(1, "newer")), again]).await,
        ["applied", "superseded"]
    );
    assert_eq!(database.count("SELECT count(*) FROM events").await, 102);
    server.stop().await;
}

async fn zero_days_are_for_ever(database: Database) {
    let server = Server::start(&database).await;
    people(&server, 150).await;
    server.stop().await;
    grow_old(&database).await;
    let server = Server::start_with(&database, &[("BACKEND_SYNC_RETENTION__EVENTS_DAYS", "0")]).await;
    until("it had its turn", async || {
        (database.count("SELECT count(*) FROM turns WHERE name = 'retention'").await == 1).then_some(())
    })
    .await;
    server.stop().await;
    assert_eq!(database.count("SELECT count(*) FROM events").await, 150);
}
