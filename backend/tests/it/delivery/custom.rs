//! Custom fields, from the event to Zoho and out of the API.

use backend_sync::zoho::mapping::Mapping;
use serde_json::{Value, json};

use super::{rest, start_by, until, with};
use crate::support::{
    Database, Server, ZohoSimulator,
    browser::Browser,
    events::{at, course, enrolment, user},
};

on_both_databases!(custom_profile_fields_arrive_and_follow_their_changes);

/// The default mapping with custom fields in it.
fn mapping() -> String {
    Mapping::DEFAULT
        .replace(
            "# Student_Number = { from = \"profile.studentno\" }",
            "Student_Number = { from = \"profile.studentno\" }\nVegan = { from = \"profile.vegan\", type = \"boolean\" }",
        )
        .replace("# Date_of_Birth", "Date_of_Birth")
        .replace("Role = { from = \"roles\" }", "Role = { from = \"roles\" }\nStudent_Level = { from = \"user.profile.level\" }")
}

async fn begin(database: &Database) -> (ZohoSimulator, Server) {
    let zoho = ZohoSimulator::start();
    zoho.set_up(&Mapping::parse(&mapping()).unwrap()).await;
    let server = start_by(database, &zoho, &mapping()).await;
    (zoho, server)
}

fn ann(profile: Option<Value>) -> Value {
    let mut ann = user(3, "ann");
    if let Some(profile) = profile {
        ann["profile"] = profile;
    }
    ann
}

async fn contact(zoho: &ZohoSimulator) -> Value {
    let contact = with(&zoho.records("Contacts").await, "Email", "ann@example.com").clone();
    let field = |name: &str| contact.get(name).cloned().unwrap_or_default();
    json!([field("Student_Number"), field("Date_of_Birth"), field("Vegan")])
}

async fn level(zoho: &ZohoSimulator) -> Value {
    zoho.records("Moodle_Enrolments").await.pop().and_then(|mut found| found.remove("Student_Level")).unwrap_or_default()
}

async fn custom_profile_fields_arrive_and_follow_their_changes(database: Database) {
    let (zoho, server) = begin(&database).await;
    let (site, reader) = (server.site(), server.reader());
    let full = json!({"studentno": "0042", "birthday": "2008-05-23", "vegan": "1", "level": "3", "bio": "<p>\"Hi\" ü</p>"});
    site.apply(&[
        at(1, "user_created", ann(Some(full.clone()))),
        at(2, "course_created", course(5, "biology")),
        at(3, "user_enrolled", enrolment(7, 3, 5)),
    ])
    .await;
    rest(&database).await;
    assert_eq!(contact(&zoho).await, json!(["0042", "2008-05-23", true]));
    assert_eq!(level(&zoho).await, json!("3"));
    let stored = reader.read("/api/v1/users/moodle:3").await;
    assert_eq!((&stored["profile"], &stored["extra"]), (&full, &Value::Null));
    let browser = Browser::signed_in(&server, server.api_token()).await;
    for (page, words) in [("/records/user:moodle:3", "profile.studentno"), ("/people/moodle:3", "birthday")] {
        let html = browser.get(page).await.html;
        assert!(html.contains(words) && html.contains("2008-05-23"), "{page}: {html}");
    }

    // One is changed, one unticked, one emptied: a field without a value is not there.
    let mut less = full.clone();
    less["level"] = json!("4");
    less["vegan"] = json!("0");
    less.as_object_mut().unwrap().remove("birthday");
    site.apply(&[at(4, "user_updated", ann(Some(less.clone())))]).await;
    rest(&database).await;
    assert_eq!(contact(&zoho).await, json!(["0042", null, false]));
    until("the enrolment follows", async || (level(&zoho).await == json!("4")).then_some(())).await;
    assert_eq!(site.send_batch(&[at(5, "user_updated", ann(Some(less)))]).await, ["unchanged"]);

    // A plugin that sends none, because nobody has chosen any, or because it is older.
    site.apply(&[at(6, "user_updated", ann(None))]).await;
    rest(&database).await;
    assert_eq!(reader.read("/api/v1/users/moodle:3").await["profile"], Value::Null);
    // Zoho has no empty checkbox: without a value it stays.
    assert_eq!(contact(&zoho).await, json!([null, null, false]));
    server.stop().await;
}
