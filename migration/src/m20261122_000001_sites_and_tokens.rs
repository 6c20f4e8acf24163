//! Who may send and who may read: sites, and the tokens of sites and of API consumers.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("sites")
                    .col(big_integer("id").auto_increment().primary_key())
                    .col(text_uniq("name"))
                    .col(text_null("wwwroot"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("tokens")
                    .col(big_integer("id").auto_increment().primary_key())
                    // 'ingest' tokens belong to a site; 'read' and 'operate' tokens have a name and no site.
                    .col(text("scope"))
                    .col(big_integer_null("site_id"))
                    .col(text_null("name"))
                    // SHA-256 of the token in hexadecimal; the token itself is never stored.
                    .col(text_uniq("hash"))
                    .col(big_integer("created_at"))
                    .col(big_integer_null("last_used_at"))
                    .col(big_integer_null("revoked_at"))
                    .foreign_key(ForeignKey::create().from("tokens", "site_id").to("sites", "id"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("tokens").to_owned()).await?;
        manager.drop_table(Table::drop().table("sites").to_owned()).await
    }
}
