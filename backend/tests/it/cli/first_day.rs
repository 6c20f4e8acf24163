//! What is still to be done on the first day, as `doctor` lists it; the console shows the same.

use std::os::unix::fs::PermissionsExt;

use super::stdout;
use crate::support::{
    Database, Server, ZohoSimulator, browser::Browser, events::user_event, server::run_with, wait::until,
};

on_both_databases!(what_is_done_leaves_the_list);

/// The names of what is still to be done.
fn to_do(doctor: &str) -> Vec<&str> {
    let lines = doctor.lines().filter_map(|line| line.strip_prefix("to do"));
    lines.filter_map(|line| line.split_whitespace().next()).collect()
}

async fn what_is_done_leaves_the_list(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let file = database.file("settings.toml");
    std::fs::write(&file, "[sync]\nrepeat_seconds = 0\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let config = [("BACKEND_SYNC_CONFIG", file.display().to_string())];
    let doctor = |more: &[(&'static str, String)]| {
        let settings = [&config[..], more].concat();
        let said = stdout(&run_with(&database, &settings, &["doctor"]));
        assert_eq!(said.matches("  backup  ").count(), 1, "the backup is spoken of once: {said}");
        said
    };
    let connected = zoho.settings();

    let server = Server::start_with(&database, &config).await;
    let first = doctor(&[("BACKEND_SYNC_LISTEN", "0.0.0.0:8001".to_owned())]);
    assert_eq!(to_do(&first), ["site", "Moodle", "Zoho", "alerts", "backup", "listener"], "{first}");
    assert!(first.contains("\nStill to do, 6 of 7:\n"), "{first}");
    let page = Browser::signed_in(&server, server.api_token()).await.get("/").await;
    assert!(page.html.contains("Still to do") && page.html.contains("has sent nothing yet"), "{}", page.html);

    assert!(run_with(&database, &config, &["site", "rename", "moodle", "college"]).status.success());
    server.site().apply(&[user_event(1, "ann")]).await;
    server.stop().await;
    assert_eq!(to_do(&doctor(&[])), ["Zoho", "alerts", "backup"]);

    // With secrets in it, a file that others can read is to be closed.
    let text: String = connected.iter().map(|(name, value)| line(name, value)).collect();
    std::fs::write(&file, format!("[sync]\nrepeat_seconds = 0\n[zoho]\n{text}")).unwrap();
    assert_eq!(to_do(&doctor(&[])), ["Zoho", "alerts", "backup", "secrets"]);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();

    let server = Server::start_with(&database, &config).await;
    until("the person is in Zoho", async || zoho.records("Contacts").await.pop()).await;
    until("the delivery is settled", async || {
        doctor(&[]).contains("nobody has compared the mapping with your organisation").then_some(())
    })
    .await;
    let check = run_with(&database, &config, &["zoho", "check"]);
    assert!(check.status.success() && !stdout(&check).contains("does not learn"), "{check:?}");
    let backup = database.file("backup").display().to_string();
    assert!(run_with(&database, &config, &["backup", &backup]).status.success());
    let last = doctor(&[]);
    assert_eq!(to_do(&last), ["alerts"], "{last}");
    assert!(last.contains("ok      backup         the last one was made "), "{last}");
    server.stop().await;

    // A backup that is late is a fault, and no longer something of the first day.
    database.execute("UPDATE counters SET value = 0 WHERE name = 'backup_at'").await;
    let late = doctor(&[]);
    assert!(late.contains("FAILED  backup  ") && !to_do(&late).contains(&"backup"), "{late}");
}

/// A setting of `[zoho]` in the environment as a line of a file.
fn line(name: &str, value: &str) -> String {
    let key = name.strip_prefix("BACKEND_SYNC_ZOHO__").map(str::to_lowercase);
    key.map_or_else(String::new, |key| format!("{key} = {value:?}\n"))
}
