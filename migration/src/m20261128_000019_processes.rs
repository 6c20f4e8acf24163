//! The processes that deliver, and the mapping of each.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{Expectation, create_keyed_table, expect};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// See `m20261122_000005_statistics`.
const EXPECTATIONS: [Expectation; 1] = [("delivery_processes", "delivery_processes", "3 3 1")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let processes = Table::create()
            .table("delivery_processes")
            .col(text("destination"))
            // A random number of each start.
            .col(text("process"))
            // For people: the process's number and its host.
            .col(text("place"))
            // The digest of its mapping.
            .col(text("mapping"))
            .col(big_integer("since_at"))
            // It reports itself at intervals; one that does not is dead, or stalled.
            .col(big_integer("seen_at"))
            .primary_key(Index::create().col("destination").col("process"))
            .foreign_key(ForeignKey::create().from("delivery_processes", "destination").to("destinations", "name"))
            .to_owned();
        create_keyed_table(manager, processes).await?;
        expect(manager, &EXPECTATIONS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("delivery_processes").to_owned()).await
    }
}
