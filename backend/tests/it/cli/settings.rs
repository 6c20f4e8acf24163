//! Settings: flags override the environment, which overrides the file, which overrides the embedded default. Mistakes
//! are named.

use super::{stderr, stdout};
use crate::support::{Database, Server, command, server::run};

/// Runs a command with wrong settings: it must fail with a message that names `key`.
fn assert_refused(database: &Database, file: &str, environment: &[(&str, &str)], key: &str) {
    let path = database.file("settings.toml");
    std::fs::write(&path, file).unwrap();
    for subcommand in ["migrate", "serve"] {
        let mut command = command(&database.url);
        let output = command.arg(subcommand).arg("--config").arg(&path).envs(environment.iter().copied()).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(1), "{file} {environment:?}");
        assert!(stderr(&output).contains(key), "{key} is not in: {}", stderr(&output));
        assert!(!stderr(&output).contains("pa55word"), "{}", stderr(&output));
    }
}

#[test]
fn an_unknown_or_wrong_setting_is_named() {
    let database = Database::empty_sqlite();
    assert_refused(&database, "", &[("BACKEND_SYNC_LISTN", "127.0.0.1:1")], "listn");
    assert_refused(&database, "", &[("BACKEND_SYNC_LOG__COLOUR", "red")], "colour");
    assert_refused(&database, "", &[("BACKEND_SYNC_NOTHING__AT_ALL", "1")], "nothing");
    assert_refused(&database, "colour = 'red'", &[], "colour");
    assert_refused(&database, "[ingest]\nqueue = 5", &[], "queue");
    assert_refused(&database, "listen = 'here'", &[], "listen");
    assert_refused(&database, "[ingest]\nqueue_kib = 1", &[], "queue_kib");
    assert_refused(&database, "[ingest]\ntransaction_events = 'many'", &[], "transaction_events");
    assert_refused(&database, "[log]\nformat = 'xml'", &[], "format");
    assert_refused(&database, "= 5", &[], "settings.toml");
    let secret = "mysql://ann:pa55word@host/db";
    assert_refused(&database, "", &[("BACKEND_SYNC_DATABASE_URL", secret)], "database_url");
    assert!(!database.file("test.sqlite").exists(), "nothing is created with wrong settings");
    let output = command(&database.url).args(["migrate", "--config", "/nothing/here.toml"]).output().unwrap();
    assert!(output.status.code() == Some(1) && stderr(&output).contains("/nothing/here.toml"), "{output:?}");
}

#[test]
fn the_printed_default_is_a_file_to_start_from() {
    let database = Database::empty_sqlite();
    let printed = run(&database, &["config"]);
    assert!(printed.status.success());
    let text = stdout(&printed);
    for key in ["listen", "database_url", "[log]", "[ingest]", "[shutdown]", "grace_seconds"] {
        assert!(text.contains(key), "{key}");
    }
    let path = database.file("settings.toml");
    std::fs::write(&path, &text).unwrap();
    // The environment names the file, and overrides the file's database.
    let output = command(&database.url).arg("migrate").env("BACKEND_SYNC_CONFIG", &path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(database.file("test.sqlite").exists());
}

#[test]
fn help_teaches() {
    let database = Database::sqlite();
    for (arguments, words) in [
        (&["--help"][..], &["serve", "migrate", "site", "token", "openapi", "config", "doctor", "--database-url"][..]),
        (&["serve", "--help"], &["--listen", "BACKEND_SYNC_LISTEN"]),
        (&["site", "--help"], &["add", "list", "rotate-token", "revoke-token"]),
        (&["token", "add", "--help"], &["--scope", "read", "operate", "--json"]),
    ] {
        let output = run(&database, arguments);
        assert!(output.status.success());
        for word in words {
            assert!(stdout(&output).contains(word), "{arguments:?} does not tell of {word}");
        }
    }
    let mistake = run(&database, &["serv"]);
    assert_eq!(mistake.status.code(), Some(2));
    assert!(stderr(&mistake).contains("serve"), "{}", stderr(&mistake));
}

#[tokio::test]
async fn the_log_is_for_people_or_for_programs() {
    let database = Database::empty_sqlite();
    let server = Server::start_with(&database, &[("BACKEND_SYNC_LOG__LEVEL", "backend_sync=debug")]).await;
    assert!(server.log_messages().iter().all(|message| message["level"].is_string()));
    server.stop().await;
    // Text, on standard error only. A port in use ends it with a message.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = command(&database.url).args(["serve", "--listen", &address]).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
    assert!(stderr(&output).contains(&format!("cannot listen on {address}")), "{}", stderr(&output));
}
