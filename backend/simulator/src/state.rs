//! The simulator's state, and the checks before a call's work, in Zoho's order.

use poem::http::StatusCode;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal},
    bulk::{self, Jobs},
    call::{Call, Operation, Target, WriteBody},
    coql,
    credits::{self, Credits},
    fault::{Faults, InjectedFault},
    log::Log,
    metadata, people, read, recycle_bin,
    rules::Rule,
    schema::{Ids, Organisation},
    scopes, search,
    settings::Settings,
    standard,
    tokens::{LIFE, REFRESH_TOKEN, TokenRefusal, Tokens},
    write::{self, Writing},
};
use chrono::{DateTime, TimeDelta, Utc};

/// The limit of concurrent calls that write more than [`SMALL_WRITE`] records; Zoho's.
const LARGE_WRITES: usize = 10;

/// The most records of a write that does not count as large; Zoho's limit.
const SMALL_WRITE: usize = 10;

/// The state behind the only lock, which is held for the work of one call, never while waiting.
pub(super) struct State {
    pub(super) organisation: Organisation,
    pub(super) settings: Settings,
    pub(super) tokens: Tokens,
    pub(super) credits: Credits,
    pub(super) faults: Faults,
    pub(super) log: Log,
    bulk: Jobs,
    running: usize,
    running_large: usize,
}

