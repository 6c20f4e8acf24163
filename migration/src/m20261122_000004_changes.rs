//! The change feed: one row per record, moved to the feed's end by each change of the record.

use sea_orm_migration::{prelude::*, schema::*};

use crate::create_keyed_table;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let changes = Table::create()
            .table("changes")
            .col(big_integer("site_id"))
            .col(text("kind"))
            .col(big_integer("moodle_id"))
            // The id of the event that last changed the record, or a number from the same counter: ascending in the
            // order of the commits.
            .col(big_integer("position"))
            .col(boolean("deleted"))
            .col(big_integer("changed_at"))
            .primary_key(Index::create().col("site_id").col("kind").col("moodle_id"))
            .foreign_key(ForeignKey::create().from("changes", "site_id").to("sites", "id"))
            .to_owned();
        create_keyed_table(manager, changes).await?;
        manager
            .create_index(Index::create().name("changes_position").table("changes").col("position").unique().to_owned())
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("changes").to_owned()).await
    }
}
