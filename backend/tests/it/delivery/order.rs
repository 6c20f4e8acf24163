//! A record that arrives before its prerequisite is parked with the reason, and released by its arrival.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseTransaction, TransactionTrait};
use serde_json::{Value, json};

use super::{assert_conserved, item, reason, rest, start, start_by, until, with};
use crate::support::{
    Database, Server, ZohoSimulator,
    events::{at, course, enrolment, grade, user},
};

on_both_databases!(
    what_comes_before_its_user_waits_and_is_released,
    a_regraded_item_is_one_record,
    a_record_deleted_before_its_delivery_never_appears,
    a_deleted_record_is_marked,
    only_enrolled_people_are_delivered,
    who_failed_is_left_out_without_enrolments,
);
on_postgres!(what_is_parked_while_its_user_arrives_is_released, what_is_parked_after_its_user_arrived_is_released);

/// Fails if an item was released only by the check that runs every minute.
fn assert_no_release_was_missed(server: &Server) {
    let rounds = server
        .log_messages()
        .into_iter()
        .filter(|line| line["message"] == "released items that missed their prerequisite");
    assert_eq!(rounds.collect::<Vec<_>>(), Vec::<Value>::new());
}

async fn what_comes_before_its_user_waits_and_is_released(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let mut server = start(&database, &zoho).await;
    let site = server.site();
    site.apply(&[
        at(1, "course_created", course(2, "bio")),
        at(2, "user_enrolled", enrolment(5, 3, 2)),
        at(3, "grade_updated", grade(7, 3, 4, 2, "80.00000")),
    ])
    .await;
    rest(&database).await;
    assert_eq!(item(&database, "course", 2).await.0, "synced");
    for (kind, id) in [("enrolment", 5), ("grade", 7)] {
        assert_eq!(item(&database, kind, id).await, ("parked".to_owned(), Some("waits_for_user".to_owned())));
        let reason = reason(&database, kind, id).await;
        assert!(reason.contains("user moodle:3") && reason.contains("Moodle has not reported"), "{reason}");
    }
    assert_conserved(&database);
    assert_eq!(zoho.records("Moodle_Enrolments").await.len() + zoho.records("Moodle_Grades").await.len(), 0);

    site.apply(&[at(4, "user_created", user(3, "ann"))]).await;
    let contact = until("the contact", async || zoho.records("Contacts").await.pop()).await;
    rest(&database).await;
    let grades = zoho.records("Moodle_Grades").await;
    assert_eq!(with(&grades, "Moodle_Grade_Key", "moodle:3:4")["Contact"]["id"], contact["id"]);
    assert_eq!(zoho.records("Moodle_Enrolments").await.len(), 1);
    assert_conserved(&database);
    server.end().await;
    assert_no_release_was_missed(&server);
}

/// Two transactions do not see each other: the one that stores a person commits slowly, and meanwhile an enrolment is
/// parked because of that person. Not on SQLite, which runs one writing transaction at a time.
async fn what_is_parked_while_its_user_arrives_is_released(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let mut server = start(&database, &zoho).await;
    let site = server.site();
    site.apply(&[at(1, "course_created", course(2, "bio"))]).await;
    rest(&database).await;
    let commits = hold_commits(&database, "user", "synced").await;
    site.apply(&[at(2, "user_created", user(3, "ann"))]).await;
    until_a_commit_is_held(&database).await;
    site.apply(&[at(3, "user_enrolled", enrolment(5, 3, 2))]).await;
    until("it is parked", async || (item(&database, "enrolment", 5).await.0 == "parked").then_some(())).await;
    // Gives the check after the parking time to miss the person. If this is too short, the test only proves less.
    tokio::time::sleep(Duration::from_millis(500)).await;
    commits.commit().await.unwrap();
    rest(&database).await;
    assert_eq!(item(&database, "enrolment", 5).await.0, "synced");
    assert_eq!(zoho.records("Moodle_Enrolments").await.len(), 1);
    server.end().await;
    assert_no_release_was_missed(&server);
}

