//! The erasure of people, and the turns of tasks that only one process does at a time.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{create_keyed_table, expect};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

fn erasures() -> TableCreateStatement {
    Table::create()
        .table("erasures")
        .col(big_integer("id").auto_increment().primary_key())
        // The person, by ids only, and for good: this row keeps the person erased.
        .col(big_integer("site_id"))
        .col(big_integer("moodle_id"))
        .col(text("state"))
        // What happens at the destination, as decided when the erasure was requested.
        .col(text("policy"))
        .col(text("requested_by"))
        .col(big_integer("requested_at"))
        .col(big_integer("due_at"))
        // From then on, nothing new about the person is stored.
        .col(big_integer_null("begun_at"))
        .col(big_integer_null("local_at"))
        .col(big_integer_null("remote_at"))
        .col(big_integer_null("verified_at"))
        .col(big_integer_null("lifted_at"))
        .col(big_integer_null("check_at"))
        // What was erased, and where: counts and ids, as JSON.
        .col(text("erased"))
        // What the checks found, as JSON.
        .col(text("checks"))
        .foreign_key(ForeignKey::create().from("erasures", "site_id").to("sites", "id"))
        .to_owned()
}

const INDEXES: [&str; 3] = [
    // A person has one erasure, until it is lifted.
    "CREATE UNIQUE INDEX erasures_person ON erasures (site_id, moodle_id) WHERE lifted_at IS NULL",
    "CREATE INDEX erasures_lifted ON erasures (site_id, moodle_id, lifted_at)",
    // Deleted people are few, and searched for every minute.
    "CREATE INDEX users_deleted ON users (site_id, moodle_id) WHERE deleted",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(erasures()).await?;
        let turns =
            Table::create().table("turns").col(text("name").primary_key()).col(big_integer("until_at")).to_owned();
        create_keyed_table(manager, turns).await?;
        // The number of erased people. Every writing transaction reads this row anyway, so checking for erased people
        // costs nothing while there are none.
        let erased = big_integer("erased").default(0).to_owned();
        manager.alter_table(Table::alter().table("counters").add_column(erased).to_owned()).await?;
        let connection = manager.get_connection();
        for index in INDEXES {
            connection.execute_unprepared(index).await?;
        }
        expect(
            manager,
            &[
                ("erasures", "erasures_person", "1000 500 1"),
                ("erasures", "erasures_lifted", "1000 500 1 1"),
                ("users", "users_deleted", "1000 500 1"),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX users_deleted").await?;
        manager.alter_table(Table::alter().table("counters").drop_column("erased").to_owned()).await?;
        for table in ["turns", "erasures"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
