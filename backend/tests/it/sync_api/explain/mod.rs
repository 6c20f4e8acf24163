//! Why one record is where it is, for each kind of reason.

mod ways;

use backend_sync::zoho::mapping::Mapping;
use serde_json::{Value, json};

use super::{REFUSED, ZOHO, a_bad_user, a_learner, begin, instruct};
use crate::{
    delivery::{held, item, rest, start_by, start_with},
    support::{
        Api, Database, ZohoSimulator,
        events::{at, course, enrolment, grade, user},
        wait::until,
    },
};

on_both_databases!(
    what_zoho_has_is_explained,
    what_waits_for_a_failed_person_says_so,
    what_the_filter_leaves_out_says_by_which_rule,
    an_outage_says_what_it_holds,
    what_is_paused_and_queued_says_behind_how_many,
    what_the_brake_holds_says_so,
    who_asks_for_a_contact_waits_in_the_inbox,
    an_attempt_that_failed_says_when_the_next_is,
    an_enrolment_waits_for_its_moment,
);

async fn explain(operator: &Api, record: &str) -> Value {
    operator.read(&format!("{ZOHO}/items/{record}/explanation")).await
}

fn sentence(found: &Value) -> &str {
    found["sentence"].as_str().unwrap()
}

/// The kinds of obstacles, the first first.
fn obstacles(found: &Value) -> Vec<&str> {
    found["obstacles"].as_array().unwrap().iter().map(|obstacle| obstacle["kind"].as_str().unwrap()).collect()
}

/// The step with this rule.
fn step<'a>(found: &'a Value, rule: &str) -> &'a Value {
    let steps = found["steps"].as_array().unwrap();
    steps.iter().find(|step| step["rule"] == rule).unwrap_or_else(|| panic!("no step {rule}: {found}"))
}

fn field<'a>(found: &'a Value, name: &str) -> &'a Value {
    let fields = found["fields"].as_array().unwrap();
    fields.iter().find(|field| field["field"] == name).unwrap_or_else(|| panic!("no field {name}: {found}"))
}

fn edge<'a>(found: &'a Value, record: &str) -> &'a Value {
    let edges = found["edges"].as_array().unwrap();
    edges.iter().find(|edge| edge["record"] == record).unwrap_or_else(|| panic!("no edge to {record}: {found}"))
}

async fn what_zoho_has_is_explained(database: Database) {
    let (zoho, server) = begin(&database).await;
    let operator = server.reader();
    server.site().apply(&a_learner()).await;
    rest(&database).await;
    let before = zoho.state().await;
    zoho.empty_log().await;
    let found = explain(&operator, "grade/moodle:1").await;
    let id = found["item"]["remote_id"].as_str().unwrap();
    assert!(sentence(&found).starts_with(&format!("Zoho has it as {id} since 20")), "{found}");
    assert_eq!((&found["obstacles"], &found["action"]), (&json!([]), &json!("nothing")));
    assert_eq!((&found["last_attempt"]["outcome"], &found["fitted"]), (&json!("inserted"), &json!(true)));
    assert_eq!(found["digest"].as_str().unwrap().len(), 32);
    assert!(found["steps"].as_array().unwrap().iter().all(|step| step["verdict"] == "passes"), "{found}");
    let person = edge(&found, "moodle:1");
    assert_eq!(
        (&person["relation"], &person["state"], &person["awaited"]),
        (&json!("needs"), &json!("synced"), &json!(false))
    );
    let grade = field(&found, "Final_Grade");
    assert_eq!((&grade["value"], &grade["source"]), (&json!(85), &json!("finalgrade")));
    let enrolment = explain(&operator, "enrolment/moodle:1").await;
    assert_eq!(edge(&enrolment, "moodle:7")["relation"], "needs");
    assert!(zoho.log().await.is_empty(), "Zoho is not asked");

    // With live, it is asked, and shows what somebody changed there.
    let grades = zoho.records("Moodle_Grades").await;
    zoho.make_by_hand("Moodle_Grades", json!({"id": grades[0]["id"], "Final_Grade": 12})).await;
    let found = operator.read(&format!("{ZOHO}/items/grade/moodle:1/explanation?live=true")).await;
    assert_eq!(found["live"]["differences"], json!([{"field": "Final_Grade", "before": 12, "after": 85}]));
    assert!(crate::delivery::writes(&zoho.log().await).iter().all(|(path, _)| path == "/crm/v8/coql"));
    zoho.make_by_hand("Moodle_Grades", json!({"id": grades[0]["id"], "Final_Grade": 85})).await;
    assert_eq!(zoho.state().await["modules"]["Contacts"], before["modules"]["Contacts"]);
    server.stop().await;
}

