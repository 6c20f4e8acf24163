//! Ids that Moodle gives a second time, because it was restored from a backup: what is in Zoho under such an id stays the
//! former record's.

use serde_json::{Map, Value, json};

use super::{assert_conserved, item, mapped::start_on_delete, rest, start, with};
use crate::support::{
    Database, Server, ZohoSimulator,
    events::{TIME, at, course, enrolment, grade, user},
};

on_both_databases!(
    another_person_gets_another_contact,
    the_same_account_keeps_its_contact,
    a_contact_that_is_kept_gives_up_its_key,
    who_was_lost_finds_the_contact_under_another_id,
    grades_change_places,
    a_deleted_grade_gives_its_id_away,
);

/// The account of another person, created later, under an id that was Ann's.
fn other(userid: i64, username: &str) -> Value {
    let mut other = user(userid, username);
    other["firstname"] = json!("Bob");
    other["timecreated"] = json!(TIME + 60);
    other
}

/// A server that has delivered Ann with an enrolment.
async fn begin(database: &Database, on_delete: &str) -> (ZohoSimulator, Server, Value) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = match on_delete {
        "mark" => start(database, &zoho).await,
        other => start_on_delete(database, &zoho, other).await,
    };
    let events = [
        at(1, "user_created", user(3, "ann")),
        at(2, "course_created", course(2, "bio")),
        at(3, "user_enrolled", enrolment(5, 3, 2)),
    ];
    server.site().apply(&events).await;
    rest(database).await;
    let contact = with(&zoho.records("Contacts").await, "Moodle_User_Key", "moodle:3")["id"].clone();
    (zoho, server, contact)
}

/// The id that the former record of this kind has now.
async fn former(database: &Database, kind: &str) -> i64 {
    let sql = format!("SELECT max(moodle_id) FROM sync_items WHERE kind = '{kind}'");
    let id = database.count(&sql).await;
    assert!(id > 1 << 52, "{kind} {id} is no former record");
    id
}

fn of<'a>(contacts: &'a [Map<String, Value>], id: &Value) -> &'a Map<String, Value> {
    contacts.iter().find(|contact| contact["id"] == *id).expect("the contact")
}

async fn another_person_gets_another_contact(database: Database) {
    let (zoho, server, contact) = begin(&database, "mark").await;
    server.site().apply(&[at(4, "user_updated", other(3, "bob"))]).await;
    rest(&database).await;
    let (contacts, former) = (zoho.records("Contacts").await, former(&database, "user").await);
    assert_eq!(contacts.len(), 2, "{contacts:?}");
    let old = of(&contacts, &contact);
    let there = (&old["First_Name"], &old["Email"], &old["Moodle_Status"], &old["Moodle_User_Key"]);
    assert_eq!(
        there,
        (&json!("Ann"), &json!("ann@example.com"), &json!("Deleted"), &json!(format!("moodle:{former}")))
    );
    let new = with(&contacts, "Moodle_User_Key", "moodle:3");
    assert_eq!((&new["First_Name"], &new["Moodle_Status"]), (&json!("Bob"), &json!("Active")));
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), None));
    assert_eq!(item(&database, "user", former).await, ("synced".to_owned(), None));
    // Readers see that the former person is gone, and what was done about that person stays with that person.
    let reader = server.reader();
    let person = reader.read(&format!("/api/v1/users/moodle:{former}")).await;
    assert_eq!((&person["username"], &person["deleted"]), (&json!("ann"), &json!(true)));
    let of_former = "SELECT count(*) FROM sync_attempts WHERE kind = 'user' AND outcome = 'inserted' AND moodle_id";
    assert_eq!(database.count(&format!("{of_former} = {former}")).await, 1);
    assert_eq!(database.count(&format!("{of_former} = 3")).await, 1);
    assert_conserved(&database);
    server.stop().await;
}

async fn the_same_account_keeps_its_contact(database: Database) {
    let (zoho, server, contact) = begin(&database, "mark").await;
    // Another name and address; another account with the same name; an account of unknown age.
    let (mut renamed, mut again, mut unknown) = (other(3, "bob"), other(3, "bob"), other(3, "carl"));
    renamed["timecreated"] = json!(TIME);
    again["timecreated"] = json!(TIME + 60);
    unknown["timecreated"] = json!(0);
    for (version, account) in [(4, renamed), (5, again), (6, unknown)] {
        server.site().apply(&[at(version, "user_updated", account)]).await;
        rest(&database).await;
    }
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), &contacts[0]["id"], &contacts[0]["Moodle_Username"]), (1, &contact, &json!("carl")));
    server.stop().await;
}

