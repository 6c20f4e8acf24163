//! Custom fields, from the event to Zoho and out of the API.

use std::process::Output;

use backend_sync::zoho::mapping::Mapping;
use serde_json::{Value, json};

use super::{rest, start_by, until, with};
use crate::support::{
    Database, Server, ZohoSimulator,
    browser::Browser,
    events::{at, course, enrolment, user},
    server::run_with,
};

on_both_databases!(
    custom_profile_fields_arrive_and_follow_their_changes,
    course_fields_arrive_and_a_course_is_chosen_by_any_category_above,
    lines_are_suggested_that_can_be_delivered_by,
    cohorts_and_groups_are_lists_of_names,
);

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
    zoho.records("Moodle_Enrolments")
        .await
        .pop()
        .and_then(|mut found| found.remove("Student_Level"))
        .unwrap_or_default()
}

async fn custom_profile_fields_arrive_and_follow_their_changes(database: Database) {
    let (zoho, server) = begin(&database).await;
    let (site, reader) = (server.site(), server.reader());
    let full =
        json!({"studentno": "0042", "birthday": "2008-05-23", "vegan": "1", "level": "3", "bio": "<p>\"Hi\" ü</p>"});
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

fn physics(path: &[(i64, &str)]) -> Value {
    let mut course = course(5, "physics");
    course["categories"] = path.iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
    course["customfields"] = json!({"credits": "120"});
    course
}

async fn course_fields_arrive_and_a_course_is_chosen_by_any_category_above(database: Database) {
    let mapping = Mapping::DEFAULT.replace("categories = []", "categories = [\"Science\"]").replace(
        "Product_Code = { from = \"shortname\" }",
        "Product_Code = { from = \"shortname\" }\nMoodle_Path = { from = \"categorypath\" }\n\
         Moodle_Credits = { from = \"customfields.credits\", type = \"integer\" }",
    );
    let zoho = ZohoSimulator::start();
    zoho.set_up(&Mapping::parse(&mapping).unwrap()).await;
    let server = start_by(&database, &zoho, &mapping).await;
    let (site, reader) = (server.site(), server.reader());
    site.apply(&[
        at(1, "course_created", physics(&[(1, "Arts"), (7, "Physics")])),
        at(2, "user_created", user(3, "ann")),
        at(3, "user_enrolled", enrolment(9, 3, 5)),
    ])
    .await;
    rest(&database).await;
    assert_eq!((zoho.records("Products").await.len(), zoho.records("Moodle_Enrolments").await.len()), (0, 0));

    // The category is moved below another one, which is chosen: the course comes, and what is in it.
    let moved = physics(&[(1, "College"), (2, "Science"), (7, "Physics")]);
    site.apply(&[at(4, "course_updated", moved.clone())]).await;
    until("the enrolment follows", async || (zoho.records("Moodle_Enrolments").await.len() == 1).then_some(())).await;
    let product = zoho.records("Products").await.remove(0);
    assert_eq!(product["Moodle_Path"], json!("College / Science / Physics"));
    assert_eq!(product["Moodle_Credits"], json!(120));
    let stored = reader.read("/api/v1/courses/moodle:5").await;
    assert_eq!((&stored["categories"], &stored["customfields"]), (&moved["categories"], &moved["customfields"]));
    assert_eq!(stored["extra"], Value::Null);
    server.stop().await;
}

/// What `zoho mapping --suggest` prints.
fn suggested(database: &Database, zoho: &ZohoSimulator) -> String {
    let Output { status, stdout, stderr } = run_with(database, &zoho.settings(), &["zoho", "mapping", "--suggest"]);
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

async fn lines_are_suggested_that_can_be_delivered_by(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = super::start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", ann(None))]).await;
    assert!(suggested(&database, &zoho).contains("no custom fields have arrived"));
    server
        .site()
        .apply(&[
            at(2, "user_updated", ann(Some(json!({"dob": "2008-05-23", "vegan": "1", "intake": "Autumn"})))),
            at(3, "course_created", physics(&[])),
        ])
        .await;
    rest(&database).await;
    server.stop().await;
    let lines = suggested(&database, &zoho);
    assert_eq!(
        lines.lines().collect::<Vec<_>>(),
        [
            "[user.fields]",
            "Date_of_Birth = { from = \"profile.dob\" }  # \"Date of Birth\" is there, of type date",
            "Intake = { from = \"profile.intake\" }  # zoho setup creates it",
            "Vegan = { from = \"profile.vegan\", type = \"boolean\" }  # zoho setup creates it",
            "[course.fields]",
            "Credits = { from = \"customfields.credits\", type = \"bigint\" }  # zoho setup creates it",
        ]
    );
    let of_users = lines.split("[course.fields]").next().unwrap();
    let mapping = Mapping::DEFAULT.replacen("\n[user.fields]\n", &format!("\n{of_users}"), 1);
    zoho.set_up(&Mapping::parse(&mapping).unwrap()).await;
    let server = start_by(&database, &zoho, &mapping).await;
    server.site().apply(&[at(4, "user_updated", ann(Some(json!({"dob": "2008-05-24", "vegan": "0"}))))]).await;
    rest(&database).await;
    let contact = with(&zoho.records("Contacts").await, "Email", "ann@example.com").clone();
    assert_eq!((&contact["Date_of_Birth"], &contact["Vegan"]), (&json!("2008-05-24"), &json!(false)));
    server.stop().await;
}

async fn cohorts_and_groups_are_lists_of_names(database: Database) {
    let mapping = Mapping::DEFAULT
        .replacen("\n[user.fields]\n", "\n[user.fields]\nMoodle_Cohorts = { from = \"cohorts\" }\n", 1)
        .replacen("\n[enrolment.fields]\n", "\n[enrolment.fields]\nMoodle_Groups = { from = \"groups\" }\n", 1);
    let zoho = ZohoSimulator::start();
    zoho.set_up(&Mapping::parse(&mapping).unwrap()).await;
    let server = start_by(&database, &zoho, &mapping).await;
    let (site, reader) = (server.site(), server.reader());
    let (mut person, mut member) = (ann(None), enrolment(9, 3, 5));
    person["cohorts"] = json!(["Intake 2026", "Year 1"]);
    member["groups"] = json!(["Group A"]);
    site.apply(&[
        at(1, "user_created", person.clone()),
        at(2, "course_created", course(5, "biology")),
        at(3, "user_enrolled", member.clone()),
    ])
    .await;
    rest(&database).await;
    let in_zoho = async || {
        let of = |mut records: Vec<serde_json::Map<String, Value>>, field: &str| {
            records.pop().and_then(|mut record| record.remove(field)).unwrap_or_default()
        };
        let enrolments = zoho.records("Moodle_Enrolments").await;
        (of(zoho.records("Contacts").await, "Moodle_Cohorts"), of(enrolments, "Moodle_Groups"))
    };
    assert_eq!(in_zoho().await, (json!("Intake 2026, Year 1"), json!("Group A")));
    let stored = (reader.read("/api/v1/users/moodle:3").await, reader.read("/api/v1/enrolments/moodle:9").await);
    assert_eq!((&stored.0["cohorts"], &stored.1["groups"]), (&person["cohorts"], &member["groups"]));
    // In none any more; and a plugin that sends none.
    person["cohorts"] = json!([]);
    member.as_object_mut().unwrap().remove("groups");
    site.apply(&[at(4, "user_updated", person), at(5, "enrolment_updated", member)]).await;
    rest(&database).await;
    assert_eq!(in_zoho().await, (Value::Null, Value::Null));
    let stored = (reader.read("/api/v1/users/moodle:3").await, reader.read("/api/v1/enrolments/moodle:9").await);
    assert_eq!((&stored.0["cohorts"], &stored.1["groups"]), (&json!([]), &Value::Null));
    server.stop().await;
}
