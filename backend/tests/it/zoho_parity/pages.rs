//! What people see of differences, and how they decide: API, console, alert, metrics, handshake.

use serde_json::{Value, json};

use super::{begin, begin_with, edit, only, prove, watch};
use crate::{
    delivery::{item, rest, until},
    support::{Database, Server, ZohoSimulator, browser::Browser, server::run_json},
};

on_both_databases!(
    findings_are_listed_and_decided_by_the_api,
    many_are_decided_at_once,
    a_comparison_is_asked_for,
    the_console_shows_both_sides_and_decides,
    what_was_left_is_taken_back,
    pages_and_alerts_name_what_is_open,
    the_handshake_says_whether_they_agree,
);

const FINDINGS: &str = "/api/v1/destinations/zoho/findings";

/// The only finding, as the API has it.
async fn found(server: &Server, query: &str) -> Value {
    let mut found = server.reader().list(&format!("{FINDINGS}{query}")).await;
    assert_eq!(found.len(), 1, "{query}: {found:?}");
    found.remove(0)
}

/// Somebody moves Ann to Hull, in Zoho.
async fn begin_changed(database: &Database) -> (ZohoSimulator, Server) {
    let (zoho, server) = begin(database).await;
    edit(&zoho, "Contacts", json!({"Mailing_City": "Hull"})).await;
    watch(database, &zoho);
    (zoho, server)
}

async fn looker(database: &Database) -> String {
    let token = run_json(database, &["token", "add", "looker", "--scope", "read", "--json"]);
    token["token"].as_str().unwrap().to_owned()
}

async fn findings_are_listed_and_decided_by_the_api(database: Database) {
    let (zoho, server) = begin_changed(&database).await;
    let api = server.reader();
    let finding = found(&server, "?state=open&sort=changed&kind=user&site=moodle&record=user:moodle:3").await;
    let field = &finding["fields"][0];
    assert_eq!((&field["here"], &field["there"]), (&json!("Leeds"), &json!("Hull")), "{finding}");
    let number = finding["number"].clone();
    assert_eq!(api.read(&format!("{FINDINGS}/{number}")).await, finding);
    for query in
        ["?state=left", "?sort=deleted", "?kind=course", "?record=course:moodle:3", "?kind=course&record=user:moodle:3"]
    {
        assert!(api.list(&format!("{FINDINGS}{query}")).await.is_empty(), "{query}");
    }
    for query in ["?record=user", "?record=pupil:moodle:3", "?record=user:nowhere:3", "?site=nowhere", "?cursor=x"] {
        assert_eq!(api.get(&format!("{FINDINGS}{query}")).await.status, 400, "{query}");
    }
    api.get(&format!("{FINDINGS}/99")).await.problem(404, "not_found");
    api.get("/api/v1/destinations/salesforce/findings").await.problem(404, "not_found");
    // Values are personal data.
    let looker = server.reader_with(&looker(&database).await);
    looker.get(FINDINGS).await.problem(403, "forbidden");
    looker.get(&format!("{FINDINGS}/{number}")).await.problem(403, "forbidden");
    let body = json!({"decision": "restore", "numbers": [number, 99]}).to_string();
    looker.apart().post(FINDINGS, body.clone()).await.problem(403, "forbidden");
    let answer = api.post(FINDINGS, body).await.json();
    assert_eq!(answer["decided"], json!([number]));
    assert_eq!(answer["undecided"], json!([{"number": 99, "reason": "there is no finding with this number"}]));
    rest(&database).await;
    assert_eq!(only(&zoho, "Contacts").await["Mailing_City"], "Leeds");
    until("the finding is closed", async || api.list(FINDINGS).await.is_empty().then_some(())).await;
    let closed = found(&server, "?state=closed").await;
    assert_eq!(closed["number"], number);
    server.stop().await;
}

