//! The command line, as operators and scripts use it.

mod first_day;
mod messages;
mod places;
mod rename;
mod settings;
mod tokens;

use std::process::Output;

use crate::support::{Database, Server, command, events::user_event, server::run};

on_both_databases!(empty: migrate_makes_the_tables, doctor_says_whether_all_is_well);

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

async fn migrate_makes_the_tables(database: Database) {
    let first = run(&database, &["migrate"]);
    assert_eq!((first.status.code(), stderr(&first)), (Some(0), String::new()));
    assert!(stdout(&first).starts_with("Created a new database at "), "{}", stdout(&first));
    assert_eq!(database.count("SELECT count(*) FROM events").await, 0);
    let second = run(&database, &["migrate"]);
    assert_eq!((second.status.code(), stdout(&second).trim()), (Some(0), "The database is up to date."));
    // The server runs on the migrated database, and `migrate` beside the server.
    let server = Server::start(&database).await;
    server.site().apply(&[user_event(1, "a")]).await;
    assert_eq!(run(&database, &["migrate"]).status.code(), Some(0));
    assert_eq!(server.reader().list("/api/v1/users").await.len(), 1);
    server.stop().await;
}

async fn doctor_says_whether_all_is_well(database: Database) {
    let before = run(&database, &["doctor"]);
    assert_eq!(before.status.code(), Some(1), "{}", stdout(&before));
    let what = if database.is_postgres() { "run backend-sync migrate" } else { "does not exist yet" };
    assert!(stdout(&before).contains("FAILED") && stdout(&before).contains(what), "{}", stdout(&before));
    assert!(!database.file("test.sqlite").exists(), "a check creates nothing");

    assert!(run(&database, &["migrate"]).status.success());
    let after = run(&database, &["doctor"]);
    let text = stdout(&after);
    assert_eq!(after.status.code(), Some(0), "{text}{}", stderr(&after));
    for check in ["configuration", "database", "migrations", "clock", "disk"] {
        assert!(text.lines().any(|line| line.starts_with("ok") && line.contains(check)), "{check}: {text}");
    }
    if database.is_postgres() {
        let password = database.url.split_once("//").unwrap().1.split_once('@').unwrap().0;
        assert!(!text.contains(password), "{text}");
    }

    let wrong = command(&database.url).arg("doctor").env("BACKEND_SYNC_LISTN", "x").output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stdout(&wrong).contains("listn"), "{}", stdout(&wrong));
    let away = "postgres://ann:pa55word@127.0.0.1:1/nothing";
    let unreachable = command(away).arg("doctor").output().unwrap();
    assert_eq!(unreachable.status.code(), Some(1));
    assert!(stdout(&unreachable).contains("127.0.0.1:1/nothing"), "{}", stdout(&unreachable));
    assert!(!format!("{unreachable:?}").contains("pa55word"), "{unreachable:?}");
}
