//! Sites and tokens as people manage them, on the command line and in the console: a token is made, shown once, rotated, revoked.

use crate::{
    clock::Timestamp,
    model::SiteName,
    secret::{self, TokenKind},
    store::{NewToken, Scope, Site, Store, StoreError, TokenSummary},
};

/// A source of randomness, passed in; one that a page of the console can hold on to while it waits.
pub type Randomness = dyn FnMut(&mut [u8]) -> Result<(), getrandom::Error> + Send;

/// From when to when a token is valid.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// Now.
    pub begin: Timestamp,
    /// When it ends; without it, never.
    pub end: Option<Timestamp>,
}

impl Lifetime {
    /// From now on, without an end.
    pub fn unlimited(now: Timestamp) -> Self {
        Self { begin: now, end: None }
    }
}

/// Why a site or a token could not be made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name of a site is taken.
    #[error("there is a site called {0} already")]
    SiteExists(String),
    /// There is no such site.
    #[error("there is no site called {0}")]
    NoSite(String),
    /// The name of an API token is taken.
    #[error("there is a token called {0} already")]
    NameTaken(String),
    /// There is no such token there.
    #[error("there is no such token: {0}")]
    NoToken(i64),
    /// The operating system gives no randomness.
    #[error("no randomness for a token: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Adds a site and makes its first token, which is returned and kept nowhere.
pub async fn add_site(
    store: &Store,
    name: &SiteName,
    wwwroot: Option<String>,
    lifetime: Lifetime,
    randomness: &mut Randomness,
) -> Result<String, TokenError> {
    let site = store.add_site(name, wwwroot, lifetime.begin).await?;
    let site = site.ok_or_else(|| TokenError::SiteExists(name.to_string()))?;
    make(store, Scope::Ingest, Some(&site), None, lifetime, randomness).await
}

/// Makes another token of a site, which is returned and kept nowhere. The others stay valid, so that nothing is lost until its Moodle
/// uses the new one.
pub async fn rotate(
    store: &Store,
    site: &str,
    lifetime: Lifetime,
    randomness: &mut Randomness,
) -> Result<String, TokenError> {
    let site = find_site(store, site).await?;
    make(store, Scope::Ingest, Some(&site), None, lifetime, randomness).await
}

/// Makes a token of an API consumer, which is returned and kept nowhere.
pub async fn add_api_token(
    store: &Store,
    name: &str,
    scope: Scope,
    lifetime: Lifetime,
    randomness: &mut Randomness,
) -> Result<String, TokenError> {
    let taken = |token: &TokenSummary| token.revoked_at.is_none() && token.name.as_deref() == Some(name);
    if store.tokens(None).await?.iter().any(taken) {
        return Err(TokenError::NameTaken(name.to_owned()));
    }
    make(store, scope, None, Some(name), lifetime, randomness).await
}

/// Revokes a token of a site, or of an API consumer: it is refused from now on. One that was revoked stays so.
pub async fn revoke(store: &Store, site: Option<&str>, id: i64, now: Timestamp) -> Result<(), TokenError> {
    let site = match site {
        Some(name) => Some(find_site(store, name).await?),
        None => None,
    };
    let tokens = store.tokens(site.as_ref()).await?;
    let token = tokens.iter().find(|token| token.id == id).ok_or(TokenError::NoToken(id))?;
    if token.revoked_at.is_none() {
        store.revoke_token(id, now).await?;
    }
    Ok(())
}

async fn find_site(store: &Store, name: &str) -> Result<Site, TokenError> {
    store.site(name).await?.ok_or_else(|| TokenError::NoSite(name.to_owned()))
}

async fn make(
    store: &Store,
    scope: Scope,
    site: Option<&Site>,
    name: Option<&str>,
    lifetime: Lifetime,
    randomness: &mut Randomness,
) -> Result<String, TokenError> {
    let kind = if site.is_some() { TokenKind::Site } else { TokenKind::Api };
    let token = secret::new_token(kind, randomness)?;
    let hash = secret::hash(&token);
    let (site_id, Lifetime { begin: created_at, end: expires_at }) = (site.map(|site| site.id), lifetime);
    store.add_token(NewToken { scope, site_id, name, hash, created_at, expires_at }).await?;
    Ok(token)
}
