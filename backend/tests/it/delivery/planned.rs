//! The plan is what happens: planned, then delivered, each record ends as the plan said.

use std::collections::BTreeMap;

use backend_sync::zoho::mapping::Mapping;
use serde_json::{Value, json};

use super::{assert_conserved, held, item, rest, start, start_with};
use crate::support::{
    Api, Database, ZohoSimulator,
    events::{at, user},
    random::Random,
};

on_both_databases!(
    any_plan_is_what_happens,
    an_adoption_is_shown_field_by_field,
    people_with_one_address_are_planned_as_they_go,
    records_that_another_one_wrote_are_planned_as_failures,
);

const ZOHO: &str = "/api/v1/destinations/zoho";

/// People of a random plan.
const PEOPLE: u64 = 24;

/// What is about a person before the plan.
const CASES: [&str; 12] = [
    "new",
    "contact",
    "two contacts",
    "another's contact",
    "lead",
    "same address as the one before",
    "known and changed",
    "known and vanished",
    "known and unchanged",
    "known and deleted",
    "deleted before",
    "known and changed, among contacts",
];

/// What the delivery does with what the plan calls so.
const OUTCOMES: [(&str, &str); 4] =
    [("insert", "inserted"), ("adopt", "adopted"), ("update", "updated"), ("remove", "removed")];

async fn instruct(operator: &Api, action: &str, body: Value) {
    let answer = operator.post(&format!("{ZOHO}/{action}"), body.to_string()).await;
    assert_eq!(answer.status, 200, "{action}: {}", answer.text);
}

/// The planned items, by record.
async fn plan(operator: &Api) -> BTreeMap<String, Value> {
    let plan = operator.read(&format!("{ZOHO}/plan?limit=100")).await;
    let items = plan["items"].as_array().unwrap();
    items.iter().map(|item| (item["record"].as_str().unwrap().to_owned(), item.clone())).collect()
}

/// What came of a person after this attempt: an attempt's outcome, or the item's state.
async fn outcome(database: &Database, id: i64, after: i64) -> String {
    let (state, _) = item(database, "user", id).await;
    let sql = format!(
        "SELECT outcome FROM sync_attempts WHERE kind = 'user' AND moodle_id = {id} AND id > {after} ORDER BY id"
    );
    match database.texts(&sql).await.pop().flatten() {
        Some(last) if state == "synced" => last,
        _ => state,
    }
}

/// Whether the plan of a person and what came of it agree.
fn agree(action: &str, outcome: &str) -> bool {
    match OUTCOMES.iter().find(|(planned, _)| *planned == action) {
        Some((_, expected)) => outcome == *expected,
        None => matches!((action, outcome), ("nothing", "synced") | ("park", "parked") | ("brake" | "fail", "failed")),
    }
}

/// A person as Moodle has it now.
fn person(id: i64, case: &str) -> Value {
    let mut person = user(id, &format!("u{id}"));
    if case.contains("changed") {
        person["city"] = json!("Ulm");
    }
    if case == "same address as the one before" {
        person["email"] = json!(format!("u{}@example.com", id - 1));
    }
    person
}

/// Makes by hand in Zoho what this case needs.
async fn prepare(zoho: &ZohoSimulator, id: i64, case: &str, contacts: &[serde_json::Map<String, Value>]) {
    let contact =
        |name: &str| json!({"Last_Name": name, "Email": format!("U{id}@example.com"), "Mailing_City": "Bonn"});
    match case {
        "contact" => _ = zoho.make_by_hand("Contacts", contact("Oneil")).await,
        "two contacts" | "known and changed, among contacts" => {
            for name in ["Oneil", "O Neil"] {
                zoho.make_by_hand("Contacts", contact(name)).await;
            }
        }
        "another's contact" => {
            let mut another = contact("Other");
            another["Moodle_User_Key"] = json!(format!("other:{id}"));
            zoho.make_by_hand("Contacts", another).await;
        }
        "lead" => {
            let lead = json!({"Last_Name": "Oneil", "Company": "X", "Email": format!("u{id}@example.com")});
            zoho.make_by_hand("Leads", lead).await;
        }
        "known and vanished" => {
            let contact = super::with(contacts, "Moodle_User_Key", &format!("moodle:{id}"));
            zoho.make_by_hand("Contacts", json!({"id": contact["id"], "$delete": true})).await;
        }
        _ => {}
    }
}

