//! The access token: fetched once, shared, replaced.

use futures_util::future::join_all;
use serde_json::json;

use super::server::{Reply, Stub, reply};
use crate::{
    clock::Timestamp,
    store::{NoDatabase, Store},
    zoho::{NAME, client::CallError},
};

const MINUTE: i64 = 60 * 1_000;

fn token_refused() -> Reply {
    reply(401, json!({"code": "INVALID_TOKEN", "details": {}, "message": "invalid oauth token", "status": "error"}))
}

fn error(text: &str) -> Reply {
    reply(200, json!({"error": text}))
}

async fn store(folder: &tempfile::TempDir) -> Store {
    let url = format!("sqlite://{}", folder.path().join("test.sqlite").display());
    let (store, _) = Store::open(&url.parse().unwrap(), NoDatabase::CreateUnlessLost).await.unwrap();
    store.add_destination(NAME, Timestamp(0)).await.unwrap();
    store
}

fn used_tokens(stub: &Stub) -> Vec<String> {
    stub.requests().into_iter().map(|request| request.authorization).collect()
}

#[tokio::test]
async fn one_token_for_all_calls_and_a_new_one_before_it_expires() {
    let stub = Stub::start().await;
    let client = stub.client(None);
    for result in join_all((0..5).map(|_| client.org())).await {
        assert_eq!(result.unwrap().name, "College");
    }
    assert_eq!(used_tokens(&stub), ["Zoho-oauthtoken token-1"; 5]);
    stub.later(54 * MINUTE);
    client.org().await.unwrap();
    assert_eq!(stub.granted(), 1);
    stub.later(2 * MINUTE);
    client.org().await.unwrap();
    assert_eq!((stub.granted(), used_tokens(&stub).last().unwrap().as_str()), (2, "Zoho-oauthtoken token-2"));
}

#[tokio::test]
async fn all_processes_share_it() {
    let (stub, folder) = (Stub::start().await, tempfile::tempdir().unwrap());
    let store = store(&folder).await;
    let clients = [0, 1, 2].map(|_| stub.client(Some(store.clone())));
    for result in join_all(clients.iter().map(|client| client.org())).await {
        result.unwrap();
    }
    assert_eq!(stub.granted(), 1);
    let sealed = store.access_token(NAME).await.unwrap().unwrap();
    assert!(!sealed.sealed.contains("token-1") && !sealed.sealed.contains(&hex::encode("token-1")));

    // Rejected: one process fetches a new one, and the other uses it.
    used_tokens(&stub);
    stub.will(token_refused());
    clients[0].org().await.unwrap();
    stub.will(token_refused());
    clients[1].org().await.unwrap();
    let (old, new) = ("Zoho-oauthtoken token-1", "Zoho-oauthtoken token-2");
    assert_eq!((stub.granted(), used_tokens(&stub)), (2, vec![old.to_owned(), new.into(), old.into(), new.into()]));
}

#[tokio::test]
async fn a_token_encrypted_with_other_credentials_is_replaced() {
    let (stub, folder) = (Stub::start().await, tempfile::tempdir().unwrap());
    let store = store(&folder).await;
    let sealed = crate::store::SealedToken { sealed: "00".repeat(60), expires_at: Timestamp(i64::MAX) };
    store.end_refresh(NAME, Some(&sealed)).await.unwrap();
    stub.client(Some(store.clone())).org().await.unwrap();
    assert_eq!(stub.granted(), 1);
    assert_ne!(store.access_token(NAME).await.unwrap().unwrap(), sealed);
}

