//! Erasures are counted before they begin: those above the ordinary wait, and say so.

use serde_json::{Value, json};

use super::{brake, decide, delete, ordinary, with_people};
use crate::{
    delivery::{assert_conserved, rest, start_with, until},
    support::{
        Database, ZohoSimulator,
        server::{run_json, run_with},
    },
};

on_both_databases!(erasures_wait_and_say_so, an_erasure_that_somebody_asks_for_counts);

/// The erasures, by person.
fn erasures(database: &Database) -> std::collections::BTreeMap<String, Value> {
    let all = run_json(database, &["erasures", "list", "--json"]);
    all.as_array().unwrap().iter().map(|one| (one["user"].as_str().unwrap().to_owned(), one.clone())).collect()
}

async fn erasures_wait_and_say_so(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = with_people(&database, &zoho, "2", 1..6).await;
    delete(&server, &database, 1..6).await;
    server.stop().await;
    // The search for deleted people runs at the start and every minute.
    let server = start_with(&database, &zoho, &ordinary("2")).await;
    let begun = "SELECT count(*) FROM erasures WHERE begun_at IS NOT NULL";
    until("two erasures", async || (database.count(begun).await == 2).then_some(())).await;
    until("all requests", async || (erasures(&database).len() == 5).then_some(())).await;
    let waits = |one: &Value| one["waits"].as_str().map(str::to_owned);
    let follow: Vec<String> = erasures(&database).values().filter_map(waits).collect();
    assert_eq!(follow.len(), 3, "they follow their deletions, which wait");
    assert!(follow.iter().all(|words| words.contains("decides about this one first")), "{follow:?}");
    assert_eq!(brake(&database, &ordinary("2"), "erasure")["waiting"], 0);
    // Now only the number of erasures keeps them.
    decide(&database, &["approve", "--site", "moodle", "--effect", "deletion"]);
    until("they wait for a person", async || {
        (brake(&database, &ordinary("2"), "erasure")["waiting"] == 3).then_some(())
    })
    .await;
    rest(&database).await;
    for one in erasures(&database).values().filter(|one| one["begun_at"].is_null()) {
        assert!(waits(one).unwrap().contains("Unusually many people are being erased"), "{one}");
        assert_eq!(
            (&one["state"], &one["local_at"], &one["remote_at"]),
            (&json!("requested"), &Value::Null, &Value::Null)
        );
    }
    assert_eq!(database.count("SELECT count(*) FROM users WHERE username IS NOT NULL").await, 3, "nothing is erased");
    decide(&database, &["refuse", "--site", "moodle", "--effect", "erasure", "--number", "1"]);
    assert_eq!(database.count("SELECT count(*) FROM erasures WHERE state = 'lifted'").await, 1);
    decide(&database, &["approve", "--site", "moodle", "--effect", "erasure"]);
    let verified = "SELECT count(*) FROM erasures WHERE state = 'verified'";
    until("the others are erased", async || (database.count(verified).await == 4).then_some(())).await;
    assert!(erasures(&database).values().all(|one| waits(one).is_none()));
    assert_eq!(brake(&database, &ordinary("2"), "erasure")["done"], 2, "what was approved is not counted");
    assert_conserved(&database);
    server.stop().await;
}

async fn an_erasure_that_somebody_asks_for_counts(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = with_people(&database, &zoho, "1", 1..4).await;
    let erase = |id: &str| {
        let arguments = ["erase", "--site", "moodle", "--user", id, "--yes", "--no-wait"];
        let output = run_with(&database, &ordinary("1"), &arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!erase("1").contains("WAITS"));
    let words = erase("2");
    assert!(words.contains("WAITS") && words.contains("sync brake --site moodle"), "{words}");
    decide(&database, &["approve", "--site", "moodle", "--effect", "erasure", "--number", "2", "--for", "1"]);
    let words = erase("3");
    assert!(!words.contains("WAITS"), "approved ahead: {words}");
    let verified = "SELECT count(*) FROM erasures WHERE state = 'verified'";
    until("all are erased", async || (database.count(verified).await == 3).then_some(())).await;
    server.stop().await;
}
