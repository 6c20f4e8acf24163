//! Random changes in Moodle and by people in Zoho, at random moments, with late queries and failing calls. In the end,
//! the findings are what a plain comparison of both sides says; and what is restored agrees.
//!
//! `IT_PARITY_SEEDS=200` runs this many seeds on each database; `IT_SEED=…` runs one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{findings, parity, prove, watch};
use crate::{
    delivery::{rest, start},
    model::shared_seeds,
    support::{
        Database, Server, ZohoSimulator,
        events::{at, course, enrolment, grade, user},
        random::Random,
    },
};

on_both_databases!(parity_says_what_a_plain_comparison_says);

const PEOPLE: i64 = 4;
const STEPS: u64 = 22;
const CITIES: [&str; 4] = ["Leeds", "York", "Hull", "Derby"];

async fn parity_says_what_a_plain_comparison_says(database: Database) {
    shared_seeds("IT_PARITY_SEEDS", database, run).await;
}

/// What Moodle has, as far as it is compared.
#[derive(Default)]
struct Moodle {
    cities: BTreeMap<i64, &'static str>,
    grades: BTreeMap<i64, i64>,
    version: i64,
}

impl Moodle {
    fn person(&mut self, id: i64) -> Value {
        self.version += 1;
        let mut person = user(id, &format!("u{id}"));
        person["city"] = json!(self.cities[&id]);
        at(self.version, "user_updated", person)
    }

    fn grade(&mut self, id: i64) -> Value {
        self.version += 1;
        at(self.version, "grade_updated", grade(id, id, 9, 2, &format!("{}.00000", self.grades[&id])))
    }

    fn begin(&mut self) -> Vec<Value> {
        let mut events = vec![at(1, "course_created", course(2, "bio"))];
        self.version = 10;
        for id in 1..=PEOPLE {
            self.cities.insert(id, "Leeds");
            self.grades.insert(id, 50);
            events.extend([self.person(id), at(2, "user_enrolled", enrolment(id, id, 2)), self.grade(id)]);
        }
        events
    }

    async fn act(&mut self, random: &mut Random, server: &Server) {
        let id = 1 + random.below(PEOPLE as u64) as i64;
        let event = match random.below(2) {
            0 => {
                self.cities.insert(id, CITIES[random.below(4) as usize]);
                self.person(id)
            }
            _ => {
                self.grades.insert(id, random.below(100) as i64);
                self.grade(id)
            }
        };
        server.site().send_batch(&[event]).await;
    }
}

/// One of a module's records.
async fn any(random: &mut Random, zoho: &ZohoSimulator, module: &str) -> Option<Map<String, Value>> {
    let mut records = zoho.records(module).await;
    (!records.is_empty()).then(|| records.swap_remove(random.below(records.len() as u64) as usize))
}

/// What somebody does in Zoho.
async fn work_in_zoho(random: &mut Random, zoho: &ZohoSimulator) {
    let module = ["Contacts", "Contacts", "Moodle_Grades", "Moodle_Enrolments"][random.below(4) as usize];
    let Some(record) = any(random, zoho, module).await else { return };
    let id = record["id"].clone();
    match random.below(8) {
        0 | 1 if module == "Contacts" => {
            let city = CITIES[random.below(4) as usize];
            zoho.make_by_hand(module, json!({"id": id, "Mailing_City": city})).await;
        }
        0 | 1 if module == "Moodle_Grades" => {
            zoho.make_by_hand(module, json!({"id": id, "Final_Grade": random.below(100)})).await;
        }
        2 => _ = zoho.make_by_hand(module, json!({"id": id, "$delete": true})).await,
        3 => {
            let recycled = zoho.state().await["recycled"][module].as_array().cloned().unwrap_or_default();
            let picked = (!recycled.is_empty()).then(|| recycled[random.below(recycled.len() as u64) as usize].clone());
            // Its key may be another record's now.
            if let Some(id) =
                picked.and_then(|id| id.as_str().map(str::to_owned).or(id["id"].as_str().map(str::to_owned)))
            {
                zoho.try_act("restore", json!({ "id": id })).await;
            }
        }
        4 if module == "Contacts" => {
            let Some(other) = any(random, zoho, module).await.filter(|other| other["id"] != id) else { return };
            zoho.act("merge", json!({"module": module, "survivor": id, "merged": [other["id"]]})).await;
        }
        5 if module == "Contacts" => _ = zoho.make_by_hand(module, json!({"id": id, "Moodle_User_Key": null})).await,
        6 => {
            let email = format!("u{}@example.com", 1 + random.below(PEOPLE as u64));
            zoho.make_by_hand("Contacts", json!({"Last_Name": "Somebody", "Email": email})).await;
        }
        _ => {}
    }
}

