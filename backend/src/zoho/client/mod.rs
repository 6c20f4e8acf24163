//! Zoho CRM's REST API: tokens, calls, answers, credits.
//!
//! - [`Client`]: the calls. Each waits for a permit of the [`Limiter`], gets the access token that all processes share, and returns
//!   one [`RecordAnswer`] per record, or one [`CallError`] for all of them.
//! - `accounts`, `token`, `seal`: fetching, sharing and encrypting the access token.
//! - `answer`, `refusal`: the meaning of Zoho's answers.

mod accounts;
mod answer;
mod calls;
mod centres;
mod changes;
mod coql;
mod creation;
mod error;
mod limiter;
mod pages;
mod refusal;
mod samples;
mod seal;
mod settings;
#[cfg(test)]
mod tests;
mod timeline;
mod token;

use std::{sync::Arc, time::Instant};

use reqwest::{
    Method,
    header::{AUTHORIZATION, IF_MODIFIED_SINCE},
};
use tracing::Instrument;

pub use self::{
    accounts::{Granted, exchange},
    answer::{SCOPES, time},
    calls::{CADENCES, RECORDS},
    centres::{DATA_CENTRES, DataCentre},
    changes::{COLUMNS, DeletedRecord, MODIFIED_BY, MODIFIED_TIME, ROWS_PER_CALL, Wanted},
    coql::{FOUND_PER_CALL, Found},
    creation::{Creation, MODULE_CREDITS, SettingsRefusal},
    error::CallError,
    limiter::Limiter,
    refusal::{Action, Class, Duplicate, RecordAnswer, Refusal},
    samples::Attempt,
    seal::NonceSource,
    settings::{ModuleName, Organisation, Profiles, User},
};
use self::{
    limiter::{CallOutcome, CreditReport},
    token::AccessTokens,
};
pub use crate::delivery::Admission;
use crate::{
    clock::{Clock, ClockSource},
    config,
    http::{Http, HttpAnswer, HttpError},
    metrics::ZohoCalls,
    store::Store,
    telemetry::trace,
};

const FOREIGN_SERVER: &str = "the accounts server named an API server that is not Zoho's, so the access token was not sent there; \
    check zoho.accounts_url, or name the API server in zoho.api_url";

/// Calls Zoho CRM. Cheap to clone; clones share the access token and the limits.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    http: Http,
    api_url: Option<String>,
    accounts_url: String,
    tokens: AccessTokens,
    limiter: Limiter,
    calls: ZohoCalls,
    /// The base URL of Zoho's pages for people, if known.
    pages: Option<String>,
    clock: Clock,
}

/// A call to be sent.
struct Call<'a> {
    /// The label for metrics.
    operation: &'static str,
    /// The module that it concerns; empty if none.
    module: &'a str,
    method: Method,
    /// Below `/crm/v8/`.
    path: String,
    query: Vec<(&'a str, String)>,
    body: Option<Vec<u8>>,
    /// Only what changed since then, in Zoho's form.
    modified_since: Option<String>,
    /// The number of records that it writes; 0 when it reads.
    writes: usize,
    credits: u32,
}

impl<'a> Call<'a> {
    fn read(operation: &'static str, module: &'a str, path: String) -> Self {
        let (method, query) = (Method::GET, Vec::new());
        Self { operation, module, method, path, query, body: None, modified_since: None, writes: 0, credits: 1 }
    }
}

impl Client {
    /// A client without metrics. Without a store, the access token is only kept in memory.
    pub fn new(config: &config::Zoho, http: Http, store: Option<Store>, clock: Clock, nonces: NonceSource) -> Self {
        Self::counted(config, http, store, clock, nonces, ZohoCalls::default())
    }

    /// A client with metrics.
    pub fn counted(
        config: &config::Zoho,
        http: Http,
        store: Option<Store>,
        clock: Clock,
        nonces: NonceSource,
        calls: ZohoCalls,
    ) -> Self {
        let api_url = config.api_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
        Self(Arc::new(Inner {
            tokens: AccessTokens::new(config, http.clone(), store, clock.clone(), nonces, calls.clone()),
            limiter: Limiter::new(config.reserve_credits),
            pages: centres::pages(config),
            accounts_url: config.accounts_url.clone(),
            api_url: api_url.filter(|url| !url.is_empty()),
            http,
            calls,
            clock,
        }))
    }

    /// The limits on calls.
    pub fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    /// The URL of a record's page for people, if known.
    pub fn page(&self, module: &str, id: &str) -> Option<String> {
        pages::page(self.0.pages.as_deref()?, module, id)
    }

