//! Metrics for Prometheus, after real traffic and real deliveries.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    delivery::{rest, start, until},
    support::{
        Api, Database, Server, ZohoSimulator,
        api::BATCH,
        events::{at, completion, course, enrolment, grade, user},
        server::{run, run_json},
    },
};

on_both_databases!(
    counts_are_what_was_sent,
    deliveries_are_seen_to_their_end,
    only_readers_see_them,
    paths_and_people_are_no_labels,
    an_unavailable_database_shows_no_stale_numbers,
    activity_is_counted_and_forgotten,
);

/// Samples by name and labels, for example `name{a="b"}`.
struct Samples(BTreeMap<String, f64>);

impl Samples {
    async fn read(server: &Server) -> Self {
        let answer = server.reader().get("/metrics").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let samples = answer.text.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("not a sample: {line}"));
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("not a number: {line}")))
        };
        Self(samples.map(sample).collect())
    }

    fn of(&self, name: &str) -> f64 {
        *self.0.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", self.0))
    }

    /// The sum of all samples of this name whose labels contain `part`.
    fn sum(&self, name: &str, part: &str) -> f64 {
        let samples = self.0.iter().filter(|(key, _)| key.split('{').next() == Some(name) && key.contains(part));
        samples.map(|(_, value)| value).sum()
    }

    fn events(&self, event_type: &str, outcome: &str) -> f64 {
        let labels = format!("{{site=\"moodle\",type=\"{event_type}\",outcome=\"{outcome}\"}}");
        self.0.get(&format!("backend_sync_ingest_events_total{labels}")).copied().unwrap_or_default()
    }
}

/// The records of two people in a course.
fn a_class() -> Vec<Value> {
    vec![
        at(1, "course_created", course(7, "Physics")),
        at(2, "user_created", user(1, "annika")),
        at(3, "user_created", user(2, "benno")),
        at(4, "user_enrolled", enrolment(1, 1, 7)),
        at(5, "user_enrolled", enrolment(2, 2, 7)),
        at(6, "grade_updated", grade(1, 1, 3, 7, "80.00000")),
        at(7, "course_completed", completion(1, 1, 7)),
    ]
}

async fn counts_are_what_was_sent(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let before = Samples::read(&server).await;
    assert_eq!(before.events("unknown", "rejected"), 0.0, "a site's counters begin with 0");

    let class = a_class();
    site.apply(&class).await;
    assert_eq!(site.send_batch(&class[..3]).await, ["duplicate"; 3]);
    let rejected = [
        json!({"id": "x", "type": "user_created", "time": 1, "sequence": 1, "data": {}}),
        json!({"type": "user_eaten"}),
        json!(3),
    ];
    assert_eq!(site.send_batch(&rejected).await, ["rejected"; 3]);
    assert_eq!(site.post_event("user_updated", &user(3, "cem")).await.status, 200);
    assert_eq!(site.post_event("user_updated", &user(3, "cem")).await.status, 200);
    site.post_event("grade_updated", &json!({"gradeid": "x"})).await.problem(422, "validation_failed");
    site.apart().post("/api/v1/events/moodle/user_created", "{").await.problem(400, "malformed_json");
    site.apart().post(BATCH, "[]").await.problem(422, "validation_failed");
    server.site_with("bss_unknown").apart().post(BATCH, "{}").await.problem(401, "unauthorized");

    let after = Samples::read(&server).await;
    for (event_type, outcome, count) in [
        ("user_created", "applied", 2.0),
        ("user_enrolled", "applied", 2.0),
        ("course_created", "applied", 1.0),
        ("user_created", "duplicate", 2.0),
        ("course_created", "duplicate", 1.0),
        ("user_updated", "applied", 1.0),
        ("user_updated", "unchanged", 1.0),
        ("user_created", "rejected", 2.0),
        ("unknown", "rejected", 2.0),
        ("grade_updated", "rejected", 1.0),
    ] {
        assert_eq!(after.events(event_type, outcome), count, "{event_type} {outcome}");
    }
    let of = |part| after.sum("backend_sync_ingest_events_total", part);
    assert_eq!((of("applied"), of("\"duplicate\""), of("\"rejected\""), of("")), (8.0, 3.0, 5.0, 17.0));
    for (code, count) in [("validation_failed", 2.0), ("malformed_json", 1.0), ("unauthorized", 1.0), ("draining", 0.0)]
    {
        let name = format!("backend_sync_ingest_refused_requests_total{{code=\"{code}\"}}");
        assert_eq!(after.of(&name), count, "{code}");
    }
    let committed = after.of("backend_sync_ingest_duration_seconds_count");
    assert_eq!(committed, 4.0, "requests whose events reached the writer");
    assert_eq!(after.of("backend_sync_ingest_transaction_events_sum"), 12.0);
    assert_eq!(after.of("backend_sync_database_write_duration_seconds_count{operation=\"ingest\"}"), 4.0);
    assert_eq!(after.of("backend_sync_queue_jobs"), 0.0);
    assert_eq!(after.of("backend_sync_queue_bytes"), 0.0);
    assert_eq!(after.of("backend_sync_queue_capacity_bytes"), 32_768.0 * 1_024.0);
    assert_eq!(after.of("backend_sync_database_up"), 1.0);
    assert!(after.of("backend_sync_database_size_bytes") > 0.0);
    assert!(after.of("backend_sync_ingest_last_event_timestamp_seconds{site=\"moodle\"}") > 0.0);
    server.stop().await;
}