/// Some decision about some finding.
fn decide(random: &mut Random, database: &Database, zoho: &ZohoSimulator) {
    let found = findings(database, zoho);
    if found.is_empty() {
        return;
    }
    let number = found[random.below(found.len() as u64) as usize]["number"].to_string();
    let decision = ["restore", "leave"][random.below(2) as usize];
    // Two records are merged by people only.
    parity(database, zoho, &[decision, &number, "--yes"]);
}

/// Something that goes wrong for a while.
async fn disturb(random: &mut Random, zoho: &ZohoSimulator) {
    let operation = ["insert", "update", "get", "coql"][random.below(4) as usize];
    let fault = ["internal_error", "timeout_after_commit", "bad_gateway_html"][random.below(3) as usize];
    let rule =
        json!([{"match": {"operation": operation, "nth": 1 + random.below(2)}, "fault": fault, "delay_ms": 200}]);
    zoho.add_faults(rule).await;
}

async fn run(seed: u64, database: Database) {
    let mut random = Random::from_seed(seed);
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.change(json!({ "lag_seconds": random.below(3) * 10 })).await;
    let server = start(&database, &zoho).await;
    let mut moodle = Moodle::default();
    server.site().apply(&moodle.begin()).await;
    rest(&database).await;
    parity(&database, &zoho, &["watch"]);
    zoho.advance(60).await;
    for _ in 0..STEPS {
        match random.below(10) {
            0..=2 => moodle.act(&mut random, &server).await,
            3..=6 => work_in_zoho(&mut random, &zoho).await,
            7 => _ = parity(&database, &zoho, &["watch"]),
            8 => decide(&mut random, &database, &zoho),
            _ => disturb(&mut random, &zoho).await,
        }
        if random.below(2) == 0 {
            zoho.advance(1 + random.below(30) as i64).await;
        }
    }
    zoho.clear_faults().await;
    settle(&database, &zoho).await;
    compare(&database, &zoho, &moodle).await;
    // Whatever can be restored is; what belongs to a person is asked about when the person is back.
    for _ in 0..2 {
        parity(&database, &zoho, &["restore", "--all", "--yes"]);
        restore_what_was_left(&database, &zoho);
        settle(&database, &zoho).await;
    }
    compare(&database, &zoho, &moodle).await;
    let left = findings(&database, &zoho);
    let by_people = |finding: &Value| ["doubled", "surplus"].contains(&finding["sort"].as_str().unwrap());
    assert!(left.iter().all(by_people), "all else was restored: {left:?}");
    server.stop().await;
}

fn restore_what_was_left(database: &Database, zoho: &ZohoSimulator) {
    for finding in findings(database, zoho) {
        if finding["state"] == "left" {
            parity(database, zoho, &["restore", &finding["number"].to_string(), "--yes"]);
        }
    }
}

/// Until nothing moves: what is found is delivered, and what is delivered is looked at.
async fn settle(database: &Database, zoho: &ZohoSimulator) {
    for _ in 0..3 {
        rest(database).await;
        zoho.advance(60).await;
        watch(database, zoho);
        rest(database).await;
        zoho.advance(60).await;
        prove(database, zoho);
        rest(database).await;
    }
}

