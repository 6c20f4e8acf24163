//! `zoho check --deep` finds what `zoho check` cannot see, and leaves nothing behind.

use serde_json::{Value, json};

use super::{Walk, texts};

/// The key of the made-up person.
const KEY: &str = "backend sync check:1";

/// An organisation with everything that the mapping needs.
async fn ready() -> Walk {
    let walk = Walk::begin(json!({})).await;
    let (success, words) = walk.run(&["setup", "--yes"]);
    assert!(success, "{words}");
    walk.zoho.empty_log().await;
    walk
}

/// Runs both; the plain check must be content, and the deep one must fail with these words and leave nothing behind.
async fn only_deep_finds(walk: &Walk, words: &[&str]) {
    let (content, said) = walk.run(&["check"]);
    assert!(content, "{words:?} is found without --deep: {said}");
    let before = walk.records().await;
    let (content, said) = walk.run(&["check", "--deep"]);
    assert!(!content, "{words:?} is not found: {said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(walk.records().await, before, "left behind: {said}");
}

#[tokio::test]
async fn an_organisation_that_is_well_passes_and_keeps_nothing() {
    let mut walk = ready().await;
    // An owner who exists.
    walk.map("Last_Name = {", "Owner = { value = \"5200000000000000000\", owner = \"first\" }\nLast_Name = {");
    let (content, said) = walk.run(&["check", "--deep"]);
    assert!(content, "{said}");
    for module in ["Contacts", "Products", "Moodle_Enrolments", "Moodle_Grades"] {
        let well = format!("ok      {module:<18}  A record was created, read back, changed and looked for.");
        assert!(said.contains(&well), "{said}");
    }
    assert_eq!(walk.records().await, 0);
    let log = walk.zoho.log().await;
    let wrote = log.iter().filter(|call| call["records"].as_u64() > Some(0) && call["status"] == 201).count();
    assert_eq!(wrote, 4, "one in each module");
    let rules = log.iter().filter(|call| call["rules"].to_string().contains("cadences_run")).count();
    assert_eq!(rules, 0, "no cadences");
}

#[tokio::test]
async fn what_administrators_set_up_is_found() {
    // 1 and 2: rules that refuse values, and a limit of records.
    let walk = ready().await;
    let rule = json!([{ "module": "Contacts", "field": "Mailing_City", "value": "London" }]);
    walk.zoho.administer("policies", json!({ "validation_rules": rule })).await;
    only_deep_finds(&walk, &["Contacts", "Mailing_City", "INVALID_DATA", "Not tried, because a record"]).await;
    let walk = ready().await;
    walk.zoho.administer("policies", json!({ "most_records": { "Moodle_Grades": 0 } })).await;
    only_deep_finds(&walk, &["Moodle_Grades", "MAX_RECORDS_LIMIT_REACHED"]).await;
    // 3: a Duplicate Check Preference with another module.
    let walk = ready().await;
    let check =
        json!({ "module": "Contacts", "field": "Mailing_City", "other_module": "Leads", "other_field": "City" });
    walk.zoho.administer("policies", json!({ "duplicate_checks": [check] })).await;
    walk.zoho.make_by_hand("Leads", json!({ "Last_Name": "Ada", "City": "London" })).await;
    only_deep_finds(&walk, &["Contacts", "DUPLICATE_DATA"]).await;
    // 4 and 5: an approval process and a blueprint take new records.
    for (state, code) in [("approval", "NOT_APPROVED"), ("blueprint", "RECORD_IN_BLUEPRINT")] {
        let walk = ready().await;
        walk.zoho.administer("policies", json!({ "held": { "Contacts": state } })).await;
        only_deep_finds(&walk, &["Contacts", "refuses that the record is changed", code]).await;
    }
    // 6: a layout that demands a value, where the credentials may not look at layouts.
    let walk = ready().await;
    walk.zoho.make_fields("Products", texts(&["Supplier"], false)).await;
    walk.zoho.administer("fields/Products/Supplier", json!({ "mandatory": true })).await;
    let scopes = walk.zoho.settings_now().await["scopes"].clone();
    let scopes: Vec<Value> = scopes.as_array().unwrap().iter().filter(|scope| *scope != LAYOUTS).cloned().collect();
    walk.zoho.change(json!({ "scopes": scopes })).await;
    only_deep_finds(&walk, &["Products", "Supplier", "MANDATORY_NOT_FOUND"]).await;
    // 7: a field that Zoho shows as writable, and ignores.
    let walk = ready().await;
    walk.zoho.administer("fields/Contacts/Mailing_City", json!({ "ignored": true })).await;
    only_deep_finds(&walk, &["Contacts.Mailing_City", "Zoho ignores the value"]).await;
}

const LAYOUTS: &str = "ZohoCRM.settings.layouts.READ";

#[tokio::test]
async fn what_a_mapping_says_wrongly_is_found() {
    let rule = |field: &str, value: &str| format!("{field} = {{ value = \"{value}\" }}\nLast_Name = {{");
    let mut walk = ready().await;
    let portal = json!([{ "field_label": "Portal", "data_type": "website" }]);
    walk.zoho.make_fields("Contacts", portal).await;
    // 8 to 10: an owner and an account that do not exist, and an address that is none.
    for (field, value) in
        [("Owner", "5200000000000000777"), ("Account_Name", "5200000000000000777"), ("Portal", "moodle portal")]
    {
        walk.mapping = None;
        walk.map("Last_Name = {", &rule(field, value));
        only_deep_finds(&walk, &["Contacts", field, "INVALID_DATA"]).await;
    }
}

#[tokio::test]
async fn what_is_left_behind_is_said_and_deleted_by_the_next_check() {
    let walk = ready().await;
    let refuse =
        json!([{ "match": { "operation": "delete", "module": "Products", "nth": 2 }, "fault": "record_locked" }]);
    walk.zoho.add_faults(refuse).await;
    let (content, said) = walk.run(&["check", "--deep"]);
    assert!(!content && said.contains("was left behind; delete it in Zoho"), "{said}");
    assert_eq!(walk.records().await, 1);
    walk.zoho.clear_faults().await;
    let (content, said) = walk.run(&["check", "--deep"]);
    assert!(content && said.contains("that an earlier check left behind was deleted"), "{said}");
    assert_eq!(walk.records().await, 0);
}

#[tokio::test]
async fn what_cannot_be_found_yet_is_replaced_all_the_same() {
    let walk = ready().await;
    walk.zoho.change(json!({ "lag_seconds": 3_600 })).await;
    walk.zoho.make_by_hand("Contacts", json!({ "Last_Name": "x", "Moodle_User_Key": KEY })).await;
    // The first search in each module answers; the later ones, which would wait, fail.
    let later = json!([{ "match": { "operation": "coql", "nth": 11, "times": 100 }, "fault": "internal_error" }]);
    walk.zoho.add_faults(later).await;
    let (_, said) = walk.run(&["check", "--deep"]);
    assert!(said.contains("that an earlier check left behind was deleted"), "{said}");
    assert_eq!(walk.records().await, 0, "{said}");
}

#[tokio::test]
async fn an_unknown_outcome_is_cleaned_up_too() {
    let walk = ready().await;
    let lost =
        json!([{ "match": { "operation": "insert", "module": "Contacts", "nth": 2 }, "fault": "truncated_json" }]);
    walk.zoho.add_faults(lost).await;
    let (content, said) = walk.run(&["check", "--deep"]);
    assert!(!content && said.contains("No record can be created"), "{said}");
    assert_eq!(walk.records().await, 0, "{said}");
}
