//! Values that do not fit: a record is synced without them, with remarks.

use std::collections::BTreeSet;

use backend_sync::zoho::mapping::Mapping;
use serde_json::{Map, Value, json};

use super::{assert_conserved, held, item, rest, start, start_by, with, writes};
use crate::support::{
    Database, Server, ZohoSimulator,
    browser::Browser,
    events::{at, course, enrolment, user},
    server::{run, run_json, run_with},
};

on_both_databases!(
    an_unfit_value_does_not_cost_the_person,
    a_field_keeps_what_it_has,
    only_what_zoho_requires_fails,
    countries_have_the_names_of_the_list,
    what_only_zoho_refuses_is_left_out,
    cadences_run_only_if_the_mapping_says_so,
    dates_are_those_of_the_time_zone,
);

const ITEMS: &str = "/api/v1/destinations/zoho/items";

fn typed(version: i64, changes: &[(&str, &str)]) -> Value {
    let mut person = user(3, "ann");
    for (field, value) in changes {
        person[*field] = json!(value);
    }
    at(version, "user_updated", person)
}

/// The remarks of user 3, as field and code.
async fn remarks(server: &Server) -> Vec<String> {
    let item = server.reader().read(&format!("{ITEMS}/user/moodle:3")).await;
    let text = |remark: &Value, name: &str| remark[name].as_str().unwrap().to_owned();
    let remarks = item["remarks"].as_array().unwrap().iter();
    remarks.map(|remark| format!("{} {}", text(remark, "field"), text(remark, "code"))).collect()
}

/// The writing calls about people.
async fn calls(zoho: &ZohoSimulator) -> Vec<(String, String)> {
    let calls = writes(&zoho.log().await).into_iter();
    calls.filter(|(path, _)| path.contains("/Contacts")).collect()
}

async fn contact(zoho: &ZohoSimulator) -> Map<String, Value> {
    let contacts = zoho.records("Contacts").await;
    with(&contacts, "Moodle_User_Key", "moodle:3").clone()
}

async fn an_unfit_value_does_not_cost_the_person(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let unfit = [("email", "root@localhost"), ("phone1", "n/a (ask her)"), ("city", "Ely")];
    assert!(run(&database, &["sync", "pause"]).status.success());
    server.site().apply(&[typed(1, &unfit), at(2, "user_created", user(4, "ben"))]).await;
    // A plan says it before anything is sent.
    let plan = run_with(&database, &zoho.settings(), &["sync", "plan"]);
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(plan.contains("Phone: The value was left out") && !plan.contains("ask her"), "{plan}");
    assert!(run(&database, &["sync", "resume"]).status.success());
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), None));
    let found = contact(&zoho).await;
    assert_eq!((found.get("Email"), found.get("Phone"), &found["Mailing_City"]), (None, None, &json!("Ely")));
    assert_eq!(found["Moodle_Sync_Status"], "Synced");
    assert_eq!(remarks(&server).await, ["Email not_an_email", "Phone not_a_phone"]);
    // It shows wherever one looks.
    let reader = server.reader();
    let listed = reader.list(&format!("{ITEMS}?remarks=true")).await;
    assert_eq!(listed.iter().map(|item| &item["record"]).collect::<Vec<_>>(), [&json!("moodle:3")]);
    assert_eq!(reader.list(&format!("{ITEMS}?remarks=true&user=moodle:4")).await.len(), 0);
    let status = run_json(&database, &["sync", "status", "--json"]);
    assert_eq!((&status["records"]["synced"], &status["records"]["with_remarks"]), (&json!(2), &json!(1)));
    let printed = |arguments: &[&str]| String::from_utf8(run(&database, arguments).stdout).unwrap();
    let status = printed(&["sync", "status"]);
    assert!(status.contains("1 record synced with remarks"), "{status}");
    let list = printed(&["sync", "remarks", "--kind", "user"]);
    assert!(list.contains("user moodle:3\n") && list.contains("Phone: ") && !list.contains("moodle:4"), "{list}");
    let shown = printed(&["sync", "show", "user:moodle:3"]);
    assert!(shown.contains("not_an_email"), "{shown}");
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let page = browser.get("/records?remarks=yes").await.html;
    assert!(page.contains("synced with remarks") && page.contains("user:moodle:3") && !page.contains("user:moodle:4"));
    let page = browser.get("/records/user:moodle:3").await.html;
    assert!(page.contains("<dt>Remark</dt>") && page.contains("not_a_phone"), "{page}");
    assert!(browser.get("/").await.html.contains("1 synced with remarks"));
    let csv = browser.get("/records.csv?remarks=yes").await.html;
    assert!(csv.lines().count() == 2 && csv.contains("Email: "), "{csv}");
    let metrics = reader.get("/metrics").await.text;
    let line = "backend_sync_items_with_remarks{destination=\"zoho\",kind=\"user\"} 1";
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
    // The page of the record also has what Moodle sent.
    for everything in [list, shown, csv, server.log()] {
        assert!(!everything.contains("ask her") && !everything.contains("localhost"), "no value: {everything}");
    }
    // Once corrected in Moodle, nothing is left to say.
    server.site().apply(&[typed(3, &[("phone1", "030  1234567")])]).await;
    rest(&database).await;
    assert_eq!(remarks(&server).await, [""; 0]);
    let found = contact(&zoho).await;
    assert_eq!((&found["Phone"], &found["Email"]), (&json!("030 1234567"), &json!("ann@example.com")));
    assert_eq!(run_json(&database, &["sync", "status", "--json"])["records"]["with_remarks"], 0);
    assert_conserved(&database);
    server.stop().await;
}

