//! Sites and tokens.

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder, sea_query::Expr,
};

use super::{
    StoreError,
    connection::connect::Store,
    entity::{site, token},
    sql::{count, execute},
};
use crate::{clock::Timestamp, model::SiteName};

/// A site, as needed to store its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Row id.
    pub id: i64,
    /// Unique, and part of every record's id.
    pub name: String,
}

/// A site as operators see it.
pub struct SiteSummary {
    /// Row id.
    pub id: i64,
    /// Unique, and part of every record's id.
    pub name: String,
    /// The address of its Moodle.
    pub wwwroot: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Scope {
    /// Send the events of one site.
    Ingest,
    /// Read everything.
    Read,
    /// Read everything, and operate.
    Operate,
}

impl Scope {
    /// As stored in the database and used on the command line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Parses a stored word, if it is the scope of an API token.
    pub(super) fn of_api(word: &str) -> Option<Self> {
        [Self::Read, Self::Operate].into_iter().find(|scope| scope.as_str() == word)
    }
}

/// A valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Row id.
    pub id: i64,
    /// What it allows.
    pub scope: Scope,
    /// SHA-256 of the token, in hexadecimal.
    pub hash: String,
    /// `Some` for [`Scope::Ingest`] only.
    pub site: Option<Site>,
    /// The consumer's name, for the other scopes.
    pub name: Option<String>,
    /// `None` if it does not expire.
    pub expires_at: Option<Timestamp>,
}

/// A token to be stored.
pub struct NewToken<'a> {
    /// What it allows.
    pub scope: Scope,
    /// The site's row id, for [`Scope::Ingest`].
    pub site_id: Option<i64>,
    /// The consumer's name, for the other scopes.
    pub name: Option<&'a str>,
    /// SHA-256 of the token, in hexadecimal.
    pub hash: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// `None` if it does not expire.
    pub expires_at: Option<Timestamp>,
}

/// A token as operators see it.
pub struct TokenSummary {
    /// Row id.
    pub id: i64,
    /// What it allows: `ingest`, `read` or `operate`.
    pub scope: String,
    /// The site's name, for a site token.
    pub site: Option<String>,
    /// The consumer's name, for an API token.
    pub name: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last used, to within a minute.
    pub last_used_at: Option<Timestamp>,
    /// `None` while it is valid.
    pub revoked_at: Option<Timestamp>,
    /// `None` if it does not expire.
    pub expires_at: Option<Timestamp>,
}

/// What bears a site's name in its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteKeys {
    /// Records here.
    pub here: u64,
    /// Of those, how many a destination has, or may have: also if an answer was lost.
    pub delivered: u64,
}

async fn site_keys(connection: &impl ConnectionTrait, site: &Site) -> Result<SiteKeys, StoreError> {
    let here = "SELECT count(*) AS count FROM changes WHERE site_id = ?";
    let delivered = "SELECT count(*) AS count FROM sync_items i WHERE site_id = ? AND (remote_id IS NOT NULL OR attempts > 0 \
                     OR state = 'in_flight' OR EXISTS (SELECT 1 FROM sync_attempts a WHERE a.site_id = i.site_id \
                     AND a.kind = i.kind AND a.moodle_id = i.moodle_id))";
    let here = count(connection, here, vec![site.id.into()]).await?;
    Ok(SiteKeys { here, delivered: count(connection, delivered, vec![site.id.into()]).await? })
}

fn site_row(name: &SiteName, wwwroot: Option<String>, now: Timestamp) -> site::ActiveModel {
    site::ActiveModel {
        name: Set(name.to_string()),
        wwwroot: Set(wwwroot),
        created_at: Set(now.0),
        ..Default::default()
    }
}

fn token_row(new: NewToken<'_>) -> token::ActiveModel {
    token::ActiveModel {
        scope: Set(new.scope.as_str().to_owned()),
        site_id: Set(new.site_id),
        name: Set(new.name.map(str::to_owned)),
        hash: Set(new.hash),
        created_at: Set(new.created_at.0),
        expires_at: Set(new.expires_at.map(|time| time.0)),
        ..Default::default()
    }
}

impl Store {
    /// Adds a site; `None` when the name is taken.
    pub async fn add_site(
        &self,
        name: &SiteName,
        wwwroot: Option<String>,
        now: Timestamp,
    ) -> Result<Option<Site>, StoreError> {
        if self.site(name.as_str()).await?.is_some() {
            return Ok(None);
        }
        let row = site_row(name, wwwroot, now).insert(&self.write).await?;
        Ok(Some(Site { id: row.id, name: row.name }))
    }

    /// How many records have the name of a site in their keys.
    pub async fn site_keys(&self, site: &Site) -> Result<SiteKeys, StoreError> {
        site_keys(&self.read.patient(), site).await
    }

    /// Gives a site another name, unless a destination has or may have a record of it. Returns how many have the name in
    /// their keys.
    pub async fn rename_site(&self, site: &Site, name: &SiteName) -> Result<SiteKeys, StoreError> {
        // Under the writers' lock, and that of the items: no event of the site arrives meanwhile, and none is delivered.
        let (transaction, _) = self.begin_write(0).await?;
        let connection = transaction.connection();
        if self.backend() == DbBackend::Postgres {
            let items =
                "SELECT 1 FROM sync_items WHERE site_id = ? ORDER BY destination, site_id, kind, moodle_id FOR UPDATE";
            count(connection, &format!("SELECT count(*) AS count FROM ({items}) held"), vec![site.id.into()]).await?;
        }
        let keys = site_keys(connection, site).await?;
        if keys.delivered > 0 {
            return Ok(keys);
        }
        let sql = "UPDATE sites SET name = ? WHERE id = ?";
        execute(connection, sql, vec![name.as_str().into(), site.id.into()]).await?;
        // The subject of its activity: see [`crate::store::Activity`].
        let subject = |name: &str| format!("site:{name}").into();
        let sql = "UPDATE activity SET subject = ? WHERE subject = ?";
        execute(connection, sql, vec![subject(name.as_str()), subject(&site.name)]).await?;
        transaction.commit().await?;
        Ok(keys)
    }

