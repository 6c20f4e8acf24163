//! A new database about which PostgreSQL knows nothing yet.

use crate::support::{Database, Server, events::user_event, wait::until};

on_postgres!(look_ups_need_no_statistics, statistics_are_collected_without_autovacuum);

const ROWS: i64 = 4_000;

/// Stores that many users, a hundred at a time, and nobody else collects statistics.
async fn fill(database: &Database, server: &Server) {
    for table in ["users", "events", "changes"] {
        database.execute(&format!("ALTER TABLE {table} SET (autovacuum_enabled = off)")).await;
    }
    let events: Vec<_> = (1..=ROWS).map(|id| user_event(id, &format!("user{id}"))).collect();
    for batch in events.chunks(100) {
        server.site().apply(batch).await;
    }
}

/// A batch looks up its own users and events. Reading all of the site instead is fast with a thousand of them.
async fn look_ups_need_no_statistics(database: Database) {
    let server = Server::start(&database).await;
    fill(&database, &server).await;
    server.stop().await;
    let read = "SELECT coalesce(sum(idx_tup_read), 0)::bigint FROM pg_stat_user_indexes \
                WHERE indexrelname IN ('users_pkey', 'events_client_id')";
    let scanned =
        "SELECT coalesce(sum(seq_tup_read), 0)::bigint FROM pg_stat_user_tables WHERE relname IN ('users', 'events')";
    let (read, scanned) = (database.count(read).await, database.count(scanned).await);
    assert!(read + scanned < 3 * ROWS, "{read} entries of indexes and {scanned} rows were read for {ROWS} new users");
}

async fn statistics_are_collected_without_autovacuum(database: Database) {
    let server = Server::start(&database).await;
    fill(&database, &server).await;
    until("there are statistics", async || {
        let known = "SELECT count(DISTINCT tablename) FROM pg_stats WHERE tablename IN ('users', 'events', 'changes')";
        (database.count(known).await == 3).then_some(())
    })
    .await;
    server.stop().await;
}
