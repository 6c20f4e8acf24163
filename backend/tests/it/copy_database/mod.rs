//! Moving from SQLite to PostgreSQL. Each test gets the destination.

mod idle;
mod interrupted;
mod moves_on;
mod proved;
mod refused;

use std::process::{Command, Output};

use crate::support::{Database, Server, command, events::user_event, server::run};

fn copy_command(source: &Database, destination: &Database, step_rows: u32) -> Command {
    let mut command = command(&destination.url);
    command.args(["copy-database", "--from", &source.url, "--to", &destination.url]);
    command.args(["--step-rows", &step_rows.to_string()]);
    command
}

fn copy(source: &Database, destination: &Database) -> Output {
    copy_command(source, destination, 1_000).output().unwrap()
}

/// Runs a copy that must succeed; returns its output.
pub(crate) fn copied(source: &Database, destination: &Database) -> (String, String) {
    let output = copy(source, destination);
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{error}");
    (out, error)
}

/// Runs a copy that must fail; returns its error message.
pub(crate) fn not_copied(source: &Database, destination: &Database) -> String {
    let output = copy(source, destination);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    text(&output.stderr)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Stores this many users, each by one event.
pub(crate) async fn fill(source: &Database, users: i64) {
    let server = Server::start(source).await;
    let events: Vec<_> = (1..=users).map(|id| user_event(id, &format!("user{id}"))).collect();
    for batch in events.chunks(1_000) {
        server.site().apply(batch).await;
    }
    server.stop().await;
}

/// Stops a copy half-way: everything is there but the users, which are copied last.
async fn copy_half(source: &Database, destination: &Database) {
    assert!(run(destination, &["migrate"]).status.success());
    destination.refuse_user("user2").await;
    let error = not_copied(source, destination);
    assert!(error.contains("poison"), "{error}");
    destination.execute("DROP TRIGGER refuse ON users").await;
}
