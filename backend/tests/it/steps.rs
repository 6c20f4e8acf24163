//! What one event or one command may do to very many records is done in steps, and continues after a crash.

use std::collections::BTreeSet;

use backend_sync::{
    clock::Timestamp,
    model::ItemState,
    store::{ItemFilter, Store},
};
use serde_json::Value;

use crate::support::{
    Database, Server,
    events::{at, enrolment, grade},
    wait::until,
};

on_both_databases!(
    a_changed_item_changes_all_its_grades,
    grades_that_a_crash_left_are_touched,
    a_retry_takes_each_item_once,
    an_arrival_releases_all_that_wait,
    a_new_destination_gets_every_record,
    a_change_judges_all_its_readers,
);

/// More than two steps.
const MANY: i64 = 2_500;
const DESTINATION: &str = "zoho";

/// A server with this many grades of item 4; two of its steps touch the first ones.
async fn with_grades(database: &Database) -> Server {
    let server = Server::start(database).await;
    for first in (1..=MANY).step_by(1_000) {
        let grades = first..=MANY.min(first + 999);
        let events: Vec<Value> =
            grades.map(|id| at(1, "grade_updated", grade(id, 10_000 - id, 4, 2, "80.00000"))).collect();
        server.site().apply(&events).await;
    }
    server
}

async fn last_event(database: &Database) -> i64 {
    database.count("SELECT max(id) FROM events").await
}

/// Waits until all grades changed after this place in the change feed, each once.
async fn until_all_changed_after(database: &Database, place: i64) {
    let sql = format!("SELECT count(*) FROM changes WHERE kind = 'grade' AND position > {place}");
    until("all grades changed", async || (database.count(&sql).await == MANY).then_some(())).await;
    until("no step is left", async || (database.count("SELECT count(*) FROM item_changes").await == 0).then_some(()))
        .await;
    assert_eq!(database.count("SELECT count(DISTINCT position) FROM changes").await, MANY);
}

async fn a_changed_item_changes_all_its_grades(database: Database) {
    let server = with_grades(&database).await;
    let place = last_event(&database).await;
    let mut changed = grade(7, 9_993, 4, 2, "80.00000");
    changed["grademax"] = "200.00000".into();
    server.site().apply(&[at(2, "grade_updated", changed)]).await;
    until_all_changed_after(&database, place).await;
    let times = "SELECT count(*) FROM grades g JOIN changes c ON c.site_id = g.site_id AND c.kind = 'grade' \
                 AND c.moodle_id = g.moodle_id WHERE g.changed_at = c.changed_at";
    assert_eq!(database.count(times).await, MANY);
    server.stop().await;
}

async fn grades_that_a_crash_left_are_touched(database: Database) {
    let server = with_grades(&database).await;
    server.stop().await;
    let place = last_event(&database).await;
    let site = database.count("SELECT min(site_id) FROM grades").await;
    database.execute(&format!("INSERT INTO item_changes (site_id, itemid) VALUES ({site}, 4)")).await;
    let server = Server::start(&database).await;
    until_all_changed_after(&database, place).await;
    server.stop().await;
}

/// A store with a site, the destination, and nothing else.
async fn store(database: &Database) -> Store {
    if !database.is_postgres() {
        Server::start(database).await.stop().await;
    }
    let store = Store::connect(&database.url.parse().unwrap()).await.unwrap();
    store.add_destination(DESTINATION, Timestamp(0)).await.unwrap();
    let sites = "INSERT INTO sites (id, name, created_at) VALUES (99, 'college', 0)";
    database.execute(sites).await;
    store
}

/// Adds items of this state with the ids `first..=last`, and these columns more.
async fn add_items(database: &Database, state: &str, first: i64, last: i64, more: (&str, &str)) {
    let (columns, values) = more;
    let sql = format!(
        "WITH RECURSIVE ids (id) AS (SELECT {first} UNION ALL SELECT id + 1 FROM ids WHERE id < {last}) \
         INSERT INTO sync_items \
         (destination, site_id, kind, moodle_id, state, lane, revision, changed_at, due_at, attempts{columns}) \
         SELECT '{DESTINATION}', 99, 'grade', id, '{state}', 0, 1, 0, 0, 0{values} FROM ids"
    );
    database.execute(&sql).await;
}

async fn revisions(database: &Database) -> BTreeSet<(String, i64, i64)> {
    let rows = database.rows("SELECT state, revision, count(*) FROM sync_items GROUP BY state, revision").await;
    let read = |row: &sea_orm::QueryResult| {
        (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap(), row.try_get_by_index(2).unwrap())
    };
    rows.iter().map(read).collect()
}

async fn a_retry_takes_each_item_once(database: Database) {
    let store = store(&database).await;
    add_items(&database, "failed", 1, MANY, (", code", ", 'INVALID_DATA'")).await;
    add_items(&database, "pending", MANY + 1, 2 * MANY, (", code", ", 'INVALID_DATA'")).await;
    add_items(&database, "failed", 2 * MANY + 1, 3 * MANY, (", code", ", 'DUPLICATE_DATA'")).await;
    let filter = ItemFilter { code: Some("INVALID_DATA".to_owned()), ..Default::default() }.for_retry();
    let retried = store.retry(DESTINATION, &filter, Timestamp(5)).await.unwrap();
    assert_eq!(retried, 2 * MANY.unsigned_abs());
    let expected = [("failed", 1, MANY), ("pending", 2, 2 * MANY)].map(|(state, r, n)| (state.to_owned(), r, n));
    assert_eq!(revisions(&database).await, BTreeSet::from(expected));
    let filter = ItemFilter { state: Some(ItemState::Failed), ..Default::default() };
    assert_eq!(store.retry(DESTINATION, &filter, Timestamp(5)).await.unwrap(), MANY.unsigned_abs());
    store.close().await;
}

