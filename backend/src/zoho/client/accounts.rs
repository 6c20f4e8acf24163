//! The accounts server: exchanges codes for refresh tokens, and refresh tokens for access tokens.

use std::time::Duration;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::error::CallError;
use crate::{
    clock::Timestamp,
    config,
    http::{Http, HttpAnswer},
};

/// The timeout of a request: well below the length of a process's turn to fetch a token.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// Zoho limits access tokens per ten minutes; after too many, every request within that time fails.
const DENIED: Duration = Duration::from_secs(10 * 60);

/// The assumed life of an access token when Zoho does not state it.
const USUAL_LIFE_SECONDS: u32 = 3_600;

/// What the accounts server grants.
#[derive(Deserialize)]
pub(super) struct Grant {
    pub(super) access_token: String,
    #[serde(default)]
    pub(super) refresh_token: Option<String>,
    #[serde(default)]
    pub(super) api_domain: String,
    #[serde(default = "usual_life")]
    pub(super) expires_in: u32,
}

fn usual_life() -> u32 {
    USUAL_LIFE_SECONDS
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reply {
    Granted(Grant),
    Denied { error: String },
}

/// What a code was exchanged for.
#[derive(Debug)]
pub struct Granted {
    /// Valid until it is revoked.
    pub refresh_token: SecretString,
    /// The base URL of the organisation's API.
    pub api_domain: String,
}

/// Exchanges a code from Zoho's API console. Does not need the refresh token of the configuration.
pub async fn exchange(config: &config::Zoho, http: Http, code: &str, now: Timestamp) -> Result<Granted, CallError> {
    let answer = Accounts::new(config, http).post("authorization_code", ("code", code)).await?;
    let grant = read(&answer, now)?;
    let refresh_token = grant.refresh_token.ok_or_else(|| CallError::Unauthorized {
        reason: "Zoho gave no refresh token for this code; create the code under \"Generate Code\" of a self client"
            .to_owned(),
    })?;
    Ok(Granted { refresh_token: refresh_token.into(), api_domain: grant.api_domain })
}

pub(super) struct Accounts {
    http: Http,
    url: String,
    client_id: String,
    client_secret: SecretString,
    refresh_token: SecretString,
}

impl Accounts {
    pub(super) fn new(config: &config::Zoho, http: Http) -> Self {
        Self {
            http,
            url: format!("{}/oauth/v2/token", config.accounts_url.trim_end_matches('/')),
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
            refresh_token: config.refresh_token.clone(),
        }
    }

    /// Fetches a new access token.
    pub(super) async fn refresh(&self, now: Timestamp) -> Result<Grant, CallError> {
        let answer = self.post("refresh_token", ("refresh_token", self.refresh_token.expose_secret())).await?;
        read(&answer, now)
    }

    async fn post(&self, kind: &str, what: (&str, &str)) -> Result<HttpAnswer, CallError> {
        let form = [
            ("grant_type", kind),
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.expose_secret()),
            what,
        ];
        let request = self.http.request(Method::POST, &self.url).timeout(ANSWER_TIME).form(&form);
        self.http.send(request).await.map_err(|error| {
            CallError::unreachable(format!("Zoho's accounts server {} gave no access token: {error}", self.url))
        })
    }
}

/// Reads an answer. Errors come with any HTTP status, including 200.
fn read(answer: &HttpAnswer, now: Timestamp) -> Result<Grant, CallError> {
    match serde_json::from_slice(&answer.body) {
        Ok(Reply::Granted(grant)) => Ok(grant),
        Ok(Reply::Denied { error }) => Err(denied(&error, now)),
        Err(_) => Err(CallError::unreachable(format!(
            "Zoho's accounts server gave an unexpected answer (HTTP {}); either this is temporary, or zoho.accounts_url is wrong",
            answer.status
        ))),
    }
}

fn denied(error: &str, now: Timestamp) -> CallError {
    let unauthorized = |reason: &str| CallError::Unauthorized { reason: reason.to_owned() };
    match error {
        "invalid_code" | "invalid_grant" => unauthorized(
            "Zoho does not accept the refresh token or the code: it was revoked, has expired, or belongs to another data centre. Create a \
             new one with backend-sync zoho connect and put it into zoho.refresh_token",
        ),
        "invalid_client" | "invalid_client_secret" | "unauthorized_client" => unauthorized(
            "Zoho does not know the client: zoho.client_id or zoho.client_secret is wrong, or the client belongs to another data centre \
             than zoho.accounts_url",
        ),
        // Also the answer to creating codes too often.
        "Access Denied" | "access_denied" => CallError::Throttled {
            reason: "Zoho gives no access tokens for ten minutes, because there were too many requests; does another program use the \
                     same refresh token?"
                .to_owned(),
            until: Some(now.after(DENIED)),
        },
        "general_error" | "server_error" | "temporarily_unavailable" => {
            CallError::unreachable("Zoho's accounts server has a temporary problem of its own")
        }
        other => unauthorized(&format!(
            "Zoho's accounts server refuses the credentials ({}); check the section [zoho], or create new ones with backend-sync zoho connect",
            super::refusal::word(other)
        )),
    }
}
