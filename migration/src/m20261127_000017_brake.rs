//! The brake for what cannot be undone: what was counted, what waits for a person, and what a person decided.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::ConnectionTrait};

use crate::{Expectation, create_keyed_table, expect};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// See `m20261122_000005_statistics`.
const EXPECTATIONS: [Expectation; 4] = [
    ("brake_effects", "brake_effects", "2000 2000 1000 1000 1 1"),
    ("brake_effects", "brake_effects_state", "2000 2000 1000 500 200 1"),
    ("brake_effects", "brake_effects_open", "1000 1000"),
    ("brake_approvals", "brake_approvals_site", "10 5"),
];

/// For counting what was done lately, and for listing what waits.
const STATES: &str = "CREATE INDEX brake_effects_state ON brake_effects (destination, site_id, effect, state, at)";

/// Usually nothing waits, and then nothing is looked for.
const OPEN: &str = "CREATE INDEX brake_effects_open ON brake_effects (destination) WHERE state <> 'done'";

const APPROVALS: &str = "CREATE INDEX brake_approvals_site ON brake_approvals (site_id)";

/// One effect on one record at a destination; ids only.
fn effects() -> TableCreateStatement {
    Table::create()
        .table("brake_effects")
        .col(text("destination"))
        .col(big_integer("site_id"))
        .col(text("kind"))
        .col(big_integer("moodle_id"))
        .col(text("effect"))
        // What it is about: the remote record. Another one is another effect.
        .col(text("subject"))
        // done, waiting, approved or excepted.
        .col(text("state"))
        // A person approved it, so it is not counted.
        .col(boolean("approved").default(false))
        // When it came into this state.
        .col(big_integer("at"))
        .col(text_null("decided_by"))
        .primary_key(Index::create().col("destination").col("site_id").col("kind").col("moodle_id").col("effect"))
        .foreign_key(ForeignKey::create().from("brake_effects", "destination").to("destinations", "name"))
        .foreign_key(ForeignKey::create().from("brake_effects", "site_id").to("sites", "id"))
        .to_owned()
}

/// What a person approved ahead.
fn approvals() -> TableCreateStatement {
    Table::create()
        .table("brake_approvals")
        .col(big_integer("id").auto_increment().primary_key())
        .col(big_integer("site_id"))
        // Null: any effect.
        .col(text_null("effect"))
        .col(big_integer("number"))
        .col(big_integer("used").default(0))
        .col(big_integer("created_at"))
        .col(big_integer("until_at"))
        .col(text("decided_by"))
        .foreign_key(ForeignKey::create().from("brake_approvals", "site_id").to("sites", "id"))
        .to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_keyed_table(manager, effects()).await?;
        manager.create_table(approvals()).await?;
        // Since when an erasure waits for a person, and who approved it.
        let braked = Table::alter().table("erasures").add_column(big_integer_null("braked_at")).to_owned();
        manager.alter_table(braked).await?;
        let approved = Table::alter().table("erasures").add_column(text_null("approved_by")).to_owned();
        manager.alter_table(approved).await?;
        let connection = manager.get_connection();
        for index in [STATES, OPEN, APPROVALS] {
            connection.execute_unprepared(index).await?;
        }
        expect(manager, &EXPECTATIONS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["approved_by", "braked_at"] {
            manager.alter_table(Table::alter().table("erasures").drop_column(column).to_owned()).await?;
        }
        for table in ["brake_approvals", "brake_effects"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