async fn many_are_decided_at_once(database: Database) {
    let (zoho, server) = begin_changed(&database).await;
    edit(&zoho, "Products", json!({"Product_Name": "Biology"})).await;
    watch(&database, &zoho);
    let (api, all) = (server.reader(), format!("{FINDINGS}/all"));
    let numbers: Vec<i64> = api.list(FINDINGS).await.iter().map(|found| found["number"].as_i64().unwrap()).collect();
    assert!(numbers.len() == 2 && numbers[0] > numbers[1], "the newest first: {numbers:?}");
    let post = async |body: Value| api.post(&all, body.to_string()).await;
    post(json!({"decision": "restore", "sort": "vanished"})).await.problem(422, "validation_failed");
    post(json!({"decision": "restore", "site": "nowhere"})).await.problem(422, "validation_failed");
    assert_eq!(post(json!({"decision": "restore", "kind": "grade"})).await.json(), json!({"findings": 0}));
    // What was found after the person looked is not decided.
    assert_eq!(post(json!({"decision": "leave", "newest": numbers[1]})).await.json(), json!({"findings": 1}));
    assert_eq!(found(&server, "?state=left").await["kind"], "user");
    assert_eq!(post(json!({"decision": "restore"})).await.json(), json!({"findings": 1}), "only open ones");
    rest(&database).await;
    assert_eq!(only(&zoho, "Products").await["Product_Name"], "bio");
    assert_eq!(only(&zoho, "Contacts").await["Mailing_City"], "Hull");
    assert_eq!(post(json!({"decision": "withdraw"})).await.json(), json!({"findings": 1}), "those that were left");
    assert_eq!(found(&server, "?state=open").await["kind"], "user");
    server.stop().await;
}

async fn a_comparison_is_asked_for(database: Database) {
    let (zoho, server) = begin_with(&database, &[("BACKEND_SYNC_ZOHO__PROOF_HOUR", "24")]).await;
    edit(&zoho, "Contacts", json!({"Mailing_City": "Hull"})).await;
    let before = server.reader().read("/api/v1/parity").await;
    assert_eq!((&before["agrees"], &before["destination"]["proved_at"]), (&json!(false), &Value::Null), "{before}");
    let answer = server.reader().post("/api/v1/destinations/zoho/prove", "").await;
    assert!(answer.status == 200 && answer.json()["credits"].as_u64().unwrap() >= 4, "{}", answer.text);
    let proved = until("all is compared", async || {
        let view = server.reader().read("/api/v1/parity").await;
        view["destination"]["proved_at"].is_string().then_some(view)
    })
    .await;
    let there = &proved["destination"];
    assert_eq!((&there["agrees"], &there["kinds"][0]["differing"]), (&json!(false), &json!(1)), "{proved}");
    assert!(proved["sentence"].as_str().unwrap().ends_with("; 1 record differs in Zoho."), "{proved}");
    assert!(there["proof_credits"].as_u64().unwrap() >= 4, "{proved}");
    server.stop().await;
}

