//! Activity counts, by minute, and the results of a destination's last audit.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{Expectation, create_keyed_table, expect};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// See `m20261122_000005_statistics`.
const EXPECTATIONS: [Expectation; 2] =
    [("activity", "activity", "1000000 20 10 1"), ("activity", "activity_subject", "1000000 200000 10 1")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let activity = Table::create()
            .table("activity")
            // Minutes since 1970, in UTC.
            .col(big_integer("minute"))
            // "site:NAME" or "destination:NAME".
            .col(text("subject"))
            .col(text("name"))
            .col(big_integer("count"))
            .primary_key(Index::create().col("minute").col("subject").col("name"))
            .to_owned();
        create_keyed_table(manager, activity).await?;
        // For the last minutes of one site.
        let index = Index::create().name("activity_subject").table("activity").col("subject").col("minute").to_owned();
        manager.create_index(index).await?;
        for column in ["audit", "audited_at"] {
            let column = if column == "audit" { text_null(column) } else { big_integer_null(column) };
            manager.alter_table(Table::alter().table("destinations").add_column(column).to_owned()).await?;
        }
        expect(manager, &EXPECTATIONS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["audited_at", "audit"] {
            manager.alter_table(Table::alter().table("destinations").drop_column(column).to_owned()).await?;
        }
        manager.drop_table(Table::drop().table("activity").to_owned()).await
    }
}