async fn a_contact_that_is_kept_gives_up_its_key(database: Database) {
    let (zoho, server, contact) = begin(&database, "keep").await;
    server.site().apply(&[at(4, "user_updated", other(3, "bob"))]).await;
    rest(&database).await;
    let (contacts, former) = (zoho.records("Contacts").await, former(&database, "user").await);
    let old = of(&contacts, &contact);
    let key = json!(format!("moodle:{former}"));
    assert_eq!((&old["First_Name"], &old["Moodle_User_Key"]), (&json!("Ann"), &key));
    assert_eq!(with(&contacts, "Moodle_User_Key", "moodle:3")["First_Name"], "Bob");
    server.stop().await;
}

async fn who_was_lost_finds_the_contact_under_another_id(database: Database) {
    let (zoho, server, contact) = begin(&database, "mark").await;
    let mut again = user(4, "ann");
    again["timecreated"] = json!(TIME + 90);
    let events = [
        at(4, "user_updated", other(3, "bob")),
        at(5, "user_created", again),
        at(6, "enrolment_updated", enrolment(5, 4, 2)),
    ];
    server.site().apply(&events).await;
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!(contacts.len(), 2, "{contacts:?}");
    assert_eq!(of(&contacts, &contact)["Moodle_User_Key"], "moodle:4");
    assert_eq!(of(&contacts, &contact)["Moodle_Status"], "Active");
    assert_eq!(zoho.records("Moodle_Enrolments").await[0]["Contact"]["id"], contact);
    assert_conserved(&database);
    server.stop().await;
}

async fn two_grades(database: &Database) -> (ZohoSimulator, Server) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(database, &zoho).await;
    let events = [
        at(1, "user_created", user(3, "ann")),
        at(1, "user_created", user(4, "bob")),
        at(1, "course_created", course(2, "bio")),
        at(2, "grade_updated", grade(1, 3, 7, 2, "31.00000")),
        at(2, "grade_updated", grade(2, 4, 7, 2, "42.00000")),
    ];
    server.site().apply(&events).await;
    rest(database).await;
    (zoho, server)
}

async fn grades_change_places(database: Database) {
    let (zoho, server) = two_grades(&database).await;
    // One after the other: the first one's key is taken until the second one has moved.
    server.site().apply(&[at(3, "grade_updated", grade(1, 4, 7, 2, "41.00000"))]).await;
    rest(&database).await;
    server.site().apply(&[at(4, "grade_updated", grade(2, 3, 7, 2, "32.00000"))]).await;
    rest(&database).await;
    let grades = zoho.records("Moodle_Grades").await;
    assert_eq!(grades.len(), 2, "{grades:?}");
    assert_eq!(with(&grades, "Moodle_Grade_Key", "moodle:4:7")["Final_Grade"], json!(41));
    assert_eq!(with(&grades, "Moodle_Grade_Key", "moodle:3:7")["Final_Grade"], json!(32));
    for id in [1, 2] {
        assert_eq!(item(&database, "grade", id).await, ("synced".to_owned(), None));
    }
    assert_conserved(&database);
    server.stop().await;
}

async fn a_deleted_grade_gives_its_id_away(database: Database) {
    let (zoho, server) = two_grades(&database).await;
    let gone = json!({"gradeid": 2, "userid": 4, "itemid": 7});
    server.site().apply(&[at(3, "grade_deleted", gone), at(4, "grade_updated", grade(1, 4, 7, 2, "41.00000"))]).await;
    rest(&database).await;
    let grades = zoho.records("Moodle_Grades").await;
    assert_eq!(with(&grades, "Moodle_Grade_Key", "moodle:4:7")["Final_Grade"], json!(41));
    let former = with(&grades, "Moodle_Grade_Key", "moodle:3:7").get("Final_Grade");
    assert_eq!(former.filter(|grade| !grade.is_null()), None, "it is marked as gone");
    server.stop().await;
}
