//! Two sites use the same Moodle ids for different records.

use serde_json::json;

use crate::support::{
    Database, Server,
    events::{at, enrolment, grade, user},
    server::run_json,
};

on_both_databases!(two_sites_do_not_mix);

async fn two_sites_do_not_mix(database: Database) {
    let server = Server::start(&database).await;
    let other = run_json(&database, &["site", "add", "other", "--json"]);
    let (first, second) = (server.site(), server.site_with(other["token"].as_str().unwrap()));
    let reader = server.reader();
    let handshake = second.get("/api/v1/events/moodle/handshake").await.json();
    assert_eq!(handshake["site"], "other");

    let events = [
        at(1, "user_created", user(3, "first")),
        at(1, "user_enrolled", enrolment(3, 3, 3)),
        at(1, "grade_updated", grade(3, 3, 3, 3, "1.00000")),
    ];
    first.apply(&events).await;
    // The same event ids too: they are unique within a site only.
    let mut others = events.clone();
    others[0]["data"]["username"] = json!("second");
    others[2]["data"]["finalgrade"] = json!("2.00000");
    others[2]["data"]["grademax"] = json!("20.00000");
    others.iter_mut().for_each(|event| event["time"] = json!(5));
    second.apply(&others).await;

    for (site, username, finalgrade, grademax) in
        [("moodle", "first", "1.00000", "100.00000"), ("other", "second", "2.00000", "20.00000")]
    {
        assert_eq!(reader.read(&format!("/api/v1/users/{site}:3")).await["username"], username);
        let grade = reader.read(&format!("/api/v1/grades/{site}:3")).await;
        assert_eq!((&grade["finalgrade"], &grade["grademax"]), (&json!(finalgrade), &json!(grademax)));
        assert_eq!(grade["site"], site);
        let changes = reader.read(&format!("/api/v1/changes?site={site}")).await;
        assert_eq!(changes["items"].as_array().map(Vec::len), Some(3));
    }
    // A deletion concerns one site only.
    second.apply(&[at(2, "user_deleted", json!({"userid": 3}))]).await;
    assert_eq!(reader.read("/api/v1/users/moodle:3").await["deleted"], false);
    assert_eq!(reader.read("/api/v1/users/other:3").await["deleted"], true);
    server.stop().await;
}