async fn an_arrival_releases_all_that_wait(database: Database) {
    let store = store(&database).await;
    add_items(&database, "parked", 1, MANY, (", waits_kind, waits_id", ", 'user', 3")).await;
    add_items(&database, "parked", MANY + 1, MANY + 5, (", waits_kind, waits_id", ", 'user', 4")).await;
    let user = format!(
        "INSERT INTO sync_items (destination, site_id, kind, moodle_id, state, lane, revision, changed_at, due_at, \
         attempts, remote_id) VALUES ('{DESTINATION}', 99, 'user', 3, 'synced', 0, 1, 0, 0, 0, 'z1')"
    );
    database.execute(&user).await;
    assert_eq!(store.release_missed(DESTINATION, Timestamp(5)).await.unwrap(), MANY.unsigned_abs());
    assert_eq!(store.release_missed(DESTINATION, Timestamp(5)).await.unwrap(), 0);
    let expected = [("parked", 1, 5), ("pending", 2, MANY), ("synced", 1, 1)].map(|(s, r, n)| (s.to_owned(), r, n));
    assert_eq!(revisions(&database).await, BTreeSet::from(expected));
    store.close().await;
}

async fn a_new_destination_gets_every_record(database: Database) {
    let store = store(&database).await;
    let changes = format!(
        "WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < {MANY}) \
         INSERT INTO changes (site_id, kind, moodle_id, position, deleted, changed_at) \
         SELECT 99, 'grade', id, id, FALSE, 7 FROM ids"
    );
    database.execute(&changes).await;
    // As a process leaves it that died after some steps.
    database.execute("UPDATE destinations SET complete = FALSE").await;
    add_items(&database, "failed", 10, 20, ("", "")).await;
    assert!(!store.add_destination(DESTINATION, Timestamp(5)).await.unwrap(), "it is not new");
    let expected = [("failed", 1, 11), ("pending", 1, MANY - 11)].map(|(s, r, n)| (s.to_owned(), r, n));
    assert_eq!(revisions(&database).await, BTreeSet::from(expected));
    assert!(store.add_destination("another", Timestamp(5)).await.unwrap(), "it is new");
    assert_eq!(database.count("SELECT count(*) FROM sync_items WHERE destination = 'another'").await, MANY);
    database.execute("DELETE FROM sync_items").await;
    assert!(!store.add_destination(DESTINATION, Timestamp(5)).await.unwrap());
    assert_eq!(database.count("SELECT count(*) FROM sync_items").await, 0, "it is complete");
    store.close().await;
}

/// The changes noted and not yet done.
const NOTED: &str = "SELECT count(*) FROM edge_changes";

async fn a_change_judges_all_its_readers(database: Database) {
    let server = Server::start(&database).await;
    for first in (1..=MANY).step_by(1_000) {
        let enrolments = first..=MANY.min(first + 999);
        let events: Vec<Value> = enrolments.map(|id| at(1, "user_enrolled", enrolment(id, 10_000 - id, 2))).collect();
        server.site().apply(&events).await;
    }
    server.site().apply(&[at(1, "user_enrolled", enrolment(MANY + 1, 3, 8))]).await;
    server.stop().await;
    let store = Store::connect(&database.url.parse().unwrap()).await.unwrap();
    store.add_destination(DESTINATION, Timestamp(0)).await.unwrap();
    database.execute("UPDATE sync_items SET state = 'synced', digest = 'd'").await;
    database.execute("UPDATE sync_items SET state = 'in_flight', lease = 'x' WHERE moodle_id = 5").await;
    let note = format!(
        "INSERT INTO edge_changes (destination, site_id, kind, moodle_id, reader, noted_by) \
         SELECT '{DESTINATION}', id, 'course', 2, 'enrolment', 'first' FROM sites WHERE name = 'moodle'"
    );
    database.execute(&note).await;
    assert!(store.judge_readers(DESTINATION, Timestamp(5)).await.unwrap());
    let step = database.count("SELECT count(*) FROM sync_items WHERE revision = 2").await;
    assert!((1..MANY).contains(&step), "a step is short: {step}");
    // They are delivered, and then it changes again.
    database.execute("UPDATE sync_items SET state = 'synced' WHERE state = 'pending'").await;
    database.execute("UPDATE edge_changes SET noted_by = 'second', after_id = NULL").await;
    while store.judge_readers(DESTINATION, Timestamp(5)).await.unwrap() {}
    assert_eq!(database.count(NOTED).await, 0);
    assert_eq!(database.count("SELECT count(*) FROM sync_items WHERE state = 'pending'").await, MANY - 1);
    assert_eq!(
        database.count("SELECT count(*) FROM sync_items WHERE revision = 3").await,
        step,
        "they are judged twice"
    );
    let others = "SELECT count(*) FROM sync_items WHERE state = 'synced' AND revision = 1";
    assert_eq!(database.count(others).await, 1, "the enrolment in another course");
    assert_eq!(database.count("SELECT count(*) FROM sync_items WHERE digest IS NULL").await, 0, "digests are trusted");
    store.close().await;
}
