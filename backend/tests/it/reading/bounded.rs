//! No request reads more than a piece: a page ends at so many bytes, and a filter looks through so many rows. The cursor
//! continues, and nothing is left out.

use backend_sync::limits;
use serde_json::{Value, json};

use crate::support::{
    Api, Database, Server,
    browser::Browser,
    events::{at, course, grade, user},
    server::run_json,
};

on_both_databases!(
    a_page_ends_at_its_bytes,
    an_export_of_long_events_is_whole,
    a_filter_looks_through_a_piece,
    filters_without_an_index_find_everything,
);

/// Bytes of a text of which a few are too many for one read.
const LONG: usize = 700_000;
/// Grades with such a text.
const GRADES: i64 = 8;
/// More rows than a filter looks through for a page.
const MANY: i64 = limits::LOOK_ROWS * 2 + 1_000;

/// The pages of a list, and whether each cursor led on.
async fn pages(reader: &Api, path: &str) -> Vec<Vec<Value>> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    let join = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = reader.read(&format!("{path}{cursor}")).await;
        pages.push(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("{join}cursor={next}"),
            None => return pages,
        }
    }
}

async fn send_long_grades(server: &Server) {
    let site = server.site();
    site.apply(&[at(1, "user_created", user(1, "u")), at(1, "course_created", course(1, "c"))]).await;
    for id in 1..=GRADES {
        let mut data = grade(id, 1, id, 1, "1.00000");
        data["feedback"] = format!("{id}{}", "x".repeat(LONG)).into();
        site.apply(&[at(1, "grade_updated", data)]).await;
    }
}

async fn a_page_ends_at_its_bytes(database: Database) {
    let server = Server::start(&database).await;
    send_long_grades(&server).await;
    let reader = server.reader();
    let fit = usize::try_from(limits::READ_BYTES).unwrap() / LONG;
    let expected: Vec<i64> = (1..=GRADES).collect();
    for path in
        ["grades", "grades?deleted=false", "grades?course=moodle:1", "grades?changed_since=2026-01-01T00:00:00Z"]
    {
        let pages = pages(&reader, &format!("/api/v1/{path}")).await;
        let lengths: Vec<usize> = pages.iter().map(Vec::len).collect();
        assert!(lengths[..lengths.len() - 1].iter().all(|length| *length == fit), "{path}: {lengths:?}");
        let ids: Vec<i64> = pages.concat().iter().map(|grade| grade["gradeid"].as_i64().unwrap()).collect();
        assert_eq!(ids, expected, "{path}");
    }
    // A limit below that is kept, and a page has at least one.
    assert!(pages(&reader, "/api/v1/grades?limit=1").await.iter().all(|page| page.len() == 1));
    for path in ["events", "events?type=grade_updated", "events?user=moodle:1"] {
        let pages = pages(&reader, &format!("/api/v1/{path}")).await;
        assert!(pages.len() > 1, "{path}");
        let bytes = |page: &[Value]| page.iter().map(|event| event["data"].to_string().len()).sum::<usize>();
        assert!(pages.iter().all(|page| bytes(page) <= usize::try_from(limits::READ_BYTES).unwrap()), "{path}");
        let grades = pages.concat().iter().filter(|event| event["kind"] == "grade").count();
        assert_eq!(grades, expected.len(), "{path}");
    }
    server.stop().await;
}

async fn an_export_of_long_events_is_whole(database: Database) {
    let server = Server::start(&database).await;
    send_long_grades(&server).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let file = browser.get("/events.csv").await.html;
    assert_eq!(
        file.lines().count(),
        usize::try_from(GRADES).unwrap() + 3,
        "a heading, a user, a course and the grades"
    );
    assert!((1..=GRADES).all(|id| file.contains(&format!("{id}{}", "x".repeat(LONG)))));
    // Rows that show no data are not fewer for its sake.
    let page = browser.get("/events").await.html;
    assert_eq!(page.matches("grade_updated</td>").count(), usize::try_from(GRADES).unwrap(), "{page}");
    server.stop().await;
}

/// Inserts what `select` makes of the numbers `i` from 1 to [`MANY`].
async fn insert(database: &Database, table: &str, columns: &str, select: &str) {
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) \
         INSERT INTO {table} ({columns}) SELECT {select} FROM n"
    );
    database.execute(&sql).await;
}