    /// The site of that name.
    pub async fn site(&self, name: &str) -> Result<Option<Site>, StoreError> {
        let row = site::Entity::find().filter(site::Column::Name.eq(name)).one(&self.read).await?;
        Ok(row.map(|row| Site { id: row.id, name: row.name }))
    }

    /// All sites, ordered by name.
    pub async fn sites(&self) -> Result<Vec<SiteSummary>, StoreError> {
        let rows = site::Entity::find().order_by_asc(site::Column::Name).all(&self.read).await?;
        let summary = |row: site::Model| SiteSummary {
            id: row.id,
            name: row.name,
            wwwroot: row.wwwroot,
            created_at: Timestamp(row.created_at),
        };
        Ok(rows.into_iter().map(summary).collect())
    }

    /// The names of all sites by row id.
    pub(crate) async fn site_names(&self) -> Result<std::collections::HashMap<i64, String>, StoreError> {
        let rows = site::Entity::find().all(&self.read).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
    }

    /// Adds the first site with its site token, and the first API token, unless any token exists. Returns whether it
    /// did; of several processes that start at once, one does.
    pub async fn add_first(
        &self,
        site: &SiteName,
        site_hash: String,
        consumer: &str,
        api_hash: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if token::Entity::find().count(&self.read).await? > 0 {
            return Ok(false);
        }
        let transaction = self.begin_set_up().await?;
        if token::Entity::find().count(&transaction).await? > 0 {
            return Ok(false);
        }
        let held = site::Entity::find().filter(site::Column::Name.eq(site.as_str())).one(&transaction).await?;
        let site_id = match held {
            Some(site) => site.id,
            None => site_row(site, None, now).insert(&transaction).await?.id,
        };
        let (scope, created_at) = (Scope::Ingest, now);
        let new = NewToken { scope, site_id: Some(site_id), name: None, hash: site_hash, created_at, expires_at: None };
        token_row(new).insert(&transaction).await?;
        let (scope, name) = (Scope::Operate, Some(consumer));
        let new = NewToken { scope, site_id: None, name, hash: api_hash, created_at, expires_at: None };
        token_row(new).insert(&transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Stores a token.
    pub async fn add_token(&self, new: NewToken<'_>) -> Result<(), StoreError> {
        token_row(new).insert(&self.write).await?;
        Ok(())
    }

    /// The token with that hash, unless it was revoked or has expired.
    pub async fn token(&self, hash: &str, now: Timestamp) -> Result<Option<Token>, StoreError> {
        let found = token::Entity::find()
            .find_also_related(site::Entity)
            .filter(token::Column::Hash.eq(hash))
            .filter(token::Column::RevokedAt.is_null())
            .one(&self.read)
            .await?;
        Ok(found.and_then(|(row, site)| {
            let scope = [Scope::Ingest, Scope::Read, Scope::Operate].into_iter().find(|s| s.as_str() == row.scope)?;
            let site = site.map(|site| Site { id: site.id, name: site.name });
            let expires_at = row.expires_at.map(Timestamp);
            let token = Token { id: row.id, scope, hash: row.hash, site, name: row.name, expires_at };
            Some(token).filter(|token| token.expires_at.is_none_or(|end| end > now))
        }))
    }

    /// All tokens of one site, or all API tokens; the oldest first.
    pub async fn tokens(&self, site: Option<&Site>) -> Result<Vec<TokenSummary>, StoreError> {
        let filter = match site {
            Some(site) => token::Column::SiteId.eq(site.id),
            None => token::Column::SiteId.is_null(),
        };
        let rows = token::Entity::find().filter(filter).order_by_asc(token::Column::Id).all(&self.read).await?;
        let summary = |row: token::Model| TokenSummary {
            id: row.id,
            scope: row.scope,
            site: site.map(|site| site.name.clone()),
            name: row.name,
            created_at: Timestamp(row.created_at),
            last_used_at: row.last_used_at.map(Timestamp),
            revoked_at: row.revoked_at.map(Timestamp),
            expires_at: row.expires_at.map(Timestamp),
        };
        Ok(rows.into_iter().map(summary).collect())
    }

    /// Revokes a token.
    pub async fn revoke_token(&self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        let Some(row) = token::Entity::find_by_id(id).one(&self.write).await? else { return Ok(()) };
        self.enter_revocation(row.hash.clone(), now).await?;
        let mut row = row.into_active_model();
        row.revoked_at = Set(Some(now.0));
        row.update(&self.write).await?;
        Ok(())
    }

    /// Stores when tokens were last used.
    pub async fn save_last_used(&self, uses: Vec<(i64, Timestamp)>) -> Result<(), StoreError> {
        for (id, time) in uses {
            token::Entity::update_many()
                .col_expr(token::Column::LastUsedAt, Expr::value(time.0))
                .filter(token::Column::Id.eq(id))
                .exec(&self.write)
                .await?;
        }
        Ok(())
    }
}
