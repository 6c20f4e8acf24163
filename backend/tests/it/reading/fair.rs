//! Readers of one kind do not hold up the others.

use std::time::Duration;

use sea_orm::{ConnectionTrait, TransactionTrait};

use crate::support::{Database, Server, browser::Browser, events::user_event, server::run_json};

on_postgres!(waiting_consumers_hold_up_nobody_else);

/// More requests than the API has connections, and than the whole pool has.
const READERS: usize = 24;

/// Consumers wait for a locked table, as they would for a slow disk.
async fn waiting_consumers_hold_up_nobody_else(database: Database) {
    let server = Server::start(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let site = run_json(&database, &["site", "add", "other", "--json"]);
    let lock = database.connect().await.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE courses IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let mut consumers = tokio::task::JoinSet::new();
    for _ in 0..READERS {
        let reader = server.reader().apart();
        // Until it is answered: a slow machine must not end the wait before all else is tried.
        consumers.spawn(async move { while reader.get("/api/v1/courses").await.status != 200 {} });
    }
    waiting(&database, backend_sync::limits::API_READERS as usize).await;
    // None of these needs the table: all are answered while every consumer waits.
    let (ready, page) = (server.anonymous().get("/api/v1/health/ready").await, browser.get("/events").await);
    assert_eq!((ready.status, page.status), (200, 200), "{}", ready.text);
    // A token that this process has not seen yet is looked up.
    server.site_with(site["token"].as_str().unwrap()).apply(&[user_event(1, "ann")]).await;
    assert!(consumers.try_join_next().is_none(), "the consumers still wait");
    lock.rollback().await.unwrap();
    consumers.join_all().await;
    server.stop().await;
}

/// Waits until so many sessions of consumers wait for a lock, and no more do. They ask for lengths first; what the server
/// looks at by itself (times that lie ahead, the sizes of tables) waits for the table, too.
async fn waiting(database: &Database, sessions: usize) {
    let sql = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' \
               AND query LIKE '%octet_length%'";
    crate::support::wait::until("consumers wait for the lock", async || {
        (database.texts(sql).await.len() >= sessions).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let waiting = database.texts(sql).await;
    assert!(waiting.len() <= sessions, "the API has its own connections and no others: {waiting:#?}");
}