/// An admitted call and its credits.
#[derive(Clone, Copy)]
pub(super) struct Admission {
    pub(super) credits: u64,
    large: bool,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            organisation: standard::organisation(Ids::default()),
            settings: Settings::default(),
            tokens: Tokens::default(),
            credits: Credits::default(),
            faults: Faults::default(),
            log: Log::default(),
            bulk: Jobs::default(),
            running: 0,
            running_large: 0,
        }
    }

    /// Resets the organisation, settings, credits, faults, bulk jobs and the log. Tokens and running calls stay.
    pub(super) fn reset(&mut self) {
        let ids = std::mem::take(&mut self.organisation.ids);
        self.organisation = standard::organisation(ids);
        self.settings = Settings::default();
        self.credits = Credits::default();
        self.faults.clear();
        self.log.clear();
        self.bulk = Jobs::default();
    }

    /// Checks token, scope, credits and concurrency.
    pub(super) fn admit(&mut self, call: &Call, now: DateTime<Utc>) -> Result<Admission, Refusal> {
        let token = call.authorization.as_deref().and_then(|header| header.strip_prefix("Zoho-oauthtoken "));
        if !token.is_some_and(|token| self.tokens.knows(token, now)) {
            return Err(Refusal::of(Rule::TokenIsKnown));
        }
        if !scopes::cover(&self.settings.scopes, call, call.concerns().unwrap_or_default()) {
            return Err(Refusal::of(Rule::ScopesCoverCall));
        }
        let writes = call.operation != Operation::Delete && call.writes() > 0;
        let credits = match call.target {
            Target::Coql => coql::credits(call),
            Target::BulkStart => bulk::CREDITS,
            Target::CreateModules => credits::NEW_MODULE,
            _ if writes => credits::of_write(call.writes()),
            _ => 1,
        };
        if self.credits.used(now) + credits > self.settings.allowance {
            return Err(Refusal::of(Rule::CreditsLast));
        }
        let large = call.writes() > SMALL_WRITE;
        if self.running >= self.settings.concurrency() || (large && self.running_large >= LARGE_WRITES) {
            return Err(Refusal::of(Rule::CallsAtOnce));
        }
        self.credits.spend(now, credits);
        self.running += 1;
        self.running_large += usize::from(large);
        Ok(Admission { credits, large })
    }

    /// Ends a call.
    pub(super) fn leave(&mut self, admission: Admission) {
        self.running -= 1;
        self.running_large -= usize::from(admission.large);
    }

    /// The credits left, once half of them are used: only then does Zoho send the number.
    pub(super) fn reported_credits(&mut self, now: DateTime<Utc>) -> Option<u64> {
        let (used, allowance) = (self.credits.used(now), self.settings.allowance);
        (used * 2 >= allowance).then(|| allowance.saturating_sub(used))
    }

    /// Does the work of a call: module, body, records.
    pub(super) fn work(
        &mut self,
        call: &Call,
        body: WriteBody,
        fired: Option<&InjectedFault>,
        now: DateTime<Utc>,
    ) -> Result<Answer, Refusal> {
        let (fault, partial) = (fired.and_then(InjectedFault::records), self.partial_status(fired));
        let writing = Writing { now, forget: self.seen(now), partial_status: partial, fault: fault.as_ref() };
        people::permit(&self.organisation, call)?;
        self.organisation.expire(now);
        match &call.target {
            Target::UnknownUrl | Target::Token => Err(Refusal::of(Rule::UrlIsKnown)),
            Target::WrongMethod => Err(Refusal::of(Rule::MethodFits)),
            Target::About(about) => about.answer(&self.organisation, &self.settings, call),
            Target::Search => search::search(&mut self.organisation, call, writing.forget),
            Target::Coql => coql::answer(&mut self.organisation, &self.settings, call, writing.forget),
            Target::Count => search::count(&mut self.organisation, call, writing.forget),
            Target::List | Target::GetOne(_) | Target::Deleted | Target::Timeline(_) => {
                read::read(&self.organisation, call)
            }
            Target::BinList
            | Target::BinPurge
            | Target::BinRestore
            | Target::BinCount
            | Target::BinEmpty
            | Target::BinOne(_)
            | Target::BinPurgeOne(_)
            | Target::BinRestoreOne(_) => recycle_bin::answer(&mut self.organisation, call, &writing),
            Target::BulkStart | Target::BulkJob(_) | Target::BulkResult(_) => {
                self.bulk.answer(&mut self.organisation, call, self.settings.bulk_rows, now)
            }
            Target::Fields
            | Target::CreateFields
            | Target::Modules
            | Target::Module(_)
            | Target::CreateModules
            | Target::Org => metadata::settings(&mut self.organisation, &self.settings, call),
            _ => write::write(&mut self.organisation, call, body, &writing),
        }
    }

    /// The time that the search sees.
    pub(super) fn seen(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let lag = i64::try_from(self.settings.lag_seconds).ok().and_then(TimeDelta::try_seconds);
        lag.and_then(|lag| now.checked_sub_signed(lag)).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    fn partial_status(&self, fired: Option<&InjectedFault>) -> StatusCode {
        use super::fault::Fault;
        match (fired.map(|fired| fired.fault), self.settings.partial_status) {
            (Some(Fault::Partial200), _) => StatusCode::OK,
            (Some(Fault::Partial207), _) => StatusCode::MULTI_STATUS,
            (_, 200) => StatusCode::OK,
            _ => StatusCode::MULTI_STATUS,
        }
    }

    /// The accounts server: exchanges the refresh token or the code of a self client for an access token. Errors have
    /// status 200.
    pub(super) fn token(&mut self, call: &Call, form: &[(String, String)], now: DateTime<Utc>) -> Answer {
        let parameter = |name: &str| {
            let in_form = form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
            in_form.or_else(|| call.parameter(name))
        };
        let error = |code: &str| Answer::ok(json!({ "error": code }));
        let named = ["client_id", "client_secret"].iter().all(|name| parameter(name).is_some_and(|id| !id.is_empty()));
        let (secret, by_code) = match parameter("grant_type") {
            _ if !named => return error("invalid_client"),
            Some("refresh_token") => (parameter("refresh_token"), false),
            Some("authorization_code") => (parameter("code"), true),
            _ => return error("unsupported_grant_type"),
        };
        if secret != Some(REFRESH_TOKEN) || (self.settings.revoked && !by_code) {
            return error("invalid_code");
        }
        if by_code {
            self.settings.revoked = false;
        }
        match self.tokens.issue(now) {
            Ok(token) => Answer::ok(self.granted(&token, by_code, &call.host)),
            Err(refusal) => token_refused(refusal),
        }
    }

    fn granted(&self, token: &str, by_code: bool, host: &str) -> Value {
        let mut body = json!({
            "access_token": token,
            "scope": self.settings.scopes.join(" "),
            "api_domain": format!("http://{host}"),
            "token_type": "Bearer",
            "expires_in": LIFE.num_seconds(),
        });
        if by_code {
            body["refresh_token"] = REFRESH_TOKEN.into();
        }
        body
    }
}

/// The answer of the accounts server when it grants no token, with status 200.
pub(super) fn token_refused(refusal: TokenRefusal) -> Answer {
    Answer::ok(match refusal {
        TokenRefusal::InvalidCode => json!({ "error": "invalid_code" }),
        TokenRefusal::TooMany => json!({
            "error": "Access Denied",
            "error_description": "You have made too many requests continuously. Please try again after some time.",
            "status": "failure",
        }),
    })
}