async fn the_console_shows_both_sides_and_decides(database: Database) {
    let (zoho, server) = begin_changed(&database).await;
    let looker = Browser::signed_in(&server, &looker(&database).await).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let number = found(&server, "").await["number"].to_string();
    for address in [
        "/parity",
        "/parity?sort=changed&kind=user&site=moodle",
        "/parity?record=user:moodle:3",
        "/records/user:moodle:3",
    ] {
        let page = browser.get(address).await.html;
        assert!(page.contains("Leeds") && page.contains("Hull") && page.contains("Mailing_City"), "{address}: {page}");
        assert!(page.contains("Leave until Moodle changes it") && page.contains("/records/user:moodle:3"), "{page}");
    }
    for address in
        ["/parity?sort=deleted", "/parity?kind=grade", "/parity?state=restoring", "/parity?record=course:moodle:2"]
    {
        assert!(!browser.get(address).await.html.contains("Hull"), "{address}");
    }
    let wrong = browser.get("/parity?kind=pupil").await;
    assert!(wrong.status == 200 && wrong.html.contains("There is no such kind of record"), "{}", wrong.html);
    assert_eq!(browser.get("/parity?record=user:nowhere:3").await.status, 404);
    let page = browser.get("/parity").await.html;
    assert!(page.contains("costs about") && page.contains("API credits"), "{page}");
    let page = looker.get("/parity").await.html;
    assert!(page.contains("Hull") && !page.contains("action=\"/parity/"), "{page}");
    let form = [("number", number.as_str()), ("decision", "leave")];
    assert_eq!(looker.post("/parity/decide", &form).await.status, 403);
    assert_eq!(browser.post_from("/parity/decide", &form, &[("sec-fetch-site", "cross-site")]).await.status, 403);
    assert_eq!(found(&server, "").await["state"], "open", "nothing was decided");
    let done = browser.post("/parity/decide", &form).await;
    assert_eq!((done.status, done.header("location")), (303, Some("/parity?done=found-1")));
    let page = browser.get("/parity?done=found-1").await.html;
    let (above, exceptions) = page.split_once("Exceptions: left as they are in Zoho").unwrap();
    assert!(above.contains("Decided about 1 finding") && !above.contains("Hull"), "{above}");
    assert!(
        exceptions.contains("Hull") && exceptions.contains("decided by") && exceptions.contains("Ask again"),
        "{exceptions}"
    );
    let again = browser.post("/parity/decide", &[("number", "99"), ("decision", "leave")]).await;
    assert!(again.status == 400 && again.html.contains("there is no finding with this number"), "{}", again.html);
    let done = browser.post("/parity/decide", &[("number", number.as_str()), ("decision", "restore")]).await;
    assert_eq!(done.status, 303, "the way back");
    rest(&database).await;
    assert_eq!(only(&zoho, "Contacts").await["Mailing_City"], "Leeds");
    zoho.advance(2).await;
    // All at once, up to the newest that was shown.
    edit(&zoho, "Contacts", json!({"Mailing_City": "Hull"})).await;
    edit(&zoho, "Products", json!({"Product_Name": "Biology"})).await;
    watch(&database, &zoho);
    let page = browser.get("/parity").await.html;
    assert!(page.contains("Yes, restore all 2") && page.contains("Yes, leave all 2"), "{page}");
    let newest = page.split_once("name=\"newest\" value=\"").unwrap().1.split('"').next().unwrap();
    let form = [("decision", "restore"), ("newest", newest), ("kind", "course"), ("sort", ""), ("site", "")];
    assert_eq!(browser.post("/parity/all", &form).await.header("location"), Some("/parity?done=found-1"));
    let form = [("decision", "restore"), ("newest", newest), ("kind", ""), ("sort", ""), ("site", "")];
    assert_eq!(browser.post("/parity/all", &form).await.header("location"), Some("/parity?done=found-1"));
    rest(&database).await;
    assert_eq!(only(&zoho, "Products").await["Product_Name"], "bio");
    assert_eq!(only(&zoho, "Contacts").await["Mailing_City"], "Leeds");
    server.stop().await;
}

async fn what_was_left_is_taken_back(database: Database) {
    let (zoho, server) = begin_changed(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let decide = async |number: &str, decision| {
        let answer = browser.post("/parity/decide", &[("number", number), ("decision", decision)]).await;
        rest(&database).await;
        answer
    };
    let number = found(&server, "").await["number"].to_string();
    let refused = decide(&number, "withdraw").await;
    assert!(refused.status == 400 && refused.html.contains("nobody left it"), "{}", refused.html);
    assert_eq!(decide(&number, "leave").await.status, 303);
    assert_eq!(decide(&number, "withdraw").await.status, 303);
    let finding = found(&server, "").await;
    assert_eq!((&finding["state"], &finding["fields"][0]["state"]), (&json!("open"), &json!("open")), "{finding}");
    assert_eq!(only(&zoho, "Contacts").await["Mailing_City"], "Hull", "it waits");
    // Of what was left out, only its creation takes that back.
    edit(&zoho, "Contacts", json!({"$delete": true})).await;
    watch(&database, &zoho);
    rest(&database).await;
    let number = found(&server, "?sort=deleted").await["number"].to_string();
    let page = browser.get("/parity").await.html;
    assert!(page.contains("Create again") && page.contains("Leave it out"), "{page}");
    assert_eq!(decide(&number, "leave").await.status, 303);
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), Some("left_deleted".to_owned())));
    let page = browser.get("/parity").await.html;
    assert!(page.contains("Create it after all") && !page.contains("Ask again"), "{page}");
    let refused = decide(&number, "withdraw").await;
    assert!(refused.status == 400 && refused.html.contains("only restoring takes that back"), "{}", refused.html);
    assert_eq!(zoho.records("Contacts").await.len(), 0);
    assert_eq!(decide(&number, "restore").await.status, 303);
    assert_eq!(only(&zoho, "Contacts").await["Moodle_User_Key"], "moodle:3");
    server.stop().await;
}

