//! A wrong clock. The tests change the times in the database, so that they need not wait for a clock to step.

use backend_sync::clock::{Clock, Timestamp};
use serde_json::{Value, json};

use crate::{
    delivery::{self, rest, until},
    support::{
        Database, Server, ZohoSimulator,
        events::{at, course, enrolment, event, grade, user, user_event},
        server::{SITE, run, run_json},
    },
};

on_both_databases!(
    a_batch_that_is_ahead_is_refused_as_a_whole,
    what_the_original_plugin_sends_is_of_now_at_the_latest,
    after_ten_years_nothing_is_deleted_until_a_person_agrees,
    time_does_not_go_back_before_what_was_seen,
    waits_until_2036_end,
    versions_that_lie_ahead_are_repaired,
);

const HOUR: i64 = 3_600;
const YEAR: i64 = 365 * 24 * HOUR;

/// The first second of the year 9999.
const YEAR_9999: i64 = 253_370_764_800;

fn now() -> i64 {
    Clock::system().now().0 / 1_000
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The server's time, from its answers.
async fn time_of(server: &Server) -> i64 {
    server.site().read("/api/v1/events/moodle/handshake").await["time"].as_i64().unwrap()
}

async fn a_batch_that_is_ahead_is_refused_as_a_whole(database: Database) {
    let server = Server::start(&database).await;
    let ahead = |seconds| event("user_created", now() + seconds, 1, user(2, "ahead"));
    let answer = server.site().post_batch(&[user_event(1, "now"), ahead(2 * HOUR)]).await;
    let problem = answer.problem(409, "clock_ahead");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("2 hours ahead") || detail.contains("119 minutes ahead"), "{detail}");
    assert_eq!(detail.matches("Z").count(), 2, "both times: {detail}");
    let endless = server.site().post_batch(&[event("user_created", YEAR_9999, 1, user(2, "ahead"))]).await;
    endless.problem(409, "clock_ahead");
    assert_eq!(database.count("SELECT count(*) FROM events").await, 0);
    // A clock that is slightly ahead is tolerated.
    assert_eq!(server.site().send_batch(&[user_event(1, "now"), ahead(9 * 60)]).await, ["applied", "applied"]);
    // Without a valid token, the answer says nothing about clocks.
    let token = server.site_token().to_owned();
    assert!(run(&database, &["site", "revoke-token", SITE, "1"]).status.success());
    assert_eq!(server.site_with(&token).post_batch(&[ahead(2 * HOUR)]).await.status, 401);
    server.stop().await;
}

