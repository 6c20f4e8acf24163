//! Settings that are read again while the server runs: on SIGHUP, by the console's button, at a check of a pause.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use backend_sync::zoho::mapping::Mapping;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Database, Server, ZohoSimulator, browser::Browser, events::user_event, wait::until};

on_both_databases!(
    a_new_mapping_is_taken_under_load_and_nothing_is_dropped,
    wrong_settings_change_nothing_and_say_why,
    corrected_credentials_end_a_pause_by_themselves,
);

const CONFIG: &str = "BACKEND_SYNC_CONFIG";

/// Writes the settings of a server that delivers to the simulator, with this mapping beside them.
fn write_settings(database: &Database, zoho: &ZohoSimulator, token: &str, mapping: Option<&str>) -> PathBuf {
    let path = database.file("settings.toml");
    let mut text = format!(
        "[sync]\nrepeat_seconds = 0\ncheck_seconds = 1\n[zoho]\naccounts_url = '{}'\nclient_id = 'simulator'\nclient_secret = 'simulator'\n\
         refresh_token = '{token}'\n",
        zoho.url()
    );
    if let Some(mapping) = mapping {
        // Relative to the folder of the settings, not to where the server runs.
        text += "mapping = 'mapping.toml'\n";
        std::fs::write(database.file("mapping.toml"), mapping).unwrap();
    }
    std::fs::write(&path, text).unwrap();
    path
}

/// The default mapping, in which people's first names are their user names.
fn changed_mapping() -> String {
    let changed =
        Mapping::DEFAULT.replacen("First_Name = { from = \"firstname\" }", "First_Name = { from = \"username\" }", 1);
    assert_ne!(changed, Mapping::DEFAULT);
    changed
}

fn reloads(server: &Server) -> usize {
    let again = |message: &&Value| message["message"] == "read the settings again";
    server.log_messages().iter().filter(again).count()
}

async fn a_new_mapping_is_taken_under_load_and_nothing_is_dropped(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let path = write_settings(&database, &zoho, "simulator", Some(Mapping::DEFAULT));
    let server = Server::start_with(&database, &[(CONFIG, path)]).await;
    let (site, over) = (server.site(), Arc::new(AtomicBool::new(false)));
    let ended = Arc::clone(&over);
    let load = tokio::spawn(async move {
        let mut sent = 0;
        while !ended.load(Ordering::Relaxed) {
            sent += 1;
            site.apply(&[user_event(sent, &format!("user{sent}"))]).await;
        }
        sent
    });
    until("a contact", async || zoho.records("Contacts").await.pop()).await;
    write_settings(&database, &zoho, "simulator", Some(&changed_mapping()));
    for round in 1..=3 {
        server.signal(Signal::HUP);
        until("the settings are read again", async || (reloads(&server) == round).then_some(())).await;
    }
    over.store(true, Ordering::Relaxed);
    let sent: usize = usize::try_from(load.await.unwrap()).unwrap();
    server.site().apply(&[user_event(900_000, "last")]).await;
    let contacts = until("all are delivered", async || {
        Some(zoho.records("Contacts").await).filter(|contacts| contacts.len() == sent + 1)
    });
    let contacts = contacts.await;
    let last = contacts.iter().find(|contact| contact["First_Name"] == "last");
    assert!(last.is_some(), "what came after the reload is delivered with the new mapping: {contacts:?}");
    server.stop().await;
}

async fn wrong_settings_change_nothing_and_say_why(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let path = write_settings(&database, &zoho, "simulator", Some(Mapping::DEFAULT));
    let server = Server::start_with(&database, &[(CONFIG, &path)]).await;
    let console = Browser::signed_in(&server, server.api_token()).await;

    std::fs::write(database.file("mapping.toml"), "[users]\nmodul = 'Contacts'\n").unwrap();
    let page = console.post("/mapping/reload", &[]).await;
    assert!(page.html.contains("nothing changed") && page.html.contains("modul"), "{}", page.html);
    std::fs::write(&path, "[zoho]\nclient_secret = 'pa55word'\n").unwrap();
    let page = console.post("/mapping/reload", &[]).await;
    assert!(page.html.contains("nothing changed") && page.html.contains("client_id"), "{}", page.html);
    server.signal(Signal::HUP);
    server.logged(|message| message["message"] == "the settings were not taken, and nothing changed").await;
    assert!(!server.log().contains("pa55word"), "{}", server.log());
    server.site().apply(&[user_event(1, "ann")]).await;
    until("the old settings go on delivering", async || zoho.records("Contacts").await.pop()).await;

    let text = std::fs::read_to_string(write_settings(&database, &zoho, "simulator", None)).unwrap();
    std::fs::write(&path, format!("[ingest]\ntransaction_events = 5\n{text}")).unwrap();
    let page = console.post("/mapping/reload", &[]).await;
    assert!(page.html.contains("in use, but for [ingest]"), "{}", page.html);
    assert!(page.html.contains("The built-in mapping is in use"), "{}", page.html);
    server.stop().await;
}

async fn corrected_credentials_end_a_pause_by_themselves(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let path = write_settings(&database, &zoho, "mistyped", None);
    let server = Server::start_with(&database, &[(CONFIG, &path)]).await;
    server.site().apply(&[user_event(1, "ann")]).await;
    let sql = "SELECT count(*) FROM destinations WHERE pause = 'credentials'";
    until("the delivery is paused", async || (database.count(sql).await == 1).then_some(())).await;
    write_settings(&database, &zoho, "simulator", None);
    until("the delivery goes on", async || zoho.records("Contacts").await.pop()).await;
    server.stop().await;
}
