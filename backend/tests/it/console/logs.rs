//! The event log and the attempts: pages, filters, live updates, and the export.

use reqwest::Response;
use serde_json::{Value, json};

use crate::{
    support::{
        Database, Server, ZohoSimulator,
        api::http_client,
        browser::Browser,
        events::{at, course, user},
        wait::SOON,
    },
    sync_api::{a_bad_user, refuse_bad_users},
};

on_both_databases!(
    events_are_paged_and_filtered,
    what_was_received_is_shown,
    an_export_has_all_rows,
    new_events_arrive_by_themselves,
    a_live_page_ends_with_its_session,
    open_live_pages_do_not_delay_the_stop,
    attempts_are_shown_with_what_zoho_answered,
);

/// Stores this many users, one event each, and a course.
async fn send_users(server: &Server, count: i64) {
    let mut events: Vec<Value> = (1..=count).map(|id| at(1, "user_created", user(id, &format!("user{id}")))).collect();
    events.push(at(2, "course_created", course(7, "Maths")));
    server.site().send_batch(&events).await;
}

async fn begin(database: &Database) -> (Server, Browser) {
    let server = Server::start(database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    (server, browser)
}

/// The ids of the events on a page, in order.
fn ids(html: &str) -> Vec<i64> {
    let links = html.split("<a href=\"/events/").skip(1);
    links.filter_map(|rest| rest.split_once('"')?.0.parse().ok()).collect()
}

/// The address of the link whose text starts with this.
fn link(html: &str, text: &str) -> Option<String> {
    let (before, _) = html.split_once(&format!(">{text}"))?;
    let (_, address) = before.rsplit_once("href=\"")?;
    Some(address.trim_end_matches('"').replace("&#38;", "&").replace("&amp;", "&"))
}

async fn events_are_paged_and_filtered(database: Database) {
    let (server, browser) = begin(&database).await;
    assert!(browser.get("/events").await.html.contains("hx-sse:connect"), "an empty log is live too");
    send_users(&server, 119).await;
    let page = async |path: &str| {
        let seen = browser.get(path).await;
        assert_eq!(seen.status, 200, "{path}: {}", seen.html);
        seen.html
    };
    let first = page("/events").await;
    assert_eq!(ids(&first), (71..=120).rev().collect::<Vec<_>>());
    assert!(first.contains("/events/live?after=120") && first.contains("/records/user:moodle:119"));
    let second = page(&link(&first, "Older").unwrap()).await;
    assert_eq!(ids(&second), (21..=70).rev().collect::<Vec<_>>());
    assert!(!second.contains("hx-sse:connect"), "only the newest page is live");
    let third = page(&link(&second, "Older").unwrap()).await;
    assert_eq!((ids(&third).len(), link(&third, "Older")), (20, None));
    assert_eq!(ids(&page(&link(&third, "← Newer").unwrap()).await), ids(&second));
    for (filter, expected) in [
        ("type=course_created", vec![120]),
        ("user=moodle%3A5", vec![5]),
        ("user=moodle%3A5&type=user_updated", vec![]),
        ("site=moodle&outcome=applied&from=2", vec![2, 1]),
        ("outcome=superseded&site=&type=&user=", vec![]),
        ("until=2020-01-01T00%3A00", vec![]),
        ("until=2999-01-01T00%3A00&type=course_created", vec![120]),
    ] {
        assert_eq!(ids(&page(&format!("/events?{filter}")).await), expected, "{filter}");
    }
    for wrong in ["site=nowhere", "site=%00", "type=x", "outcome=rejected", "user=5", "before=x", "until=soon"] {
        let seen = browser.get(&format!("/events?{wrong}")).await;
        assert_eq!(seen.status, 400, "{wrong}");
    }
    assert!(page("/events?live=off").await.contains("Go live"));
    server.stop().await;
}

async fn what_was_received_is_shown(database: Database) {
    let (server, browser) = begin(&database).await;
    let mut ann = user(3, "ann");
    ann["city"] = json!("<script>alert(1)</script>");
    server.site().send_batch(&[at(1, "user_created", ann)]).await;
    let seen = browser.get("/events/1").await;
    assert_eq!(seen.status, 200);
    assert!(seen.html.contains("It changed the record.") && seen.html.contains("/people/moodle:3"));
    assert!(seen.html.contains("&#60;script&#62;") && !seen.html.contains("<script>alert"), "{}", seen.html);
    assert_eq!(browser.get("/events/99").await.status, 404);
    assert_eq!(Browser::new(&server).get("/events/1").await.status, 303);
    server.stop().await;
}

async fn an_export_has_all_rows(database: Database) {
    let (server, browser) = begin(&database).await;
    for _ in 0..2 {
        send_users(&server, 600).await;
    }
    let seen = browser.get("/events.csv?type=user_created").await;
    assert_eq!((seen.status, seen.header("content-type")), (200, Some("text/csv; charset=utf-8")));
    assert!(seen.header("content-disposition").unwrap().starts_with("attachment; filename=\"events-"));
    let lines: Vec<&str> = seen.html.lines().collect();
    assert!(lines[0].starts_with("id,received_at,site,type,kind,record,user,outcome,"));
    assert_eq!(lines.len(), 1201);
    let users =
        seen.html.lines().filter(|line| line.contains(",moodle,user_created,user,moodle:600,moodle:600,")).count();
    assert_eq!(users, 2);
    assert_eq!(browser.get("/events.csv?from=10").await.html.lines().count(), 11);
    assert_eq!(Browser::new(&server).get("/events.csv").await.status, 303);
    server.stop().await;
}

/// A live page's stream.
struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    async fn open(server: &Server, browser: &Browser, path: &str) -> Self {
        let request = http_client().get(format!("http://{}{path}", server.address));
        let request = request.header("cookie", browser.cookie.as_ref().unwrap()).header("hx-request", "true");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// Reads until the stream contains this.
    async fn wait_for(&mut self, text: &str) {
        while !self.text.contains(text) {
            let chunk = self.response.chunk().await.unwrap().expect("the stream goes on");
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Reads to the end.
    async fn end(mut self) -> String {
        while let Some(chunk) = self.response.chunk().await.unwrap() {
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        self.text
    }
}

async fn new_events_arrive_by_themselves(database: Database) {
    let (server, browser) = begin(&database).await;
    send_users(&server, 2).await;
    let mut all = Stream::open(&server, &browser, "/events/live?after=3").await;
    let mut courses = Stream::open(&server, &browser, "/events/live?after=3&type=course_created").await;
    // A client that was disconnected catches up.
    let mut late = Stream::open(&server, &browser, "/events/live?after=1").await;
    late.wait_for("<a href=\"/events/2\">").await;
    assert!(late.text.contains("id: 3\n") && !late.text.contains("<a href=\"/events/1\">"), "{}", late.text);
    send_users(&server, 2).await;
    all.wait_for("<a href=\"/events/6\">").await;
    courses.wait_for("<a href=\"/events/6\">").await;
    assert_eq!(ids(&all.text), [6, 5, 4]);
    assert_eq!(ids(&courses.text), [6]);
    late.wait_for("<a href=\"/events/6\">").await;
    assert_eq!(ids(&late.text), [3, 2, 6, 5, 4]);
    server.stop().await;
}

async fn a_live_page_ends_with_its_session(database: Database) {
    let (server, browser) = begin(&database).await;
    let stream = Stream::open(&server, &browser, "/events/live?after=0").await;
    assert_eq!(browser.post("/sign-out", &[]).await.status, 303);
    let sent = stream.end().await;
    assert!(sent.ends_with("event: ended\ndata: session\n\n"), "{sent}");
    server.stop().await;
}

async fn open_live_pages_do_not_delay_the_stop(database: Database) {
    let mut server = Server::start_with(&database, &[("BACKEND_SYNC_SHUTDOWN__GRACE_SECONDS", "60")]).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let mut streams = Vec::new();
    for path in ["/events/live?after=0", "/attempts/live?after=0"] {
        streams.push(Stream::open(&server, &browser, path).await);
    }
    server.terminate();
    let status = server.wait(SOON).await.expect("it ends within the grace time");
    assert!(status.success(), "{}", server.log());
    for stream in streams {
        assert_eq!(stream.end().await, "");
    }
}

async fn attempts_are_shown_with_what_zoho_answered(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = crate::delivery::start(&database, &zoho).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    refuse_bad_users(&zoho).await;
    server.site().send_batch(&[at(1, "user_created", user(1, "ann")), a_bad_user(2)]).await;
    let html = crate::delivery::until("two attempts", async || {
        let html = browser.get("/attempts").await.html;
        (html.matches("<td data-label=\"Outcome\">").count() == 2).then_some(html)
    })
    .await;
    assert!(html.contains(">inserted<") && html.contains(">failed<") && html.contains("INVALID_DATA"), "{html}");
    let failed = browser.get("/attempts?outcome=failed&kind=user&site=moodle&code=INVALID_DATA").await.html;
    assert!(failed.contains("/records/user:moodle:2") && !failed.contains("/records/user:moodle:1"));
    assert!(!browser.get("/attempts?code=OTHER").await.html.contains("/records/user:"));
    assert_eq!(browser.get("/attempts?outcome=lucky").await.status, 400);
    let export = browser.get("/attempts.csv?outcome=failed").await.html;
    assert_eq!(export.lines().count(), 2, "{export}");
    assert!(export.contains(",zoho,user,moodle:2,failed,INVALID_DATA,"), "{export}");
    let stream = browser.get("/attempts").await.html;
    assert!(stream.contains("/attempts/live?after="));
    server.stop().await;
}
