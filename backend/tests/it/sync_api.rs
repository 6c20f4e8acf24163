//! Operating the delivery: by command and by API, against a simulated Zoho.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::support::{
    Database, Server, ZohoSimulator,
    events::{at, course, enrolment, grade, user},
};

on_both_databases!(what_moodle_reports_arrives_in_zoho);

/// The events of a learner in a course with a grade.
fn a_learner() -> Vec<Value> {
    vec![
        at(1, "user_created", user(1, "ann")),
        at(2, "course_created", course(7, "Maths")),
        at(3, "enrolment_updated", enrolment(1, 1, 7)),
        at(4, "grade_updated", grade(1, 1, 1, 7, "85.00000")),
    ]
}

/// Waits until the module has so many records.
async fn records(zoho: &ZohoSimulator, module: &str, count: usize) -> Vec<Map<String, Value>> {
    for _ in 0..600 {
        let records = zoho.records(module).await;
        if records.len() == count {
            return records;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{module} does not get {count} records: {}", zoho.state().await);
}

async fn what_moodle_reports_arrives_in_zoho(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = Server::start_with(&database, &zoho.settings()).await;
    server.site().apply(&a_learner()).await;
    for module in ["Contacts", "Products", "Moodle_Enrolments", "Moodle_Grades"] {
        assert_eq!(records(&zoho, module, 1).await[0]["Moodle_Sync_Status"], "Synced");
    }
    server.stop().await;
}