async fn what_the_original_plugin_sends_is_of_now_at_the_latest(database: Database) {
    let server = Server::start(&database).await;
    let send = async |name: &str, timemodified: i64| {
        let mut user = user(7, name);
        user["timemodified"] = json!(timemodified.to_string());
        server.site().post_event("user_updated", &user).await.json()["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!(send("wrong", YEAR_9999).await, "applied");
    let version = database.count("SELECT version_time FROM users").await;
    assert!((version - now()).abs() < 60, "{version}");
    assert_eq!(
        server.reader().read("/api/v1/users/moodle:7").await["timemodified"],
        json!(YEAR_9999),
        "kept as it was sent"
    );
    assert_eq!(send("right", now() + 1).await, "applied");
    assert_eq!(send("older", now() - HOUR).await, "superseded");
    assert_eq!(server.reader().read("/api/v1/users/moodle:7").await["username"], "right");
    server.stop().await;
}

/// Changes the database as if the clock had jumped by this much since the time was last agreed.
async fn jump(database: &Database, seconds: i64) {
    let last_seen = (now() - seconds) * 1_000;
    database.execute(&format!("UPDATE counters SET value = {last_seen} WHERE name = 'last_seen'")).await;
}

async fn last_seen(database: &Database) -> i64 {
    let sql = "SELECT coalesce(max(value), 0) FROM counters WHERE name = 'last_seen'";
    database.count(sql).await / 1_000
}

async fn after_ten_years_nothing_is_deleted_until_a_person_agrees(database: Database) {
    let server = Server::start(&database).await;
    let people: Vec<Value> = (1..=150).map(|id| at(id, "user_created", user(id, &format!("person{id}")))).collect();
    server.site().apply(&people).await;
    until("the time is stored", async || (last_seen(&database).await >= now() - 60).then_some(())).await;
    server.site().apply(&[at(200, "user_deleted", json!({"userid": 9}))]).await;
    server.stop().await;
    let server = Server::start(&database).await;
    let requested = "SELECT count(*) FROM erasures WHERE state = 'requested'";
    until("the erasure is requested", async || (database.count(requested).await == 1).then_some(())).await;
    server.stop().await;

    // By the present clock, all events are ten years old, and the erasure is due.
    database.execute(&format!("UPDATE events SET received_at = received_at - {}", 10 * YEAR * 1_000)).await;
    database
        .execute("UPDATE erasures SET due_at = due_at - 10 * requested_at / 20, requested_at = requested_at / 2")
        .await;
    database.execute("DELETE FROM turns").await;
    jump(&database, 10 * YEAR).await;
    let server = Server::start(&database).await;
    // A requested erasure runs meanwhile, which proves that the other one had its turn.
    let answer = server.reader().post("/api/v1/erasures", json!({"site": SITE, "user": 12}).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let verified = "SELECT count(*) FROM erasures WHERE state = 'verified' AND requested_by = 'api'";
    until("it is done", async || (database.count(verified).await == 1).then_some(())).await;
    assert_eq!(database.count(requested).await, 1, "the erasure that only the wrong clock makes due waits");
    assert_eq!(database.count("SELECT count(*) FROM events").await, 151);
    assert_eq!(database.count("SELECT count(*) FROM turns WHERE name = 'retention'").await, 0);
    assert!(last_seen(&database).await < now() - 9 * YEAR, "serving does not make it agreed");
    let clock = run_json(&database, &["clock", "--json"]);
    assert_eq!(clock["agreed"], json!(false), "{clock}");
    let doctor = run(&database, &["doctor"]);
    assert!(!doctor.status.success() && text(&doctor.stdout).contains("not agreed"), "{doctor:?}");
    let alert = until("the alert", async || {
        let alerts = server.reader().list("/api/v1/alerts?state=open").await;
        alerts.into_iter().find(|alert| alert["rule"] == "clock")
    });
    assert_eq!(alert.await["code"], "time_not_agreed");

    // A restart does not help either, although there are new events.
    server.site().apply(&[at(300, "user_created", user(300, "new"))]).await;
    server.stop().await;
    let server = Server::start(&database).await;
    assert_eq!(run_json(&database, &["clock", "--json"])["agreed"], json!(false));
    let refused = run(&database, &["clock", "accept"]);
    assert!(!refused.status.success(), "there is nobody to confirm");
    let accepted = run(&database, &["clock", "accept", "--yes"]);
    assert!(accepted.status.success(), "{accepted:?}");
    until("the erasure is done", async || (database.count(requested).await == 0).then_some(())).await;
    server.stop().await;
    let server = Server::start(&database).await;
    until("the old events are gone", async || (database.count("SELECT count(*) FROM events").await == 1).then_some(()))
        .await;
    server.stop().await;
}

async fn time_does_not_go_back_before_what_was_seen(database: Database) {
    let server = Server::start(&database).await;
    until("the time is stored", async || (last_seen(&database).await >= now() - 60).then_some(())).await;
    assert!(run(&database, &["token", "add", "short", "--scope", "read", "--expires", "1"]).status.success());
    server.stop().await;
    let end = (now() + HOUR) * 1_000;
    database.execute(&format!("UPDATE tokens SET expires_at = {end} WHERE name = 'short'")).await;
    jump(&database, -2 * HOUR).await;
    let server = Server::start(&database).await;
    let time = time_of(&server).await;
    assert!((time - now() - 2 * HOUR).abs() < 60, "{time}");
    let listed = run_json(&database, &["token", "list", "--json"]);
    let short = listed.as_array().unwrap().iter().find(|token| token["name"] == "short").unwrap();
    assert_eq!(Timestamp::from_rfc3339(short["expires_at"].as_str().unwrap()).unwrap().0, end);
    let shown = text(&run(&database, &["token", "list"]).stdout);
    assert!(shown.contains("expired"), "the command line uses the same time: {shown}");
    // Followers of the feed find new changes from their cursor.
    let since = Timestamp((time - 5) * 1_000).to_rfc3339();
    server.site().apply(&[user_event(1, "a")]).await;
    assert_eq!(server.reader().list(&format!("/api/v1/users?changed_since={since}")).await.len(), 1);
    assert_eq!(run_json(&database, &["clock", "--json"])["agreed"], json!(false));
    assert!(run(&database, &["clock", "accept", "--yes"]).status.success());
    until("the server follows", async || ((time_of(&server).await - now()).abs() < 60).then_some(())).await;
    assert_eq!(run_json(&database, &["clock", "--json"])["agreed"], json!(true));
    server.stop().await;
}

async fn waits_until_2036_end(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = delivery::start(&database, &zoho).await;
    server.site().apply(&[user_event(1, "ann"), at(2, "course_created", course(5, "c"))]).await;
    rest(&database).await;
    server.stop().await;
    let decade = (now() + 10 * YEAR) * 1_000;
    for sql in [
        "UPDATE turns SET until_at = {decade}",
        "UPDATE alert_turns SET due_at = {decade}, lease_until = {decade}, holder = 'nobody'",
        "UPDATE sync_items SET state = 'pending', digest = NULL, due_at = {decade}, changed_at = {decade}, synced_at = {decade} \
         WHERE kind = 'user'",
        "UPDATE sync_items SET state = 'in_flight', lease = 'x', lease_until = {decade}, synced_at = {decade} WHERE kind = 'course'",
        "UPDATE destinations SET pause = 'configuration', pause_reason = 'x', paused_at = {decade}, check_at = {decade}, \
         refresh_lease_until = {decade}, access_expires_at = {decade}",
        "INSERT INTO erasures (site_id, moodle_id, state, policy, requested_by, requested_at, due_at, erased, checks) \
         VALUES (1, 99, 'requested', 'keep', 'moodle', {decade}, {decade} + 1000, '{\"rows\":{},\"remote\":[]}', '[]')",
        "INSERT INTO turns (name, until_at) SELECT n, {decade} FROM (SELECT 'erasures' AS n UNION SELECT 'retention') t WHERE n NOT IN \
         (SELECT name FROM turns)",
    ] {
        database.execute(&sql.replace("{decade}", &decade.to_string())).await;
    }
    let doctor = text(&run(&database, &["doctor"]).stdout);
    for place in [
        "turns.until_at",
        "sync_items.due_at",
        "sync_items.synced_at",
        "destinations.check_at",
        "erasures.requested_at",
    ] {
        assert!(doctor.contains(place), "{place}: {doctor}");
    }
    let server = delivery::start(&database, &zoho).await;
    rest(&database).await;
    assert_eq!(database.count("SELECT count(*) FROM destinations WHERE pause IS NOT NULL").await, 0);
    let evaluated = format!("SELECT count(*) FROM alert_turns WHERE due_at < {decade} AND lease_until IS NULL");
    until("alerts are evaluated", async || (database.count(&evaluated).await == 1).then_some(())).await;
    until("erasures have their turn", async || {
        (database.count("SELECT count(*) FROM erasures WHERE state = 'verified'").await == 1).then_some(())
    })
    .await;
    // What was delivered in 2036 is delivered again when it changes.
    database.execute(&format!("UPDATE sync_items SET synced_at = {decade}")).await;
    server.site().apply(&[at(10, "user_updated", user(1, "bea"))]).await;
    rest(&database).await;
    server.stop().await;
    assert!(run(&database, &["clock", "repair"]).status.success());
    let doctor = text(&run(&database, &["doctor"]).stdout);
    assert!(doctor.contains("none lies in the future") && !doctor.contains("clock repair"), "{doctor}");
}

async fn versions_that_lie_ahead_are_repaired(database: Database) {
    let server = Server::start(&database).await;
    assert!(run(&database, &["site", "add", "other"]).status.success());
    let state = |version: i64, name: &str, finalgrade: &str| {
        let mut graded = grade(4, 1, 3, 5, finalgrade);
        graded["itemname"] = json!(name);
        [
            at(version, "user_updated", user(1, name)),
            at(version + 1, "course_updated", course(5, name)),
            at(version + 2, "enrolment_updated", enrolment(6, 1, 5)),
            at(version + 3, "grade_updated", graded),
        ]
    };
    server.site().apply(&state(1, "first", "1.00000")).await;
    for table in ["users", "courses", "grades"] {
        database.execute(&format!("UPDATE {table} SET version_time = {YEAR_9999}, presence_time = {YEAR_9999}")).await;
    }
    database.execute(&format!("UPDATE grade_items SET version_time = {YEAR_9999}")).await;
    assert_eq!(
        server.site().send_batch(&state(10, "second", "2.00000")).await,
        ["superseded", "superseded", "unchanged", "superseded"]
    );
    let doctor = run(&database, &["doctor"]);
    let shown = text(&doctor.stdout);
    assert!(
        !doctor.status.success()
            && shown.contains("1 in users of moodle")
            && shown.contains("1 in grade_items of moodle"),
        "{shown}"
    );
    assert!(text(&run(&database, &["site", "repair-versions", "other"]).stdout).contains("No version"));
    let repaired = text(&run(&database, &["site", "repair-versions", SITE]).stdout);
    assert!(repaired.contains("4 in all"), "{repaired}");
    assert_eq!(
        server.site().send_batch(&state(20, "third", "3.00000")).await,
        ["applied", "applied", "unchanged", "applied"]
    );
    let read = server.reader().read("/api/v1/grades/moodle:4").await;
    assert_eq!((&read["finalgrade"], &read["itemname"]), (&json!("3.00000"), &json!("third")), "{read}");
    assert!(text(&run(&database, &["site", "repair-versions", SITE]).stdout).contains("No version"));
    server.stop().await;
}
