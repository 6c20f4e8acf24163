//! Two accounts of one person: the contact of one goes to the other.

use serde_json::{Value, json};

use super::{assert_conserved, item, rest, start, with};
use crate::support::{
    Database, Server, ZohoSimulator,
    browser::Browser,
    events::{at, course, enrolment, user},
    server::run,
};

on_both_databases!(
    a_contact_goes_to_the_other_account_and_back,
    what_cannot_be_taken_over_is_refused,
    the_console_takes_over_after_a_preview,
);

const TAKE_OVER: &str = "/api/v1/destinations/zoho/take-over";

fn second(id: i64) -> Value {
    let mut account = user(id, "ann2");
    account["email"] = json!("ann@example.com");
    account["lastname"] = json!("Neil");
    account
}

/// An old account with its contact, and a new one that has none: each with an enrolment.
async fn two_accounts(database: &Database) -> (ZohoSimulator, Server) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(database, &zoho).await;
    let site = server.site();
    let old = [
        at(1, "user_created", user(3, "ann")),
        at(2, "course_created", course(2, "bio")),
        at(3, "user_enrolled", enrolment(5, 3, 2)),
    ];
    site.apply(&old).await;
    rest(database).await;
    site.apply(&[at(4, "user_created", second(4)), at(5, "user_enrolled", enrolment(6, 4, 2))]).await;
    rest(database).await;
    assert_eq!(item(database, "user", 4).await.1.as_deref(), Some("email_taken"));
    assert_eq!(item(database, "enrolment", 6).await.0, "parked");
    (zoho, server)
}

async fn a_contact_goes_to_the_other_account_and_back(database: Database) {
    let (zoho, server) = two_accounts(&database).await;
    let api = server.reader();
    let shown = api.read(&format!("{TAKE_OVER}?from=moodle:3&to=moodle:4")).await;
    let changes = shown["changes"].as_array().unwrap();
    let key = changes.iter().find(|change| change["field"] == "Moodle_User_Key").unwrap();
    assert_eq!((&key["before"], &key["after"]), (&json!("moodle:3"), &json!("moodle:4")));
    assert_eq!(item(&database, "user", 4).await.0, "failed", "a preview changes nothing");

    let taken = api.post(TAKE_OVER, json!({"from": "moodle:3", "to": "moodle:4"}).to_string()).await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), &contacts[0]["Moodle_User_Key"]), (1, &json!("moodle:4")));
    assert_eq!(contacts[0]["Last_Name"], "Neil");
    assert_eq!(item(&database, "user", 4).await, ("synced".to_owned(), None));
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), Some("linked".to_owned())));
    let enrolments = zoho.records("Moodle_Enrolments").await;
    assert_eq!(enrolments.len(), 2, "what waited for the new account is delivered");
    assert!(enrolments.iter().all(|enrolment| enrolment["Contact"]["id"] == contacts[0]["id"]), "{enrolments:?}");
    // The old account writes nothing any more, and its enrolments go on.
    let mut changed = user(3, "ann");
    changed["city"] = json!("Ulm");
    server.site().apply(&[at(6, "user_updated", changed), at(7, "user_enrolled", enrolment(7, 3, 2))]).await;
    rest(&database).await;
    assert_eq!(zoho.records("Contacts").await[0].get("Mailing_City"), contacts[0].get("Mailing_City"));
    let enrolments = zoho.records("Moodle_Enrolments").await;
    assert_eq!(with(&enrolments, "Moodle_Enrolment_Key", "moodle:7")["Contact"]["id"], contacts[0]["id"]);

    let arguments = ["sync", "take-over", "--from", "moodle:4", "--to", "moodle:3"];
    assert!(!run(&database, &arguments).status.success(), "without a terminal it must be confirmed");
    let output = run(&database, &[&arguments[..], &["--yes"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), &contacts[0]["Moodle_User_Key"]), (1, &json!("moodle:3")));
    assert_eq!((&contacts[0]["Last_Name"], &contacts[0]["Mailing_City"]), (&json!("O'Neil"), &json!("Ulm")));
    assert_eq!(item(&database, "user", 4).await.1.as_deref(), Some("linked"));
    assert_conserved(&database);
    server.stop().await;
}

async fn what_cannot_be_taken_over_is_refused(database: Database) {
    let (_zoho, server) = two_accounts(&database).await;
    let api = server.reader();
    assert!(run(&database, &["site", "add", "second"]).status.success());
    server.site().apply(&[at(6, "user_created", user(8, "ben")), at(7, "user_created", user(9, "cay"))]).await;
    server.site().apply(&[at(8, "user_deleted", json!({"userid": 9}))]).await;
    rest(&database).await;
    for (from, to, words) in [
        ("moodle:4", "moodle:3", "writes no contact"),
        ("moodle:3", "moodle:8", "a contact of its own"),
        ("moodle:9", "moodle:4", "yields"),
        ("moodle:3", "moodle:3", "two accounts"),
        ("moodle:3", "second:4", "two sites"),
        ("moodle:3", "moodle:77", "no such account"),
    ] {
        let answer = api.post(TAKE_OVER, json!({"from": from, "to": to}).to_string()).await;
        assert_eq!(answer.status, 409, "{from} {to}: {}", answer.text);
        assert!(answer.text.contains(words) && answer.text.contains("not_possible"), "{from} {to}: {}", answer.text);
    }
    let answer = api.post(TAKE_OVER, json!({"from": "moodle:3", "to": "nowhere:4"}).to_string()).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    let in_flight = "UPDATE sync_items SET state = 'in_flight', lease = 'x', lease_until = 9000000000000 WHERE moodle_id = 4 \
                     AND kind = 'user'";
    database.execute(in_flight).await;
    let answer = api.post(TAKE_OVER, json!({"from": "moodle:3", "to": "moodle:4"}).to_string()).await;
    assert!(answer.status == 409 && answer.text.contains("in a moment"), "{}", answer.text);
    server.stop().await;
}

async fn the_console_takes_over_after_a_preview(database: Database) {
    let (zoho, server) = two_accounts(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let path = "/records/user:moodle:4/take-over";
    assert!(browser.get("/records/user:moodle:4").await.html.contains(path));
    let shown = browser.post(path, &[("from", "moodle:3")]).await;
    assert!(shown.status == 200 && shown.html.contains("Moodle_User_Key"), "{}", shown.html);
    assert_eq!(zoho.records("Contacts").await[0]["Moodle_User_Key"], "moodle:3");
    assert_eq!(browser.post_from(path, &[("from", "moodle:3")], &[("sec-fetch-site", "cross-site")]).await.status, 403);
    let done = browser.post(path, &[("from", "moodle:3"), ("confirmed", "yes")]).await;
    assert_eq!((done.status, done.header("location")), (303, Some("/records/user:moodle:4?done=taken")));
    rest(&database).await;
    assert_eq!(zoho.records("Contacts").await[0]["Moodle_User_Key"], "moodle:4");
    assert_eq!(browser.post(path, &[("from", "<b>")]).await.status, 400);
    server.stop().await;
}
