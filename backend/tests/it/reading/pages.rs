//! Pages: a stable order without gaps or repetitions, even during writes.

use serde_json::{Value, json};

use crate::support::{
    Api, Database, Server,
    events::{at, completion, course, enrolment, grade, user, user_event},
    server::run_json,
};

on_both_databases!(pages_have_neither_gaps_nor_repetitions, pages_stay_whole_while_others_write);

fn events(offset: i64) -> Vec<Value> {
    (1..=7)
        .flat_map(|number| {
            // Ids whose order as text differs from their order as numbers.
            let id = offset + number * number * number;
            [
                at(1, "user_created", user(id, "u")),
                at(1, "course_created", course(id, "c")),
                at(1, "user_enrolled", enrolment(id, id, id)),
                at(1, "grade_updated", grade(id, id, id, id, "1.00000")),
                at(1, "course_completed", completion(id, id, id)),
            ]
        })
        .collect()
}

async fn pages(reader: &Api, path: &str, limit: usize) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = reader.read(&format!("{path}?limit={limit}{cursor}")).await;
        let found = page["items"].as_array().unwrap();
        items.extend(found.clone());
        match page["next_cursor"].as_str() {
            None => return items,
            Some(next) => {
                assert_eq!(found.len(), limit, "only the last page may be short");
                cursor = format!("&cursor={next}");
            }
        }
    }
}

async fn pages_have_neither_gaps_nor_repetitions(database: Database) {
    let server = Server::start(&database).await;
    let other = run_json(&database, &["site", "add", "another", "--json"]);
    // The second site's events first: the order is by site and id, not by arrival.
    server.site_with(other["token"].as_str().unwrap()).apply(&events(0)).await;
    let mut shuffled = events(2);
    shuffled.reverse();
    server.site().apply(&shuffled).await;
    let reader = server.reader();

    let sites = [("moodle", 2), ("another", 0)];
    let expected = sites.iter().flat_map(|(site, offset)| {
        (1..=7).map(move |number: i64| format!("{site}:{}", offset + number * number * number))
    });
    let expected: Vec<String> = expected.collect();
    for kind in ["users", "courses", "enrolments", "grades", "completions"] {
        let path = format!("/api/v1/{kind}");
        let whole = pages(&reader, &path, 500).await;
        let ids: Vec<_> = whole.iter().map(|item| item["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{kind}");
        for limit in [1, 2, 3, 7, 13, 14, 15] {
            assert_eq!(pages(&reader, &path, limit).await, whole, "{kind} by {limit}");
        }
        assert_eq!(reader.list(&path).await, whole, "the default limit");
    }
    let log = pages(&reader, "/api/v1/events", 500).await;
    let ids: Vec<_> = log.iter().map(|event| event["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, (1..=70).collect::<Vec<_>>());
    for limit in [1, 9, 10, 70] {
        assert_eq!(pages(&reader, "/api/v1/events", limit).await, log);
    }
    // The log is in order of arrival and holds the events as sent.
    let sent: Vec<_> = events(0).iter().map(|event| event["data"].clone()).collect();
    assert_eq!(log[..35].iter().map(|event| event["data"].clone()).collect::<Vec<_>>(), sent);
    assert_eq!(reader.read("/api/v1/events/1").await, log[0]);
    server.stop().await;
}

async fn pages_stay_whole_while_others_write(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader) = (server.site(), server.reader());
    let even: Vec<Value> = (1..=100).map(|number| user_event(number * 2, "even")).collect();
    site.apply(&even).await;
    let writer = tokio::spawn(async move {
        for number in 0..100 {
            let odd = user_event(number * 2 + 1, "odd");
            let again = at(number + 2, "user_updated", user(200 - number * 2, "even"));
            site.send_batch(&[odd, again]).await;
        }
    });
    while !writer.is_finished() {
        let items = pages(&reader, "/api/v1/users", 7).await;
        let ids: Vec<i64> = items.iter().map(|item| item["userid"].as_i64().unwrap()).collect();
        assert!(ids.is_sorted_by(|left, right| left < right), "an id came twice or out of order: {ids:?}");
        let even = items.iter().filter(|item| item["username"] == json!("even")).count();
        assert_eq!(even, 100, "records that existed throughout are in every list");
    }
    writer.await.unwrap();
    assert_eq!(pages(&reader, "/api/v1/users", 7).await.len(), 200);
    server.stop().await;
}
