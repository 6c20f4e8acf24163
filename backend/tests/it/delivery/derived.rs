//! Values that come from another record follow its changes.

use backend_sync::zoho::mapping::Mapping;
use serde_json::{Value, json};

use super::{assert_conserved, item, rest, start, start_with, until, with};
use crate::support::{
    Database, Server, ZohoSimulator,
    events::{at, course, enrolment, grade, user},
};

on_both_databases!(
    a_renamed_course_renames_its_enrolments,
    a_change_outlives_the_process_that_noted_it,
    a_renamed_person_renames_what_has_the_name,
    the_grades_of_all_items_follow_their_course,
    a_course_that_enters_the_filter_brings_its_enrolments,
    an_enrolment_begins_and_ends_by_the_clock,
    a_status_that_is_not_written_waits_for_no_moment,
);

/// A server with the default mapping, changed by these replacements.
async fn start_mapped(database: &Database, zoho: &ZohoSimulator, replacements: &[(&str, &str)]) -> Server {
    let mut text = Mapping::DEFAULT.to_owned();
    for (from, to) in replacements {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let mapping = database.file("mapping.toml");
    std::fs::write(&mapping, text).unwrap();
    start_with(database, zoho, &[("BACKEND_SYNC_ZOHO__MAPPING", mapping.to_str().unwrap())]).await
}

fn named(id: i64, fullname: &str) -> Value {
    let mut course = course(id, "c");
    course["fullname"] = fullname.into();
    course
}

/// How often a delivery of this record was asked for.
async fn revision(database: &Database, kind: &str, id: i64) -> i64 {
    database.count(&format!("SELECT revision FROM sync_items WHERE kind = '{kind}' AND moodle_id = {id}")).await
}

/// The values of a field in a module, in order.
async fn values(zoho: &ZohoSimulator, module: &str, field: &str) -> Vec<String> {
    let mut values: Vec<String> =
        zoho.records(module).await.iter().map(|record| record[field].as_str().unwrap_or_default().to_owned()).collect();
    values.sort_unstable();
    values
}

async fn a_renamed_course_renames_its_enrolments(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let site = server.site();
    let mut events = vec![
        at(1, "user_created", user(3, "ann")),
        at(1, "user_created", user(4, "ben")),
        at(1, "course_created", named(2, "Biology")),
        at(1, "course_created", named(8, "Physics")),
    ];
    events.extend(
        [(5, 3, 2), (6, 4, 2), (7, 3, 8)].map(|(id, user, course)| at(2, "user_enrolled", enrolment(id, user, course))),
    );
    site.apply(&events).await;
    rest(&database).await;
    assert_eq!(values(&zoho, "Moodle_Enrolments", "Name").await, ["Biology", "Biology", "Physics"]);

    site.apply(&[at(3, "course_updated", named(2, "Life Sciences"))]).await;
    rest(&database).await;
    assert_eq!(values(&zoho, "Moodle_Enrolments", "Name").await, ["Life Sciences", "Life Sciences", "Physics"]);
    assert_conserved(&database);

    // What no enrolment shows judges none again.
    let before = revision(&database, "enrolment", 5).await;
    let mut hidden = named(2, "Life Sciences");
    hidden["visible"] = "0".into();
    site.apply(&[at(4, "course_updated", hidden)]).await;
    rest(&database).await;
    assert_eq!(with(&zoho.records("Products").await, "Product_Name", "Life Sciences")["Moodle_Visible"], json!(false));
    assert_eq!(revision(&database, "enrolment", 5).await, before);
    server.stop().await;
}

async fn a_change_outlives_the_process_that_noted_it(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server
        .site()
        .apply(&[
            at(1, "user_created", user(3, "ann")),
            at(1, "course_created", named(2, "Biology")),
            at(2, "user_enrolled", enrolment(5, 3, 2)),
        ])
        .await;
    rest(&database).await;
    server.stop().await;
    // As a process leaves it that dies after the course is settled.
    database.execute("UPDATE courses SET fullname = 'Life Sciences'").await;
    database
        .execute(
            "INSERT INTO edge_changes (destination, site_id, kind, moodle_id, reader, noted_by) \
             SELECT destination, site_id, kind, moodle_id, 'enrolment', 'x' FROM sync_items WHERE kind = 'course'",
        )
        .await;
    let server = start(&database, &zoho).await;
    rest(&database).await;
    assert_eq!(values(&zoho, "Moodle_Enrolments", "Name").await, ["Life Sciences"]);
    server.stop().await;
}

async fn a_renamed_person_renames_what_has_the_name(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let name = "Name = { from = [\"course.fullname\", \"course.shortname\", \"key\"] }";
    let replacement = "Name = { join = [\"user.lastname\", \"course.fullname\"], with = \": \" }";
    let server = start_mapped(&database, &zoho, &[(name, replacement)]).await;
    let site = server.site();
    let mut ann = user(3, "ann");
    site.apply(&[
        at(1, "user_created", ann.clone()),
        at(1, "course_created", named(2, "Biology")),
        at(2, "user_enrolled", enrolment(5, 3, 2)),
    ])
    .await;
    rest(&database).await;
    assert_eq!(values(&zoho, "Moodle_Enrolments", "Name").await, ["O'Neil: Biology"]);
    ann["lastname"] = "Smith".into();
    site.apply(&[at(3, "user_updated", ann.clone())]).await;
    rest(&database).await;
    assert_eq!(values(&zoho, "Moodle_Enrolments", "Name").await, ["Smith: Biology"]);
    let before = revision(&database, "enrolment", 5).await;
    ann["city"] = "Leeds".into();
    site.apply(&[at(4, "user_updated", ann)]).await;
    rest(&database).await;
    assert_eq!(revision(&database, "enrolment", 5).await, before, "it does not show the city");
    server.stop().await;
}

async fn the_grades_of_all_items_follow_their_course(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let item_of = "Item = { from = \"item.name\", plain = true }";
    let server = start_mapped(&database, &zoho, &[(item_of, "Item = { from = \"course.fullname\" }")]).await;
    let site = server.site();
    site.apply(&[
        at(1, "user_created", user(3, "ann")),
        at(1, "course_created", named(2, "Biology")),
        at(1, "course_created", named(8, "Physics")),
        at(2, "grade_updated", grade(7, 3, 4, 2, "80.00000")),
        at(2, "grade_updated", grade(9, 3, 5, 2, "70.00000")),
        at(2, "grade_updated", grade(11, 3, 6, 8, "60.00000")),
    ])
    .await;
    rest(&database).await;
    site.apply(&[at(3, "course_updated", named(2, "Life Sciences"))]).await;
    rest(&database).await;
    assert_eq!(values(&zoho, "Moodle_Grades", "Item").await, ["Life Sciences", "Life Sciences", "Physics"]);
    server.stop().await;
}

async fn a_course_that_enters_the_filter_brings_its_enrolments(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start_mapped(&database, &zoho, &[("categories = []", "categories = [\"Sciences\"]")]).await;
    let site = server.site();
    let mut biology = named(2, "Biology");
    biology["categoryname"] = "Drafts".into();
    site.apply(&[
        at(1, "user_created", user(3, "ann")),
        at(1, "course_created", biology.clone()),
        at(2, "user_enrolled", enrolment(5, 3, 2)),
    ])
    .await;
    rest(&database).await;
    assert_eq!(item(&database, "enrolment", 5).await, ("synced".to_owned(), Some("left_out".to_owned())));
    assert_eq!(zoho.records("Moodle_Enrolments").await.len(), 0);
    biology["categoryname"] = "Sciences".into();
    site.apply(&[at(3, "course_updated", biology)]).await;
    rest(&database).await;
    assert_eq!(values(&zoho, "Moodle_Enrolments", "Name").await, ["Biology"]);
    assert_conserved(&database);
    server.stop().await;
}

/// An enrolment from one moment to another one, in Unix seconds.
fn between(id: i64, start: i64, end: i64) -> Value {
    let mut enrolment = enrolment(id, 3, 2);
    (enrolment["timestart"], enrolment["timeend"]) = (json!(start), json!(end));
    enrolment
}

/// Long past, and long to come, in Unix seconds.
const PAST: i64 = 1_000_000_000;
const NEXT: i64 = 9_000_000_000;
const LAST: i64 = 9_100_000_000;

/// When a record's value changes by itself.
async fn moment(database: &Database, id: i64) -> Option<i64> {
    let sql = format!("SELECT CAST(judge_at AS TEXT) FROM sync_items WHERE kind = 'enrolment' AND moodle_id = {id}");
    database.texts(&sql).await.pop().flatten().map(|moment| moment.parse().unwrap())
}

async fn an_enrolment_begins_and_ends_by_the_clock(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server
        .site()
        .apply(&[
            at(1, "user_created", user(3, "ann")),
            at(1, "course_created", named(2, "Biology")),
            at(2, "user_enrolled", between(5, NEXT, LAST)),
            at(2, "user_enrolled", between(6, PAST, PAST + 1)),
            at(2, "user_enrolled", between(7, 0, 0)),
        ])
        .await;
    rest(&database).await;
    let status = async |id: i64| {
        let enrolments = zoho.records("Moodle_Enrolments").await;
        with(&enrolments, "Moodle_Enrolment_Key", &format!("moodle:{id}"))["Status"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (status(5).await, status(6).await, status(7).await),
        ("Not started".into(), "Ended".into(), "Active".into())
    );
    let moments = (moment(&database, 5).await, moment(&database, 6).await, moment(&database, 7).await);
    assert_eq!(moments, (Some(NEXT * 1_000), None, None));

    let untouched = revision(&database, "enrolment", 7).await;
    // As if the clock went on: each moment comes once, and the record waits for the next one.
    for (start, end, expected, next) in [(PAST, LAST, "Active", Some(LAST * 1_000)), (PAST, PAST + 1, "Ended", None)] {
        let dates = format!("UPDATE enrolments SET timestart = {start}, timeend = {end} WHERE moodle_id = 5");
        database.execute(&dates).await;
        database.execute("UPDATE sync_items SET judge_at = 1 WHERE kind = 'enrolment' AND moodle_id = 5").await;
        until("it is judged again", async || (status(5).await == expected).then_some(())).await;
        rest(&database).await;
        assert_eq!(moment(&database, 5).await, next);
    }
    assert_eq!(revision(&database, "enrolment", 7).await, untouched, "it has no dates");
    assert_conserved(&database);
    server.stop().await;
}

async fn a_status_that_is_not_written_waits_for_no_moment(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start_mapped(&database, &zoho, &[("Status = { from = \"status\" }\n", "")]).await;
    server
        .site()
        .apply(&[
            at(1, "user_created", user(3, "ann")),
            at(1, "course_created", named(2, "Biology")),
            at(2, "user_enrolled", between(5, NEXT, LAST)),
        ])
        .await;
    rest(&database).await;
    assert_eq!((item(&database, "enrolment", 5).await.0, moment(&database, 5).await), ("synced".to_owned(), None));
    server.stop().await;
}
