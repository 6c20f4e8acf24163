//! Sites and tokens: added, rotated, revoked, and never shown twice.

use crate::support::{Database, Server, browser::Browser, events::user_event, server::run_json};

on_both_databases!(a_site_is_added_and_its_token_rotated, api_tokens_open_and_close, who_may_only_read_may_not_act);

/// The token that a page shows, once.
fn token(html: &str, prefix: &str) -> String {
    let found: Vec<&str> = html.match_indices(prefix).map(|(at, _)| &html[at..at + prefix.len() + 40]).collect();
    assert_eq!(found.len(), 1, "{html}");
    found[0].to_owned()
}

async fn a_site_is_added_and_its_token_rotated(database: Database) {
    let server = Server::start(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let made = browser.post("/sites", &[("name", "college"), ("wwwroot", "https://moodle.example/")]).await;
    assert_eq!((made.status, made.header("cache-control")), (200, Some("no-store")));
    let first = token(&made.html, "bss_");
    assert_eq!(server.site_with(&first).get("/api/v1/events/moodle/handshake").await.status, 200);
    let page = browser.get("/sites").await.html;
    assert!(page.contains("college") && page.contains("href=\"https://moodle.example\"") && !page.contains("bss_"));
    for (name, wwwroot) in [("college", ""), ("Not a name", ""), ("other", "javascript:alert(1)")] {
        let refused = browser.post("/sites", &[("name", name), ("wwwroot", wwwroot)]).await;
        assert_eq!(refused.status, 400, "{name}: {}", refused.html);
    }
    let second = token(&browser.post("/sites/college/rotate", &[]).await.html, "bss_");
    assert_ne!(first, second);
    for token in [&first, &second] {
        server.site_with(token).send_batch(&[user_event(1, "ann")]).await;
    }
    // Numbers 1 and 2 are those of the first start.
    let page = browser.get("/sites").await.html;
    assert!(page.contains("/sites/college/tokens/3/revoke") && page.contains("/sites/college/tokens/4/revoke"));
    assert_eq!(browser.get("/sites/moodle/tokens/3/revoke").await.status, 404, "it belongs to another site");
    assert_eq!(browser.post("/sites/moodle/tokens/3/revoke", &[]).await.status, 404);
    let asked = browser.get("/sites/college/tokens/3/revoke").await;
    assert!(asked.status == 200 && asked.html.contains("Revoke token 3?"));
    assert_eq!(
        server.site_with(&first).get("/api/v1/events/moodle/handshake").await.status,
        200,
        "to ask does nothing"
    );
    let done = browser.post("/sites/college/tokens/3/revoke", &[]).await;
    assert_eq!((done.status, done.header("location")), (303, Some("/sites?done=revoked")));
    assert!(browser.get("/sites?done=revoked").await.html.contains("no longer accepted"));
    assert_eq!(server.site_with(&first).get("/api/v1/events/moodle/handshake").await.status, 401);
    assert_eq!(server.site_with(&second).get("/api/v1/events/moodle/handshake").await.status, 200);
    assert_eq!(browser.post("/sites/nowhere/rotate", &[]).await.status, 404);
    for token in [&first, &second] {
        assert!(!server.log().contains(token.as_str()), "the log contains a token");
    }
    server.stop().await;
}

async fn api_tokens_open_and_close(database: Database) {
    let server = Server::start(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let made = browser.post("/tokens", &[("name", "<b>reports</b>"), ("scope", "read")]).await.html;
    let reader = token(&made, "bsa_");
    assert_eq!(server.reader_with(&reader).get("/api/v1/events").await.status, 200);
    let page = browser.get("/sites").await.html;
    assert!(
        page.contains("&#60;b&#62;reports") && page.contains("you are signed in with it") && !page.contains("bsa_")
    );
    for (name, scope) in [("<b>reports</b>", "read"), ("", "read"), ("a\nb", "read"), ("other", "ingest")] {
        assert_eq!(browser.post("/tokens", &[("name", name), ("scope", scope)]).await.status, 400, "{name} {scope}");
    }
    let asked = browser.get("/tokens/3/revoke").await.html;
    assert!(!asked.contains("signs you out") && !asked.contains("No other API token"), "{asked}");
    assert_eq!(browser.post("/tokens/3/revoke", &[]).await.status, 303);
    assert_eq!(server.reader_with(&reader).get("/api/v1/events").await.status, 401);
    // A site token is not an API token.
    assert_eq!(browser.post("/tokens/1/revoke", &[]).await.status, 404);
    // Revoking one's own token warns first, and ends the session.
    let asked = browser.get("/tokens/2/revoke").await.html;
    assert!(asked.contains("signs you out") && asked.contains("No other API token has the scope"), "{asked}");
    let done = browser.post("/tokens/2/revoke", &[]).await;
    assert_eq!((done.status, done.header("location")), (303, Some("/sign-in")));
    assert_eq!(browser.get("/sites").await.status, 303);
    server.stop().await;
}

async fn who_may_only_read_may_not_act(database: Database) {
    let server = Server::start(&database).await;
    let looker = run_json(&database, &["token", "add", "looker", "--scope", "read", "--json"]);
    let looker = Browser::signed_in(&server, looker["token"].as_str().unwrap()).await;
    let page = looker.get("/sites").await;
    assert!(page.status == 200 && !page.html.contains("<form method=\"post\" action=\"/sites"), "{}", page.html);
    let actions = ["/sites", "/tokens", "/sites/moodle/rotate", "/sites/moodle/tokens/1/revoke", "/tokens/2/revoke"];
    for path in actions.into_iter().chain([
        "/mapping/check",
        "/mapping/try",
        "/adoptions",
        "/records/user:moodle:3/take-over",
        "/brake/approve",
        "/brake/refuse",
        "/brake/withdraw",
        "/parity/decide",
        "/parity/all",
        "/parity/prove",
    ]) {
        let form = [("name", "x"), ("scope", "read"), ("mapping", ""), ("site", "moodle"), ("effect", "deletion")];
        assert_eq!(looker.post(path, &form).await.status, 403, "{path}");
        let operator = Browser::signed_in(&server, server.api_token()).await;
        let foreign = operator.post_from(path, &form, &[("sec-fetch-site", "cross-site")]).await;
        assert_eq!(foreign.status, 403, "{path}");
    }
    assert_eq!(looker.get("/tokens/2/revoke").await.status, 403);
    assert_eq!(database.count("SELECT count(*) FROM tokens").await, 3);
    assert_eq!(database.count("SELECT count(*) FROM tokens WHERE revoked_at IS NOT NULL").await, 0);
    server.stop().await;
}
