//! After the copy, the server continues on PostgreSQL where it stopped on SQLite.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::copied;
use crate::{
    delivery::{rest, start},
    recordings::replay,
    support::{
        Api, Database, Server, ZohoSimulator,
        events::{at, completion, course, enrolment, grade, user},
        server::{run, run_json},
    },
};

on_postgres!(empty: the_server_goes_on_where_it_stopped, ids_are_never_reused);

const LISTS: [&str; 7] = [
    "/api/v1/users",
    "/api/v1/courses",
    "/api/v1/enrolments",
    "/api/v1/grades",
    "/api/v1/completions",
    "/api/v1/events",
    "/api/v1/destinations/zoho/items",
];

/// Everything that the reading API returns, page by page.
async fn everything(reader: &Api) -> BTreeMap<String, Vec<Value>> {
    let mut all = BTreeMap::new();
    for list in LISTS {
        all.insert(list.to_owned(), reader.list(&format!("{list}?limit=7")).await);
    }
    all.insert("changes".to_owned(), changes(reader, "0").await);
    all.insert("timeline".to_owned(), vec![reader.read("/api/v1/users/moodle:9001/timeline").await]);
    all
}

/// Each page of the change feed after a cursor.
async fn changes(reader: &Api, after: &str) -> Vec<Value> {
    let (mut pages, mut after) = (Vec::new(), after.to_owned());
    loop {
        let page = reader.read(&format!("/api/v1/changes?limit=7&after={after}")).await;
        let more = page["more"] == json!(true);
        after = page["next_cursor"].as_str().unwrap().to_owned();
        pages.push(page);
        if !more {
            return pages;
        }
    }
}

/// A record of each kind, with unusual characters in its texts.
fn strange_events() -> Vec<Value> {
    let mut strange = user(9_001, "strange");
    strange["firstname"] = json!("Zoë 🎓\tTab\nLine\rReturn");
    strange["lastname"] = json!(r"\N back\slash 'quote' \.");
    strange["city"] = json!("");
    strange["country"] = Value::Null;
    strange["favourite"] = json!({"nested": ["\u{1}", 1.50]});
    let mut long = grade(9_001, 9_001, 9_001, 9_001, "12.34567");
    long["feedback"] = json!("<p>Ausführlich 🙂</p>".repeat(20_000));
    let mut withheld = grade(9_002, 9_001, 9_002, 9_001, "");
    withheld["finalgrade"] = Value::Null;
    vec![
        at(1, "user_created", strange),
        at(1, "course_created", course(9_001, "Œuvre")),
        at(1, "user_enrolled", enrolment(9_001, 9_001, 9_001)),
        at(1, "grade_updated", long),
        at(1, "grade_updated", withheld),
        at(1, "course_completed", completion(9_001, 9_001, 9_001)),
        at(1, "user_created", user(9_002, "leaver")),
        at(2, "user_deleted", json!({"userid": 9_002})),
    ]
}

/// The keys of Zoho's contacts, sorted.
async fn contacts(zoho: &ZohoSimulator) -> Vec<String> {
    let contacts = zoho.records("Contacts").await;
    let mut keys: Vec<_> =
        contacts.iter().map(|contact| contact["Moodle_User_Key"].as_str().unwrap().to_owned()).collect();
    keys.sort_unstable();
    keys
}

