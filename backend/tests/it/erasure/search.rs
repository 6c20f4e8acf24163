//! Searching everywhere for traces of the person.

use std::{process::Stdio, time::Duration};

use serde_json::{Value, json};

use super::{BYSTANDER, MARKS, ZELDA, begin, checked, erase, story};
use crate::{
    delivery::{assert_conserved, item, rest, start},
    support::{Database, Server, ZohoSimulator, command, events::at},
};

on_both_databases!(no_trace_remains, a_killed_erasure_is_finished_by_the_next_process);

/// The `table.column` pairs that contain each marker.
pub(super) async fn find_in_tables(database: &Database, mark: &str) -> Vec<String> {
    let columns = match database.is_postgres() {
        true => "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'",
        false => {
            "SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
        }
    };
    let columns: Vec<String> = database.texts(columns).await.into_iter().flatten().collect();
    assert!(columns.len() > 100, "all columns of all tables: {columns:?}");
    let queries = columns.iter().map(|column| {
        let (table, name) = column.split_once('.').unwrap();
        let text = format!("lower(CAST({table}.\"{name}\" AS text))");
        format!("SELECT '{column}' WHERE EXISTS (SELECT 1 FROM {table} WHERE {text} LIKE '%{}%')", mark.to_lowercase())
    });
    let mut found = Vec::new();
    // SQLite allows 500 parts in a compound statement.
    for queries in queries.collect::<Vec<_>>().chunks(100) {
        found.extend(database.texts(&queries.join(" UNION ALL ")).await.into_iter().flatten());
    }
    found
}

/// Fails if any table, SQLite's files, the server's log, or Zoho contains a trace of the person.
pub(super) async fn assert_nowhere(database: &Database, server: &Server, zoho: &ZohoSimulator) {
    assert_not_in_tables(database).await;
    for mark in MARKS {
        assert_eq!(find_in_files(database, mark), [""; 0], "{mark}");
    }
    let (log, state) = (server.log().to_lowercase(), zoho.state().await.to_string().to_lowercase());
    for mark in MARKS {
        assert!(!log.contains(&mark.to_lowercase()), "{mark} is in the log");
        assert!(!state.contains(&mark.to_lowercase()), "{mark} is in Zoho");
    }
}

/// The SQLite files that contain a marker.
fn find_in_files(database: &Database, mark: &str) -> Vec<&'static str> {
    let holds = |file: &&str| {
        let bytes = std::fs::read(database.file(file)).unwrap_or_default();
        bytes.windows(mark.len()).any(|window| window.eq_ignore_ascii_case(mark.as_bytes()))
    };
    ["test.sqlite", "test.sqlite-wal"].into_iter().filter(holds).collect()
}

pub(super) async fn assert_not_in_tables(database: &Database) {
    for mark in MARKS {
        assert_eq!(find_in_tables(database, mark).await, [""; 0], "{mark}");
    }
}

/// The bystander's data, here and in Zoho.
async fn bystander(server: &Server, zoho: &ZohoSimulator) -> Vec<Value> {
    let mut known = Vec::new();
    for path in ["users/moodle:12", "enrolments/moodle:23", "grades/moodle:33", "completions/moodle:52"] {
        known.push(server.reader().read(&format!("/api/v1/{path}")).await);
    }
    known.extend(server.reader().list(&format!("/api/v1/events?user=moodle:{BYSTANDER}")).await);
    for (module, key) in
        [("Contacts", "moodle:12"), ("Moodle_Enrolments", "moodle:23"), ("Moodle_Grades", "moodle:12:41")]
    {
        let records = zoho.records(module).await.into_iter();
        known.extend(records.filter(|record| record.values().any(|value| value == key)).map(Value::Object));
    }
    known
}

