//! Data about an erased person that arrives later is not stored, until the erasure is lifted.

use serde_json::json;

use super::{ZELDA, begin, erase, search::assert_nowhere, with_feedback, zelda};
use crate::{
    delivery::{assert_conserved, rest, with},
    support::{
        Database,
        events::{at, completion, enrolment, grade, user},
        server::{run, run_json},
    },
};

on_both_databases!(late_events_restore_nothing, a_lifted_erasure_lets_the_person_be_known_again);

async fn late_events_restore_nothing(database: Database) {
    let (zoho, server) = begin(&database).await;
    erase(&database, &zoho).await;
    let late = [
        at(900, "user_updated", zelda("Zeldamark")),
        at(901, "user_enrolled", enrolment(21, ZELDA, 5)),
        at(902, "user_enrolled", enrolment(29, ZELDA, 6)),
        at(903, "grade_updated", with_feedback(grade(31, ZELDA, 41, 5, "77.12345"), "feedbackmark")),
        at(904, "grade_updated", with_feedback(grade(39, ZELDA, 45, 5, "77.12345"), "feedbackmark")),
        at(905, "course_completed", completion(51, ZELDA, 5)),
        at(906, "user_deleted", json!({"userid": ZELDA, "username": "zquillmark", "email": "zquillmark@example.org"})),
        at(907, "user_updated", user(12, "bystander2")),
    ];
    let outcomes = server.site().send_batch(&late).await;
    assert!(outcomes[..7].iter().all(|outcome| outcome == "superseded"), "{outcomes:?}");
    assert_eq!(outcomes[7], "applied", "another person in the same batch");
    // A repetition is recognised by its id; the original plugin sends no id.
    assert_eq!(server.site().send_batch(&late[..1]).await, ["duplicate"]);
    assert_eq!(server.site().post_event("user_updated", &zelda("Zeldamark")).await.status, 200);
    rest(&database).await;
    assert_nowhere(&database, &server, &zoho).await;
    assert_eq!(server.reader().get("/api/v1/grades/moodle:39").await.status, 404, "no record is created");
    assert_conserved(&database);
    server.stop().await;
}

async fn a_lifted_erasure_lets_the_person_be_known_again(database: Database) {
    let (zoho, server) = begin(&database).await;
    let id = erase(&database, &zoho).await["id"].to_string();
    assert!(run(&database, &["erasures", "lift", &id]).status.success());
    assert!(!run(&database, &["erasures", "lift", &id]).status.success(), "once");
    server.site().apply(&[at(950, "user_updated", user(ZELDA, "zelda-again"))]).await;
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    let contact = with(&contacts, "Moodle_User_Key", "moodle:11");
    assert_eq!(
        (&contact["Moodle_Username"], &contact["Moodle_Sync_Status"]),
        (&json!("zelda-again"), &json!("Synced"))
    );
    assert_eq!(server.reader().read("/api/v1/users/moodle:11").await["city"], json!(null), "erased data stays erased");
    let list = run_json(&database, &["erasures", "list", "--json"]);
    assert_eq!(list[0]["state"], "lifted", "{list}");
    assert_conserved(&database);
    server.stop().await;
}
