//! The only HTTP client: it sets TLS, timeouts, redirects and the size of answers.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{Certificate, Client, Response, redirect::Policy};

use crate::{authorities::Authorities, secret::hidden};

/// How long connecting may take, TLS included: longer than any usable connection takes.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long a whole call may take. Zoho needs some seconds for 100 records with workflows; well beyond that, no answer
/// will come.
const CALL_TIME: Duration = Duration::from_secs(60);

/// How long an idle connection is kept: balancers close theirs after a minute or more, and a call must not meet a
/// closing one.
const IDLE_TIME: Duration = Duration::from_secs(45);

/// The largest answer, in bytes: more than a hundred records of long texts. Nothing larger is an answer of the API.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Calls other servers. Cheap to clone; all clones share their connections.
#[derive(Clone, Debug)]
pub struct Http(Client);

/// An answer with its whole body.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer. The message omits the URL, whose query may be personal.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HttpError {
    /// The client cannot be created.
    #[error("HTTPS does not work on this machine: {0}")]
    Client(Arc<str>),
    /// There was no connection, so nothing was sent.
    #[error("no connection: {0}")]
    Connect(Arc<str>),
    /// Something was sent; whether it took effect is unknown.
    #[error("{0}")]
    Interrupted(Arc<str>),
    /// The answer is larger than any valid one.
    #[error("the answer is larger than {} MiB", ANSWER_BYTES / (1024 * 1024))]
    TooLarge,
}

impl Http {
    /// A client with the usual timeouts, which trusts these authorities besides the public ones.
    pub fn new(authorities: &Authorities) -> Result<Self, HttpError> {
        Self::with_call_time(CALL_TIME, authorities)
    }

    /// A client whose calls take at most `time`.
    #[expect(clippy::disallowed_methods, reason = "the one place that makes an HTTP client")]
    pub fn with_call_time(time: Duration, authorities: &Authorities) -> Result<Self, HttpError> {
        // The process has one cryptography provider; other code may have installed the same one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let unusable = |error: reqwest::Error| HttpError::Client(reason(&error));
        let own = authorities.pem().map(Certificate::from_pem_bundle).transpose().map_err(unusable)?;
        let client = Client::builder()
            .tls_certs_merge(own.unwrap_or_default())
            .user_agent(concat!("backend-sync/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIME)
            .timeout(time)
            .pool_idle_timeout(IDLE_TIME)
            // Following a redirect would carry records and tokens to a server that no one configured.
            .redirect(Policy::none())
            .build()
            .map_err(unusable)?;
        Ok(Self(client))
    }

    /// Begins a request.
    pub fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        self.0.request(method, url)
    }

    /// Sends it and reads the whole answer, whatever its status.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<HttpAnswer, HttpError> {
        let mut response = request.send().await.map_err(HttpError::from)?;
        let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
        let body = read(response).await?;
        Ok(HttpAnswer { status, headers, body })
    }
}

async fn read(mut response: Response) -> Result<Bytes, HttpError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(HttpError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> Self {
        // A request that could not be built was not sent either.
        if error.is_connect() || error.is_builder() {
            return Self::Connect(reason(&error));
        }
        if error.is_timeout() {
            return Self::Interrupted("no answer in time".into());
        }
        Self::Interrupted(reason(&error))
    }
}

/// The innermost cause: the outer ones repeat that a request failed, and for which URL.
fn reason(error: &reqwest::Error) -> Arc<str> {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match std::ptr::addr_eq(cause, error) {
        true => "the request is invalid".into(),
        false => hidden(cause).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::Method;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::{Authorities, Http, HttpError};

    /// Answers the next connection with these bytes, or keeps it open without an answer.
    async fn serve(answer: Option<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/?email=ann@example.org", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = connection.read(&mut request).await.unwrap();
            match answer {
                Some(answer) => connection.write_all(answer.as_bytes()).await.unwrap(),
                None => std::future::pending().await,
            }
        });
        url
    }

    async fn get(url: &str, time: Duration) -> Result<super::HttpAnswer, HttpError> {
        let http = Http::with_call_time(time, &Authorities::default()).unwrap();
        http.send(http.request(Method::GET, url)).await
    }

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_redirect_is_an_answer() {
        let url =
            serve(Some("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\nhi")).await;
        let answer = get(&url, LONG).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (302, &b"hi"[..]));
    }

    #[tokio::test]
    async fn errors_say_whether_something_was_sent() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let nobody = get(&format!("http://{free}/?email=ann@example.org"), LONG).await.unwrap_err();
        assert!(matches!(nobody, HttpError::Connect(_)), "{nobody}");

        let silent = get(&serve(None).await, Duration::from_millis(50)).await.unwrap_err();
        let short = get(&serve(Some("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi")).await, LONG).await.unwrap_err();
        for error in [&silent, &short] {
            assert!(matches!(error, HttpError::Interrupted(_)), "{error}");
        }
        for error in [nobody, silent, short] {
            assert!(!error.to_string().contains("ann"), "{error}");
        }
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut() {
        let url = serve(Some("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")).await;
        assert_eq!(get(&url, LONG).await.unwrap().body.len(), 3);
        let body =
            Box::leak(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(super::ANSWER_BYTES + 1)).into_boxed_str());
        assert!(matches!(get(&serve(Some(body)).await, LONG).await, Err(HttpError::TooLarge)));
    }
}
