//! Backups while the server runs, restores, and what a restored database does.

mod decisions;
mod lives;
mod zoho;

use std::{os::unix::fs::PermissionsExt, path::Path, process::Output};

use serde_json::Value;

use crate::{
    delivery::start_with,
    support::{
        Database, Server, ZohoSimulator, command,
        events::{at, user, user_event},
        server::{run_json, run_with},
        wait::until,
    },
};

on_both_databases!(
    a_backup_while_events_arrive_is_restored_elsewhere,
    what_is_no_backup_is_refused,
    erased_people_and_revoked_tokens_stay_so,
    doctor_misses_a_backup,
    people_know_when_the_last_backup_was,
);

on_postgres!(a_restore_has_no_time_out);

/// The settings of a server whose register is at this path.
fn registered(register: &Path) -> [(&'static str, String); 1] {
    [("BACKEND_SYNC_BACKUP__REGISTER", register.display().to_string())]
}

/// Runs a command on a database with this register.
fn run(database: &Database, register: &Path, arguments: &[&str]) -> Output {
    run_with(database, &registered(register), arguments)
}

fn run_well(database: &Database, register: &Path, arguments: &[&str]) -> String {
    let output = run(database, register, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(database: &Database, register: &Path, arguments: &[&str]) -> String {
    let output = run(database, register, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// An empty place for a database of the same kind, for those who have this one's tokens.
async fn another(database: &Database) -> Database {
    let other = if database.is_postgres() { Database::empty_postgres().await } else { Database::empty_sqlite() };
    if let Some(tokens) = database.tokens.get() {
        other.tokens.set(tokens.clone()).unwrap();
    }
    other
}

async fn a_backup_while_events_arrive_is_restored_elsewhere(database: Database) {
    let (register, file) = (database.file("register"), database.file("backup"));
    let server = Server::start_with(&database, &registered(&register)).await;
    let site = server.site();
    site.apply(&(1..=50).map(|id| user_event(id, &format!("user{id}"))).collect::<Vec<_>>()).await;
    let mut backup = command(&database.url);
    backup.envs(registered(&register)).arg("backup").arg(&file);
    let backup = tokio::task::spawn_blocking(move || backup.output().unwrap());
    let mut sent = 50;
    while !backup.is_finished() {
        sent += 1;
        site.apply(&[user_event(sent, &format!("user{sent}"))]).await;
    }
    let backup = backup.await.unwrap();
    let (out, error) = (String::from_utf8(backup.stdout).unwrap(), String::from_utf8(backup.stderr).unwrap());
    assert!(backup.status.success() && out.contains(" rows in ") && out.contains("MiB"), "{out}{error}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let name = file.to_str().unwrap();
    assert!(refused(&database, &register, &["backup", name]).contains("never overwrites"));
    let last = server.reader().read("/api/v1/changes?limit=500").await;
    server.stop().await;

    let other = another(&database).await;
    let printed = run_well(&other, &register, &["restore", name]);
    assert!(printed.contains("all checked") && printed.contains("sync resync"), "{printed}");
    let restored = Server::start_with(&other, &registered(&register)).await;
    let users = restored.reader().list("/api/v1/users").await;
    let count = i64::try_from(users.len()).unwrap();
    assert!((50..=sent).contains(&count), "{count} of {sent}");
    // Pages are in the order of Moodle's ids.
    assert_eq!(
        users.last().unwrap()["id"],
        format!("moodle:{count}"),
        "nothing that was answered before is missing, and no piece of a transaction is there"
    );

    let reader = restored.reader();
    let cursor = last["next_cursor"].as_str().unwrap();
    let gone = reader.get(&format!("/api/v1/changes?after={cursor}")).await.problem(410, "cursor_gone");
    assert!(gone["detail"].as_str().unwrap().contains("Begin again"), "{gone}");
    // As an earlier version gave them out.
    reader.get("/api/v1/changes?after=1").await.problem(410, "cursor_gone");
    reader.get(&format!("/api/v1/events?cursor={cursor}")).await.problem(410, "cursor_gone");
    let again = reader.read("/api/v1/changes?limit=500").await;
    assert_eq!(again["items"].as_array().unwrap().len(), users.len());
    restored.site().apply(&[user_event(1_000, "late")]).await;
    let cursor = again["next_cursor"].as_str().unwrap();
    let late = reader.read(&format!("/api/v1/changes?after={cursor}")).await;
    assert_eq!(late["items"].as_array().unwrap().len(), 1, "{late}");
    let (before, after) = (last["items"].as_array().unwrap().last().unwrap(), &late["items"][0]);
    assert!(after["position"].as_i64() > before["position"].as_i64(), "no number is given out twice: {after}");

    assert!(refused(&other, &register, &["restore", name, "--replace", "--yes"]).contains("in use"));
    restored.stop().await;
    assert!(refused(&other, &register, &["restore", name]).contains("--replace"));
    assert!(refused(&other, &register, &["restore", name, "--replace"]).contains("--yes"));
    run_well(&other, &register, &["restore", name, "--replace", "--yes"]);
    assert_eq!(other.count("SELECT count(*) FROM users WHERE username = 'late'").await, 0);
}

async fn what_is_no_backup_is_refused(database: Database) {
    let (register, file) = (database.file("register"), database.file("backup"));
    let server = Server::start_with(&database, &registered(&register)).await;
    server.site().apply(&[user_event(1, "ann")]).await;
    run_well(&database, &register, &["backup", file.to_str().unwrap()]);
    server.stop().await;
    let whole = std::fs::read(&file).unwrap();
    let other = another(&database).await;
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped.iter_mut().skip(middle).take(600).for_each(|byte| *byte ^= 0x55);
    for (what, bytes) in [("cut", &whole[..whole.len() / 2]), ("flipped", &flipped[..]), ("text", b"hello, backup")] {
        let wrong = database.file(what);
        std::fs::write(&wrong, bytes).unwrap();
        let error = refused(&other, &register, &["restore", wrong.to_str().unwrap()]);
        assert!(!error.is_empty(), "{what}");
        if !database.is_postgres() {
            assert!(!other.file("test.sqlite").exists(), "{what}: {error}");
        }
    }
    if database.is_postgres() {
        let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()";
        assert_eq!(other.count(tables).await, 0, "nothing was restored");
    }
    let away = if database.is_postgres() { Database::empty_sqlite() } else { another(&database).await };
    std::fs::write(database.file("nothing"), b"").unwrap();
    refused(&away, &register, &["restore", database.file("nothing").to_str().unwrap()]);
    run_well(&other, &register, &["restore", file.to_str().unwrap()]);
    assert_eq!(other.count("SELECT count(*) FROM users").await, 1);
}

async fn erased_people_and_revoked_tokens_stay_so(database: Database) {
    let (register, file) = (database.file("register"), database.file("backup"));
    let server = Server::start_with(&database, &registered(&register)).await;
    let people: Vec<Value> = (3..=5).map(|id| user_event(id, &format!("user{id}"))).collect();
    server.site().apply(&people).await;
    let token = run_json(&database, &["token", "add", "reader", "--scope", "read", "--json"]);
    let token = token["token"].as_str().unwrap().to_owned();
    run_well(&database, &register, &["backup", file.to_str().unwrap()]);
    for user in ["3", "4"] {
        run_well(&database, &register, &["erase", "--site", "moodle", "--user", user, "--yes"]);
    }
    run_well(&database, &register, &["erasures", "lift", "2"]);
    let tokens = run_json(&database, &["token", "list", "--json"]);
    let id = tokens.as_array().unwrap().iter().find(|token| token["name"] == "reader").unwrap()["id"].to_string();
    run_well(&database, &register, &["token", "revoke", &id]);
    server.stop().await;
    let text = std::fs::read_to_string(&register).unwrap();
    assert!(!text.contains("user3") && !text.contains("example.com") && !text.contains(&token), "{text}");

    run_well(&database, &register, &["restore", file.to_str().unwrap(), "--replace", "--yes"]);
    let server = Server::start_with(&database, &registered(&register)).await;
    assert_eq!(server.reader_with(&token).get("/api/v1/users").await.status, 401, "it was revoked after the backup");
    let erased = server.reader().read("/api/v1/users/moodle:3").await;
    assert_eq!((&erased["deleted"], &erased["username"]), (&Value::Bool(true), &Value::Null), "{erased}");
    let later = [at(2, "user_updated", user(3, "back")), at(2, "user_updated", user(4, "lifted"))];
    assert_eq!(server.site().send_batch(&later).await, ["superseded", "applied"]);
    let kept = server.reader().read("/api/v1/users/moodle:5").await;
    assert_eq!(kept["username"], "user5");
    server.stop().await;
}

async fn doctor_misses_a_backup(database: Database) {
    let register = database.file("register");
    let server = Server::start_with(&database, &registered(&register)).await;
    let ago = |days: i64| format!("(SELECT min(created_at) - {} FROM sites)", days * 24 * 60 * 60 * 1_000);
    run_well(&database, &register, &["doctor"]);
    database.execute(&format!("UPDATE sites SET created_at = {}", ago(8))).await;
    let output = run(&database, &register, &["doctor"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && text.contains("none in 7 days"), "{text}");
    run_well(&database, &register, &["backup", database.file("backup").to_str().unwrap()]);
    assert!(run_well(&database, &register, &["doctor"]).contains("the last one was made"));
    server.stop().await;
    std::fs::remove_file(&register).unwrap();
    database.execute("UPDATE tokens SET revoked_at = 1 WHERE scope = 'operate'").await;
    let output = run(&database, &register, &["doctor"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && text.contains("is missing, and 1 erasures"), "{text}");
}

async fn people_know_when_the_last_backup_was(database: Database) {
    let (register, zoho) = (database.file("register"), ZohoSimulator::start_set_up().await);
    let settings = [
        ("BACKEND_SYNC_BACKUP__REGISTER", register.to_str().unwrap()),
        ("BACKEND_SYNC_ALERTS__INTERVAL_SECONDS", "1"),
        ("BACKEND_SYNC_ALERTS__RULES__BACKUP_HOURS", "24"),
    ];
    let server = start_with(&database, &zoho, &settings).await;
    let open = async || {
        let alerts = server.reader().list("/api/v1/alerts?state=open").await;
        alerts.into_iter().find(|alert| alert["rule"] == "backup_missed")
    };
    let metric = "\nbackend_sync_last_backup_timestamp_seconds{} ";
    assert!(!server.reader().get("/metrics").await.text.contains(metric));
    assert!(run_well(&database, &register, &["sync", "status"]).contains("has made no backup yet"));
    let day = 24 * 60 * 60 * 1_000;
    database.execute(&format!("UPDATE sites SET created_at = created_at - {day}")).await;
    let alert = until("the alert", open).await;
    assert!(alert["message"].as_str().unwrap().contains("there should be one every 24 hours"), "{alert}");
    run_well(&database, &register, &["backup", database.file("backup").to_str().unwrap()]);
    until("the end of the alert", async || open().await.is_none().then_some(())).await;
    until("the metric", async || server.reader().get("/metrics").await.text.contains(metric).then_some(())).await;
    let at = server.reader().read("/api/v1/destinations/zoho").await["last_backup_at"].as_str().unwrap().to_owned();
    assert!(run_well(&database, &register, &["sync", "status"]).contains(&format!("The last backup was made at {at}")));
}

async fn a_restore_has_no_time_out(database: Database) {
    let (register, file) = (database.file("register"), database.file("backup"));
    let server = Server::start_with(&database, &registered(&register)).await;
    server.site().apply(&[user_event(3, "ann")]).await;
    run_well(&database, &register, &["backup", file.to_str().unwrap()]);
    server.stop().await;
    let other = another(&database).await;
    let set = "EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = 1', current_database())";
    other.execute(&format!("DO $$ BEGIN {set}; END $$")).await;
    run_well(&other, &register, &["restore", file.to_str().unwrap()]);
    assert_eq!(other.count("SELECT count(*) FROM users").await, 1);
}
