//! Tokens: shown once, stored as hashes.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{stderr, stdout};
use crate::support::{
    Database, Server,
    events::user_event,
    server::{SITE, Tokens, run, run_json},
};

on_both_databases!(
    scripts_get_tokens_as_json,
    no_token_is_shown_when_there_are_some,
    only_hashes_are_stored,
    last_use_is_stored,
);
on_both_databases!(empty: the_first_start_shows_both_tokens_once);

fn is_token(value: &Value, prefix: &str) -> bool {
    let hexadecimal = |text: &str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    value.as_str().and_then(|token| token.strip_prefix(prefix)).is_some_and(hexadecimal)
}

async fn scripts_get_tokens_as_json(database: Database) {
    let added = run_json(&database, &["site", "add", "college", "--wwwroot", "https://moodle.example", "--json"]);
    assert_eq!((added.as_object().map(serde_json::Map::len), &added["site"]), (Some(2), &json!("college")));
    assert!(is_token(&added["token"], "bss_"), "{added}");
    let rotated = run_json(&database, &["site", "rotate-token", "college", "--json"]);
    assert_eq!((rotated.as_object().map(serde_json::Map::len), &rotated["site"]), (Some(2), &json!("college")));
    assert!(is_token(&rotated["token"], "bss_") && rotated["token"] != added["token"]);
    for scope in ["read", "operate"] {
        let name = format!("a reader for {scope}");
        let token = run_json(&database, &["token", "add", &name, "--scope", scope, "--json"]);
        assert_eq!(token.as_object().map(serde_json::Map::len), Some(3), "{token}");
        assert_eq!((&token["name"], &token["scope"]), (&json!(name), &json!(scope)));
        assert!(is_token(&token["token"], "bsa_"), "{token}");
    }
    let sites = run_json(&database, &["site", "list", "--json"]);
    assert_eq!((&sites[0]["name"], &sites[0]["wwwroot"]), (&json!("college"), &json!("https://moodle.example")));
    assert_eq!(sites[0]["tokens"].as_array().map(Vec::len), Some(2));
    assert_eq!(run_json(&database, &["token", "list", "--json"]).as_array().map(Vec::len), Some(2));

    for (arguments, code, words) in [
        (&["site", "add", "college"][..], 1, "a site called college already exists"),
        (&["site", "add", "Not A Name"], 2, "a-z, 0-9 and -"),
        (&["site", "rotate-token", "nobody"], 1, "no site called nobody"),
        (&["site", "revoke-token", "college", "99"], 1, "no site token 99"),
        (&["token", "add", "a reader for read", "--scope", "read"], 1, "already"),
        (&["token", "add", "x"], 2, "--scope"),
        (&["token", "add", "x", "--scope", "ingest"], 2, "operate"),
        (&["token", "revoke", "99"], 1, "no API token 99"),
    ] {
        let output = run(&database, arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{arguments:?}");
    }
    // A site cannot revoke another site's token.
    run_json(&database, &["site", "add", "other", "--json"]);
    let id = sites[0]["tokens"][0]["id"].to_string();
    assert_eq!(run(&database, &["site", "revoke-token", "other", &id]).status.code(), Some(1));
    assert_eq!(run(&database, &["token", "revoke", &id]).status.code(), Some(1));
}

async fn the_first_start_shows_both_tokens_once(database: Database) {
    let server = Server::start(&database).await;
    let printed = server.printed();
    assert_eq!(Tokens::find(&printed).as_ref(), Some(server.tokens()));
    assert_eq!((printed.matches("bss_").count(), printed.matches("bsa_").count()), (1, 1));
    assert!(printed.contains(&format!("http://{}", server.address)), "the URL to paste into Moodle: {printed}");
    server.site().apply(&[user_event(1, "a")]).await;
    assert_eq!(server.reader().list("/api/v1/users").await.len(), 1);
    assert_eq!(run_json(&database, &["token", "list", "--json"])[0]["scope"], "operate");
    assert_eq!(run_json(&database, &["site", "list", "--json"])[0]["name"], SITE);
    server.stop().await;

    let server = Server::start(&database).await;
    assert_eq!(server.printed(), "", "the second start shows none");
    assert_eq!(server.reader().list("/api/v1/users").await.len(), 1, "the first ones are still valid");
    assert!(!server.log().contains("bss_") && !server.log().contains("bsa_"));
    server.stop().await;
}

async fn no_token_is_shown_when_there_are_some(database: Database) {
    let site = run_json(&database, &["site", "add", "college", "--json"]);
    let reader = run_json(&database, &["token", "add", "reader", "--scope", "read", "--json"]);
    let text = |value: &Value| value["token"].as_str().unwrap().to_owned();
    let tokens = Tokens { site: text(&site), api: text(&reader) };
    database.tokens.set(tokens).unwrap();
    let server = Server::start(&database).await;
    assert_eq!(server.printed(), "");
    server.site().apply(&[user_event(1, "a")]).await;
    assert_eq!(server.reader().list("/api/v1/users?site=college").await.len(), 1);
    server.stop().await;
}

async fn only_hashes_are_stored(database: Database) {
    let server = Server::start(&database).await;
    let mut tokens = vec![server.tokens().site.clone(), server.tokens().api.clone()];
    server.site().apply(&[user_event(1, "a")]).await;
    for arguments in [&["site", "add", "x", "--json"][..], &["token", "add", "y", "--scope", "read", "--json"]] {
        tokens.push(run_json(&database, arguments)["token"].as_str().unwrap().to_owned());
    }
    let hashes = database.texts("SELECT hash FROM tokens").await;
    for token in &tokens {
        assert!(hashes.contains(&Some(hex::encode(Sha256::digest(token)))), "each hash is stored");
    }
    let everything = if database.is_postgres() {
        let mut everything = String::new();
        for table in database.texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'").await {
            let rows = database.texts(&format!("SELECT row::text FROM {} AS row", table.unwrap())).await;
            everything.extend(rows.into_iter().flatten());
        }
        everything.into_bytes()
    } else {
        let files = ["test.sqlite", "test.sqlite-wal"].map(|name| std::fs::read(database.file(name)).unwrap());
        files.concat()
    };
    let contains = |needle: &str| everything.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(contains(hashes[0].as_deref().unwrap()), "the search covers the whole database");
    for token in &tokens {
        // Neither the token nor its random part.
        assert!(!contains(token) && !contains(&token[4..]), "a token is in the database");
    }
    server.stop().await;
}

async fn last_use_is_stored(database: Database) {
    let server = Server::start(&database).await;
    let last_use = || run_json(&database, &["site", "list", "--json"])[0]["tokens"][0]["last_used_at"].clone();
    assert_eq!(last_use(), Value::Null);
    for userid in 1..=20 {
        server.site().apply(&[user_event(userid, "a")]).await;
    }
    server.reader().list("/api/v1/users").await;
    server.stop().await;
    // Not with each request, but when the server stops at the latest.
    let used = last_use();
    assert!(used.as_str().is_some_and(|time| time.ends_with('Z')), "{used}");
    let tokens = run_json(&database, &["token", "list", "--json"]);
    assert!(tokens[0]["last_used_at"].is_string(), "{tokens}");
}
