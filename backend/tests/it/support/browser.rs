//! Requests to the console as a browser sends them, without a browser.

use std::net::SocketAddr;

use reqwest::{Client, RequestBuilder, Response, header::HeaderMap, redirect::Policy};

use super::{Server, wait::PATIENCE};

/// Keeps one cookie, follows no redirects, and sends its origin as browsers do.
pub(crate) struct Browser {
    http: Client,
    address: SocketAddr,
    pub(crate) cookie: Option<String>,
}

/// A complete answer.
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl Browser {
    #[expect(clippy::disallowed_methods, reason = "a client that follows no redirects, for tests")]
    pub(crate) fn new(server: &Server) -> Self {
        let http = Client::builder().redirect(Policy::none()).timeout(PATIENCE).build().unwrap();
        Self { http, address: server.address, cookie: None }
    }

    /// A browser whose user has signed in with this token.
    pub(crate) async fn signed_in(server: &Server, token: &str) -> Self {
        let mut browser = Self::new(server);
        let answer = browser.sign_in(token).await;
        assert_eq!(answer.status, 303, "{}", answer.html);
        browser
    }

    pub(crate) async fn sign_in(&mut self, token: &str) -> Seen {
        let answer = self.post("/sign-in", &[("token", token)]).await;
        if let Some(cookie) = answer.header("set-cookie") {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Seen {
        let request = self.http.get(format!("http://{}{path}", self.address));
        self.send(request.header("sec-fetch-site", "same-origin")).await
    }

    /// Submits a form of the console.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Seen {
        self.post_from(path, form, &[("sec-fetch-site", "same-origin")]).await
    }

    /// Submits a form from the origin that these headers state.
    pub(crate) async fn post_from(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Seen {
        let mut request = self.http.post(format!("http://{}{path}", self.address)).form(form);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    async fn send(&self, mut request: RequestBuilder) -> Seen {
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        Seen::read(request.header("accept", "text/html").send().await.unwrap()).await
    }
}

impl Seen {
    async fn read(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, html: response.text().await.unwrap() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