async fn no_trace_remains(database: Database) {
    let (zoho, server) = begin(&database).await;
    for mark in MARKS {
        assert!(!find_in_tables(&database, mark).await.is_empty(), "{mark} is there before");
        assert_eq!(find_in_files(&database, mark).is_empty(), database.is_postgres(), "{mark} is in the files before");
    }
    assert_eq!(item(&database, "enrolment", 24).await.0, "parked");
    assert_eq!(item(&database, "grade", 34).await.0, "failed");
    // Zoho accepts no telephone number like hers.
    let with_remarks = "SELECT count(*) FROM sync_items WHERE remarks IS NOT NULL";
    assert_eq!(database.count(with_remarks).await, 1);
    let before = bystander(&server, &zoho).await;
    assert_eq!(before.len(), 4 + 4 + 3);
    let last = server.reader().read("/api/v1/changes?limit=500").await["items"].as_array().unwrap().len();

    let certificate = erase(&database, &zoho).await;

    assert_nowhere(&database, &server, &zoho).await;
    assert_eq!(database.count(with_remarks).await, 0);
    assert_eq!(bystander(&server, &zoho).await, before, "the bystander's data is unchanged");
    rest(&database).await;
    assert_conserved(&database);
    assert_eq!(certificate["state"], "verified", "{certificate}");
    let rows: Vec<(&str, u64)> = certificate["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["table"].as_str().unwrap(), row["rows"].as_u64().unwrap()))
        .collect();
    let count = |table: &str| rows.iter().find(|(name, _)| *name == table).map(|(_, rows)| *rows);
    assert_eq!(
        (count("users"), count("enrolments"), count("grades"), count("completions")),
        (Some(1), Some(3), Some(3), Some(1))
    );
    assert_eq!(count("events"), Some(9), "{rows:?}");
    assert_eq!(
        certificate["remote"].as_array().unwrap().len(),
        1 + 2 + 2,
        "contact, enrolments, grades: {certificate}"
    );
    // The records remain as deleted ones, at the end of the feed.
    let api = server.reader();
    for path in ["users/moodle:11", "enrolments/moodle:24", "grades/moodle:31", "completions/moodle:51"] {
        assert_eq!(api.read(&format!("/api/v1/{path}")).await["deleted"], true, "{path}");
    }
    let feed = api.read("/api/v1/changes?limit=500").await["items"].as_array().unwrap().clone();
    assert_eq!(feed.len(), last, "no record came or went");
    let end = &feed[feed.len() - 8..];
    assert!(end.iter().all(|change| change["deleted"] == true), "{end:?}");
    // The events are still in the log, without their content.
    let events = api.list(&format!("/api/v1/events?user=moodle:{ZELDA}")).await;
    assert!(events.len() == 9 && events.iter().all(|event| event["data"] == json!({})), "{events:?}");
    server.stop().await;
}

async fn a_killed_erasure_is_finished_by_the_next_process(database: Database) {
    let (zoho, server) = begin(&database).await;
    // A long history, so that the erasure takes several steps.
    for round in 0..4 {
        let again = |number: i64| {
            let version = 100 + round * 1_000 + number;
            let mut data = super::zelda("Zeldamark");
            data["city"] = json!(format!("citymark {version}"));
            at(version, "user_updated", data)
        };
        server.site().send_batch(&(0..1_000).map(again).collect::<Vec<_>>()).await;
    }
    rest(&database).await;
    server.kill();
    let mut kills = 0;
    for pause in [30, 45, 60, 90, 130] {
        let mut child = command(&database.url)
            .args(["erase", "--site", "moodle", "--user", "11", "--yes", "--no-wait"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(pause)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let begun = "SELECT count(*) FROM erasures WHERE state = 'erasing'";
        kills += database.count(begun).await;
    }
    eprintln!("killed {kills} times in between");
    if database.count("SELECT count(*) FROM erasures").await == 0 {
        // On a slow machine no process got this far: create the state after the first commit by hand.
        database.execute(
            "INSERT INTO erasures (site_id, moodle_id, state, policy, requested_by, requested_at, due_at, begun_at, erased, checks) \
             VALUES (1, 11, 'erasing', 'anonymise', 'cli', 0, 0, 0, '{\"rows\":{},\"remote\":[]}', '[]')").await;
        database.execute("UPDATE counters SET erased = erased + 1").await;
    }
    let server = start(&database, &zoho).await;
    let certificate = checked(&database, 1, 1).await;
    assert_eq!(certificate["state"], "verified", "{certificate}");
    assert_nowhere(&database, &server, &zoho).await;
    assert_eq!(database.count("SELECT erased FROM counters WHERE name = 'event'").await, 1);
    assert_eq!(database.count("SELECT count(*) FROM events").await, story().len() as i64 + 4_000);
    assert_conserved(&database);
    server.stop().await;
}
