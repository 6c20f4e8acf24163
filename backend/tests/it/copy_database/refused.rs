//! Copies that are refused, and the messages.

use super::{copied, copy, copy_half, fill, not_copied, text};
use crate::support::{Database, Server, command, events::user_event, server::run};

on_postgres!(empty: a_source_that_a_server_uses, a_destination_that_is_not_empty, a_resume_from_a_different_source, a_source_of_another_version, what_is_no_move_up);

async fn a_source_that_a_server_uses(destination: Database) {
    let source = Database::sqlite();
    let server = Server::start(&source).await;
    server.site().apply(&[user_event(1, "a")]).await;
    // Even if nobody sends anything.
    let error = not_copied(&source, &destination);
    assert!(error.contains("is in use: stop the server"), "{error}");
    server.site().apply(&[user_event(2, "b")]).await;
    server.stop().await;
    copied(&source, &destination);
    assert_eq!(destination.count("SELECT count(*) FROM users").await, 2);
}

async fn a_destination_that_is_not_empty(destination: Database) {
    let source = Database::sqlite();
    fill(&source, 3).await;
    Server::start(&destination).await.stop().await;
    let error = not_copied(&source, &destination);
    // Which table it is depends on what the server had written when it stopped.
    assert!(error.contains("not empty (table "), "{error}");
    assert_eq!(destination.count("SELECT count(*) FROM users").await, 0);
    // The destination is unchanged.
    Server::start(&destination).await.stop().await;
}

async fn a_resume_from_a_different_source(destination: Database) {
    let source = Database::sqlite();
    fill(&source, 20).await;
    copy_half(&source, &destination).await;
    let other = Database::sqlite();
    fill(&other, 20).await;
    let error = not_copied(&other, &destination);
    assert!(error.contains("a part of another database") && error.contains("tokens"), "{error}");
    // A server has written to it meanwhile, so it has diverged.
    let server = Server::start(&source).await;
    server.site().apply(&[user_event(21, "late")]).await;
    server.stop().await;
    let error = not_copied(&source, &destination);
    assert!(error.contains("before it changed") && error.contains("events"), "{error}");
}

async fn a_source_of_another_version(destination: Database) {
    let source = Database::sqlite();
    fill(&source, 1).await;
    let newest = source.texts("SELECT max(version) FROM seaql_migrations").await.pop().flatten().unwrap();
    source.execute(&format!("UPDATE seaql_migrations SET version = 'm9999' WHERE version = '{newest}'")).await;
    assert!(not_copied(&source, &destination).contains("newer version"));
    source.execute("DELETE FROM seaql_migrations WHERE version = 'm9999'").await;
    assert!(not_copied(&source, &destination).contains("backend-sync migrate"));
    source.execute("DROP TABLE seaql_migrations").await;
    assert!(not_copied(&source, &destination).contains("backend-sync migrate"));
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()";
    assert_eq!(destination.count(tables).await, 0, "nothing was created");
}

async fn what_is_no_move_up(destination: Database) {
    let source = Database::empty_sqlite();
    assert!(not_copied(&source, &destination).contains("there is no database"));
    assert!(!source.file("test.sqlite").exists(), "a check creates nothing");
    fill(&source, 1).await;
    let output = copy(&destination, &source);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("copies from sqlite://"), "{output:?}");
    let away = command(&source.url)
        .args(["copy-database", "--from", &source.url, "--to", "postgres://ann:pa55word@127.0.0.1:1/nothing"])
        .output()
        .unwrap();
    assert_eq!(away.status.code(), Some(1));
    assert!(!format!("{away:?}").contains("pa55word"), "{away:?}");
    let help = text(&run(&source, &["copy-database", "--help"]).stdout);
    for word in ["--from", "--to", "Stop the server", "continues", "PGPASSWORD"] {
        assert!(help.contains(word), "{help}");
    }
}
