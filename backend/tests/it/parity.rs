//! Promise 9: whether Moodle and the backend hold the same can be shown, and a restored side is noticed.

use backend_sync::model::{Digest, Id};
use serde_json::{Value, json};

use crate::{
    erasure::{ZELDA, begin, erase},
    support::{
        Database, Server,
        browser::Browser,
        events::{at, enrolment, event, grade, user},
        server::run,
        wait::until,
    },
};

on_both_databases!(
    a_range_is_equal_when_each_state_is,
    the_digest_belongs_to_the_state_that_is_held,
    what_differs_is_named,
    one_question_reads_a_bounded_number_of_rows,
    an_erased_person_is_named_and_leaves_no_digest,
    a_restored_side_is_noticed,
    the_last_comparison_is_shown,
    wrong_questions_are_refused,
    an_audit_recomputes_digests_from_events,
    a_difference_raises_an_alert_and_a_metric,
);

const PARITY: &str = "/api/v1/events/moodle/parity";

fn digest(data: &Value) -> Digest {
    Digest::of(&data.to_string())
}

/// A question about one range, as the plugin makes it from what it sent.
fn range(from: i64, to: i64, records: &[(i64, &Value)], except: &[i64]) -> Value {
    let all = Digest::of_records(records.iter().map(|(id, data)| (Id(*id), digest(data))));
    json!({"from": from, "to": to, "records": records.len(), "digest": all.to_string(), "except": except})
}

