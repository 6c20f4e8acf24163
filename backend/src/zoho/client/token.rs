//! The access token: shared by all workers and processes, and fetched by one of them at a time.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, time::sleep};

use super::{
    accounts::{Accounts, Grant},
    error::CallError,
    seal::{NonceSource, Seal},
};
use crate::{
    clock::{Clock, Timestamp},
    config,
    http::Http,
    limits,
    metrics::ZohoCalls,
    store::{SealedToken, Store, StoreError},
    zoho::NAME,
};

/// How long before its expiry a token is replaced: running calls and differing clocks need some minutes.
const EARLY_MS: i64 = 5 * 60 * 1_000;

/// The length of a process's turn to fetch a token. Longer than the timeout of the accounts server.
const TURN: Duration = Duration::from_secs(30);

/// How often the other processes check for the new token.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The most checks: two whole turns.
const POLLS: usize = 240;

/// An access token and the API server it is for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Access {
    pub(super) token: String,
    pub(super) api_domain: String,
    pub(super) made_at: i64,
    expires_at: i64,
}

impl Access {
    fn usable(&self, now: Timestamp, refused: Option<&Access>) -> bool {
        let life = self.expires_at - self.made_at;
        // A short-lived token is used for half its life, instead of being replaced at once.
        let early = EARLY_MS.min(life / 2);
        // A token fetched by a clock that was ahead expires sooner than it says.
        let made = self.made_at <= now.after(limits::CLOCK_SLACK).0;
        made && self.expires_at - early > now.0 && refused.is_none_or(|refused| refused.token != self.token)
    }
}

pub(super) struct AccessTokens {
    accounts: Accounts,
    seal: Seal,
    store: Option<Store>,
    calls: ZohoCalls,
    clock: Clock,
    current: RwLock<Option<Arc<Access>>>,
    turn: Mutex<Turn>,
    /// Counts the turns that ended: callers that waited during one share its outcome.
    turns: AtomicU64,
}

#[derive(Default)]
struct Turn {
    failure: Option<CallError>,
    denied_until: Option<Timestamp>,
}

impl AccessTokens {
    pub(super) fn new(
        config: &config::Zoho,
        http: Http,
        store: Option<Store>,
        clock: Clock,
        random: NonceSource,
        calls: ZohoCalls,
    ) -> Self {
        Self {
            accounts: Accounts::new(config, http),
            seal: Seal::new(config, random),
            store,
            calls,
            clock,
            current: RwLock::default(),
            turn: Mutex::default(),
            turns: AtomicU64::new(0),
        }
    }

    /// An access token, other than the one that Zoho rejected.
    pub(super) async fn get(&self, refused: Option<&Access>) -> Result<Arc<Access>, CallError> {
        let seen = self.turns.load(Ordering::Acquire);
        if let Some(access) = self.remembered(refused) {
            return Ok(access);
        }
        let mut turn = self.turn.lock().await;
        if let Some(access) = self.remembered(refused) {
            return Ok(access);
        }
        if self.turns.load(Ordering::Acquire) != seen
            && let Some(failure) = &turn.failure
        {
            return Err(failure.clone());
        }
        let result = self.shared_or_new(&mut turn, refused).await;
        turn.failure = result.as_ref().err().cloned();
        self.turns.fetch_add(1, Ordering::Release);
        let access = Arc::new(result?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&access));
        Ok(access)
    }

    fn remembered(&self, refused: Option<&Access>) -> Option<Arc<Access>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|access| access.usable(self.clock.now(), refused)).cloned()
    }

    async fn shared_or_new(&self, turn: &mut Turn, refused: Option<&Access>) -> Result<Access, CallError> {
        let Some(store) = &self.store else { return self.fetch(turn).await };
        for _ in 0..POLLS {
            if let Some(access) = self.shared(store, refused).await? {
                return Ok(access);
            }
            let now = self.clock.now();
            if store.begin_refresh(NAME, now, now.after(TURN)).await.map_err(database)? {
                // Another process may have stored it just before this turn.
                let result = match self.shared(store, refused).await {
                    Ok(None) => self.fetch(turn).await,
                    Ok(Some(access)) => {
                        store.end_refresh(NAME, None).await.map_err(database)?;
                        return Ok(access);
                    }
                    Err(error) => Err(error),
                };
                self.share(store, result.as_ref().ok()).await;
                return result;
            }
            sleep(POLL_INTERVAL).await;
        }
        let reason = "another process is fetching an access token for Zoho and does not finish";
        Err(CallError::unreachable(reason))
    }

    async fn shared(&self, store: &Store, refused: Option<&Access>) -> Result<Option<Access>, CallError> {
        let Some(sealed) = store.access_token(NAME).await.map_err(database)? else { return Ok(None) };
        // A token encrypted with other credentials cannot be opened, and is replaced.
        let access = self.seal.open(&sealed.sealed).and_then(|text| serde_json::from_slice::<Access>(&text).ok());
        Ok(access.filter(|access| access.usable(self.clock.now(), refused)))
    }

    /// Ends the turn and shares the token. If sharing fails, this process can still use it.
    async fn share(&self, store: &Store, access: Option<&Access>) {
        let sealed = access.and_then(|access| {
            let sealed = self.seal.close(&serde_json::to_vec(access).ok()?)?;
            Some(SealedToken { sealed, expires_at: Timestamp(access.expires_at) })
        });
        if let Err(error) = store.end_refresh(NAME, sealed.as_ref()).await {
            tracing::warn!(%error, "could not share the new access token for Zoho with the other processes");
        }
    }

    async fn fetch(&self, turn: &mut Turn) -> Result<Access, CallError> {
        let now = self.clock.now();
        if let (Some(until), Some(failure)) = (turn.denied_until, &turn.failure)
            && !until.is_over(now, limits::LONGEST_AT_DESTINATION)
        {
            return Err(failure.clone());
        }
        let started = Instant::now();
        let result = self.accounts.refresh(now).await;
        let word = result.as_ref().err().map_or("ok", CallError::kind);
        self.calls.ended("token", "", word, 0, started.elapsed());
        turn.denied_until = match &result {
            Err(CallError::Throttled { until, .. }) => *until,
            _ => None,
        };
        let Grant { access_token, api_domain, expires_in, .. } = result?;
        tracing::debug!(expires_in, "fetched an access token for Zoho");
        let life = i64::from(expires_in).saturating_mul(1_000);
        Ok(Access { token: access_token, api_domain, made_at: now.0, expires_at: now.0.saturating_add(life) })
    }
}

fn database(error: StoreError) -> CallError {
    CallError::unreachable(format!("the access token for Zoho cannot be read from the database: {error}"))
}