/// Many users of the first site, each with a change, an event and a sync item. Of each filter the last one matches.
async fn fill(database: &Database) {
    let last = |yes: &str, no: &str| format!("CASE WHEN i = {MANY} THEN {yes} ELSE {no} END");
    let deleted = last("TRUE", "FALSE");
    insert(
        database,
        "users",
        "site_id, moodle_id, deleted, presence_time, changed_at",
        &format!("1, i, {deleted}, 1, {}", last("4000000000000", "1")),
    )
    .await;
    insert(
        database,
        "changes",
        "site_id, kind, moodle_id, position, deleted, changed_at",
        &format!("{}, 'user', i, i, {deleted}, 4000000000000", last("2", "1")),
    )
    .await;
    insert(
        database,
        "events",
        "id, site_id, event_type, kind, moodle_id, userid, version_time, received_at, outcome, data",
        &format!(
            "i, {}, {}, 'user', i, i, 1, 1, 'applied', '{{}}'",
            last("2", "1"),
            last("'user_deleted'", "'user_updated'")
        ),
    )
    .await;
    database.execute("INSERT INTO destinations (name, created_at) VALUES ('zoho', 0)").await;
    insert(
        database,
        "sync_items",
        "destination, site_id, kind, moodle_id, state, lane, revision, changed_at, due_at, attempts, code, remote_id",
        &format!(
            "'zoho', {}, 'user', i, {}, 0, 1, 1, 4000000000000, 0, {}, 'r' || i",
            last("2", "1"),
            last("'pending'", "'synced'"),
            last("'the_code'", "NULL")
        ),
    )
    .await;
    database.execute(&format!("UPDATE counters SET value = {MANY} WHERE name = 'event'")).await;
}

async fn start_filled(database: &Database) -> Server {
    let server = Server::start(database).await;
    run_json(database, &["site", "add", "other", "--json"]);
    fill(database).await;
    server
}

async fn a_filter_looks_through_a_piece(database: Database) {
    let server = start_filled(&database).await;
    let reader = server.reader();
    // Two pieces in which nothing matches, and the one that has the match.
    for (path, found) in [
        ("/api/v1/events?type=user_deleted", 1),
        ("/api/v1/events?site=other", 1),
        ("/api/v1/users?deleted=true", 1),
        ("/api/v1/users?changed_since=2090-01-01T00:00:00Z", 1),
        ("/api/v1/destinations/zoho/items?code=the_code", 1),
        ("/api/v1/events?type=course_deleted", 0),
    ] {
        let pages = pages(&reader, path).await;
        let lengths: Vec<usize> = pages.iter().map(Vec::len).collect();
        assert_eq!(lengths, [0, 0, found], "{path}");
    }
    // The feed says with every page where to continue.
    let (mut after, mut seen) = ("0".to_owned(), Vec::new());
    loop {
        let page = reader.read(&format!("/api/v1/changes?site=other&after={after}")).await;
        let next = page["next_cursor"].as_str().unwrap().to_owned();
        seen.push(page["items"].as_array().unwrap().len());
        assert_ne!(next, after, "a page leads on");
        after = next;
        if page["more"] == json!(false) {
            break;
        }
    }
    assert_eq!(seen, [0, 0, 1]);
    assert!(after.ends_with(&format!("-{MANY}")), "the position is behind the database's incarnation: {after}");
    server.stop().await;
}

async fn filters_without_an_index_find_everything(database: Database) {
    let server = start_filled(&database).await;
    let reader = server.reader();
    // Most match: pages are full, and none is repeated or left out.
    for (path, expected) in [
        ("/api/v1/users?deleted=false&limit=500", MANY - 1),
        ("/api/v1/destinations/zoho/items?state=synced&limit=500", MANY - 1),
        // These have an index, or a site each.
        ("/api/v1/destinations/zoho/items?state=pending", 1),
        ("/api/v1/destinations/zoho/items?kind=user&site=other", 1),
        ("/api/v1/destinations/zoho/items?kind=user&state=pending&code=the_code", 1),
        ("/api/v1/destinations/zoho/items?kind=user&limit=500", MANY),
        ("/api/v1/destinations/zoho/items?kind=course", 0),
    ] {
        let pages = pages(&reader, path).await;
        let (full, rest) = pages.split_at(pages.len() - 1);
        assert!(full.iter().all(|page| page.len() == 500) && rest.len() == 1, "{path}");
        let mut ids: Vec<String> = pages
            .concat()
            .iter()
            .map(|item| item.get("id").unwrap_or_else(|| &item["record"]).as_str().unwrap().to_owned())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(i64::try_from(ids.len()).unwrap(), expected, "{path}");
        assert_eq!(pages.concat().len(), ids.len(), "{path}: one came twice");
    }
    // The console's list says that it searches on.
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let page = browser.get("/records?code=the_code").await.html;
    assert!(page.contains("No match among the 10,000 records searched so far.") && page.contains("Search further"));
    server.stop().await;
}
