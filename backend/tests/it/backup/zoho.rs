//! A restored database that is older than what Zoho has.

use serde_json::{Map, Value, json};

use super::{another, registered, run_well};
use crate::{
    delivery::{assert_conserved, item, rest, start_with, with},
    support::{
        Database, ZohoSimulator,
        events::{at, course, enrolment, grade, user},
        server::{run_json, run_with},
    },
};

on_both_databases!(nothing_is_doubled_and_nothing_older_is_believed, people_lose_no_more_than_without_a_restore);

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

/// What Zoho holds, without ids, which differ from one Zoho to another.
async fn shown(zoho: &ZohoSimulator) -> Vec<Vec<Map<String, Value>>> {
    let mut contents = contents(zoho).await;
    for record in contents.iter_mut().flatten() {
        record.remove("id");
        for value in record.values_mut().filter_map(Value::as_object_mut) {
            value.remove("id");
        }
    }
    contents
}

/// What people do in Zoho after the backup: in fields of the mapping and others, of records that the backup has and of
/// others; and they merge two contacts.
async fn work_by_hand(zoho: &ZohoSimulator) {
    zoho.make_by_hand("Contacts", json!({"Last_Name": "Dora", "Email": "dora@example.com"})).await;
    let contacts = zoho.records("Contacts").await;
    let id = |field: &str, value: &str| with(&contacts, field, value)["id"].clone();
    let (ann, ben) = (id("Moodle_User_Key", "moodle:3"), id("Moodle_User_Key", "moodle:4"));
    zoho.make_by_hand("Contacts", json!({"id": ann, "Mailing_City": "Kiel", "Description": "Prefers letters"})).await;
    zoho.make_by_hand("Contacts", json!({"id": ben, "Description": "Comes by bus"})).await;
    let (dan, dora) = (id("Moodle_User_Key", "moodle:8"), id("Last_Name", "Dora"));
    zoho.act("merge", json!({"module": "Contacts", "survivor": dora, "merged": [dan]})).await;
    zoho.advance(60).await;
}

/// Plays a story, with or without a restore in it. Returns what Zoho shows when Moodle has sent what the backup lacks, when
/// it has reported something new, and when everything was delivered again.
async fn play(first: Database, restores: bool) -> Vec<Vec<Vec<Map<String, Value>>>> {
    let (second, mut database) = (another(&first).await, &first);
    let (register, file) = (first.file("register"), first.file("backup"));
    let settings = registered(&register);
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let zoho = ZohoSimulator::start_set_up().await;
    let mut server = start_with(database, &zoho, &settings).await;
    let before = [
        living_in("Bonn", 1),
        at(1, "user_created", user(8, "dan")),
        at(2, "course_created", course(2, "bio")),
        at(3, "user_enrolled", enrolment(5, 3, 2)),
    ];
    server.site().apply(&before).await;
    rest(database).await;
    run_well(database, &register, &["backup", file.to_str().unwrap()]);
    let after = [at(4, "user_created", user(4, "ben")), at(5, "user_enrolled", enrolment(6, 4, 2))];
    server.site().apply(&after).await;
    rest(database).await;
    work_by_hand(&zoho).await;
    server.stop().await;
    if restores {
        // With the tokens of the first one.
        let _ = second.tokens.set(first.tokens.get().unwrap().clone());
        database = &second;
        run_well(database, &register, &["restore", file.to_str().unwrap()]);
    }
    server = start_with(database, &zoho, &settings).await;
    // Moodle sends what the backup lacks, and knows nothing of what people did.
    server.site().send_batch(&after).await;
    rest(database).await;
    let mut seen = vec![shown(&zoho).await];
    let mut ann = user(3, "ann");
    ann["phone1"] = json!("+49 30 1234567");
    let mut dan = user(8, "dan");
    dan["city"] = json!("Ulm");
    server.site().apply(&[at(9, "user_updated", ann), at(9, "user_updated", dan)]).await;
    rest(database).await;
    seen.push(shown(&zoho).await);
    let again = run_with(database, &settings, &["sync", "resync", "--yes", "--no-wait"]);
    assert!(again.status.success(), "{again:?}");
    rest(database).await;
    seen.push(shown(&zoho).await);
    assert_conserved(database);
    server.stop().await;
    seen
}

async fn people_lose_no_more_than_without_a_restore(database: Database) {
    let other = if database.is_postgres() { Database::postgres().await } else { Database::sqlite() };
    let without = play(other, false).await;
    let with_restore = play(database, true).await;
    for (stage, (without, with)) in without.iter().zip(&with_restore).enumerate() {
        assert_eq!(with, without, "stage {stage}");
    }
    let contacts = &with_restore[0][0];
    assert_eq!(with(contacts, "Moodle_User_Key", "moodle:3")["Mailing_City"], "Kiel", "nobody reported Ann");
    assert_eq!(with(contacts, "Moodle_User_Key", "moodle:4")["Description"], "Comes by bus");
}
