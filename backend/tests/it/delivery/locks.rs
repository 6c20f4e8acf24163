//! Statements that lock several sync items take them in one order, so that none of them can deadlock with another.

use std::pin::Pin;

use backend_sync::{
    clock::Timestamp,
    model::{Id, ItemState, Kind, Lane, RecordKey},
    store::{Claimed, Edges, ItemFilter, Reservation, Settled, SettledState, Store, StoreError},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, TransactionTrait};
use serde_json::json;

use super::{rest, start};
use crate::support::{
    Database, ZohoSimulator,
    api::BATCH,
    events::{at, course, user},
    wait::until,
};

on_postgres!(
    no_statement_locks_against_the_order,
    the_ingest_locks_in_the_same_order,
    an_expired_item_that_others_hold_is_skipped,
);

const DESTINATION: &str = "zoho";
const LEASE: &str = "lease";

/// Waits until a statement waits for a row that another transaction holds.
async fn until_one_waits(database: &Database) {
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("a statement waits for a lock", async || (database.count(waiting).await == 1).then_some(())).await;
}

async fn hold(transaction: &DatabaseTransaction, kind: &str, moodle_id: i64) {
    let sql = format!("UPDATE sync_items SET due_at = due_at WHERE kind = '{kind}' AND moodle_id = {moodle_id}");
    let result = transaction.execute_unprepared(&sql).await;
    assert_eq!(result.unwrap_or_else(|error| panic!("{kind} {moodle_id}: {error}")).rows_affected(), 1);
}

/// A store with two items of users, in this state. The later one in the order comes first in the table, so that a plain
/// `UPDATE` finds it first.
async fn two_items(database: &Database, state: &str) -> Store {
    let store = Store::connect(&database.url.parse().unwrap()).await.unwrap();
    database.execute("INSERT INTO sites (id, name, created_at) VALUES (1, 'college', 0) ON CONFLICT DO NOTHING").await;
    store.add_destination(DESTINATION, Timestamp(0)).await.unwrap();
    database.execute("DELETE FROM sync_items").await;
    for moodle_id in [2, 1] {
        let sql = format!(
            "INSERT INTO sync_items (destination, site_id, kind, moodle_id, state, lane, revision, changed_at, due_at, \
             attempts, lease, lease_until) \
             VALUES ('{DESTINATION}', 1, 'user', {moodle_id}, '{state}', 0, 1, 0, 0, 0, '{LEASE}', 10)"
        );
        database.execute(&sql).await;
    }
    store
}

fn key(moodle_id: i64) -> RecordKey {
    RecordKey { kind: Kind::User, site_id: 1, moodle_id: Id(moodle_id) }
}

fn settled(moodle_id: i64) -> Settled {
    let item = Claimed {
        key: key(moodle_id),
        lease: "lease".to_owned(),
        revision: 1,
        changed_at: Timestamp(0),
        remote_id: None,
        linked: false,
        digest: None,
        attempts: 0,
        remarks: Vec::new(),
        bytes: 0,
        brake: true,
        erasures: true,
        findings: true,
    };
    Settled {
        item,
        state: SettledState::Failed,
        reason: None,
        remarks: Vec::new(),
        blocked_by: None,
        attempt: None,
        written_at: None,
    }
}

type Statement = fn(Store) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// What locks several items, and the state of the items that it concerns.
const STATEMENTS: [(&str, &str, Statement); 7] = [
    ("extend_lease", "in_flight", |store| {
        Box::pin(async move { store.extend_lease(DESTINATION, LEASE, Timestamp(20)).await.map(drop) })
    }),
    ("release_claimed", "in_flight", |store| {
        Box::pin(async move { store.release_claimed(DESTINATION, LEASE, Timestamp(20)).await.map(drop) })
    }),
    ("settle", "in_flight", |store| {
        Box::pin(async move {
            store
                .settle(DESTINATION, LEASE, &[settled(2), settled(1)], &Edges::default(), Timestamp(20), 0)
                .await
                .map(drop)
        })
    }),
    ("reserve", "in_flight", |store| {
        let reservation = |moodle_id: i64| Reservation {
            item: settled(moodle_id).item,
            remote_id: format!("record {moodle_id}"),
            takes_over_from: Vec::new(),
            adopted: None,
        };
        let both = [reservation(2), reservation(1)];
        Box::pin(async move { store.reserve(DESTINATION, &both, Timestamp(20)).await.map(drop) })
    }),
    ("request_delivery", "synced", |store| {
        Box::pin(async move { store.request_delivery(DESTINATION, &[key(2), key(1)], Timestamp(20)).await })
    }),
    ("retry", "failed", |store| {
        Box::pin(async move {
            let filter = ItemFilter { state: Some(ItemState::Failed), ..Default::default() };
            store.retry(DESTINATION, &filter, Timestamp(20)).await.map(drop)
        })
    }),
    ("resync", "synced", |store| {
        Box::pin(async move { store.resync(DESTINATION, &ItemFilter::default(), None, Timestamp(20)).await.map(drop) })
    }),
];

async fn no_statement_locks_against_the_order(database: Database) {
    for (name, state, statement) in STATEMENTS {
        let store = two_items(&database, state).await;
        let connection = database.connect().await;
        let other = connection.begin().await.unwrap();
        hold(&other, "user", 1).await;
        let statement = tokio::spawn(statement(store.clone()));
        until_one_waits(&database).await;
        // If the statement held this one already, each would wait for the other.
        hold(&other, "user", 2).await;
        other.commit().await.unwrap();
        statement.await.unwrap().unwrap_or_else(|error| panic!("{name}: {error}"));
        let untouched = format!(
            "SELECT count(*) FROM sync_items WHERE state = '{state}' AND lease_until = 10 AND remote_id IS NULL"
        );
        assert!(name == "resync" || database.count(&untouched).await == 0, "{name} changed nothing");
        store.close().await;
    }
}

async fn the_ingest_locks_in_the_same_order(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(1, "course_created", course(2, "bio"))]).await;
    rest(&database).await;
    let connection = database.connect().await;
    let other = connection.begin().await.unwrap();
    hold(&other, "course", 2).await;
    let site = server.site();
    let events = [at(2, "user_updated", user(3, "bob")), at(2, "course_updated", course(2, "art"))];
    let send = tokio::spawn(async move { site.post(BATCH, json!({"events": events}).to_string()).await });
    until_one_waits(&database).await;
    hold(&other, "user", 3).await;
    other.commit().await.unwrap();
    assert_eq!(send.await.unwrap().status, 200);
    rest(&database).await;
    server.stop().await;
}

async fn an_expired_item_that_others_hold_is_skipped(database: Database) {
    let store = two_items(&database, "in_flight").await;
    let connection = database.connect().await;
    let other = connection.begin().await.unwrap();
    hold(&other, "user", 1).await;
    assert_eq!(store.reclaim_expired(DESTINATION, Timestamp(20)).await.unwrap(), [key(2)]);
    other.commit().await.unwrap();
    assert_eq!(store.reclaim_expired(DESTINATION, Timestamp(20)).await.unwrap(), [key(1)]);
    assert_eq!(store.due_lanes(DESTINATION, Timestamp(20)).await.unwrap(), [Lane::from_number(0).unwrap()]);
    store.close().await;
}
