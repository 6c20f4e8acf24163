//! Values of one record that are written with another one: which were read, and changes of them whose readers are still
//! to be judged again; and when a value changes by the clock.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::ConnectionTrait};

use crate::{Expectation, create_keyed_table, expect};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// See `m20261122_000005_statistics`.
const EXPECTATIONS: [Expectation; 2] =
    [("edge_changes", "edge_changes", "10 10 10 10 2 1"), ("sync_items", "sync_items_moments", "100000 100000 50")];

/// Few items have a moment before them. Those that are pending read the clock anyway.
const MOMENTS: &str = "CREATE INDEX sync_items_moments ON sync_items (destination, judge_at) \
     WHERE judge_at IS NOT NULL AND state <> 'pending'";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Of a person or course: the digest of what the mapping reads of it for other records. Null before it is judged,
        // and when nothing is read.
        let read_digest = Table::alter().table("sync_items").add_column(text_null("read_digest")).to_owned();
        manager.alter_table(read_digest).await?;
        let edge_changes = Table::create()
            .table("edge_changes")
            .col(text("destination"))
            .col(big_integer("site_id"))
            .col(text("kind"))
            .col(big_integer("moodle_id"))
            // The kind of the records that read it.
            .col(text("reader"))
            // The lease of the delivery that noted the change: a newer one begins from the first reader again.
            .col(text("noted_by"))
            // How far it got: the grade item, if the readers are a course's grades, and the last reader.
            .col(big_integer_null("after_item"))
            .col(big_integer_null("after_id"))
            .primary_key(Index::create().col("destination").col("site_id").col("kind").col("moodle_id").col("reader"))
            .foreign_key(ForeignKey::create().from("edge_changes", "destination").to("destinations", "name"))
            .foreign_key(ForeignKey::create().from("edge_changes", "site_id").to("sites", "id"))
            .to_owned();
        create_keyed_table(manager, edge_changes).await?;
        // When what is written of it changes by itself.
        let judge_at = Table::alter().table("sync_items").add_column(big_integer_null("judge_at")).to_owned();
        manager.alter_table(judge_at).await?;
        manager.get_connection().execute_unprepared(MOMENTS).await?;
        expect(manager, &EXPECTATIONS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX sync_items_moments").await?;
        manager.alter_table(Table::alter().table("sync_items").drop_column("judge_at").to_owned()).await?;
        manager.drop_table(Table::drop().table("edge_changes").to_owned()).await?;
        manager.alter_table(Table::alter().table("sync_items").drop_column("read_digest").to_owned()).await
    }
}
