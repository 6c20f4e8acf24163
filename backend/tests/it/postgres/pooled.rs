//! Behind a pooler that keeps nothing from one transaction to the next.

use super::defaults::{check_settings, spoil_defaults};
use crate::{
    copy_database::{copied, fill},
    support::{
        Database, Server,
        events::user_event,
        pooler::{Pooler, Unknown},
    },
};

on_postgres!(everything_works_where_parameters_are_refused, everything_works_where_parameters_are_dropped);
on_postgres!(empty: a_database_is_copied_behind_a_pooler);

/// Stores and reads with two servers, on a database whose defaults would break each promise.
async fn works(mut database: Database, unknown: Unknown) {
    check_settings(&database).await;
    spoil_defaults(&database).await;
    let pooler = Pooler::start(&database.url, unknown);
    database.url.clone_from(&pooler.url);
    let [server, other] = Server::start_together(&database).await;
    for (server, first) in [(&server, 1), (&other, 21), (&server, 41), (&other, 61)] {
        let events: Vec<_> = (first..first + 20).map(|id| user_event(id, &format!("user{id}"))).collect();
        server.site().apply(&events).await;
        // Again, so that each statement is executed more than once on a connection.
        assert_eq!(server.site().send_batch(&events).await, ["duplicate"; 20]);
    }
    for server in [&server, &other] {
        let users = server.reader().read("/api/v1/users?limit=200").await;
        assert_eq!(users["items"].as_array().unwrap().len(), 80);
        assert_eq!(server.anonymous().get("/api/v1/health/ready").await.status, 200);
    }
    server.stop().await;
    other.stop().await;
}

async fn everything_works_where_parameters_are_refused(database: Database) {
    works(database, Unknown::Refused).await;
}

async fn everything_works_where_parameters_are_dropped(database: Database) {
    works(database, Unknown::Ignored).await;
}

/// Its migrations and its lock are made for transactions too.
async fn a_database_is_copied_behind_a_pooler(mut database: Database) {
    let source = Database::sqlite();
    fill(&source, 30).await;
    spoil_defaults(&database).await;
    let pooler = Pooler::start(&database.url, Unknown::Refused);
    database.url.clone_from(&pooler.url);
    let (said, _) = copied(&source, &database);
    assert!(said.contains("all equal"), "{said}");
}