async fn what_waits_for_a_failed_person_says_so(database: Database) {
    let (_zoho, server) = begin(&database).await;
    let operator = server.reader();
    server.site().apply(&[a_bad_user(2), at(2, "grade_updated", grade(4, 2, 1, 7, "85.00000"))]).await;
    rest(&database).await;
    let found = explain(&operator, "grade/moodle:4").await;
    assert!(sentence(&found).starts_with("It waits for user moodle:2, which failed; last tried at 20"), "{found}");
    assert!(sentence(&found).contains("Last_Name") && !found.to_string().contains(REFUSED), "{found}");
    assert_eq!(obstacles(&found), ["parked"]);
    assert_eq!((&step(&found, "needs")["verdict"], &found["action"]), (&json!("waits"), &json!("park")));
    let person = edge(&found, "moodle:2");
    assert_eq!((&person["awaited"], &person["state"], &person["depth"]), (&json!(true), &json!("failed"), &json!(1)));
    assert_eq!(
        (&field(&found, "Contact")["outcome"], &field(&found, "Final_Grade")["value"]),
        (&json!("waits"), &json!(85))
    );
    let person = explain(&operator, "user/moodle:2").await;
    assert_eq!(obstacles(&person), ["failed"]);
    assert_eq!(person["waiting"][0]["record"], "moodle:4");
    assert_eq!((&person["waiting"][0]["kind"], &person["more_waiting"]), (&json!("grade"), &json!(false)));

    // A second one with the first one's address: what waits for that one waits for both.
    let mut twin = user(6, "ann");
    twin["lastname"] = json!("Twin");
    server.site().apply(&[at(3, "user_created", user(5, "ann"))]).await;
    rest(&database).await;
    server.site().apply(&[at(3, "user_created", twin), at(3, "grade_updated", grade(9, 6, 1, 7, "1.00000"))]).await;
    rest(&database).await;
    let found = explain(&operator, "grade/moodle:9").await;
    assert_eq!(
        (&edge(&found, "moodle:6")["depth"], &edge(&found, "moodle:5")["depth"]),
        (&json!(1), &json!(2)),
        "{found}"
    );
    assert_eq!(obstacles(&explain(&operator, "user/moodle:6").await), ["in_the_way"]);
    server.stop().await;
}

