//! A restored database that is older than what Zoho has.

use serde_json::{Map, Value, json};

use super::{another, run_well};
use crate::{
    delivery::{assert_conserved, item, rest, start_with, with},
    support::{
        Database, ZohoSimulator,
        events::{at, course, enrolment, grade, user},
        server::run_json,
    },
};

on_both_databases!(nothing_is_doubled_and_nothing_older_is_believed);

const MODULES: [&str; 4] = ["Contacts", "Products", "Moodle_Enrolments", "Moodle_Grades"];

/// What a module holds, without Zoho's own times.
async fn contents(zoho: &ZohoSimulator) -> Vec<Vec<Map<String, Value>>> {
    let mut contents = Vec::new();
    for module in MODULES {
        let mut records = zoho.records(module).await;
        for record in &mut records {
            record.retain(|name, _| !name.contains("Time") && !name.contains("Sync"));
        }
        contents.push(records);
    }
    contents
}

fn living_in(city: &str, version: i64) -> Value {
    let mut ann = user(3, "ann");
    ann["city"] = json!(city);
    at(version, "user_updated", ann)
}

async fn nothing_is_doubled_and_nothing_older_is_believed(database: Database) {
    let (register, file) = (database.file("register"), database.file("backup"));
    let settings = [("BACKEND_SYNC_BACKUP__REGISTER", register.to_str().unwrap())];
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start_with(&database, &zoho, &settings).await;
    let before =
        [living_in("Bonn", 1), at(2, "course_created", course(2, "bio")), at(3, "user_enrolled", enrolment(5, 3, 2))];
    server.site().apply(&before).await;
    rest(&database).await;
    run_well(&database, &register, &["backup", file.to_str().unwrap()]);
    let after = [
        at(4, "user_created", user(4, "ben")),
        at(5, "user_enrolled", enrolment(6, 4, 2)),
        at(6, "grade_updated", grade(7, 4, 8, 2, "80.00000")),
        living_in("Ulm", 7),
    ];
    server.site().apply(&after).await;
    rest(&database).await;
    let held = contents(&zoho).await;
    server.stop().await;

    let other = another(&database).await;
    run_well(&other, &register, &["restore", file.to_str().unwrap()]);
    let server = start_with(&other, &zoho, &settings).await;
    server.site().apply(&after).await;
    rest(&other).await;
    let status = run_json(&other, &["sync", "status", "--json"]);
    assert_eq!((&status["pause"], &status["holds"]), (&Value::Null, &json!([])), "{status}");
    assert_eq!(contents(&zoho).await, held, "the same events, the same contents");
    for (kind, id) in [("user", 4), ("enrolment", 6), ("grade", 7)] {
        assert_eq!(item(&other, kind, id).await.0, "synced", "{kind}");
    }
    server.stop().await;

    // Moodle went back to what the backup has: Zoho does not have that, whatever the digest of then says.
    let third = another(&database).await;
    run_well(&third, &register, &["restore", file.to_str().unwrap()]);
    let server = start_with(&third, &zoho, &settings).await;
    let mut back = living_in("Bonn", 9);
    back["data"]["something_new"] = json!("not mapped");
    server.site().apply(&[back]).await;
    rest(&third).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!(with(&contacts, "Moodle_User_Key", "moodle:3")["Mailing_City"], "Bonn");
    assert_conserved(&third);
    server.stop().await;
}