/// The other way round: the one that parks the enrolment commits slowly, and meanwhile the person arrives.
async fn what_is_parked_after_its_user_arrived_is_released(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let mut server = start(&database, &zoho).await;
    let site = server.site();
    site.apply(&[at(1, "course_created", course(2, "bio"))]).await;
    rest(&database).await;
    let commits = hold_commits(&database, "enrolment", "parked").await;
    site.apply(&[at(2, "user_enrolled", enrolment(5, 3, 2))]).await;
    until_a_commit_is_held(&database).await;
    site.apply(&[at(3, "user_created", user(3, "ann"))]).await;
    until("the person is there", async || {
        let arrived = "SELECT count(*) FROM sync_items WHERE kind = 'user' AND state = 'synced'";
        (database.count(arrived).await == 1).then_some(())
    })
    .await;
    // Gives the release after the arrival the time to miss the enrolment. If this is too short, the test only proves less.
    tokio::time::sleep(Duration::from_millis(500)).await;
    commits.commit().await.unwrap();
    rest(&database).await;
    assert_eq!(item(&database, "enrolment", 5).await.0, "synced");
    server.end().await;
    assert_no_release_was_missed(&server);
}

/// Makes transactions wait before they commit an item of this kind in this state, until the returned one ends.
async fn hold_commits(database: &Database, kind: &str, state: &str) -> DatabaseTransaction {
    database
        .execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS \
             'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END'",
        )
        .await;
    let trigger = format!(
        "CREATE CONSTRAINT TRIGGER dawdle AFTER UPDATE ON sync_items DEFERRABLE INITIALLY DEFERRED FOR EACH ROW \
         WHEN (NEW.kind = '{kind}' AND NEW.state = '{state}') EXECUTE FUNCTION dawdle()"
    );
    database.execute(&trigger).await;
    let commits = database.connect().await.begin().await.unwrap();
    commits.execute_unprepared("SELECT pg_advisory_xact_lock(1)").await.unwrap();
    commits
}

async fn until_a_commit_is_held(database: &Database) {
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    until("the commit is slow", async || (database.count(waiting).await == 1).then_some(())).await;
}

async fn a_regraded_item_is_one_record(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let site = server.site();
    site.apply(&[
        at(1, "course_created", course(2, "bio")),
        at(2, "user_created", user(3, "ann")),
        at(3, "grade_updated", grade(7, 3, 4, 2, "80.00000")),
    ])
    .await;
    rest(&database).await;
    // Moodle deletes the grade and creates another one for the same user and item.
    site.apply(&[at(4, "grade_deleted", json!({"gradeid": 7, "userid": 3, "itemid": 4}))]).await;
    site.apply(&[at(5, "grade_updated", grade(9, 3, 4, 2, "55.00000"))]).await;
    rest(&database).await;
    let grades = zoho.records("Moodle_Grades").await;
    assert_eq!(grades.len(), 1);
    assert_eq!(grades[0]["Final_Grade"].as_f64(), Some(55.0), "{grades:?}");
    let replaced = ("synced".to_owned(), Some("replaced".to_owned()));
    assert_eq!(item(&database, "grade", 7).await, replaced, "the new grade stands for it");
    // The old grade's deletion arrives again, late; finally the new one is deleted.
    site.apply(&[at(7, "grade_deleted", json!({"gradeid": 9, "userid": 3, "itemid": 4}))]).await;
    rest(&database).await;
    let grades = zoho.records("Moodle_Grades").await;
    assert_eq!((grades.len(), grades[0].get("Final_Grade").filter(|grade| !grade.is_null())), (1, None), "{grades:?}");
    assert_conserved(&database);
    server.stop().await;
}

