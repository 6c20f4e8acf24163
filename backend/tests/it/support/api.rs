//! An HTTP client for the server.

use std::{net::SocketAddr, sync::Once};

use reqwest::{Body, Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};

use super::wait::PATIENCE;

pub(crate) const BATCH: &str = "/api/v1/events/moodle/batch";

#[derive(Clone)]
pub(super) enum Credential {
    None,
    Site(String),
    Bearer(String),
}

/// The API with some credentials.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    address: SocketAddr,
    credential: Credential,
}

/// The server's answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

#[expect(clippy::disallowed_methods, reason = "the one HTTP client of the tests")]
pub(crate) fn http_client() -> reqwest::Client {
    static CRYPTOGRAPHY: Once = Once::new();
    // The product enables TLS in reqwest, so this client must configure it too, without ever using it.
    CRYPTOGRAPHY.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
    reqwest::Client::builder().tls_certs_only([]).no_proxy().timeout(PATIENCE).build().unwrap()
}

impl Api {
    pub(super) fn new(http: reqwest::Client, address: SocketAddr, credential: Credential) -> Self {
        Self { http, address, credential }
    }

    /// The same with its own connections, for requests after which the server may close them.
    pub(crate) fn apart(&self) -> Self {
        Self { http: http_client(), ..self.clone() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("http://{}{path}", self.address));
        match &self.credential {
            Credential::None => request,
            Credential::Site(token) => request.header("X-Moodle-Token", token),
            Credential::Bearer(token) => request.bearer_auth(token),
        }
    }

    pub(crate) async fn try_send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// The JSON of a page, which must exist.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// All items of a list, page by page.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let join = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.read(&format!("{path}{cursor}")).await;
            items.extend(page["items"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("{join}cursor={next}"),
                None => return items,
            }
        }
    }

    /// The value of a metric without labels.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let metrics = self.get("/metrics").await.text;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
    }

    pub(crate) fn post_request(&self, path: &str, body: impl Into<Body>) -> RequestBuilder {
        self.request(Method::POST, path).header("Content-Type", "application/json").body(body)
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(self.post_request(path, body)).await
    }

    /// Sends one event as the original plugin does: no id, one path per type.
    pub(crate) async fn post_event(&self, event_type: &str, data: &Value) -> Answer {
        self.post(&format!("/api/v1/events/moodle/{event_type}"), data.to_string()).await
    }

    pub(crate) async fn post_batch(&self, events: &[Value]) -> Answer {
        self.post(BATCH, json!({ "events": events }).to_string()).await
    }

    /// Sends a batch that must be accepted; returns its outcomes.
    pub(crate) async fn send_batch(&self, events: &[Value]) -> Vec<String> {
        let answer = self.post_batch(events).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.outcomes()
    }

    /// Sends a batch whose events must all be applied.
    pub(crate) async fn apply(&self, events: &[Value]) {
        let outcomes = self.send_batch(events).await;
        assert!(outcomes.iter().all(|outcome| outcome == "applied"), "{outcomes:?}");
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The `outcome` of each of `outcomes`.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let outcomes = self.json()["outcomes"].as_array().unwrap().clone();
        outcomes.iter().map(|outcome| outcome["outcome"].as_str().unwrap().to_owned()).collect()
    }

    /// Fails unless the answer is a complete problem document with this status and code; returns it.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["type"], format!("urn:backend-sync:problem:{code}"), "{problem}");
        for word in ["title", "detail"] {
            assert!(problem[word].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        assert_eq!(
            self.header("retry-after").is_some(),
            status == 503,
            "Retry-After belongs to 503: {:?}",
            self.headers
        );
        assert_eq!(self.header("www-authenticate").is_some(), status == 401, "WWW-Authenticate belongs to 401");
        problem
    }

    /// The `errors` of a problem document: pointer and message.
    pub(crate) fn errors(&self) -> Vec<(String, String)> {
        errors(&self.json())
    }
}

/// The `errors` of a problem document or an outcome: pointer and message.
pub(crate) fn errors(document: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let error = |error: &Value| {
        assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{error}");
        let place = if error["pointer"].is_null() { &error["parameter"] } else { &error["pointer"] };
        (text(place), text(&error["code"]))
    };
    document["errors"].as_array().map(|errors| errors.iter().map(error).collect()).unwrap_or_default()
}
