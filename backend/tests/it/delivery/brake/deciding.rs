//! Decisions by the API and in the console.

use backend_sync::zoho::mapping::Mapping;
use serde_json::json;

use super::{delete, marked, with_people};
use crate::{
    delivery::{rest, start_by},
    support::{
        Database, ZohoSimulator,
        browser::Browser,
        server::{run, run_json},
    },
};

on_both_databases!(decisions_are_checked, the_page_shows_what_waits_and_decides);

async fn decisions_are_checked(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start_by(&database, &zoho, Mapping::DEFAULT).await;
    let operator = server.reader();
    for (body, field) in [
        (json!({}), "/site"),
        (json!({"site": "nowhere"}), "/site"),
        (json!({"site": "moodle", "effect": "explosion"}), "/effect"),
        (json!({"site": "moodle", "record": "user:other:3"}), "/record"),
        (json!({"site": "moodle", "number": 0}), "/number"),
        (json!({"site": "moodle", "until": "2027-01-01T00:00:00Z"}), "/number"),
        (json!({"site": "moodle", "number": 5, "until": "2020-01-01T00:00:00Z"}), "/until"),
        (json!({"site": "moodle", "number": 5, "until": "2999-01-01T00:00:00Z"}), "/until"),
    ] {
        let answer = operator.post("/api/v1/brake/approve", body.to_string()).await;
        assert_eq!((answer.status, answer.errors()[0].0.as_str()), (422, field), "{body}: {}", answer.text);
    }
    let looker = run_json(&database, &["token", "add", "looker", "--scope", "read", "--json"]);
    let looker = server.reader_with(looker["token"].as_str().unwrap());
    for path in ["approve", "refuse", "withdraw"] {
        let answer = looker.post(&format!("/api/v1/brake/{path}"), json!({"site": "moodle"}).to_string()).await;
        assert_eq!(answer.status, 403, "{path}");
    }
    assert_eq!(looker.get("/api/v1/brake").await.status, 403);
    assert_eq!(operator.read("/api/v1/brake?site=moodle").await["minimum"], 50);
    for wrong in [&["--number", "5", "--until", "soon"][..], &["--for", "3"]] {
        let all: Vec<&str> =
            ["sync", "brake", "approve", "--site", "moodle"].into_iter().chain(wrong.iter().copied()).collect();
        assert!(!run(&database, &all).status.success(), "{wrong:?}");
    }
    server.stop().await;
}

async fn the_page_shows_what_waits_and_decides(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = with_people(&database, &zoho, "2", 1..31).await;
    delete(&server, &database, 1..31).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let page = browser.get("/brake").await.html;
    assert!(page.contains("28 deletions of people wait for a decision") && page.contains("and 8 more"), "{page}");
    assert!(page.contains("action=\"/brake/approve\"") && page.contains("/records/user:moodle:"), "{page}");
    let attention = browser.get("/attention").await.html;
    assert!(attention.contains("Unusually many people were deleted in Moodle"), "{attention}");
    let looker = run_json(&database, &["token", "add", "looker", "--scope", "read", "--json"]);
    let looker = Browser::signed_in(&server, looker["token"].as_str().unwrap()).await;
    assert!(!looker.get("/brake").await.html.contains("action=\"/brake/"));
    let of = |number: &'static str| [("site", "moodle"), ("effect", "deletion"), ("number", number)];
    let refused = browser.post("/brake/refuse", &of("1")).await;
    assert_eq!((refused.status, refused.header("location")), (303, Some("/brake?done=refused-1")));
    rest(&database).await;
    let page = browser.get("/brake?done=refused-1").await.html;
    assert!(page.contains("Refused: 1 that waited.") && page.contains("Exceptions: Deletions of people"), "{page}");
    let taken_back = browser.post("/brake/withdraw", &[("site", "moodle"), ("effect", "deletion")]).await;
    assert_eq!(taken_back.header("location"), Some("/brake?done=withdrawn-1"));
    rest(&database).await;
    let approved = browser.post("/brake/approve", &of("28")).await;
    assert_eq!(approved.header("location"), Some("/brake?done=approved-28-0"));
    rest(&database).await;
    assert_eq!(marked(&zoho).await, 30);
    let mut ahead = of("40").to_vec();
    ahead.push(("hours", "24"));
    assert_eq!(browser.post("/brake/approve", &ahead).await.header("location"), Some("/brake?done=approved-0-40"));
    assert!(browser.get("/brake").await.html.contains("approved 40 more deletions of people of moodle"));
    for wrong in [[("site", "nowhere"), ("effect", "deletion")], [("site", "moodle"), ("effect", "all")]] {
        assert_eq!(browser.post("/brake/approve", &wrong).await.status, 400);
    }
    server.stop().await;
}
