//! Access, cross-site requests, and what the log reveals.

use super::PAGES;
use crate::support::{
    Database, Server,
    browser::Browser,
    server::{run, run_json},
};

on_both_databases!(
    pages_need_a_sign_in,
    only_api_tokens_open_it,
    a_session_cannot_be_fixed_and_ends,
    a_link_signs_in_once,
    other_sites_pages_can_do_nothing,
    no_secret_is_in_the_log,
    every_answer_is_protected,
);

async fn pages_need_a_sign_in(database: Database) {
    let server = Server::start(&database).await;
    for page in PAGES {
        let answer = Browser::new(&server).get(page).await;
        assert_eq!(answer.status, 303, "{page}");
        let sign_in = format!("/sign-in?next={}", page.replace('/', "%2F"));
        let expected = if page == "/" { "/sign-in" } else { &sign_in };
        assert_eq!(answer.header("location"), Some(expected));
        let mut forged = Browser::new(&server);
        forged.cookie = Some(format!("backend_sync_session=bsc_{}", "0".repeat(40)));
        assert_eq!(forged.get(page).await.status, 303, "{page}");
    }
    server.stop().await;
}

async fn only_api_tokens_open_it(database: Database) {
    let server = Server::start(&database).await;
    for token in [server.site_token(), "bsa_0000000000000000000000000000000000000000", "", &"x".repeat(10_000)] {
        let mut browser = Browser::new(&server);
        let answer = browser.sign_in(token).await;
        assert_eq!((answer.status, browser.cookie.is_none()), (401, true));
        assert!(answer.html.contains("unknown") && (token.is_empty() || !answer.html.contains(token)));
    }
    let looker = run_json(&database, &["token", "add", "looker", "--scope", "read", "--json"]);
    let looker = Browser::signed_in(&server, looker["token"].as_str().unwrap()).await;
    let page = looker.get("/").await;
    assert!(page.status == 200 && page.html.contains("looker (read only)"), "{}", page.html);
    // An expired token ends its sessions, and so does a revoked one.
    let end = |at: &str| format!("UPDATE tokens SET expires_at = {at} WHERE id = 3");
    database.execute(&end("1")).await;
    assert_eq!(looker.get("/").await.status, 303);
    database.execute(&end("NULL")).await;
    assert_eq!(looker.get("/").await.status, 200);
    assert!(run(&database, &["token", "revoke", "3"]).status.success());
    assert_eq!(looker.get("/").await.status, 303);
    server.stop().await;
}

/// The link that the first start prints.
async fn a_link_signs_in_once(database: Database) {
    let server = Server::start(&database).await;
    let printed = server.printed();
    let (address, secret) = printed.split_whitespace().find_map(|word| word.split_once('#')).unwrap();
    assert_eq!(address, format!("http://{}/sign-in", server.address));
    let used = printed.replace(secret, "");
    assert!(used.find("Open the console first") < used.find("bsa_"), "the console is named first: {printed}");
    server.reader_with(secret).get("/api/v1/users").await.problem(401, "unauthorized");
    let mut browser = Browser::new(&server);
    assert_eq!(browser.sign_in(secret).await.status, 303);
    assert!(browser.get("/").await.html.contains("first"), "as the holder of the first API token");
    let again = browser.sign_in(secret).await;
    assert_eq!((again.status, again.header("location")), (303, Some("/")), "who is signed in goes on");
    let mut stranger = Browser::new(&server);
    let refused = stranger.sign_in(secret).await;
    assert_eq!((refused.status, stranger.cookie.is_none()), (401, true));
    assert!(refused.html.contains("used already") && !refused.html.contains(secret), "{}", refused.html);
    assert!(!server.log().contains(secret) && !server.log().contains("bsl_"));
    server.stop().await;
}