async fn a_field_keeps_what_it_has(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[typed(1, &[("phone1", "030 1234567")])]).await;
    rest(&database).await;
    server.site().apply(&[typed(2, &[("phone1", "?"), ("email", "root@localhost"), ("city", "Ely")])]).await;
    rest(&database).await;
    let found = contact(&zoho).await;
    let fields = (&found["Phone"], &found["Email"], &found["Mailing_City"]);
    assert_eq!(fields, (&json!("030 1234567"), &json!("ann@example.com"), &json!("Ely")));
    // What is as unfit as before is nothing to send, and still said.
    zoho.empty_log().await;
    server.site().apply(&[typed(3, &[("phone1", "?!"), ("email", "root@localhost"), ("city", "Ely")])]).await;
    rest(&database).await;
    assert_eq!(writes(&zoho.log().await), []);
    assert_eq!(remarks(&server).await, ["Email not_an_email", "Phone not_a_phone"]);
    server.stop().await;
}

async fn only_what_zoho_requires_fails(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.change_field("Contacts", "Email", json!({ "mandatory": true })).await;
    let text = Mapping::DEFAULT.replace(
        "Last_Name = { from = [\"lastname\", \"username\"] }",
        "Last_Name = { from = \"lastname\", too_long = \"fail\" }",
    );
    let server = start_by(&database, &zoho, &text).await;
    let mut long = user(4, "ben");
    long["lastname"] = json!("x".repeat(90));
    server
        .site()
        .apply(&[typed(1, &[("email", "root@localhost"), ("phone1", "?")]), at(2, "user_created", long)])
        .await;
    rest(&database).await;
    // By the layout alone, so Zoho says it; by Zoho itself, so we know it.
    assert_eq!(item(&database, "user", 3).await, ("failed".to_owned(), Some("MANDATORY_NOT_FOUND".to_owned())));
    assert_eq!(item(&database, "user", 4).await, ("failed".to_owned(), Some("invalid_value".to_owned())));
    assert_eq!(remarks(&server).await, [""; 0], "what failed has no remarks");
    assert_eq!(zoho.records("Contacts").await.len(), 0);
    server.stop().await;
}

async fn countries_have_the_names_of_the_list(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.change(json!({ "country_lists": true })).await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[typed(1, &[("country", "KR")])]).await;
    rest(&database).await;
    assert_eq!(contact(&zoho).await["Mailing_Country"], "South Korea");
    server.site().apply(&[typed(2, &[("country", "AQ")])]).await;
    rest(&database).await;
    assert_eq!(remarks(&server).await, ["Mailing_Country not_in_picklist"]);
    // Each country of the list is that of one code.
    let of = |(id, code): (i64, &&str)| {
        let mut person = user(id, &format!("from{code}"));
        person["country"] = json!(code);
        at(1, "user_created", person)
    };
    let all: Vec<Value> = (10..).zip(rust_iso3166::ALL_ALPHA2).map(of).collect();
    server.site().apply(&all).await;
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    let names: BTreeSet<&str> =
        contacts.iter().filter_map(|contact| contact.get("Mailing_Country")?.as_str()).collect();
    let fields = zoho.client().fields("Contacts").await.unwrap().unwrap().fields;
    let listed: BTreeSet<&str> =
        fields["Mailing_Country"].picklist.iter().map(|choice| choice.display.as_str()).collect();
    assert_eq!(names, listed);
    let left_out = "SELECT count(*) FROM sync_items WHERE moodle_id >= 10 AND state = 'synced' AND remarks IS NOT NULL";
    assert_eq!(database.count(left_out).await, i64::try_from(all.len() - listed.len()).unwrap());
    server.stop().await;
}