async fn the_server_goes_on_where_it_stopped(destination: Database) {
    let source = Database::sqlite();
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&source, &zoho).await;
    replay(&server).await;
    let strange = strange_events();
    server.site().apply(&strange).await;
    rest(&source).await;
    let delivered = contacts(&zoho).await;
    assert!(run(&source, &["sync", "pause"]).status.success());
    // Pending when the server stops: a new person, and a delivered one who changed.
    let mut renamed = user(9_001, "strange");
    renamed["firstname"] = json!("Renamed");
    let waiting = [at(5, "user_created", user(9_003, "waiting")), at(5, "user_updated", renamed)];
    server.site().apply(&waiting).await;
    let looker = run_json(&source, &["token", "add", "looker", "--scope", "read", "--json"]);
    let other_site = run_json(&source, &["site", "add", "other", "--json"]);
    let before = everything(&server.reader()).await;
    let cursor = before["changes"][1]["next_cursor"].as_str().unwrap().to_owned();
    let last_event = before["/api/v1/events"].last().unwrap()["id"].as_i64().unwrap();
    server.stop().await;

    let (printed, _) = copied(&source, &destination);
    assert!(printed.contains("all equal") && printed.contains("database_url"), "{printed}");
    let password = destination.url.split_once("//").unwrap().1.split_once('@').unwrap().0;
    assert!(!printed.contains(password), "{printed}");

    destination.tokens.set(source.tokens.get().unwrap().clone()).unwrap();
    let server = start(&destination, &zoho).await;
    assert_eq!(everything(&server.reader()).await, before);
    assert_eq!(changes(&server.reader(), &cursor).await, before["changes"][2..]);

    // New events continue the numbering, and earlier ones are known as duplicates.
    server.site().apply(&[at(9, "user_created", user(9_004, "new"))]).await;
    let log = server.reader().list("/api/v1/events").await;
    assert_eq!(log.last().unwrap()["id"], json!(last_event + 1));
    assert_eq!(server.site().send_batch(&strange).await, ["duplicate"; 8]);
    let last_cursor = before["changes"].last().unwrap()["next_cursor"].as_str().unwrap();
    let news = changes(&server.reader(), last_cursor).await;
    assert_eq!(news[0]["items"][0]["id"], "moodle:9004", "{news:?}");

    tokens_go_on(&server, &destination, &looker, &other_site).await;

    // Pending items are delivered, and nobody twice.
    zoho.empty_log().await;
    assert!(run(&destination, &["sync", "resume"]).status.success());
    rest(&destination).await;
    let mut expected = delivered;
    expected.extend(["moodle:9003", "moodle:9004", "other:1", "third:1"].map(str::to_owned));
    expected.sort_unstable();
    assert_eq!(contacts(&zoho).await, expected);
    let records = zoho.records("Contacts").await;
    let renamed = records.iter().find(|contact| contact["Moodle_User_Key"] == json!("moodle:9001")).unwrap();
    assert_eq!(renamed["First_Name"], "Renamed");
    let audit = run_json(&destination, &["sync", "audit", "--json"]);
    assert_eq!(audit["holds"], json!(true), "{audit}");
    server.stop().await;
}

async fn ids_are_never_reused(destination: Database) {
    let source = Database::sqlite();
    assert!(run(&source, &["site", "add", "first"]).status.success());
    // SQLite never reuses the id of a deleted row.
    source.execute("INSERT INTO sites (id, name, created_at) VALUES (40, 'gone', 0)").await;
    source.execute("DELETE FROM sites WHERE id = 40").await;
    copied(&source, &destination);
    assert!(run(&destination, &["site", "add", "second"]).status.success());
    assert_eq!(destination.count("SELECT id FROM sites WHERE name = 'second'").await, 41);
}

/// Existing tokens stay valid, and new tokens and sites can be created.
async fn tokens_go_on(server: &Server, destination: &Database, looker: &Value, other_site: &Value) {
    let looker = server.reader_with(looker["token"].as_str().unwrap());
    assert_eq!(looker.get("/api/v1/users").await.status, 200);
    let other = server.site_with(other_site["token"].as_str().unwrap());
    other.apply(&[at(1, "user_created", user(1, "elsewhere"))]).await;
    let third = run_json(destination, &["site", "add", "third", "--json"]);
    server.site_with(third["token"].as_str().unwrap()).apply(&[at(1, "user_created", user(1, "beyond"))]).await;
    server.anonymous().get("/api/v1/users").await.problem(401, "unauthorized");
}
