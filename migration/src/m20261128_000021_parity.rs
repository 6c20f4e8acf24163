//! Parity: the digest of each record's state as it was sent, and the last comparison of each kind of a site.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{Expectation, create_keyed_table, expect};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// See `m20261122_000005_statistics`.
const EXPECTATIONS: [Expectation; 1] = [("parity", "parity", "10 5 1")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // 128 bits, for which both databases have this type. Null is unknown: of records that existed before, of those
        // whose sender gives no ids to its events, and of erased people.
        let digest = Table::alter().table("changes").add_column(uuid_null("digest")).to_owned();
        manager.alter_table(digest).await?;
        let parity = Table::create()
            .table("parity")
            .col(big_integer("site_id"))
            .col(text("kind"))
            .col(big_integer("compared_at"))
            // Living records that were compared, as the plugin and as we counted them.
            .col(big_integer("moodle_records"))
            .col(big_integer("backend_records"))
            // The digest over all of them, as the plugin's page shows it.
            .col(text("digest"))
            // Records that differed and were sent again, and those that differ even so.
            .col(big_integer("repaired"))
            .col(big_integer("differing"))
            // Records that cannot be compared: refused, erased, or not confirmed yet.
            .col(big_integer("unprovable"))
            .primary_key(Index::create().col("site_id").col("kind"))
            .foreign_key(ForeignKey::create().from("parity", "site_id").to("sites", "id"))
            .to_owned();
        create_keyed_table(manager, parity).await?;
        expect(manager, &EXPECTATIONS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("parity").to_owned()).await?;
        manager.alter_table(Table::alter().table("changes").drop_column("digest").to_owned()).await
    }
}
