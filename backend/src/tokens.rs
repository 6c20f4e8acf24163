//! Sites and tokens as people manage them, on the command line and in the console: a token is created, shown once,
//! rotated, revoked.

use crate::{
    clock::Timestamp,
    model::SiteName,
    secret::{self, TokenKind},
    store::{NewToken, Scope, Site, Store, StoreError, TokenSummary},
};

/// A source of randomness, passed in; `Send`, so that a console page can hold it across an await.
pub type Randomness = dyn FnMut(&mut [u8]) -> Result<(), getrandom::Error> + Send;

/// When a token is valid.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// Its start.
    pub begin: Timestamp,
    /// Its expiry; none for never.
    pub end: Option<Timestamp>,
}

impl Lifetime {
    /// From now on, without expiry.
    pub fn unlimited(now: Timestamp) -> Self {
        Self { begin: now, end: None }
    }
}

/// Why a site or a token could not be created or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The site's name is taken.
    #[error("a site called {0} already exists")]
    SiteExists(String),
    /// There is no such site.
    #[error("there is no site called {0}")]
    NoSite(String),
    /// The site has records, whose keys contain its name.
    #[error(
        "{site} has {records} records, and its name is part of each one's key: here, in Zoho, and wherever other systems keep keys. A site \
         can be renamed before its first event only. To begin again under another name: site add, and connect Moodle with its token"
    )]
    HasRecords {
        /// The site.
        site: String,
        /// How many records it has.
        records: u64,
    },
    /// The API token's name is taken.
    #[error("a token called {0} already exists")]
    NameTaken(String),
    /// There is no such token.
    #[error("there is no token {0}")]
    NoToken(i64),
    /// The operating system provides no randomness.
    #[error("no randomness for a token: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Renames a site that has no records yet.
pub async fn rename_site(store: &Store, name: &str, new: &SiteName) -> Result<(), TokenError> {
    let site = store.site(name).await?.ok_or_else(|| TokenError::NoSite(name.to_owned()))?;
    if store.site(new.as_str()).await?.is_some() {
        return Err(TokenError::SiteExists(new.to_string()));
    }
    let renamed = store.rename_site(&site, new).await?;
    renamed.map_err(|records| TokenError::HasRecords { site: name.to_owned(), records })
}

/// Adds a site and creates its first site token. The token is returned and stored nowhere.
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

/// Creates another site token. The token is returned and stored nowhere. The old ones stay valid, so that nothing is
/// lost until its Moodle uses the new one.
pub async fn rotate(
    store: &Store,
    site: &str,
    lifetime: Lifetime,
    randomness: &mut Randomness,
) -> Result<String, TokenError> {
    let site = find_site(store, site).await?;
    make(store, Scope::Ingest, Some(&site), None, lifetime, randomness).await
}

/// Creates an API token. The token is returned and stored nowhere.
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

/// Revokes a site token or an API token: it is rejected from now on. Does nothing if it is revoked already.
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
