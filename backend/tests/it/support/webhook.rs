//! A webhook that receives notifications, on its own thread.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU16, Ordering},
};

use poem::{
    Body, IntoResponse, Response, Server,
    http::{HeaderMap, StatusCode},
    listener::TcpAcceptor,
};
use serde_json::Value;

use super::thread::Thread;

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Posted {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

#[derive(Clone, Default)]
struct State {
    posted: Arc<Mutex<Vec<Posted>>>,
    /// The status to answer with; 0 means 200.
    status: Arc<AtomicU16>,
    hangs: Arc<AtomicBool>,
}

/// Dropping it stops it.
pub(crate) struct Webhook {
    pub(crate) port: u16,
    state: State,
    _thread: Thread,
}

impl Webhook {
    pub(crate) fn start() -> Self {
        let state = State::default();
        let serving = state.clone();
        let (thread, port) = Thread::start(async move |listener| {
            let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
            let endpoint = poem::endpoint::make(move |request| take(serving.clone(), request));
            Server::new_with_acceptor(acceptor).run(endpoint).await.unwrap();
        });
        Self { port, state, _thread: thread }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// All requests, including refused ones.
    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.state.posted.lock().unwrap().clone()
    }

    /// Answers with this status from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.state.status.store(status, Ordering::SeqCst);
    }

    /// From now on does not answer at all, or answers again.
    pub(crate) fn hang(&self, hangs: bool) {
        self.state.hangs.store(hangs, Ordering::SeqCst);
    }
}

async fn take(state: State, mut request: poem::Request) -> Response {
    let text = request.take_body().into_string().await.unwrap_or_default();
    let headers = request.headers().clone();
    state.posted.lock().unwrap().push(Posted { headers, text });
    while state.hangs.load(Ordering::SeqCst) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let status = StatusCode::from_u16(state.status.load(Ordering::SeqCst)).unwrap_or(StatusCode::OK);
    status.with_body(Body::empty()).into_response()
}