async fn deliveries_are_seen_to_their_end(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    // Zoho sends the remaining credits once half of them are used.
    zoho.change(json!({"used": 50_001})).await;
    let server = start(&database, &zoho).await;
    server.site().apply(&a_class()).await;
    // A record of an unknown user: it is parked.
    server.site().apply(&[at(8, "user_enrolled", enrolment(9, 99, 7))]).await;
    rest(&database).await;

    let status = run_json(&database, &["sync", "status", "--json"]);
    let items = until("the metrics agree with sync status", async || {
        let samples = Samples::read(&server).await;
        let same = ["pending", "in_flight", "synced", "parked", "failed"].iter().all(|state| {
            let sum = samples.sum("backend_sync_items", &format!("state=\"{state}\""));
            Some(sum) == status["records"][state].as_f64()
        });
        same.then_some(samples)
    })
    .await;
    for kind in status["kinds"].as_array().unwrap() {
        let labels = format!("kind=\"{}\"", kind["kind"].as_str().unwrap());
        assert_eq!(Some(items.sum("backend_sync_items", &labels)), kind["total"].as_f64(), "{labels}");
    }
    let delivered = items.sum("backend_sync_deliveries_total", "outcome=\"delivered\"");
    let attempts = "SELECT count(*) FROM sync_attempts WHERE outcome IN ('inserted', 'updated', 'removed')";
    assert_eq!(delivered, database.count(attempts).await as f64);
    assert_eq!(items.of("backend_sync_delivery_delay_seconds_count{destination=\"zoho\"}"), delivered);
    assert!(items.sum("backend_sync_deliveries_total", "outcome=\"parked\"") >= 1.0);
    assert!(items.of("backend_sync_oldest_change_seconds{destination=\"zoho\",state=\"parked\"}") > 0.0);
    assert_eq!(items.of("backend_sync_oldest_change_seconds{destination=\"zoho\",state=\"pending\"}"), 0.0);
    assert_eq!(items.of("backend_sync_paused{destination=\"zoho\",cause=\"credentials\"}"), 0.0);
    until("the credits are known", async || {
        let credits = "backend_sync_credits_left{destination=\"zoho\"}";
        Samples::read(&server).await.0.get(credits).filter(|credits| **credits > 0.0).copied()
    })
    .await;

    let log = zoho.log().await;
    let calls = log.iter().filter(|call| call["path"].as_str().unwrap().starts_with("/crm/")).count();
    let counted = Samples::read(&server).await;
    let token = counted.of("backend_sync_zoho_calls_total{operation=\"token\",module=\"\",result=\"ok\"}");
    assert_eq!(counted.sum("backend_sync_zoho_calls_total", "") - token, calls as f64);
    assert!(counted.of("backend_sync_zoho_calls_total{operation=\"insert\",module=\"Contacts\",result=\"ok\"}") >= 1.0);
    assert!(counted.of("backend_sync_zoho_call_records_sum{operation=\"insert\"}") >= 5.0);
    server.stop().await;
}

