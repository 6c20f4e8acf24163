//! The command detects a copy that differs.

use super::{copied, copy, copy_half, fill, text};
use crate::support::{Database, server::run};

on_postgres!(empty: a_changed_cell_is_found);

async fn a_changed_cell_is_found(destination: Database) {
    let source = Database::sqlite();
    fill(&source, 20).await;
    copy_half(&source, &destination).await;
    // Changes that something else might make to copied rows, and how to undo them.
    let changes = [
        ("events", "SET received_at = received_at + 1 WHERE id = 7", "SET received_at = received_at - 1 WHERE id = 7"),
        ("events", "SET data = data || ' ' WHERE id = 7", "SET data = rtrim(data) WHERE id = 7"),
        ("changes", "SET deleted = TRUE WHERE moodle_id = 3", "SET deleted = FALSE WHERE moodle_id = 3"),
        ("changes", "SET position = 99 WHERE moodle_id = 3", "SET position = 3 WHERE moodle_id = 3"),
        ("tokens", "SET hash = upper(hash) WHERE id = 1", "SET hash = lower(hash) WHERE id = 1"),
        ("sites", "SET wwwroot = '' WHERE id = 1", "SET wwwroot = NULL WHERE id = 1"),
    ];
    for (table, change, undo) in changes {
        destination.execute(&format!("UPDATE {table} {change}")).await;
        let output = copy(&source, &destination);
        let (out, error) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{change}: {out}{error}");
        let different: Vec<_> = out.lines().filter(|line| line.contains("DIFFERENT")).collect();
        assert!(matches!(different[..], [line] if line.starts_with(table)), "{change}: {out}");
        assert!(error.contains(&format!("differs from the source in {table};")), "{change}: {error}");
        assert!(!run(&destination, &["migrate"]).status.success(), "no server starts on it");
        destination.execute(&format!("UPDATE {table} {undo}")).await;
    }
    copied(&source, &destination);
}
