//! The event log, and the counter that numbers its events.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create().table("counters").col(text("name").primary_key()).col(big_integer("value")).to_owned(),
            )
            .await?;
        // Each transaction that writes events first updates this row, and so locks it until it commits: ids follow the
        // order of the commits, on both databases and with any number of processes.
        let event_counter = Query::insert()
            .into_table("counters")
            .columns(["name", "value"])
            .values_panic(["event".into(), 0.into()])
            .to_owned();
        manager.execute(event_counter).await?;
        manager
            .create_table(
                Table::create()
                    .table("events")
                    .col(big_integer("id").primary_key())
                    .col(big_integer("site_id"))
                    .col(uuid_null("client_id"))
                    .col(text("event_type"))
                    .col(text("kind"))
                    .col(big_integer("moodle_id"))
                    .col(big_integer_null("userid"))
                    .col(big_integer("version_time"))
                    .col(big_integer_null("version_sequence"))
                    .col(big_integer("received_at"))
                    .col(text("outcome"))
                    .col(text("data"))
                    .foreign_key(ForeignKey::create().from("events", "site_id").to("sites", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("events_client_id")
                    .table("events")
                    .col("site_id")
                    .col("client_id")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("events_user").table("events").col("site_id").col("userid").col("id").to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("events").to_owned()).await?;
        manager.drop_table(Table::drop().table("counters").to_owned()).await
    }
}
