//! Sites and tokens as people manage them, on the command line and in the console: a token is created, shown once,
//! rotated, revoked.

use crate::{
    clock::Timestamp,
    model::SiteName,
    secret::{self, TokenKind},
    store::{NewToken, Scope, Site, SiteKeys, Store, StoreError, TokenSummary},
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
    /// Zoho has or may have records of the site, whose keys contain its name.
    #[error(
        "Zoho has or may have {} of the {} records of {site}, under keys such as {site}:3. Under another name they would not be known \
         again where the key alone tells whose they are: after a lost answer, and after a restore of an older backup. Then each would be \
         created a second time. So a site can be renamed until its first delivery only, and nothing was changed. The name shows in keys \
         alone: keep it. Where it must be another one, begin anew: a new database, and in Zoho first clear the contacts' field of \
         the key and delete the other records that have such keys", keys.delivered, keys.here
    )]
    IsDelivered {
        /// The site.
        site: String,
        /// How many records have its name in their keys.
        keys: SiteKeys,
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

/// How many records would get other keys if the site were renamed; fails if it cannot be.
pub async fn preview_rename(store: &Store, name: &str, new: &SiteName) -> Result<SiteKeys, TokenError> {
    let site = find_site(store, name).await?;
    if store.site(new.as_str()).await?.is_some() {
        return Err(TokenError::SiteExists(new.to_string()));
    }
    undelivered(name, store.site_keys(&site).await?)
}

/// Renames a site of which no destination has anything.
pub async fn rename_site(store: &Store, name: &str, new: &SiteName) -> Result<(), TokenError> {
    preview_rename(store, name, new).await?;
    let site = find_site(store, name).await?;
    undelivered(name, store.rename_site(&site, new).await?).map(drop)
}

fn undelivered(site: &str, keys: SiteKeys) -> Result<SiteKeys, TokenError> {
    match keys.delivered {
        0 => Ok(keys),
        _ => Err(TokenError::IsDelivered { site: site.to_owned(), keys }),
    }
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