async fn any_plan_is_what_happens(database: Database) {
    let mut random = Random::announced("plan");
    let zoho = ZohoSimulator::start_set_up().await;
    let mapping = database.file("mapping.toml");
    std::fs::write(
        &mapping,
        Mapping::DEFAULT.replacen("match = \"Email\"", "match = \"Email\"\nmatch_leads = true", 1),
    )
    .unwrap();
    let server = start_with(&database, &zoho, &[("BACKEND_SYNC_ZOHO__MAPPING", mapping.to_str().unwrap())]).await;
    let (site, operator) = (server.site(), server.reader());
    // Each case at least once.
    let case =
        |random: &mut Random, n: u64| CASES[(if n < CASES.len() as u64 { n } else { random.below(12) }) as usize];
    let people: Vec<(i64, &str)> = (0..PEOPLE).map(|n| (10 + n as i64, case(&mut random, n))).collect();
    let is_known = |case: &str| case.starts_with("known");
    let known: Vec<Value> = people
        .iter()
        .filter(|(_, case)| is_known(case))
        .map(|(id, _)| at(1, "user_created", person(*id, "")))
        .collect();
    site.apply(&known).await;
    rest(&database).await;

    instruct(&operator, "pause", json!({})).await;
    let contacts = zoho.records("Contacts").await;
    let mut events = Vec::new();
    for (id, case) in &people {
        prepare(&zoho, *id, case, &contacts).await;
        if *case == "deleted before" {
            events.push(at(2, "user_created", person(*id, case)));
        }
        events.push(match *case {
            "known and deleted" | "deleted before" => at(3, "user_deleted", json!({ "userid": id })),
            "known and vanished" => {
                let mut moved = person(*id, case);
                moved["city"] = json!("Kiel");
                at(2, "user_updated", moved)
            }
            case => at(2, "user_updated", person(*id, case)),
        });
    }
    zoho.advance(60).await;
    site.apply(&events).await;
    let plan = plan(&operator).await;
    let after = database.count("SELECT COALESCE(max(id), 0) FROM sync_attempts").await;

    instruct(&operator, "resume", json!({})).await;
    rest(&database).await;
    let mut wrong = Vec::new();
    for (id, case) in &people {
        // An event that changed nothing plans nothing.
        let Some(planned) = plan.get(&format!("moodle:{id}")) else {
            assert_eq!(*case, "known and unchanged");
            continue;
        };
        let action = planned["action"].as_str().unwrap();
        let outcome = outcome(&database, *id, after).await;
        if !agree(action, &outcome) {
            wrong.push(format!("{id}, {case}: planned {action} ({}), but {outcome}", planned["reason"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_conserved(&database);
    server.stop().await;
}

async fn an_adoption_is_shown_field_by_field(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let operator = server.reader();
    let imported = json!({"Last_Name": "Oneil", "Email": "ann@example.com", "Phone": "0123", "First_Name": "Ann"});
    let id = zoho.make_by_hand("Contacts", imported).await;
    zoho.advance(60).await;
    instruct(&operator, "pause", json!({})).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    let before = zoho.state().await;
    let planned = plan(&operator).await.remove("moodle:3").unwrap();
    assert_eq!(planned["action"], "adopt", "{planned}");
    assert_eq!(planned["remote_id"], zoho.records("Contacts").await[0]["id"], "{id}");
    let differences = planned["differences"].as_array().unwrap();
    let of = |field: &str| differences.iter().find(|difference| difference["field"] == field);
    assert_eq!(of("Last_Name"), Some(&json!({"field": "Last_Name", "before": "Oneil", "after": "O'Neil"})));
    assert_eq!(of("Moodle_User_Key").unwrap()["after"], "moodle:3");
    assert!(of("First_Name").is_none() && of("Email").is_none() && of("Phone").is_none(), "{planned}");
    assert_eq!(zoho.state().await, before, "a plan changes nothing");
    instruct(&operator, "resume", json!({})).await;
    rest(&database).await;
    assert_eq!(outcome(&database, 3, 0).await, "adopted");
    server.stop().await;
}

async fn people_with_one_address_are_planned_as_they_go(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let operator = server.reader();
    instruct(&operator, "pause", json!({})).await;
    let mut other = user(4, "ben");
    other["email"] = json!("Ann@example.com");
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(1, "user_created", other)]).await;
    let plan = plan(&operator).await;
    assert_eq!((&plan["moodle:3"]["action"], &plan["moodle:4"]["action"]), (&json!("insert"), &json!("fail")));
    let words = plan["moodle:4"]["reason"].as_str().unwrap();
    assert!(words.contains("user moodle:3") && !words.contains("example.com"), "{words}");
    instruct(&operator, "resume", json!({})).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 4).await, ("failed".to_owned(), Some("email_taken".to_owned())));
    server.stop().await;
}

async fn records_that_another_one_wrote_are_planned_as_failures(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let operator = server.reader();
    let ours = json!({"Last_Name": "Oneil", "Email": "ann@example.com", "Moodle_User_Key": "moodle:3"});
    zoho.make_by_hand("Contacts", ours).await;
    zoho.advance(60).await;
    instruct(&operator, "pause", json!({})).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(1, "user_created", user(4, "ben"))]).await;
    let plan = plan(&operator).await;
    assert_eq!((&plan["moodle:3"]["action"], &plan["moodle:4"]["action"]), (&json!("fail"), &json!("insert")));
    assert!(plan["moodle:3"]["reason"].as_str().unwrap().contains("sync accept records"), "{plan:?}");
    instruct(&operator, "resume", json!({})).await;
    assert_eq!(held(&database).await["cause"], "other_writer");
    server.stop().await;
}
