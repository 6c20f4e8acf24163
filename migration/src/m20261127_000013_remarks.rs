//! Remarks: what was left out of a record that is synced all the same.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{Expectation, expect};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Few items have remarks, so that the others cost nothing.
const INDEX: &str = "CREATE INDEX sync_items_remarks ON sync_items (destination, site_id, kind, moodle_id) \
     WHERE remarks IS NOT NULL";

/// See `m20261122_000005_statistics`.
const EXPECTATIONS: [Expectation; 1] = [("sync_items", "sync_items_remarks", "10000 10000 5000 2000 1")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A JSON list, or null.
        let remarks = Table::alter().table("sync_items").add_column(text_null("remarks")).to_owned();
        manager.alter_table(remarks).await?;
        manager.get_connection().execute_unprepared(INDEX).await?;
        expect(manager, &EXPECTATIONS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX sync_items_remarks").await?;
        manager.alter_table(Table::alter().table("sync_items").drop_column("remarks").to_owned()).await
    }
}
