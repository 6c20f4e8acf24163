//! Where settings and databases are, and which commands may create or change a database.

use std::{
    path::Path,
    process::{Command, Output},
};

use super::{stderr, stdout};
use crate::support::{Database, Server, command, server::run};

on_both_databases!(empty: only_serve_and_migrate_create_a_database);
on_both_databases!(a_newer_database_is_refused, an_older_database_is_named, what_changes_much_asks_first);

/// Commands that read or change what is there.
const OTHERS: [&[&str]; 9] = [
    &["site", "list"],
    &["site", "add", "college"],
    &["token", "list"],
    &["sync", "status"],
    &["alerts", "list"],
    &["parity", "show"],
    &["erasures", "list"],
    &["clock"],
    &["backup", "/nowhere/backup"],
];

async fn only_serve_and_migrate_create_a_database(database: Database) {
    for arguments in OTHERS {
        let output = run(&database, arguments);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()), "{arguments:?}");
        let words = stderr(&output);
        assert!(words.contains("backend-sync serve or backend-sync migrate create"), "{arguments:?}: {words}");
        assert!(!database.file("test.sqlite").exists(), "{arguments:?} creates nothing");
    }
    let made = stdout(&run(&database, &["migrate"]));
    assert!(made.starts_with("Created a new database at "), "{made}");
    assert_eq!(stdout(&run(&database, &["site", "list"])), "No sites yet. Add one: backend-sync site add NAME\n");
}

async fn a_newer_database_is_refused(database: Database) {
    assert!(run(&database, &["migrate"]).status.success());
    database.execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000099_hover', 0)").await;
    for arguments in OTHERS.into_iter().chain([&["serve", "--listen", "127.0.0.1:0"][..], &["migrate"]]) {
        let output = run(&database, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let words = stderr(&output);
        assert!(words.contains("newer") && words.contains("m20991231_000099_hover"), "{arguments:?}: {words}");
    }
}

async fn an_older_database_is_named(database: Database) {
    assert!(run(&database, &["migrate"]).status.success());
    database.execute("DELETE FROM seaql_migrations WHERE version LIKE '%_incarnation'").await;
    for arguments in OTHERS {
        let output = run(&database, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let words = stderr(&output);
        assert!(words.contains("_incarnation") && words.contains("backend-sync migrate"), "{arguments:?}: {words}");
    }
}

async fn what_changes_much_asks_first(database: Database) {
    let zoho = crate::support::ZohoSimulator::start_set_up().await;
    let server = Server::start_with(&database, &zoho.settings()).await;
    server.site().apply(&[crate::support::events::user_event(1, "ann")]).await;
    server.stop().await;
    // Nobody can be asked without a terminal.
    let output = run(&database, &["sync", "resync", "--no-wait"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
    let asks = "error: 1 record would be delivered again, which costs API credits; confirm with --yes\n";
    assert_eq!(stderr(&output), asks);
}

/// Runs the program in a folder, with nothing but these settings.
fn run_in(folder: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backend-sync"));
    command.env_clear().current_dir(folder).envs(settings.iter().copied()).args(arguments).output().unwrap()
}

#[test]
fn the_wrong_folder_is_told_with_the_absolute_path() {
    let folder = tempfile::tempdir().unwrap();
    let output = run_in(folder.path(), &[("BACKEND_SYNC_CONFIG", "")], &["sync", "status"]);
    let path = folder.path().join("data/backend-sync.sqlite");
    assert!(stderr(&output).contains(&path.display().to_string()), "{}", stderr(&output));
    assert!(!path.exists());
    let made = run_in(folder.path(), &[("BACKEND_SYNC_CONFIG", "")], &["migrate"]);
    assert!(stdout(&made).contains(&path.display().to_string()), "{made:?}");
}

#[test]
fn paths_in_a_file_are_relative_to_the_file() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "database_url = 'sqlite://own.sqlite'\n").unwrap();
    let made = run_in(elsewhere.path(), &[("BACKEND_SYNC_CONFIG", file.to_str().unwrap())], &["migrate"]);
    assert!(made.status.success() && folder.path().join("own.sqlite").exists(), "{made:?}");
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    // What the environment says is relative to where the process runs.
    let settings =
        [("BACKEND_SYNC_CONFIG", file.to_str().unwrap()), ("BACKEND_SYNC_DATABASE_URL", "sqlite://here.sqlite")];
    let made = run_in(elsewhere.path(), &settings, &["migrate"]);
    assert!(made.status.success() && elsewhere.path().join("here.sqlite").exists(), "{made:?}");
}

#[test]
fn mistakes_in_settings_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    let refused = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let output = run_in(folder.path(), &[("BACKEND_SYNC_CONFIG", file.to_str().unwrap())], &["migrate"]);
        assert_eq!(output.status.code(), Some(1), "{text}");
        stderr(&output)
    };
    for (text, words) in [
        ("[log]\nformat = 'jsn'\n", "unknown variant `jsn`, expected `text` or `json`"),
        ("[erasure]\nzoho = 'forget'\n", "expected one of `delete`"),
        ("listen = 'nowhere'\n", "nowhere is no address with a port, as in 127.0.0.1:8001 or localhost:8001"),
        (
            "[zoho]\nclient_id = 'x'\nclient_secret = 'x'\nrefresh_token = 'x'\nlisten = '127.0.0.1:1'\n",
            "Put listen at the top of the file, before the first [section]",
        ),
    ] {
        let told = refused(text);
        assert!(told.contains(words), "{text}: {told}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is created");
    let missing = folder.path().join("missing.toml");
    let output = run_in(folder.path(), &[("BACKEND_SYNC_CONFIG", missing.to_str().unwrap())], &["doctor"]);
    assert!(stdout(&output).contains(missing.to_str().unwrap()), "{output:?}");
}

#[test]
fn nobody_reading_is_no_error() {
    let program = env!("CARGO_BIN_EXE_backend-sync");
    let script = format!("'{program}' config | head -n 1");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(stdout(&output).lines().count(), 1);
}

#[test]
fn a_name_is_an_address_to_listen_on() {
    let database = Database::empty_sqlite();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("localhost:{}", taken.local_addr().unwrap().port());
    let output = command(&database.url).args(["serve", "--listen", &address]).output().unwrap();
    assert!(stderr(&output).contains("cannot listen on 127.0.0.1:"), "{output:?}");
}

#[test]
fn what_cannot_listen_creates_no_database() {
    let database = Database::empty_sqlite();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = command(&database.url).args(["serve", "--listen", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!database.file("test.sqlite").exists());
}
