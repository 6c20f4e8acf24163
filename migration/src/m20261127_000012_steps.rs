//! Work that goes in steps, each a short transaction, and continues after a crash: touching all grades of a changed
//! item, and giving a new destination an item for each record.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{Expectation, create_keyed_table, expect};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// See `m20261122_000005_statistics`.
const EXPECTATIONS: [Expectation; 1] = [("item_changes", "item_changes", "10 10 1")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let item_changes = Table::create()
            .table("item_changes")
            .col(big_integer("site_id"))
            .col(big_integer("itemid"))
            // The last grade that was touched, in the order of (userid, moodle_id); null before the first.
            .col(big_integer_null("userid"))
            .col(big_integer_null("moodle_id"))
            .primary_key(Index::create().col("site_id").col("itemid"))
            .foreign_key(ForeignKey::create().from("item_changes", "site_id").to("sites", "id"))
            .to_owned();
        create_keyed_table(manager, item_changes).await?;
        // Those that exist got all their items in one statement.
        let complete = Table::alter().table("destinations").add_column(boolean("complete").default(true)).to_owned();
        manager.alter_table(complete).await?;
        expect(manager, &EXPECTATIONS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("destinations").drop_column("complete").to_owned()).await?;
        manager.drop_table(Table::drop().table("item_changes").to_owned()).await
    }
}
