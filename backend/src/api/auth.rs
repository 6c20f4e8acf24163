//! Authentication by site tokens and API tokens.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use poem::Request;
use poem_openapi::{
    SecurityScheme,
    auth::{ApiKey, Bearer, BearerAuthorization},
};

use super::{
    Context,
    problem::{Code, Problem},
};
use crate::{
    clock::Timestamp,
    limits,
    secret::{self, TokenKind},
    server,
    store::{Scope, Site, Store, StoreError, Token},
};

/// A site that sends events.
pub(super) struct Sender {
    pub(super) site: Arc<Site>,
    pub(super) token_id: i64,
    hash: String,
    expires_at: Option<Timestamp>,
    read_at: Timestamp,
}

/// A site token, created by `backend-sync site add`.
#[derive(SecurityScheme)]
#[oai(rename = "SiteToken", ty = "api_key", key_in = "header", key_name = "X-Moodle-Token", checker = "check_site")]
pub(super) struct SiteToken(pub(super) Arc<Sender>);

/// An API token, created by `backend-sync token add`.
#[derive(SecurityScheme)]
#[oai(rename = "ApiToken", ty = "bearer", checker = "check_api")]
pub(super) struct ApiToken(());

/// An API token with the scope `operate`, created by `backend-sync token add NAME --scope operate`.
#[derive(SecurityScheme)]
#[oai(rename = "OperatorToken", ty = "bearer", checker = "check_operator")]
pub(super) struct OperatorToken(pub(super) Operator);

/// The operator behind a request.
pub(super) struct Operator {
    /// The token's name.
    pub(super) name: String,
}

/// A cache of the site tokens, so that a busy site costs no read per request, and of when each token was last used, so
/// that no request costs a write.
///
/// A cached token may have been revoked meanwhile. The writer notices where it matters: it checks the tokens of each
/// batch in the transaction that stores it.
#[derive(Default)]
pub struct SiteTokens {
    senders: Mutex<HashMap<String, Arc<Sender>>>,
    last_used: Mutex<HashMap<i64, Timestamp>>,
}

impl SiteTokens {
    /// Saves when tokens were used since the last call.
    pub async fn save_last_used(&self, store: &Store) -> Result<(), StoreError> {
        let uses = std::mem::take(&mut *self.last_used.lock().unwrap_or_else(PoisonError::into_inner));
        store.save_last_used(uses.into_iter().collect()).await
    }

    /// Checks in the database whether the sender's token is still valid, for answers that bypass the writer.
    pub(super) async fn check(&self, sender: &Sender, store: &Store, now: Timestamp) -> Result<(), Problem> {
        if store.token(&sender.hash, now).await?.is_some() {
            return Ok(());
        }
        self.forget(sender);
        Err(Problem::new(Code::Unauthorized))
    }

    /// Drops a sender whose token turned out to be revoked.
    pub(super) fn forget(&self, sender: &Sender) {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner).remove(&sender.hash);
    }

    fn remembered(&self, hash: &str, now: Timestamp) -> Option<Arc<Sender>> {
        let senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.get(hash).filter(|sender| !now.is_past(sender.read_at, limits::CACHED_TOKEN_TIME)).cloned()
    }

    fn remember(&self, sender: &Arc<Sender>) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        if senders.len() >= limits::CACHED_TOKENS {
            senders.clear();
        }
        senders.insert(sender.hash.clone(), Arc::clone(sender));
    }

    /// Records that a token was used.
    pub(crate) fn used(&self, token_id: i64, now: Timestamp) {
        self.last_used.lock().unwrap_or_else(PoisonError::into_inner).insert(token_id, now);
    }
}

/// The operations' context, which [`super::endpoint`] attaches to every request.
pub(super) fn context(request: &Request) -> poem::Result<&Arc<Context>> {
    request.data::<Arc<Context>>().ok_or_else(|| Problem::new(Code::InternalError).into())
}

/// The refusal of a token; says so if it is of another kind than belongs there.
fn refused(token: &str, wanted: TokenKind) -> Problem {
    let kind = TokenKind::of(token).filter(|kind| *kind != wanted);
    let detail = match (kind, wanted) {
        (None, _) => return Problem::new(Code::Unauthorized),
        (Some(TokenKind::Api), TokenKind::Site) => {
            "This is an API token (bsa_…). A site token (bss_…) belongs here: backend-sync site rotate-token NAME makes one."
        }
        (Some(TokenKind::Site), TokenKind::Api) => {
            "This is a site token (bss_…), with which Moodle sends. An API token (bsa_…) belongs here: backend-sync token add NAME \
             makes one."
        }
        (Some(_), _) => "This is a secret of the console (bsc_…, bsl_…), not a token.",
    };
    Problem::with_detail(Code::Unauthorized, detail)
}

async fn sender(context: &Context, token: &str) -> Result<Arc<Sender>, Problem> {
    let refused = || refused(token, TokenKind::Site);
    if token.len() > limits::TOKEN_BYTES {
        return Err(refused());
    }
    let (hash, now) = (secret::hash(token), context.clock.now());
    let sender = match context.tokens.remembered(&hash, now) {
        Some(sender) => sender,
        None => {
            let found = context.own_store().token(&hash, now).await?;
            let sender = found.and_then(|token| {
                let site = Arc::new(token.site?);
                let (token_id, hash, expires_at) = (token.id, token.hash, token.expires_at);
                Some(Arc::new(Sender { site, token_id, hash, expires_at, read_at: now }))
            });
            let sender = sender.ok_or_else(refused)?;
            context.tokens.remember(&sender);
            sender
        }
    };
    let ended = sender.expires_at.is_some_and(|end| end <= now);
    if ended || !secret::same_hash(&sender.hash, &hash) {
        return Err(refused());
    }
    context.tokens.used(sender.token_id, now);
    Ok(sender)
}

async fn check_site(request: &Request, key: ApiKey) -> poem::Result<Arc<Sender>> {
    let sender = sender(context(request)?, &key.key).await?;
    server::make_known(request);
    Ok(sender)
}

async fn check_api(request: &Request, bearer: Bearer) -> poem::Result<()> {
    api_token(request, &bearer).await?;
    Ok(())
}

async fn check_operator(request: &Request, bearer: Bearer) -> poem::Result<Operator> {
    let token = api_token(request, &bearer).await?;
    match token.scope {
        Scope::Operate => Ok(Operator { name: token.name.unwrap_or_default() }),
        Scope::Read | Scope::Ingest => Err(Problem::new(Code::Forbidden).into()),
    }
}

/// Accepts API tokens, for routes outside the OpenAPI document.
pub(super) async fn check_reader(request: &Request) -> poem::Result<()> {
    check_api(request, Bearer::from_request(request)?).await
}

/// An API token.
async fn api_token(request: &Request, bearer: &Bearer) -> poem::Result<Token> {
    let context = context(request)?;
    let (hash, now) = (secret::hash(&bearer.token), context.clock.now());
    let token = context.store.token(&hash, now).await.map_err(Problem::from)?;
    match token {
        Some(token) if token.scope != Scope::Ingest && secret::same_hash(&token.hash, &hash) => {
            context.tokens.used(token.id, now);
            server::make_known(request);
            Ok(token)
        }
        _ => Err(refused(&bearer.token, TokenKind::Api).into()),
    }
}