async fn what_only_zoho_refuses_is_left_out(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(4, "ben"))]).await;
    rest(&database).await;
    // The fields are known for an hour. Meanwhile an administrator makes this one a list, which lacks the code.
    zoho.change(json!({ "country_lists": true })).await;
    zoho.refuse("Contacts", "Mailing_City", "Utopia").await;
    zoho.empty_log().await;
    let unfit = [("country", "DE"), ("city", "Utopia"), ("firstname", "Anna")];
    server.site().apply(&[typed(1, &unfit), at(1, "user_created", user(5, "eve"))]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), None));
    assert_eq!(item(&database, "user", 5).await, ("synced".to_owned(), None));
    let found = contact(&zoho).await;
    let fields = (&found["First_Name"], found.get("Mailing_Country"), found.get("Mailing_City"));
    assert_eq!(fields, (&json!("Anna"), None, None));
    let said = ["Mailing_Country refused_by_zoho", "Mailing_City refused_by_zoho"];
    assert_eq!(remarks(&server).await, said);
    assert_eq!(calls(&zoho).await.len(), 3, "all together, then without one field, then without the other");
    assert_eq!(zoho.records("Contacts").await.len(), 3);
    // A change of what is not mapped sends nothing; the remarks still hold.
    zoho.empty_log().await;
    let unmapped = [&unfit[..], &[("department", "Physics")]].concat();
    server.site().apply(&[typed(2, &unmapped)]).await;
    rest(&database).await;
    assert_eq!(writes(&zoho.log().await), []);
    assert_eq!(remarks(&server).await, said);
    // When Zoho accepts it, a person may have it sent again.
    zoho.change(json!({ "country_lists": false })).await;
    let again = run(&database, &["sync", "resync", "--remarks", "--yes", "--no-wait"]);
    assert!(String::from_utf8_lossy(&again.stdout).contains("1 record now pending"), "{again:?}");
    rest(&database).await;
    assert_eq!(remarks(&server).await, said[1..].to_vec());
    assert_eq!(contact(&zoho).await["Mailing_Country"], "DE");
    assert_conserved(&database);
    server.stop().await;
}

async fn cadences_run_only_if_the_mapping_says_so(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    // Of people, the first of the tables.
    let text = Mapping::DEFAULT.replacen("trigger = []", "trigger = [\"cadences\", \"workflow\"]", 1);
    let server = start_by(&database, &zoho, &text).await;
    server.site().apply(&[typed(1, &[]), at(1, "course_created", course(7, "Maths"))]).await;
    rest(&database).await;
    server.site().apply(&[typed(2, &[("city", "Ely")]), at(2, "course_updated", course(7, "Physics"))]).await;
    rest(&database).await;
    for (module, run) in [("/Contacts", true), ("/Products", false)] {
        let log = zoho.log().await;
        let wrote: Vec<&Value> = log
            .iter()
            .filter(|call| call["method"] != "GET" && call["path"].as_str().unwrap().contains(module))
            .collect();
        assert_eq!(wrote.len(), 2, "{wrote:?}");
        let ran = |call: &&Value| call.to_string().contains("cadences_run");
        assert!(wrote.iter().all(|call| ran(call) == run), "{module}: {wrote:?}");
    }
    server.stop().await;
}

async fn dates_are_those_of_the_time_zone(database: Database) {
    let date = "Start = { from = \"timestart\", type = \"date\" }";
    let default = Mapping::DEFAULT.replace("Start = { from = \"timestart\" }", date);
    let zoho = ZohoSimulator::start();
    zoho.set_up(&Mapping::parse(&default).unwrap()).await;
    zoho.change(json!({ "time_zone": "Europe/Berlin" })).await;
    let started = async || zoho.records("Moodle_Enrolments").await[0]["Start"].clone();
    // Midnight of 1 September 2026 in Berlin.
    let mut beginning = enrolment(1, 3, 7);
    beginning["timestart"] = json!(1_788_213_600);
    let server = start_by(&database, &zoho, &default).await;
    let events = [typed(1, &[]), at(1, "course_created", course(7, "Maths")), at(1, "enrolment_updated", beginning)];
    server.site().apply(&events).await;
    rest(&database).await;
    assert_eq!(started().await, "2026-09-01", "the organisation's");
    server.stop().await;
    let server = start_by(&database, &zoho, &format!("time_zone = \"America/New_York\"\n{default}")).await;
    assert!(run(&database, &["sync", "resync", "--yes", "--no-wait"]).status.success());
    rest(&database).await;
    assert_eq!(started().await, "2026-08-31", "the mapping's");
    server.stop().await;
    // A time zone that nobody knows stops before anything is written with a wrong date.
    zoho.change(json!({ "time_zone": "Middle/Earth" })).await;
    zoho.empty_log().await;
    let server = start_by(&database, &zoho, &default).await;
    assert!(run(&database, &["sync", "resync", "--yes", "--no-wait"]).status.success());
    let hold = held(&database).await;
    assert!(hold["reason"].as_str().unwrap().contains("time_zone = "), "{hold}");
    assert!(writes(&zoho.log().await).iter().all(|(_, module)| module != "Moodle_Enrolments"));
    server.stop().await;
}
