//! The console's sessions.

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use super::{
    Scope, StoreError,
    connection::connect::Store,
    entity::{
        console_session::{self, Column},
        token,
    },
};
use crate::clock::Timestamp;

/// A session of the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleSession {
    /// The hash of the session's secret.
    pub hash: String,
    /// The API token that was used to sign in.
    pub token_id: i64,
    /// The token's name.
    pub name: String,
    /// What the token allows.
    pub scope: Scope,
}

impl Store {
    /// Adds a session for an API token; deletes expired sessions.
    pub async fn add_console_session(
        &self,
        hash: &str,
        token_id: i64,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        console_session::Entity::delete_many().filter(Column::ExpiresAt.lte(now.0)).exec(&self.write).await?;
        let row = console_session::ActiveModel {
            hash: Set(hash.to_owned()),
            token_id: Set(token_id),
            created_at: Set(now.0),
            expires_at: Set(expires_at.0),
        };
        console_session::Entity::insert(row).exec_without_returning(&self.write).await?;
        Ok(())
    }

    /// The session with that hash, unless it or its token has expired or the token was revoked.
    pub async fn console_session(&self, hash: &str, now: Timestamp) -> Result<Option<ConsoleSession>, StoreError> {
        let found = console_session::Entity::find_by_id(hash)
            .find_also_related(token::Entity)
            .filter(Column::ExpiresAt.gt(now.0))
            .filter(token::Column::RevokedAt.is_null())
            .one(&self.read)
            .await?;
        Ok(found.and_then(|(session, token)| {
            let token = token.filter(|token| token.expires_at.is_none_or(|end| end > now.0))?;
            let scope = Scope::of_api(&token.scope)?;
            let name = token.name.unwrap_or_default();
            Some(ConsoleSession { hash: session.hash, token_id: token.id, name, scope })
        }))
    }

    /// Ends a session.
    pub async fn end_console_session(&self, hash: &str) -> Result<(), StoreError> {
        console_session::Entity::delete_by_id(hash).exec(&self.write).await?;
        Ok(())
    }
}