async fn pages_and_alerts_name_what_is_open(database: Database) {
    let (zoho, server) = begin_with(&database, &[("BACKEND_SYNC_ALERTS__INTERVAL_SECONDS", "1")]).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let page = browser.get("/attention").await.html;
    assert!(page.contains("Nothing here needs you"), "{page}");
    edit(&zoho, "Contacts", json!({"Mailing_City": "Hull"})).await;
    watch(&database, &zoho);
    let page = browser.get("/attention").await.html;
    assert!(page.contains("1 changed") && !page.contains("Nothing here needs you"), "{page}");
    let page = browser.get("/").await.html;
    assert!(
        page.contains("1 record differs in Zoho and waits for a decision.") && !page.contains("All is well"),
        "{page}"
    );
    let open = async || {
        let alerts = server.reader().list("/api/v1/alerts").await;
        alerts.into_iter().find(|alert| alert["rule"] == "parity_broken")
    };
    let alert = until("the alert", open).await;
    assert_eq!((&alert["code"], &alert["subject"]), (&json!("findings_open"), &json!("destination:zoho")), "{alert}");
    assert_eq!(
        (&alert["title"], &alert["link"]),
        (&json!("1 record was changed in Zoho"), &json!("/parity?sort=changed"))
    );
    assert!(!alert.to_string().contains("Hull"), "no personal data: {alert}");
    let metrics = async |line: &str| server.reader().get("/metrics").await.text.contains(line).then_some(());
    let line = r#"backend_sync_findings{destination="zoho",kind="user",sort="changed",state="open"} 1"#;
    until("the metric", async || metrics(line).await).await;
    assert!(metrics(r#"backend_sync_last_look_timestamp_seconds{destination="zoho"} 1"#).await.is_some());
    // A deletion is told once: as what it is, not as a record that failed.
    edit(&zoho, "Contacts", json!({"$delete": true})).await;
    watch(&database, &zoho);
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.0, "failed");
    let page = browser.get("/attention").await.html;
    assert!(page.contains("/parity?sort=deleted&#38;kind=user") && !page.contains("Retry"), "{page}");
    let told = async || open().await.filter(|alert| alert["title"] == "1 record was deleted in Zoho");
    until("the alert is about the deletion", told).await;
    let alerts = server.reader().list("/api/v1/alerts").await;
    assert!(alerts.iter().all(|alert| alert["rule"] != "failed"), "{alerts:?}");
    server.stop().await;
}

async fn the_handshake_says_whether_they_agree(database: Database) {
    let (zoho, server) = begin(&database).await;
    let destination = async || server.site().read("/api/v1/events/moodle/handshake").await["destination"].clone();
    let before = destination().await;
    assert_eq!((&before["name"], &before["differing"]), (&json!("zoho"), &json!(0)), "{before}");
    assert!(prove(&database, &zoho));
    let proved = destination().await;
    assert_eq!(proved["agrees"], json!(true), "{proved}");
    assert!(proved["as_of"].as_i64().unwrap() > 1_700_000_000, "{proved}");
    edit(&zoho, "Contacts", json!({"Mailing_City": "Hull"})).await;
    watch(&database, &zoho);
    let differs = destination().await;
    assert_eq!((&differs["agrees"], &differs["differing"]), (&json!(false), &json!(1)), "{differs}");
    server.stop().await;
}