#[tokio::test]
async fn a_turn_of_a_dead_process_expires() {
    let (stub, folder) = (Stub::start().await, tempfile::tempdir().unwrap());
    let store = store(&folder).await;
    assert!(store.begin_refresh(NAME, Timestamp(0), Timestamp(MINUTE)).await.unwrap());
    let waiting = tokio::spawn({
        let client = stub.client(Some(store.clone()));
        async move { client.org().await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!((stub.granted(), waiting.is_finished()), (0, false));
    stub.later(MINUTE);
    waiting.await.unwrap().unwrap();
    assert_eq!(stub.granted(), 1);
}

#[tokio::test]
async fn a_rejected_token_is_replaced_once() {
    let stub = Stub::start().await;
    let client = stub.client(None);
    stub.will(token_refused());
    client.org().await.unwrap();
    assert_eq!(used_tokens(&stub), ["Zoho-oauthtoken token-1", "Zoho-oauthtoken token-2"]);
    for _ in 0..2 {
        stub.will(token_refused());
    }
    let error = client.org().await.unwrap_err();
    assert!(matches!(error, CallError::Unauthorized { .. }), "{error}");
    assert_eq!((stub.granted(), stub.requests().len()), (3, 2));
    client.org().await.unwrap();
}

#[tokio::test]
async fn errors_come_with_status_200() {
    let stub = Stub::start().await;
    let client = stub.client(None);
    for code in ["invalid_code", "invalid_client", "invalid_client_secret", "something_new"] {
        stub.will_grant(error(code));
        let error = client.org().await.unwrap_err();
        assert!(matches!(error, CallError::Unauthorized { .. }), "{code}: {error}");
    }
    for reply in [Reply::Body(502, "", "<html>".to_owned()), reply(200, json!([])), error("general_error")] {
        stub.will_grant(reply);
        let error = client.org().await.unwrap_err();
        assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
    }
    assert_eq!(stub.requests().len(), 0, "nothing went to the API");
    client.org().await.unwrap();
}

#[tokio::test]
async fn after_too_many_tokens_ten_minutes_pass() {
    let stub = Stub::start().await;
    let client = stub.client(None);
    stub.will_grant(error("Access Denied"));
    for _ in 0..3 {
        let CallError::Throttled { until, .. } = client.org().await.unwrap_err() else { panic!("not throttled") };
        assert_eq!(until, Some(Timestamp(10 * MINUTE)));
        assert_eq!(stub.granted(), 0);
    }
    assert_eq!(client.limiter().concurrency(), 5, "that says nothing about concurrent calls");
    stub.later(10 * MINUTE);
    client.org().await.unwrap();
}

#[tokio::test]
async fn waiting_calls_share_a_failure() {
    let stub = Stub::start().await;
    let client = stub.client(None);
    stub.will_grant(error("invalid_code"));
    let failed = join_all((0..5).map(|_| client.org())).await.into_iter().filter(Result::is_err).count();
    assert_eq!((failed, stub.granted()), (5, 0));
}

#[tokio::test]
async fn a_server_that_is_not_zohos_gets_no_token() {
    let stub = Stub::start().await;
    let foreign = |domain: &str| {
        reply(200, json!({"access_token": "secret", "expires_in": 3600, "api_domain": domain, "token_type": "Bearer"}))
    };
    for domain in ["http://www.zohoapis.eu", "https://www.zohoapis.eu.evil.example", "http://10.1.2.3:80", "ftp://x"] {
        let client = stub.client(None);
        stub.will_grant(foreign(domain));
        let error = client.org().await.unwrap_err();
        assert_eq!(error.kind(), "configuration", "{domain}: {error}");
        assert!(error.to_string().contains("not Zoho's"), "{error}");
    }
    // The stub is on this machine, as a simulator may be. Were the accounts server elsewhere, it could not name it.
    let client = stub.client(None);
    stub.will_grant(foreign(&format!("{}/", stub.url)));
    client.org().await.unwrap();
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn the_configured_address_wins() {
    let (stub, other) = (Stub::start().await, Stub::start().await);
    let mut config = super::config(&stub.url);
    config.api_url = Some(format!("{}/", other.url));
    let http = crate::http::Http::new(&crate::authorities::Authorities::default()).unwrap();
    let client = crate::zoho::client::Client::new(&config, http, None, stub.clock(), getrandom::fill);
    client.org().await.unwrap();
    assert_eq!((stub.requests().len(), other.requests().len()), (0, 1));
}