async fn a_record_deleted_before_its_delivery_never_appears(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let site = server.site();
    site.apply(&[at(2, "user_deleted", json!({"userid": 3}))]).await;
    site.apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), Some("deleted".to_owned())));
    assert_eq!(zoho.records("Contacts").await.len(), 0);
    server.stop().await;
}

async fn a_deleted_record_is_marked(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let site = server.site();
    site.apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    site.apply(&[at(2, "user_deleted", json!({"userid": 3}))]).await;
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), &contacts[0]["Moodle_Status"]), (1, &json!("Deleted")));
    assert_eq!(contacts[0]["First_Name"], "Ann", "the rest is unchanged");
    server.stop().await;
}

/// A server that delivers students only.
async fn start_for_students(database: &Database, zoho: &ZohoSimulator) -> Server {
    let default = backend_sync::zoho::mapping::Mapping::DEFAULT;
    let text =
        default.replace("users = \"all\"", "users = \"enrolled\"").replace("roles = []", "roles = [\"student\"]");
    assert_ne!(text, default);
    start_by(database, zoho, &text).await
}

/// An enrolment in course 2.
fn with_role(id: i64, userid: i64, role: &str) -> Value {
    let mut enrolment = enrolment(id, userid, 2);
    enrolment["roles"] = json!([{"shortname": role, "archetype": role}]);
    enrolment
}

async fn only_enrolled_people_are_delivered(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start_for_students(&database, &zoho).await;
    let site = server.site();
    site.apply(&[
        at(1, "course_created", course(2, "bio")),
        at(2, "user_created", user(3, "ann")),
        at(3, "user_created", user(4, "ben")),
    ])
    .await;
    rest(&database).await;
    assert_eq!(zoho.records("Contacts").await.len(), 0, "nobody is enrolled");
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), Some("left_out".to_owned())));
    site.apply(&[
        at(4, "user_enrolled", with_role(5, 3, "student")),
        at(5, "user_enrolled", with_role(6, 4, "editingteacher")),
        at(6, "grade_updated", grade(7, 3, 4, 2, "80.00000")),
    ])
    .await;
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), &contacts[0]["Moodle_User_Key"]), (1, &json!("moodle:3")), "only the student");
    assert_eq!((zoho.records("Moodle_Enrolments").await.len(), zoho.records("Moodle_Grades").await.len()), (1, 1));
    // A user who is no longer enrolled still exists.
    site.apply(&[at(7, "enrolment_deleted", json!({"enrollmentid": 5, "userid": 3, "courseid": 2}))]).await;
    let mut moved = user(3, "ann");
    moved["city"] = json!("Ulm");
    site.apply(&[at(8, "user_updated", moved)]).await;
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!((&contacts[0]["Moodle_Status"], &contacts[0]["Mailing_City"]), (&json!("Active"), &json!("Ulm")));
    assert_eq!(zoho.records("Moodle_Enrolments").await[0]["Status"], "Ended");
    assert_conserved(&database);
    server.stop().await;
}

async fn who_failed_is_left_out_without_enrolments(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start_for_students(&database, &zoho).await;
    zoho.refuse("Contacts", "Last_Name", "Broken").await;
    let mut broken = user(3, "ann");
    broken["lastname"] = json!("Broken");
    let site = server.site();
    site.apply(&[at(1, "course_created", course(2, "bio")), at(2, "user_created", broken)]).await;
    site.apply(&[at(3, "user_enrolled", with_role(5, 3, "student"))]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.0, "failed");
    assert_eq!(item(&database, "enrolment", 5).await.0, "parked");
    site.apply(&[at(4, "user_enrolled", with_role(5, 3, "editingteacher"))]).await;
    let left_out = ("synced".to_owned(), Some("left_out".to_owned()));
    until("nobody needs a person", async || (item(&database, "user", 3).await == left_out).then_some(())).await;
    rest(&database).await;
    assert_eq!(item(&database, "enrolment", 5).await, left_out);
    server.stop().await;
}
