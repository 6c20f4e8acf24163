//! The sessions of people signed in to the console.

use sea_orm_migration::{prelude::*, schema::*};

use crate::create_keyed_table;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sessions = Table::create()
            .table("console_sessions")
            // SHA-256 of the browser's cookie.
            .col(text("hash").primary_key())
            .col(big_integer("token_id"))
            .col(big_integer("created_at"))
            .col(big_integer("expires_at"))
            .foreign_key(ForeignKey::create().from("console_sessions", "token_id").to("tokens", "id"))
            .to_owned();
        create_keyed_table(manager, sessions).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("console_sessions").to_owned()).await
    }
}
