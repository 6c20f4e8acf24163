//! Erasing a person: no trace remains in any table, in the database's files, in the log, or in the simulated Zoho.

mod late;
mod moodle;
mod policies;
mod requests;
mod search;

use serde_json::{Value, json};

use crate::{
    delivery::{rest, until},
    support::{
        Database, Server, ZohoSimulator,
        events::{at, completion, course, enrolment, grade, user},
        server::run_json,
    },
};

/// The person who is erased.
pub(crate) const ZELDA: i64 = 11;

/// Another person.
const BYSTANDER: i64 = 12;

/// Markers that identify the person, each in its own field.
pub(crate) const MARKS: [&str; 15] = [
    "Zeldamark",
    "Quillmark",
    "zquillmark",
    "idnomark",
    "phonemark",
    "citymark",
    "deptmark",
    "instmark",
    "extramark",
    "profilemark",
    "cohortmark",
    "groupmark",
    "feedbackmark",
    "77.12345",
    "oldnamemark",
];

fn zelda(firstname: &str) -> Value {
    let mut zelda = user(ZELDA, "zquillmark");
    let fields = json!({
        "firstname": firstname, "lastname": "Quillmark", "email": "zquillmark@example.org", "idnumber": "idnomark",
        "phone1": "phonemark!", "city": "citymark", "department": "deptmark", "institution": "instmark",
        "something_new": "extramark", "profile": {"birthday": "profilemark"}, "cohorts": ["cohortmark"],
    });
    zelda.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    zelda
}

fn in_group(mut enrolment: Value) -> Value {
    enrolment["groups"] = json!(["groupmark"]);
    enrolment
}

fn with_feedback(mut grade: Value, feedback: &str) -> Value {
    grade["feedback"] = json!(feedback);
    grade
}

/// Two people in two courses, graded, one of them with a history.
pub(crate) fn story() -> Vec<Value> {
    let long = format!("<p>feedbackmark {}</p>", "and so on ".repeat(2_000));
    vec![
        at(1, "course_created", course(5, "biology")),
        at(2, "course_created", course(6, "art")),
        at(3, "user_created", zelda("oldnamemark")),
        at(4, "user_created", user(BYSTANDER, "bystander")),
        at(5, "user_updated", zelda("Zeldamark")),
        at(6, "user_enrolled", in_group(enrolment(21, ZELDA, 5))),
        at(7, "user_enrolled", enrolment(22, ZELDA, 6)),
        at(8, "user_enrolled", enrolment(23, BYSTANDER, 5)),
        at(9, "grade_updated", with_feedback(grade(31, ZELDA, 41, 5, "77.12345"), &long)),
        at(10, "grade_updated", with_feedback(grade(32, ZELDA, 42, 6, "77.12345"), "feedbackmark, and well done")),
        at(11, "grade_updated", with_feedback(grade(33, BYSTANDER, 41, 5, "55.5"), "for the bystander")),
        at(12, "course_completed", completion(51, ZELDA, 5)),
        at(13, "course_completed", completion(52, BYSTANDER, 5)),
        // Parked: nobody has reported its course.
        at(14, "user_enrolled", enrolment(24, ZELDA, 99)),
        // Failed: Zoho refuses its name, which it requires.
        at(15, "grade_updated", with_feedback(grade(34, ZELDA, 43, 5, "12345678901234567890.5"), "feedbackmark too")),
    ]
}

/// A server and a simulator, with the story delivered.
pub(crate) async fn begin(database: &Database) -> (ZohoSimulator, Server) {
    begin_with(database, &[]).await
}

async fn begin_with(database: &Database, settings: &[(&str, &str)]) -> (ZohoSimulator, Server) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.refuse("Moodle_Grades", "Name", "Item 43").await;
    let server = crate::delivery::start_with(database, &zoho, settings).await;
    server.site().apply(&story()).await;
    rest(database).await;
    (zoho, server)
}

/// Erases the person by command, and waits for the first check.
pub(crate) async fn erase(database: &Database, zoho: &ZohoSimulator) -> Value {
    erase_with(database, zoho, &[]).await
}

async fn erase_with(database: &Database, zoho: &ZohoSimulator, more: &[(&str, &str)]) -> Value {
    let mut settings = zoho.settings();
    settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let arguments = ["erase", "--site", "moodle", "--user", "11", "--yes", "--no-wait", "--json"];
    let output = crate::support::server::run_with(database, &settings, &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let id = serde_json::from_slice::<Value>(&output.stdout).unwrap()["id"].as_i64().unwrap();
    checked(database, id, 1).await
}

/// The certificate, after this many checks.
pub(crate) async fn checked(database: &Database, id: i64, times: usize) -> Value {
    until("the erasure is done and checked", async || {
        let certificate = run_json(database, &["erasures", "show", &id.to_string(), "--json"]);
        (certificate["checks"].as_array().unwrap().len() >= times).then_some(certificate)
    })
    .await
}