async fn ask(server: &Server, kind: &str, ranges: &[Value]) -> Vec<Value> {
    let answer = server.site().post(PARITY, json!({"kind": kind, "ranges": ranges}).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["ranges"].as_array().unwrap().clone()
}

/// Whether the backend holds exactly these records of a kind.
async fn holds(server: &Server, kind: &str, records: &[(i64, &Value)]) -> bool {
    ask(server, kind, &[range(1, i64::MAX, records, &[])]).await[0]["equal"] == true
}

async fn name(server: &Server, kind: &str, records: &[(i64, &Value)], except: &[i64]) -> Value {
    let named: Vec<Value> = records
        .iter()
        .map(|(id, data)| json!({"id": id, "digest": digest(data).to_string(), "userid": data["userid"]}))
        .collect();
    let question = json!({"kind": kind, "from": 1, "to": i64::MAX, "records": named, "except": except});
    let answer = server.site().post(&format!("{PARITY}/records"), question.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn a_range_is_equal_when_each_state_is(database: Database) {
    let server = Server::start(&database).await;
    let (ann, bob, zoe) = (user(3, "ann"), user(4, "bob"), user(9, "zoe"));
    let events =
        [at(1, "user_created", ann.clone()), at(2, "user_created", bob.clone()), at(3, "user_created", zoe.clone())];
    server.site().apply(&events).await;
    let wrong = user(4, "bob2");
    let ranges = [
        range(1, 100, &[(3, &ann), (4, &bob), (9, &zoe)], &[]),
        range(1, 3, &[(3, &ann)], &[]),
        range(4, 8, &[(4, &bob)], &[]),
        range(5, 8, &[], &[]),
        range(1, 100, &[(3, &ann), (9, &zoe)], &[4]),
        range(1, 100, &[(3, &ann), (4, &wrong), (9, &zoe)], &[]),
        range(1, 100, &[(3, &ann), (9, &zoe)], &[]),
        range(1, 100, &[(3, &ann), (4, &bob), (5, &bob), (9, &zoe)], &[]),
    ];
    let answers = ask(&server, "user", &ranges).await;
    let equal: Vec<_> = answers.iter().map(|answer| answer["equal"].as_bool().unwrap()).collect();
    assert_eq!(equal, [true, true, true, true, true, false, false, false]);
    let counts: Vec<_> = answers.iter().map(|answer| answer["records"].as_i64().unwrap()).collect();
    assert_eq!(counts, [3, 1, 1, 0, 2, 3, 3, 3]);
    assert!(holds(&server, "course", &[]).await);
}

async fn the_digest_belongs_to_the_state_that_is_held(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    // The same state in other bytes is unchanged, and has another digest.
    let (first, mut second) = (user(3, "ann"), user(3, "ann"));
    second["userid"] = json!(3);
    site.apply(&[at(1, "user_created", first.clone())]).await;
    assert!(holds(&server, "user", &[(3, &first)]).await);
    assert_eq!(site.send_batch(&[at(5, "user_updated", second.clone())]).await, ["unchanged"]);
    assert!(holds(&server, "user", &[(3, &second)]).await);
    // What is older does nothing, also within one batch with what is newer.
    let newest = user(3, "newest");
    let batch = [at(9, "user_updated", newest.clone()), at(4, "user_updated", user(3, "old"))];
    assert_eq!(site.send_batch(&batch).await, ["applied", "superseded"]);
    assert!(holds(&server, "user", &[(3, &newest)]).await);
    // The original plugin's states are unknown, unless they say the same.
    assert_eq!(site.post_event("user_updated", &newest).await.json()["outcome"], "superseded");
    site.apply(&[at(10, "user_deleted", json!({"userid": 3}))]).await;
    assert!(holds(&server, "user", &[]).await);
    // What comes back after a deletion has the digest of its new state, also within one batch.
    let back = [at(11, "user_updated", newest.clone()), at(12, "user_deleted", json!({"userid": 3}))];
    assert_eq!(site.send_batch(&back).await, ["applied", "applied"]);
    site.apply(&[at(13, "user_updated", second.clone())]).await;
    assert!(holds(&server, "user", &[(3, &second)]).await);
    site.post_event("user_created", &user(8, "legacy")).await;
    assert_eq!(name(&server, "user", &[(3, &second), (8, &user(8, "legacy"))], &[]).await["unknown"], json!([8]));
    // A change of the grade item moves the other grade in the feed and leaves its digest.
    let (one, mut other) = (grade(31, 3, 41, 5, "50"), grade(32, 4, 41, 5, "60"));
    site.apply(&[at(14, "grade_updated", one.clone())]).await;
    other["grademax"] = json!("10.00000");
    site.apply(&[at(15, "grade_updated", other.clone())]).await;
    assert_eq!(database.count("SELECT count(*) AS count FROM changes WHERE kind = 'grade' AND position > 0").await, 2);
    assert!(holds(&server, "grade", &[(31, &one), (32, &other)]).await);
}

async fn what_differs_is_named(database: Database) {
    let server = Server::start(&database).await;
    let (equal, differing) = (enrolment(1, 3, 5), enrolment(2, 4, 5));
    let events = [
        at(1, "user_enrolled", equal.clone()),
        at(2, "user_enrolled", enrolment(2, 4, 6)),
        at(3, "user_enrolled", enrolment(4, 7, 8)),
        at(4, "user_enrolled", enrolment(5, 9, 8)),
        at(5, "enrolment_deleted", json!({"enrollmentid": 5, "userid": 9, "courseid": 8})),
        at(6, "user_enrolled", enrolment(6, 3, 8)),
    ];
    server.site().apply(&events).await;
    let missing = enrolment(3, 3, 5);
    let gone = enrolment(5, 9, 8);
    let named = [(1, &equal), (2, &differing), (3, &missing), (5, &gone)];
    let answer = name(&server, "enrolment", &named, &[6]).await;
    assert_eq!(answer["differing"], json!([2]));
    assert_eq!(answer["missing"], json!([3, 5]));
    assert_eq!(answer["surplus"], json!([{"id": 4, "userid": 7, "courseid": 8, "itemid": null}]));
    assert_eq!((&answer["unknown"], &answer["erased"], &answer["to"]), (&json!([]), &json!([]), &json!(i64::MAX)));
    // Stored before there were digests.
    database.execute("UPDATE changes SET digest = NULL WHERE moodle_id = 1").await;
    assert_eq!(name(&server, "enrolment", &named, &[6]).await["unknown"], json!([1]));
    assert!(!holds(&server, "enrolment", &[(1, &equal)]).await);
}

async fn one_question_reads_a_bounded_number_of_rows(database: Database) {
    let server = Server::start(&database).await;
    server.site().apply(&[at(1, "user_created", user(1, "ann"))]).await;
    // Far more than one question reads.
    let rows = "WITH RECURSIVE n(id) AS (SELECT 2 UNION ALL SELECT id + 1 FROM n WHERE id < 60000) \
                INSERT INTO changes (site_id, kind, moodle_id, position, deleted, changed_at) \
                SELECT 1, 'user', id, id, FALSE, 0 FROM n";
    database.execute(rows).await;
    let part = |from, to| range(from, to, &[], &[]);
    let answers = ask(&server, "user", &[part(1, 30_000), part(30_001, 40_000), part(40_001, 60_000)]).await;
    let counts: Vec<_> = answers.iter().map(|answer| answer["records"].as_i64()).collect();
    assert_eq!(counts, [Some(30_000), Some(10_000)]);
    assert_eq!(ask(&server, "user", &[part(40_001, 60_000)]).await[0]["records"], 20_000);
    assert_eq!(ask(&server, "user", &[part(1, 60_000)]).await, [json!({"equal": false, "records": null})]);
    let answer = name(&server, "user", &[(1, &user(1, "ann"))], &[]).await;
    assert_eq!((&answer["to"], answer["surplus"].as_array().unwrap().len()), (&json!(2_000), 1_999));
}

async fn an_erased_person_is_named_and_leaves_no_digest(database: Database) {
    let (zoho, server) = begin(&database).await;
    let held = "SELECT count(*) AS count FROM changes WHERE digest IS NOT NULL";
    let before = database.count(held).await;
    erase(&database, &zoho).await;
    // The person, three enrolments, three grades and a completion.
    assert_eq!(database.count(held).await, before - 8);
    let zelda = user(ZELDA, "zquillmark");
    let answer = name(&server, "user", &[(ZELDA, &zelda)], &[]).await;
    assert_eq!((&answer["erased"], &answer["missing"]), (&json!([ZELDA]), &json!([])));
    // Also of what came after the erasure, which was not stored.
    let late = enrolment(77, ZELDA, 5);
    assert_eq!(server.site().send_batch(&[at(90, "user_enrolled", late.clone())]).await, ["superseded"]);
    assert_eq!(name(&server, "enrolment", &[(77, &late)], &[]).await["erased"], json!([77]));
}

async fn a_restored_side_is_noticed(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let handshake = "/api/v1/events/moodle/handshake";
    let fresh = site.read(handshake).await;
    assert_eq!((&fresh["newest_event"], &fresh["holds_last_event"]), (&Value::Null, &Value::Null));
    assert!(fresh["capabilities"].as_array().unwrap().contains(&json!("parity")));
    let mut events = [at(1, "user_created", user(1, "ann")), at(2, "user_created", user(2, "bob"))];
    events[0]["id"] = json!("0192f3a1-7c1e-7000-8000-000000000001");
    events[1]["id"] = json!("0192f3a1-7c1f-7000-8000-000000000002");
    site.apply(&events).await;
    let of = |event: &Value, position: i64| {
        format!("{handshake}?last_event={}&last_position={position}", event["id"].as_str().unwrap())
    };
    let known = site.read(&of(&events[1], 2)).await;
    assert_eq!(known["holds_last_event"], true);
    let newest = &known["newest_event"];
    assert_eq!((&newest["client_id"], &newest["id"], &newest["sequence"]), (&events[1]["id"], &json!(2), &json!(2)));
    // An event that this backend never had, at a place that it has given to another one since.
    let lost = event("user_created", 1, 1, json!({}));
    assert_eq!(site.read(&of(&lost, 2)).await["holds_last_event"], false);
    assert_eq!(site.read(&of(&lost, 99)).await["holds_last_event"], false);
    // Retention deletes the oldest events: that says nothing.
    database.execute("DELETE FROM events WHERE id = 1").await;
    assert_eq!(site.read(&of(&events[0], 1)).await["holds_last_event"], Value::Null);
    // But an empty log may be that of a backup.
    database.execute("DELETE FROM events").await;
    assert_eq!(site.read(&of(&events[1], 2)).await["holds_last_event"], false);
    assert_eq!(site.get(&format!("{handshake}?last_event=7")).await.status, 400);
}

async fn the_last_comparison_is_shown(database: Database) {
    let server = Server::start(&database).await;
    let show = || {
        let output = run(&database, &["parity", "show"]);
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (ok, text) = show();
    assert!(ok && text.starts_with("Nothing was compared yet."), "{text}");
    let result = |differing: i64| {
        json!({
            "kind": "user", "moodle_records": 998, "backend_records": 998 - differing, "repaired": 3,
            "digest": "00112233445566778899aabbccddeeff", "differing": differing, "unprovable": 0,
        })
    };
    let path = format!("{PARITY}/result");
    assert_eq!(server.site().post(&path, result(1).to_string()).await.json(), json!({"equal": false}));
    let (ok, text) = show();
    assert!(!ok && text.contains("does not hold what Moodle holds"), "{text}");
    assert_eq!(server.site().post(&path, result(0).to_string()).await.json(), json!({"equal": true}));
    let (ok, text) = show();
    assert!(
        ok && text.contains("3 differed and were repaired") && text.contains("00112233445566778899aabbccddeeff"),
        "{text}"
    );
    let all = server.reader().read("/api/v1/parity").await;
    assert_eq!(
        (&all["sites"][0]["site"], &all["sites"][0]["moodle_records"], &all["sites"][0]["equal"]),
        (&json!("moodle"), &json!(998), &json!(true))
    );
    assert_eq!((all["sites"].as_array().unwrap().len(), &all["destination"]), (1, &Value::Null));
    let output = run(&database, &["parity", "show", "--json"]);
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), all);
    assert_eq!(server.site().get("/api/v1/parity").await.status, 401);
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let page = browser.get("/sites").await.html;
    assert!(
        page.contains("The backend holds what Moodle holds, as of")
            && page.contains("00112233445566778899aabbccddeeff"),
        "{page}"
    );
}

async fn wrong_questions_are_refused(database: Database) {
    let server = Server::start(&database).await;
    let good = range(1, 2, &[], &[]);
    let many: Vec<Value> = vec![good.clone(); 101];
    let mut worse = good.clone();
    worse["digest"] = json!("xyz");
    let mut strange = good.clone();
    strange["size"] = json!(1);
    for (body, pointer) in [
        (json!({"ranges": [good]}), "/kind"),
        (json!({"kind": "group", "ranges": []}), "/kind"),
        (json!({"kind": "user", "ranges": many}), "/ranges"),
        (json!({"kind": "user", "ranges": [worse]}), "/ranges"),
        (json!({"kind": "user", "ranges": [strange]}), "/ranges"),
        (json!({"kind": "user", "ranges": [], "more": 1}), "/more"),
    ] {
        let answer = server.site().post(PARITY, body.to_string()).await;
        assert_eq!((answer.status, answer.errors()[0].0.as_str()), (422, pointer), "{body}");
    }
    assert_eq!(server.reader().post(PARITY, "{}").await.status, 401);
}

async fn an_audit_recomputes_digests_from_events(database: Database) {
    let server = Server::start(&database).await;
    let (ann, bob, zoe) = (user(1, "ann"), user(2, "bob"), user(3, "zoe"));
    let events = [
        at(1, "user_created", user(1, "anne")),
        at(2, "user_created", bob.clone()),
        at(3, "user_created", zoe.clone()),
    ];
    server.site().apply(&events).await;
    server.site().apply(&[at(4, "user_updated", ann.clone()), at(5, "user_created", user(4, "gone"))]).await;
    server.site().apply(&[at(6, "user_deleted", json!({"userid": 4}))]).await;
    let audit = || {
        let output = run(&database, &["parity", "audit", "--json"]);
        (output.status.success(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    assert_eq!(
        audit(),
        (
            true,
            json!({"living": 3, "right": 3, "filled": 0, "wrong": 0, "wrong_records": [], "without_event": 0, "unknown": 0})
        )
    );
    // All were stored before there were digests.
    database.execute("UPDATE changes SET digest = NULL").await;
    let (_, found) = audit();
    assert_eq!((&found["filled"], &found["right"], &found["unknown"]), (&json!(3), &json!(0), &json!(0)), "{found}");
    // One was stored before there were digests, one's event is deleted, one is damaged.
    database.execute("UPDATE changes SET digest = NULL WHERE moodle_id = 1").await;
    database.execute("DELETE FROM events WHERE moodle_id = 2").await;
    assert_eq!(
        audit(),
        (
            true,
            json!({"living": 3, "right": 1, "filled": 1, "wrong": 0, "wrong_records": [], "without_event": 1, "unknown": 0})
        )
    );
    assert!(holds(&server, "user", &[(1, &ann), (2, &bob), (3, &zoe)]).await);
    database
        .execute("UPDATE changes SET digest = (SELECT digest FROM changes WHERE moodle_id = 1) WHERE moodle_id = 3")
        .await;
    let (ok, found) = audit();
    assert_eq!((ok, &found["wrong_records"]), (false, &json!(["user:moodle:3"])));
}

async fn a_difference_raises_an_alert_and_a_metric(database: Database) {
    let server = Server::start_with(&database, &[("BACKEND_SYNC_ALERTS__INTERVAL_SECONDS", "1")]).await;
    let result = |differing: i64| {
        json!({
            "kind": "user", "moodle_records": 9, "backend_records": 9 - differing, "repaired": 0,
            "digest": "00112233445566778899aabbccddeeff", "differing": differing, "unprovable": 0,
        })
    };
    let path = format!("{PARITY}/result");
    assert_eq!(server.site().post(&path, result(2).to_string()).await.status, 200);
    let open = async || {
        let alerts = server.reader().list("/api/v1/alerts").await;
        alerts.into_iter().find(|alert| alert["rule"] == "parity_broken")
    };
    let alert = until("the alert", open).await;
    assert!(
        alert["message"]
            .as_str()
            .unwrap()
            .contains("2 people of site moodle differ between Moodle and the backend, of 9."),
        "{alert}"
    );
    let line = r#"backend_sync_parity_differing{site="moodle",kind="user"} 2"#;
    until("the metric", async || server.reader().get("/metrics").await.text.contains(line).then_some(())).await;
}
