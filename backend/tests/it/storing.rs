//! Promise 7: a 200 means stored, whatever breaks; what cannot be stored is refused, and readiness says so.

use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;

use crate::support::{
    Answer, Database, Server,
    api::BATCH,
    command,
    events::{at, user, user_event},
    random::new_uuid,
    wait::until,
};

on_both_databases!(a_missing_answered_event_is_noticed, a_lost_database_is_not_recreated);
on_postgres!(
    tables_in_another_schema_are_not_recreated,
    a_database_that_accepts_no_events_is_not_ready,
    a_lock_on_the_table_of_events_is_seen,
);

const READY: &str = "/api/v1/health/ready";

impl Server {
    async fn ready(&self) -> Answer {
        self.anonymous().get(READY).await
    }

    /// Waits until readiness has this status and this text.
    async fn until_ready_is(&self, status: u16, words: &str) {
        let what = format!("readiness is {status}: {words}");
        until(&what, async || {
            let answer = self.ready().await;
            (answer.status == status && answer.text.contains(words)).then_some(())
        })
        .await;
    }

    /// Limits the size of its files, in bytes, as a full disk does.
    fn limit_files(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: getrlimit(Resource::Fsize).maximum };
        prlimit(Some(Pid::from_raw(self.id().cast_signed()).unwrap()), Resource::Fsize, limit).unwrap();
    }
}

/// SQLite rolls back by itself when the disk is full. Events answered after that used to be lost.
#[tokio::test]
async fn a_full_disk_breaks_no_200() {
    let database = Database::sqlite();
    let server = Server::start(&database).await;
    server.site().apply(&[user_event(1, "first")]).await;
    let log = std::fs::metadata(database.file("test.sqlite-wal")).unwrap().len();
    server.limit_files(Some(log + 200 * 1024));
    let (mut answered, mut refused, mut number) = (Vec::new(), 0, 1_i64);
    while refused < 20 {
        assert!(number < 2_000, "the limit was never reached");
        number += 1;
        let id = new_uuid().to_string();
        // Large and small ones in turn: a small one may fit when the large one did not.
        let name = "x".repeat(if number % 3 == 0 { 40_000 } else { 10 });
        let mut event = at(number, "user_created", user(number, "someone"));
        event["id"] = json!(id);
        event["data"]["description"] = json!(name);
        let answer = server.site().post(BATCH, json!({"events": [event]}).to_string()).await;
        match answer.status {
            200 => answered.push(id),
            _ => {
                answer.problem(503, "database_unavailable");
                assert!(answer.text.contains("room") || answer.text.contains("disk"), "{}", answer.text);
                refused += 1;
            }
        }
    }
    server.limit_files(None);
    server.until_ready_is(200, "ok").await;
    server.site().apply(&[user_event(5_000, "last")]).await;
    server.stop().await;
    let stored = database.count("SELECT count(*) FROM events").await;
    assert_eq!(stored, i64::try_from(answered.len()).unwrap() + 2, "exactly the answered events");
    for table in ["users", "changes"] {
        assert_eq!(
            database.count(&format!("SELECT count(*) FROM {table}")).await,
            stored,
            "{table}: whole transactions"
        );
    }
}

#[tokio::test]
async fn a_replaced_file_is_not_written_to() {
    for name in ["test.sqlite", "test.sqlite-wal"] {
        let database = Database::sqlite();
        let server = Server::start(&database).await;
        server.site().apply(&[user_event(1, "a")]).await;
        let (file, away) = (database.file(name), database.file("away"));
        std::fs::rename(&file, &away).unwrap();
        let answer = server.site().post_batch(&[user_event(2, "b")]).await;
        answer.problem(503, "database_unavailable");
        assert!(answer.text.contains("deleted, moved or replaced"), "{}", answer.text);
        server.ready().await.problem(503, "database_unavailable");
        std::fs::copy(&away, &file).unwrap();
        server.site().post_batch(&[user_event(3, "c")]).await.problem(503, "database_unavailable");
        // With the original file back, all is well again.
        std::fs::rename(&away, &file).unwrap();
        server.until_ready_is(200, "ok").await;
        server.site().apply(&[user_event(4, "d")]).await;
        server.stop().await;
        assert_eq!(database.count("SELECT count(*) FROM events").await, 2, "{name}");
    }
}

async fn a_missing_answered_event_is_noticed(database: Database) {
    let server = Server::start(&database).await;
    server.site().apply(&[user_event(1, "a")]).await;
    assert_eq!(server.ready().await.status, 200);
    // As after a restore, or a promotion of a standby that lagged.
    database.execute("DELETE FROM events").await;
    server.until_ready_is(503, "Synchronise everything").await;
    let lost = "an event that was answered 200 is missing from the database: press Synchronise everything in Moodle";
    server.logged(|message| message["message"] == lost).await;
    server.stop().await;
}