/// Fails unless the findings are what a plain comparison says.
async fn compare(database: &Database, zoho: &ZohoSimulator, moodle: &Moodle) {
    let state = zoho.state().await;
    let found = findings(database, zoho);
    let open = |sort: &str| -> BTreeSet<(String, String)> {
        let of = found.iter().filter(|finding| finding["sort"] == sort && finding["state"] != "closed");
        let fields = of.flat_map(|finding| {
            let record = format!("{} {}", finding["kind"].as_str().unwrap(), finding["record"].as_str().unwrap_or("-"));
            let names: Vec<String> = match finding["fields"].as_array().unwrap().as_slice() {
                [] => vec![String::new()],
                fields => fields.iter().map(|field| field["field"].as_str().unwrap().to_owned()).collect(),
            };
            names.into_iter().map(move |name| (record.clone(), name))
        });
        fields.collect()
    };
    let people = "SELECT moodle_id FROM sync_items WHERE kind = 'user' AND state = 'synced' AND remote_id IS NOT NULL";
    let people: BTreeSet<i64> =
        database.rows(people).await.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    let (mut changed, mut deleted) = (BTreeSet::new(), BTreeSet::new());
    let items = "SELECT kind, moodle_id, state, code, remote_id FROM sync_items WHERE NOT linked AND (remote_id IS NOT NULL OR state = 'failed')";
    for row in database.rows(items).await {
        let text = |place: usize| row.try_get_by_index::<Option<String>>(place).unwrap().unwrap_or_default();
        let (kind, id, remote_id) = (text(0), row.try_get_by_index::<i64>(1).unwrap(), text(4));
        let module = match kind.as_str() {
            "user" => "Contacts",
            "course" => "Products",
            "enrolment" => "Moodle_Enrolments",
            _ => "Moodle_Grades",
        };
        // Without its person, it is not delivered: ids are the same here.
        if kind != "user" && kind != "course" && !people.contains(&id) {
            continue;
        }
        let name = format!("{kind} moodle:{id}");
        if text(3) == "deleted_in_zoho" {
            deleted.insert((name, String::new()));
            continue;
        }
        let records = state["modules"][module].as_array().unwrap();
        let Some(record) = records.iter().find(|record| record["id"] == json!(remote_id)) else {
            panic!("{name} is gone without a finding: {} {} {remote_id}, {found:#?}", text(2), text(3));
        };
        if text(2) != "synced" {
            continue;
        }
        let mut expect = |field: &str, here: Value| {
            if record.get(field).cloned().unwrap_or_default() != here {
                changed.insert((name.clone(), field.to_owned()));
            }
        };
        match kind.as_str() {
            "user" => {
                expect("Mailing_City", json!(moodle.cities[&id]));
                expect("Moodle_User_Key", json!(format!("moodle:{id}")));
            }
            "grade" => expect("Final_Grade", json!(moodle.grades[&id])),
            _ => {}
        }
    }
    let is_without_person = |name: &String| {
        let (kind, id) = name.split_once(" moodle:").unwrap();
        kind != "user" && !people.contains(&id.parse().unwrap())
    };
    let said: BTreeSet<_> = open("changed").into_iter().filter(|(name, _)| !is_without_person(name)).collect();
    assert_eq!(said, changed, "{found:#?}");
    let asked: BTreeSet<_> = open("deleted");
    let is_left = |name: &String| {
        found.iter().any(|finding| {
            let record = format!("{} {}", finding["kind"].as_str().unwrap(), finding["record"].as_str().unwrap_or("-"));
            record == *name && finding["state"] == "left"
        })
    };
    let more = asked.difference(&deleted).filter(|(name, _)| !is_left(name) && !is_without_person(name));
    assert!(deleted.is_subset(&asked) && more.count() == 0, "{deleted:?} {found:#?}");
}
