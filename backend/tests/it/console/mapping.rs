//! The mapping: described, compared with Zoho, and a changed one tried without side effects.

use backend_sync::zoho::mapping::Mapping;
use serde_json::json;

use crate::support::{
    Database, Server, ZohoSimulator,
    browser::Browser,
    events::{at, user},
};

on_both_databases!(without_zoho_it_says_how_to_begin, a_changed_mapping_shows_what_it_would_change);

async fn without_zoho_it_says_how_to_begin(database: Database) {
    let server = Server::start(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let seen = browser.get("/mapping").await;
    assert!(seen.status == 200 && seen.html.contains("backend-sync zoho connect"), "{}", seen.html);
    for path in ["/mapping/check", "/mapping/try"] {
        assert_eq!(browser.post(path, &[("mapping", "")]).await.status, 404);
    }
    server.stop().await;
}

async fn a_changed_mapping_shows_what_it_would_change(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = crate::delivery::start(&database, &zoho).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let mut ann = user(1, "ann.username");
    ann["firstname"] = json!("Ann");
    server.site().send_batch(&[at(1, "user_created", ann)]).await;
    crate::delivery::until("Ann in Zoho", async || (!zoho.records("Contacts").await.is_empty()).then_some(())).await;
    crate::delivery::until("Ann is synced", async || {
        let synced = database.count("SELECT count(*) FROM sync_items WHERE state = 'synced'").await;
        (synced == 1).then_some(())
    })
    .await;
    let page = browser.get("/mapping").await.html;
    for words in ["user → Contacts", "lastname, or else username", "left unchanged", "the person&#39;s record in Zoho"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    let before = zoho.state().await;
    zoho.empty_log().await;
    let checked = browser.post("/mapping/check", &[]).await.html;
    assert!(checked.contains("The mapping fits Zoho"), "{checked}");
    let attempt = async |from: &str, to: &str| {
        let text = Mapping::DEFAULT.replace(from, to).replace('\n', "\r\n");
        let seen = browser.post("/mapping/try", &[("mapping", &text), ("kind", "")]).await;
        assert_eq!(seen.status, 200, "{}", seen.html);
        seen.html
    };
    let first_name = "First_Name = { from = \"firstname\" }";
    let same = attempt("", "").await;
    assert!(same.contains("This is the mapping in use") && same.contains("1 would not change"), "{same}");
    let changed = attempt(first_name, "First_Name = { from = \"username\" }").await;
    assert!(changed.contains("1 would be updated") && changed.contains("ann.username"), "{changed}");
    assert!(changed.contains("<code>First_Name</code>") && changed.contains(">Ann<"), "{changed}");
    let wrong = attempt(first_name, "First_Name = { from = \"forename\" }").await;
    let line = Mapping::DEFAULT.lines().position(|line| line == first_name).unwrap() + 1;
    assert!(wrong.contains(&format!("Line {line}: ")) && !wrong.contains("would be updated"), "{wrong}");
    let missing = attempt(first_name, "Forename = { from = \"firstname\" }").await;
    assert!(missing.contains("Contacts.Forename") && missing.contains("Fix these first"), "{missing}");
    // Nothing was sent, and nothing was stored.
    assert_eq!(zoho.state().await, before);
    let calls = zoho.log().await;
    assert!(!calls.is_empty() && calls.iter().all(|call| call["method"] == "GET"), "{calls:?}");
    assert!(browser.get("/mapping").await.html.contains("from = &#34;firstname&#34;"));
    server.stop().await;
}
