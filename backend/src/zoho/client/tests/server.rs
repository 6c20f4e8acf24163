//! A stub server with scripted answers that records its requests.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use poem::{
    Endpoint, Request, Response, Result, Server,
    http::StatusCode,
    listener::{Acceptor, Listener, TcpListener},
};
use serde_json::{Value, json};

use super::super::Client;
use crate::{
    authorities::Authorities,
    clock::{Clock, Timestamp},
    config,
    http::Http,
    store::Store,
};

pub(in super::super) fn config(url: &str) -> config::Zoho {
    config::Zoho {
        accounts_url: url.to_owned(),
        api_url: None,
        client_id: "id".to_owned(),
        client_secret: "secret".to_owned().into(),
        refresh_token: "refresh".to_owned().into(),
        mapping: None,
        reserve_credits: 100,
        watch_minutes: 0,
        proof_hour: 24,
        authorities: Authorities::default(),
    }
}

/// A scripted answer: status, credits header and body; or no answer at all.
pub(super) enum Reply {
    Body(u16, &'static str, String),
    Silence,
}

pub(super) fn reply(status: u16, body: Value) -> Reply {
    Reply::Body(status, "", body.to_string())
}

#[derive(Clone, Debug)]
pub(super) struct RecordedRequest {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) authorization: String,
    pub(super) body: Vec<u8>,
}

impl RecordedRequest {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Default)]
pub(super) struct ServerState {
    /// Answers of the token server; when empty, it grants a token.
    pub(super) tokens: Mutex<VecDeque<Reply>>,
    pub(super) replies: Mutex<VecDeque<Reply>>,
    pub(super) requests: Mutex<Vec<RecordedRequest>>,
    pub(super) granted: AtomicI64,
    pub(super) now: AtomicI64,
}

/// The stub server; it stops when dropped.
pub(super) struct Stub {
    pub(super) url: String,
    pub(super) state: Arc<ServerState>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Answering(Arc<ServerState>, String);

impl Endpoint for Answering {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let body = request.take_body().into_vec().await.unwrap();
        let url = reqwest::Url::parse(&format!("http://localhost{}", request.uri())).unwrap();
        let request = RecordedRequest {
            method: request.method().to_string(),
            path: url.path().to_owned(),
            query: url.query_pairs().into_owned().collect(),
            authorization: request.header("authorization").unwrap_or_default().to_owned(),
            body,
        };
        let reply = match request.path.as_str() {
            "/oauth/v2/token" => {
                let scripted = self.0.tokens.lock().unwrap().pop_front();
                scripted.unwrap_or_else(|| {
                    let number = self.0.granted.fetch_add(1, Ordering::SeqCst) + 1;
                    let (token, domain) = (format!("token-{number}"), &self.1);
                    reply(200, json!({"access_token": token, "expires_in": 3600, "api_domain": domain, "token_type": "Bearer"}))
                })
            }
            _ => self
                .0
                .replies
                .lock()
                .unwrap()
                .pop_front()
                .unwrap_or_else(|| reply(200, json!({"org": [{"id": "1", "company_name": "College"}]}))),
        };
        self.0.requests.lock().unwrap().push(request);
        match reply {
            Reply::Body(status, credits, body) => {
                let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
                if !credits.is_empty() {
                    response = response.header("X-API-CREDITS-REMAINING", credits);
                }
                Ok(response.body(body))
            }
            Reply::Silence => std::future::pending().await,
        }
    }
}

impl Stub {
    pub(super) async fn start() -> Self {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let url = format!("http://{}", acceptor.local_addr()[0].as_socket_addr().unwrap());
        let state = Arc::new(ServerState::default());
        let endpoint = Answering(Arc::clone(&state), url.clone());
        let task = tokio::spawn(async move {
            Server::new_with_acceptor(acceptor).run(endpoint).await.unwrap();
        });
        Self { url, state, task }
    }

    pub(super) fn clock(&self) -> Clock {
        let state = Arc::clone(&self.state);
        Clock::from_fn(move || Timestamp(state.now.load(Ordering::SeqCst)))
    }

    pub(super) fn client(&self, store: Option<Store>) -> Client {
        let http = Http::with_call_time(Duration::from_secs(2), &Authorities::default()).unwrap();
        Client::new(&config(&self.url), http, store, self.clock(), getrandom::fill)
    }

    pub(super) fn will(&self, reply: Reply) {
        self.state.replies.lock().unwrap().push_back(reply);
    }

    pub(super) fn will_grant(&self, reply: Reply) {
        self.state.tokens.lock().unwrap().push_back(reply);
    }

    pub(super) fn later(&self, milliseconds: i64) {
        self.state.now.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// The requests since the last call, without those to the token server.
    pub(super) fn requests(&self) -> Vec<RecordedRequest> {
        let mut requests = std::mem::take(&mut *self.state.requests.lock().unwrap());
        requests.retain(|request| request.path != "/oauth/v2/token");
        requests
    }

    pub(super) fn granted(&self) -> i64 {
        self.state.granted.load(Ordering::SeqCst)
    }
}