async fn a_session_cannot_be_fixed_and_ends(database: Database) {
    let server = Server::start(&database).await;
    // An attacker has planted a cookie in the browser before its user signs in.
    let planted = Browser::signed_in(&server, server.api_token()).await.cookie;
    let mut browser = Browser::new(&server);
    browser.cookie.clone_from(&planted);
    let answer = browser.sign_in(server.api_token()).await;
    let set = answer.header("set-cookie").unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"), "{set}");
    assert!(!set.contains("Secure"), "over plain HTTP, browsers would not return it: {set}");
    assert_ne!(browser.cookie, planted);
    assert_eq!(browser.get("/").await.status, 200);
    let mut other = Browser::new(&server);
    other.cookie = planted;
    assert_eq!(other.get("/").await.status, 303, "the planted cookie is useless");
    // Over HTTPS, the cookie is restricted to HTTPS.
    let form = [("token", server.api_token())];
    let headers = [("sec-fetch-site", "same-origin"), ("x-forwarded-proto", "https")];
    let answer = Browser::new(&server).post_from("/sign-in", &form, &headers).await;
    assert!(answer.header("set-cookie").unwrap().contains("Secure"));
    // Signing out also ends the session for copies of the cookie.
    let mut copy = Browser::new(&server);
    copy.cookie.clone_from(&browser.cookie);
    assert_eq!(browser.post("/sign-out", &[]).await.status, 303);
    assert_eq!(copy.get("/").await.status, 303);
    server.stop().await;
}

async fn other_sites_pages_can_do_nothing(database: Database) {
    let server = Server::start(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let own = format!("http://{}", server.address);
    for foreign in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site"), ("origin", &own)],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[],
    ] {
        for path in ["/sign-out", "/sign-in"] {
            let answer = browser.post_from(path, &[("token", server.api_token())], foreign).await;
            assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{path} {foreign:?}");
            assert!(answer.html.contains("nothing was done"));
        }
    }
    assert_eq!(browser.get("/").await.status, 200, "still signed in");
    // A browser too old to send more than the origin.
    assert_eq!(browser.post_from("/sign-out", &[], &[("origin", &own)]).await.status, 303);
    // A sign-in redirects only to pages of the console.
    let form = [("token", server.api_token()), ("next", "//evil.example/")];
    assert_eq!(browser.post("/sign-in", &form).await.header("location"), Some("/"));
    server.stop().await;
}

async fn no_secret_is_in_the_log(database: Database) {
    let server = Server::start_with(&database, &[("BACKEND_SYNC_LOG__LEVEL", "debug")]).await;
    let token = server.api_token().to_owned();
    let mut browser = Browser::signed_in(&server, &token).await;
    browser.get(&format!("/?token={token}")).await;
    browser.get(&format!("/sign-in?next=/{token}")).await;
    browser.get(&format!("/{token}")).await;
    browser.post(&format!("/{token}"), &[("token", &token)]).await;
    browser.sign_in(&format!("{token}x")).await;
    server.reader().get(&format!("/api/v1/users?token={token}")).await;
    server.reader().get(&format!("/api/v1/{token}")).await;
    let site_token = server.site_token().to_owned();
    server.site().get(&format!("/api/v1/events/moodle/handshake?token={site_token}")).await;
    let cookie = browser.cookie.clone().unwrap();
    let secret = cookie.split('=').nth(1).unwrap().to_owned();
    server
        .logged(|message| message["message"].as_str().is_some_and(|text| text.contains("signed in to the console")))
        .await;
    let log = server.log();
    for secret in [&token, &site_token, &secret] {
        assert!(!log.contains(secret.as_str()), "the log contains a secret: {log}");
    }
    server.stop().await;
}

async fn every_answer_is_protected(database: Database) {
    let server = Server::start(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    for path in ["/", "/sign-in", "/assets/console.css", "/assets/no-such", "/no-such-page"] {
        let answer = browser.get(path).await;
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        let keep = if path == "/assets/console.css" { "no-cache" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), Some(keep), "{path}");
    }
    let missing = browser.get("/no-such-page").await;
    assert!(missing.status == 404 && missing.html.contains("no such page"), "{}", missing.html);
    // A program that is not a browser gets the API's errors.
    server.reader().get("/no-such-page").await.problem(404, "not_found");
    let large = "x".repeat(300 * 1024);
    assert_eq!(browser.post("/sign-out", &[("large", &large)]).await.status, 413);
    server.stop().await;
}