async fn a_lost_database_is_not_recreated(database: Database) {
    let server = Server::start(&database).await;
    server.site().apply(&[user_event(1, "a")]).await;
    server.stop().await;
    if database.is_postgres() {
        database.execute("DROP SCHEMA public CASCADE").await;
        database.execute("CREATE SCHEMA public").await;
    } else {
        std::fs::remove_file(database.file("test.sqlite")).unwrap();
    }
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["migrate"], &["site", "list"]] {
        let output = without_leave(&database).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let words = if database.is_postgres() && arguments[0] == "site" { "no tables" } else { "--new-database" };
        assert!(output.status.code() == Some(1) && said.contains(words), "{arguments:?}: {said}");
    }
    assert!(database.is_postgres() || !database.file("test.sqlite").exists());
    assert!(command(&database.url).arg("migrate").status().unwrap().success(), "with --new-database it starts");
    assert!(without_leave(&database).args(["site", "list"]).status().unwrap().success());
}

#[tokio::test]
async fn a_different_database_in_its_place_is_refused() {
    let (database, other) = (Database::sqlite(), Database::sqlite());
    for database in [&database, &other] {
        Server::start(database).await.stop().await;
    }
    let (file, away) = (database.file("test.sqlite"), database.file("away"));
    std::fs::rename(&file, &away).unwrap();
    std::fs::copy(other.file("test.sqlite"), &file).unwrap();
    let output = without_leave(&database).args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("is not the database that was there before"), "{said}");
    std::fs::remove_file(&file).unwrap();
    // A backup counts as the same database.
    std::fs::copy(&away, &file).unwrap();
    assert!(without_leave(&database).args(["site", "list"]).status().unwrap().success());
}

#[test]
fn a_missing_folder_may_be_an_unmounted_disk() {
    let database = Database::sqlite();
    let url = format!("sqlite://{}", database.file("disk/backend-sync.sqlite").display());
    let output = without_leave(&database).args(["--database-url", &url, "migrate"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("--new-database"), "{said}");
    assert!(!database.file("disk").exists());
    assert!(command(&url).arg("migrate").status().unwrap().success(), "with --new-database it starts");
}

/// The server without `--new-database`.
fn without_leave(database: &Database) -> std::process::Command {
    let told = command(&database.url);
    let mut command = std::process::Command::new(told.get_program());
    command.envs(told.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

async fn tables_in_another_schema_are_not_recreated(database: Database) {
    Server::start(&database).await.stop().await;
    database.execute("CREATE SCHEMA other").await;
    let url = format!("{}?options=-csearch_path%3Dother", database.url);
    let output = command(&url).args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("schema public"), "{said}");
    assert_eq!(database.count("SELECT count(*) FROM pg_tables WHERE schemaname = 'other'").await, 0);
}

async fn a_database_that_accepts_no_events_is_not_ready(database: Database) {
    let server = Server::start(&database).await;
    server.site().apply(&[user_event(1, "a")]).await;
    let name = database.texts("SELECT current_database()::text").await.remove(0).unwrap();
    let read_only = |on: &str| format!("ALTER DATABASE {name} SET default_transaction_read_only = {on}");
    let others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() \
                  AND pid <> pg_backend_pid()";
    database.execute(&read_only("on")).await;
    database.count(others).await;
    // Nobody sends anything, and it is still noticed.
    server.until_ready_is(503, "read-only").await;
    let answer = server.site().post_batch(&[user_event(2, "b")]).await;
    answer.problem(503, "database_unavailable");
    assert!(answer.text.contains("read-only"), "{}", answer.text);
    let another = command(&database.url).args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let said = String::from_utf8_lossy(&another.stderr).into_owned();
    assert!(another.status.code() == Some(1) && said.contains("read-only"), "{said}");
    let doctor = command(&database.url).arg("doctor").output().unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.status.code() == Some(1) && said.contains("FAILED  writing"), "{said}");

    database.execute(&format!("BEGIN; SET TRANSACTION READ WRITE; {}; COMMIT", read_only("off"))).await;
    database.count(others).await;
    server.until_ready_is(200, "ok").await;
    server.site().apply(&[user_event(2, "b")]).await;
    server.stop().await;
}

async fn a_lock_on_the_table_of_events_is_seen(database: Database) {
    let server = Server::start(&database).await;
    server.site().apply(&[user_event(1, "a")]).await;
    let connection = database.connect().await;
    let lock = sea_orm::TransactionTrait::begin(&connection).await.unwrap();
    sea_orm::ConnectionTrait::execute_unprepared(&lock, "LOCK TABLE events IN EXCLUSIVE MODE").await.unwrap();
    server.site().post_batch(&[user_event(2, "b")]).await.problem(503, "database_unavailable");
    let answer = server.ready().await;
    answer.problem(503, "database_unavailable");
    assert!(answer.text.contains("lock"), "{}", answer.text);
    // It stays so as long as the lock is held, although a small test write would succeed.
    tokio::time::sleep(Duration::from_secs(4)).await;
    server.ready().await.problem(503, "database_unavailable");
    lock.rollback().await.unwrap();
    server.until_ready_is(200, "ok").await;
    server.site().apply(&[user_event(2, "b")]).await;
    server.stop().await;
}
