//! A killed copy can be resumed.

use std::{
    process::{Child, Stdio},
    time::Duration,
};

use sea_orm::{ConnectionTrait, TransactionTrait};

use super::{copied, copy_command, fill, not_copied, text};
use crate::{
    delivery::until,
    support::{Database, random::Random, server::run},
};

on_postgres!(empty: killed_in_the_middle_of_a_step, killed_again_and_again);

const USERS: i64 = 3_000;

/// The rows in each step, those of consecutive events.
const STEP: u32 = 100;

/// At this event PostgreSQL waits for a lock held by the test, so that the copy stays in the middle of a step.
const STOP_AT: i64 = 1_450;

async fn stop_at_an_event(destination: &Database) {
    assert!(run(destination, &["migrate"]).status.success());
    destination
        .execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS \
             'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END'",
        )
        .await;
    let trigger = format!(
        "CREATE TRIGGER dawdle BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.id = {STOP_AT}) EXECUTE FUNCTION dawdle()"
    );
    destination.execute(&trigger).await;
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Compares independently of the command's own comparison.
async fn assert_equal(source: &Database, destination: &Database) {
    for sql in [
        "SELECT CAST(id AS text) || data || outcome FROM events ORDER BY id",
        "SELECT CAST(moodle_id AS text) || username || email || CAST(changed_at AS text) FROM users ORDER BY moodle_id",
        "SELECT CAST(position AS text) || kind || CAST(moodle_id AS text) FROM changes ORDER BY position",
        "SELECT name || CAST(value AS text) FROM counters ORDER BY name",
    ] {
        assert_eq!(source.texts(sql).await, destination.texts(sql).await, "{sql}");
    }
}

/// All indexes and constraints with their definitions.
async fn schema(database: &Database) -> Vec<Option<String>> {
    let sql = "SELECT indexname || ': ' || indexdef FROM pg_indexes WHERE schemaname = current_schema() \
               UNION ALL SELECT conrelid::regclass || '.' || conname || ': ' || pg_get_constraintdef(oid) FROM pg_constraint \
               WHERE connamespace = current_schema()::regnamespace ORDER BY 1";
    database.texts(sql).await
}

async fn killed_in_the_middle_of_a_step(destination: Database) {
    let source = Database::sqlite();
    fill(&source, USERS).await;
    stop_at_an_event(&destination).await;
    let schema_before = schema(&destination).await;
    let lock = destination.connect().await.begin().await.unwrap();
    lock.execute_unprepared("SELECT pg_advisory_xact_lock(1)").await.unwrap();
    let copying = copy_command(&source, &destination, STEP).stderr(Stdio::null()).spawn().unwrap();
    let whole_steps = STOP_AT - STOP_AT % i64::from(STEP);
    until("the copy is at that event", async || {
        let begun = destination.count("SELECT count(*) FROM pg_tables WHERE tablename = 'copy_progress'").await == 1;
        let copied = "SELECT copied FROM copy_progress WHERE name = 'events'";
        (begun && destination.count(copied).await == whole_steps).then_some(())
    })
    .await;
    kill(copying);
    lock.rollback().await.unwrap();
    destination.execute("DROP TRIGGER dawdle ON events").await;
    assert_eq!(destination.count("SELECT count(*) FROM events").await, whole_steps, "no half-copied step");

    // An unfinished copy is not usable as a database.
    for command in [&["migrate"][..], &["serve", "--listen", "127.0.0.1:0"], &["site", "list"]] {
        let refused = run(&destination, command);
        assert_eq!(refused.status.code(), Some(1), "{command:?}: {refused:?}");
        assert!(text(&refused.stderr).contains("unfinished copy"), "{refused:?}");
    }

    let (_, told) = copied(&source, &destination);
    assert!(told.contains("resuming an interrupted copy"), "{told}");
    assert_equal(&source, &destination).await;
    assert_eq!(schema(&destination).await, schema_before, "the schema is complete");
    let left = "SELECT count(*) FROM pg_tables WHERE tablename = 'copy_progress'";
    assert_eq!(destination.count(left).await, 0);
    assert!(not_copied(&source, &destination).contains("not empty"), "it is done only once");
}

async fn killed_again_and_again(destination: Database) {
    let source = Database::sqlite();
    fill(&source, USERS).await;
    let mut random = Random::announced("copy-database killed");
    for _ in 0..8 {
        let copying = copy_command(&source, &destination, 20).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(random.below(1_500))).await;
        kill(copying);
    }
    // The copy may have finished in the meantime.
    let begun = "SELECT count(*) FROM pg_tables WHERE tablename = 'copy_progress'";
    let sites = "SELECT count(*) FROM pg_tables WHERE tablename = 'sites'";
    let finished = destination.count(begun).await == 0
        && destination.count(sites).await == 1
        && destination.count("SELECT count(*) FROM sites").await == 1;
    if !finished {
        copied(&source, &destination);
    }
    assert_equal(&source, &destination).await;
}