    /// Sends a call once it has a permit, with a new access token if Zoho rejects the current one.
    async fn send(&self, call: Call<'_>) -> Result<HttpAnswer, CallError> {
        let permit = self.0.limiter.permit(call.writes, call.credits).await;
        let started = Instant::now();
        let trace = trace::zoho_call(call.method.as_str(), &call.path, call.writes);
        let result = self.send_with_token(&call).instrument(trace.clone()).await;
        let now = self.0.clock.now();
        if let Some(date) = result.as_ref().ok().and_then(answer::date) {
            self.0.clock.add_reading(ClockSource::Zoho, date);
        }
        permit.end(outcome(&result), now);
        let duration = started.elapsed();
        self.0.calls.ended(call.operation, call.module, word(&result), call.writes, duration);
        let status = result.as_ref().ok().map(|answer| answer.status);
        let error = result.as_ref().err().map(CallError::kind);
        trace::called(&trace, status, error);
        tracing::debug!(
            method = %call.method,
            path = call.path,
            records = call.writes,
            status,
            error,
            duration_ms = duration.as_millis() as u64,
            "called Zoho"
        );
        result
    }

    /// Refreshes the number of credits left, if deliveries are held back by a possibly outdated one; otherwise does
    /// nothing. Without this, nothing would show that some have come back.
    pub async fn refresh_credits(&self) -> Result<(), CallError> {
        if self.limiter().take_refresh(self.0.clock.now()) {
            self.org().await?;
        }
        Ok(())
    }

    async fn send_with_token(&self, call: &Call<'_>) -> Result<HttpAnswer, CallError> {
        let began = self.0.clock.now();
        let mut access = self.0.tokens.get(None).await?;
        let mut refusals = 0;
        loop {
            let answer = self.send_once(call, self.api_url(&access)?, &access.token).await?;
            if !answer::is_token_refused(&answer) {
                return Ok(answer);
            }
            refusals += 1;
            // The second token may be one that another process fetched long ago; the third is certainly new.
            if refusals > 2 || (refusals == 2 && access.made_at >= began.0) {
                return Ok(answer);
            }
            access = self.0.tokens.get(Some(&access)).await?;
        }
    }

    /// The API server: the configured one, or the one that came with the access token if it is Zoho's.
    fn api_url<'a>(&'a self, access: &'a token::Access) -> Result<&'a str, CallError> {
        match (&self.0.api_url, access.api_domain.as_str()) {
            (Some(url), _) => Ok(url),
            (None, "") => Err(CallError::unreachable("Zoho did not name its API server; set zoho.api_url")),
            (None, domain) if centres::is_api_server(domain, &self.0.accounts_url) => Ok(domain.trim_end_matches('/')),
            (None, _) => {
                Err(CallError::Configuration { reason: FOREIGN_SERVER.to_owned(), code: "API_DOMAIN".to_owned() })
            }
        }
    }

    async fn send_once(&self, call: &Call<'_>, api_url: &str, token: &str) -> Result<HttpAnswer, CallError> {
        let http = &self.0.http;
        let url = format!("{api_url}/crm/v8/{}", call.path);
        let mut request = http.request(call.method.clone(), &url).query(&call.query);
        request = request.header(AUTHORIZATION, format!("Zoho-oauthtoken {token}"));
        if let Some(body) = &call.body {
            request = request.header("content-type", "application/json").body(body.clone());
        }
        if let Some(since) = &call.modified_since {
            request = request.header(IF_MODIFIED_SINCE, since);
        }
        http.send(request).await.map_err(|error| match error {
            HttpError::Client(_) | HttpError::Connect(_) => {
                CallError::unreachable(format!("Zoho's API at {api_url} cannot be reached: {error}"))
            }
            HttpError::Interrupted(_) | HttpError::TooLarge => {
                CallError::unknown(None, format!("no answer from Zoho: {error}"))
            }
        })
    }
}

/// A call's result, in one word for metrics.
fn word(result: &Result<HttpAnswer, CallError>) -> &'static str {
    match result {
        Err(error) => error.kind(),
        Ok(answer) => match answer::limit_reached(answer) {
            Some(limit) => limit.kind(),
            None if answer::is_token_refused(answer) => "unauthorized",
            None if (200..300).contains(&answer.status) => "ok",
            None if answer.status >= 500 => "server_error",
            None => "refused",
        },
    }
}

/// A call's outcome for the limiter.
fn outcome(result: &Result<HttpAnswer, CallError>) -> CallOutcome {
    let Ok(answer) = result else {
        return CallOutcome { credits: CreditReport::Nothing, throttled: false, answered: false };
    };
    let limit = answer::limit_reached(answer);
    let credits = match (&limit, answer::credits(answer)) {
        (_, Some(left)) => CreditReport::Left(left),
        (Some(CallError::CreditsExhausted), None) => CreditReport::UsedUp,
        (None, None) if (200..300).contains(&answer.status) => CreditReport::Plenty,
        _ => CreditReport::Nothing,
    };
    let throttled = matches!(limit, Some(CallError::Throttled { .. }));
    CallOutcome { credits, throttled, answered: answer.status < 500 }
}