async fn only_readers_see_them(database: Database) {
    let server = Server::start(&database).await;
    server.anonymous().get("/metrics").await.problem(401, "unauthorized");
    server.site().get("/metrics").await.problem(401, "unauthorized");
    server.reader_with("bsa_unknown").get("/metrics").await.problem(401, "unauthorized");
    // A site token is not an API token, even if sent as one.
    server.reader_with(&server.tokens().site).get("/metrics").await.problem(401, "unauthorized");
    let token = run_json(&database, &["token", "add", "prometheus", "--scope", "read", "--json"]);
    let prometheus = server.reader_with(token["token"].as_str().unwrap());
    assert_eq!(prometheus.get("/metrics").await.status, 200);
    let posted = prometheus.apart().post("/metrics", "{}").await;
    posted.problem(405, "method_not_allowed");
    assert_eq!(posted.header("allow"), Some("GET"));

    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let request = prometheus.request(reqwest::Method::GET, "/metrics").header("Accept", accept);
    let open = prometheus.send(request).await;
    assert_eq!(open.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(open.text.ends_with("# EOF\n"), "{}", open.text);
    server.stop().await;
}

async fn paths_and_people_are_no_labels(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server.site().apply(&a_class()).await;
    rest(&database).await;
    let reader = server.reader();
    for path in
        ["/api/v1/users/moodle:1", "/api/v1/users/moodle:4711", "/api/v1/users/moodle:annika", "/annika@example.com"]
    {
        let _ = reader.get(path).await;
    }
    reader.get("/api/v1/users/moodle:1/timeline").await;
    let text = reader.get("/metrics").await.text;
    for personal in ["annika", "benno", "example.com", "4711", "O'Neil", "Physics", "80.0"] {
        // Only labels: a number of bytes may contain anything by chance.
        let names = text.lines().map(|line| line.rsplit_once(' ').map_or(line, |(name, _)| name));
        let found: Vec<_> = names.filter(|name| name.contains(personal)).collect();
        assert!(found.is_empty(), "{personal}: {found:?}");
    }
    let route = |line: &str| Some(line.split_once("route=\"")?.1.split_once('"')?.0.to_owned());
    let routes: BTreeSet<String> = text.lines().filter_map(route).collect();
    let expected =
        ["/api/v1/events/moodle/batch", "/api/v1/users/:param0", "/api/v1/users/:param0/timeline", "unmatched"];
    assert_eq!(routes, expected.map(str::to_owned).into(), "the scrape itself is counted by the next");
    for (status, count) in [(200, 1), (404, 2)] {
        let labels = format!("method=\"GET\",route=\"/api/v1/users/:param0\",status=\"{status}\"");
        let line = format!("backend_sync_http_requests_total{{{labels}}} {count}");
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    server.stop().await;
}

async fn an_unavailable_database_shows_no_stale_numbers(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server.site().apply(&a_class()).await;
    rest(&database).await;
    let shown = async |expected: f64| {
        until("the metrics see whether the database answers", async || {
            let samples = Samples::read(&server).await;
            (samples.of("backend_sync_database_up") == expected).then_some(samples)
        })
        .await
    };
    assert!(shown(1.0).await.sum("backend_sync_items", "") > 0.0);
    // Only the metrics need this table: tokens can still be checked.
    database.execute("ALTER TABLE sync_items RENAME TO away").await;
    let away = shown(0.0).await;
    assert!(!away.0.keys().any(|name| name.starts_with("backend_sync_items")), "{:?}", away.0);
    assert!(away.of("backend_sync_database_errors_total{operation=\"metrics\"}") >= 1.0);
    database.execute("ALTER TABLE away RENAME TO sync_items").await;
    assert!(shown(1.0).await.sum("backend_sync_items", "") > 0.0);
    server.stop().await;
}

async fn activity_is_counted_and_forgotten(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    assert!(run(&database, &["migrate"]).status.success());
    database.execute("INSERT INTO activity VALUES (1, 'site:moodle', 'applied', 5)").await;
    // An hour of two days ago, and the last minute of the hour before.
    let now = backend_sync::clock::Clock::system().now().0;
    let hour = now / 3_600_000 * 60 - 48 * 60;
    for (minute, name, count) in [(-1, "applied", 7), (0, "applied", 1), (58, "applied", 2), (59, "rejected", 3)] {
        let row = format!("({}, 'site:other', '{name}', {count})", hour + minute);
        database.execute(&format!("INSERT INTO activity VALUES {row}")).await;
    }
    let server = start(&database, &zoho).await;
    let site: Api = server.site();
    site.apply(&a_class()).await;
    site.send_batch(&a_class()[..1]).await;
    site.send_batch(&[json!(1), json!(2)]).await;
    rest(&database).await;
    let counted = async |subject: &str, name: &str| {
        let sql = format!(
            "SELECT CAST(COALESCE(sum(count), 0) AS bigint) FROM activity WHERE subject = '{subject}' AND name {name}"
        );
        database.count(&sql).await
    };
    until("counts older than two months are deleted", async || {
        (database.count("SELECT count(*) FROM activity WHERE minute = 1").await == 0).then_some(())
    })
    .await;
    until("the counts of an hour are joined at its last minute", async || {
        let sql = |minute: i64, count: i64| {
            format!(
                "SELECT count(*) FROM activity WHERE subject = 'site:other' AND minute = {} AND count = {count}",
                hour + minute
            )
        };
        (database.count(&sql(58, 3)).await == 1).then_some(())
    })
    .await;
    let all = "SELECT count(*) FROM activity WHERE subject = 'site:other'";
    assert_eq!(database.count(all).await, 3, "each name and each hour has its own");
    // Stopping writes all counts.
    server.stop().await;
    assert_eq!(counted("site:moodle", "= 'applied'").await, 7);
    assert_eq!(counted("site:moodle", "= 'rejected'").await, 2);
    let delivered = counted("destination:zoho", "= 'delivered'").await;
    let attempts = "SELECT count(*) FROM sync_attempts WHERE outcome IN ('inserted', 'updated', 'removed')";
    assert_eq!(delivered, database.count(attempts).await);
    assert_eq!(counted("destination:zoho", "LIKE 'delay%'").await, delivered, "each has one delay");
}