async fn what_the_filter_leaves_out_says_by_which_rule(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let filters = [
        ("roles = []", "roles = [\"student\"]"),
        ("courses = []", "courses = [\"bio\"]"),
        ("grades = \"all\"", "grades = \"totals\""),
        ("exclude = {}", "exclude = { department = [\"Staff\"] }"),
    ];
    let mapping = filters.iter().fold(Mapping::DEFAULT.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
    let server = start_by(&database, &zoho, &mapping).await;
    let operator = server.reader();
    let mut staff = user(4, "ben");
    staff["department"] = json!("Staff");
    let mut teacher = enrolment(5, 3, 2);
    teacher["roles"] = json!([{"shortname": "editingteacher", "archetype": "editingteacher"}]);
    server
        .site()
        .apply(&[
            at(1, "user_created", user(3, "ann")),
            at(1, "user_created", staff),
            at(1, "course_created", course(2, "bio")),
            at(1, "course_created", course(7, "art")),
            at(2, "user_enrolled", teacher),
            at(2, "user_enrolled", enrolment(6, 3, 7)),
            at(2, "user_enrolled", enrolment(8, 4, 2)),
            at(2, "grade_updated", grade(1, 3, 1, 2, "85.00000")),
        ])
        .await;
    rest(&database).await;
    for (record, rule, word) in [
        ("enrolment/moodle:5", "filter", "no role that is chosen (roles)"),
        ("enrolment/moodle:6", "filter", "no course that is chosen (courses, categories)"),
        ("course/moodle:7", "filter", "no course that is chosen"),
        ("grade/moodle:1", "filter", "no grade item that is chosen (grades)"),
        ("user/moodle:4", "excluded", "this person's value of department"),
        ("enrolment/moodle:8", "excluded", "this person's value of department"),
    ] {
        let found = explain(&operator, record).await;
        assert_eq!(
            (obstacles(&found), &step(&found, rule)["verdict"]),
            (vec!["left_out"], &json!("left_out")),
            "{record}: {found}"
        );
        assert!(step(&found, rule)["words"].as_str().unwrap().contains(word), "{record}: {found}");
        assert!(sentence(&found).starts_with("It is not delivered: ") && found["fields"] == json!([]), "{found}");
        assert!(!sentence(&found).contains("Staff"), "{found}");
    }
    let passed = explain(&operator, "course/moodle:2").await;
    assert!(step(&passed, "filter")["words"].as_str().unwrap().starts_with("It is in Zoho already"), "{passed}");
    server.stop().await;
}

async fn an_outage_says_what_it_holds(database: Database) {
    let (zoho, server) = begin(&database).await;
    zoho.add_faults(json!([{"match": {"operation": "coql", "every": 1}, "fault": "internal_error"}])).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    held(&database).await;
    let operator = server.reader();
    let found = until("the outage", async || {
        let found = explain(&operator, "user/moodle:3").await;
        (obstacles(&found).first() == Some(&"outage")).then_some(found)
    })
    .await;
    assert!(sentence(&found).starts_with("An outage of Zoho holds new user records since 20"), "{found}");
    assert!(sentence(&found).contains("people cannot be looked for"), "{found}");
    // What is planned needs the search that fails.
    let failed = operator.get(&format!("{ZOHO}/items/user/moodle:3/explanation?live=true")).await;
    failed.problem(503, "destination_unavailable");
    server.stop().await;
}

async fn what_is_paused_and_queued_says_behind_how_many(database: Database) {
    let (_zoho, server) = begin(&database).await;
    let operator = server.reader();
    instruct(&operator, &format!("{ZOHO}/pause"), json!({"reason": "The summer."})).await;
    server.site().apply(&[at(1, "course_created", course(2, "bio"))]).await;
    database.execute("UPDATE sync_items SET due_at = due_at - 1000 WHERE moodle_id = 2").await;
    server.site().apply(&[at(1, "course_created", course(7, "art"))]).await;
    let found = explain(&operator, "course/moodle:7").await;
    assert_eq!(obstacles(&found), ["paused", "queued"]);
    assert!(sentence(&found).starts_with("The delivery is paused since 20"), "{found}");
    assert!(sentence(&found).ends_with(": The summer."), "{found}");
    assert_eq!(found["obstacles"][1]["words"], "It waits for its turn, behind 1 other of its lane.");
    assert_eq!(explain(&operator, "course/moodle:2").await["obstacles"][1]["words"], "It is the next of its lane.");
    server.stop().await;
}

async fn what_the_brake_holds_says_so(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let brake = [("BACKEND_SYNC_BRAKE__MINIMUM", "1"), ("BACKEND_SYNC_BRAKE__PERCENT", "0")];
    let server = start_with(&database, &zoho, &brake).await;
    let people: Vec<Value> = (1..4).map(|id| at(1, "user_created", user(id, &format!("u{id}")))).collect();
    server.site().apply(&people).await;
    rest(&database).await;
    let gone: Vec<Value> = (1..4).map(|id| at(2, "user_deleted", json!({ "userid": id }))).collect();
    server.site().apply(&gone).await;
    rest(&database).await;
    let sql = "SELECT CAST(min(moodle_id) AS BIGINT) FROM sync_items WHERE code = 'braked_deletion'";
    let braked = database.count(sql).await;
    let found = explain(&server.reader(), &format!("user/moodle:{braked}")).await;
    assert_eq!(obstacles(&found), ["brake"], "{found}");
    assert!(sentence(&found).contains("waits for a person's decision"), "{found}");
    assert_eq!((&step(&found, "deleted")["verdict"], &found["action"]), (&json!("removed"), &json!("remove")));
    assert_eq!(field(&found, "Moodle_Status")["value"], "Deleted");
    let live = server.reader().read(&format!("{ZOHO}/items/user/moodle:{braked}/explanation?live=true")).await;
    assert_eq!(live["live"]["action"], "brake", "{live}");
    server.stop().await;
}

async fn who_asks_for_a_contact_waits_in_the_inbox(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let contact = json!({"Last_Name": "Oneil", "Email": "ann@example.com"});
    zoho.make_by_hand("Contacts", contact).await;
    zoho.advance(60).await;
    let server = start_with(&database, &zoho, &[]).await;
    let mut ann = user(3, "ann");
    ann["auth"] = json!("email");
    server.site().apply(&[at(1, "user_created", ann)]).await;
    rest(&database).await;
    let found = explain(&server.reader(), "user/moodle:3").await;
    assert_eq!(obstacles(&found), ["inbox"], "{found}");
    assert!(sentence(&found).starts_with("It waits in the inbox of adoptions, as number 1: "), "{found}");
    server.stop().await;
}

async fn an_attempt_that_failed_says_when_the_next_is(database: Database) {
    let (zoho, server) = begin(&database).await;
    server.site().apply(&a_learner()).await;
    rest(&database).await;
    let fault =
        json!({"match": {"operation": "coql", "every": 1, "key": "eve@example.com"}, "fault": "internal_error"});
    zoho.add_faults(json!([fault])).await;
    let people = [at(5, "user_created", user(5, "eve")), at(5, "user_created", user(6, "bob"))];
    server.site().apply(&people).await;
    until("one waits", async || {
        (item(&database, "user", 5).await == ("pending".to_owned(), Some("search_failed".to_owned()))).then_some(())
    })
    .await;
    until("the other one is there", async || (item(&database, "user", 6).await.0 == "synced").then_some(())).await;
    // Holds end by themselves; the record's own back-off stays. No worker takes it meanwhile.
    instruct(&server.reader(), &format!("{ZOHO}/pause"), json!({})).await;
    until("no attempt runs", async || (item(&database, "user", 5).await.0 == "pending").then_some(())).await;
    database.execute("UPDATE sync_items SET due_at = due_at + 600000 WHERE state = 'pending'").await;
    let found = explain(&server.reader(), "user/moodle:5").await;
    let words =
        found["obstacles"].as_array().unwrap().iter().find(|obstacle| obstacle["kind"] == "backing_off").unwrap();
    assert_eq!(words["until"], found["item"]["due_at"]);
    let text = words["words"].as_str().unwrap();
    assert!(text.starts_with("It failed ") && text.contains(words["until"].as_str().unwrap()), "{found}");
    server.stop().await;
}

async fn an_enrolment_waits_for_its_moment(database: Database) {
    let (_zoho, server) = begin(&database).await;
    let mut later = enrolment(5, 3, 2);
    // In the year 2096.
    later["timestart"] = json!(4_000_000_000_i64);
    server
        .site()
        .apply(&[
            at(1, "user_created", user(3, "ann")),
            at(1, "course_created", course(2, "bio")),
            at(2, "user_enrolled", later),
        ])
        .await;
    rest(&database).await;
    let found = explain(&server.reader(), "enrolment/moodle:5").await;
    assert_eq!(field(&found, "Status")["value"], "Not started");
    let at = found["judged_at"].as_str().unwrap();
    assert!(at.starts_with("2096-10-02T") && sentence(&found).ends_with(&format!("It changes by itself at {at}.")));
    server.stop().await;
}
