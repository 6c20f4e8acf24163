//! Adoptions: contacts at a destination that an account takes over, asks for, or must not have.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::ConnectionTrait};

use crate::{Expectation, expect};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// See `m20261122_000005_statistics`.
const EXPECTATIONS: [Expectation; 4] = [
    ("adoptions", "adoptions_contact", "10000 10000 5000 1 1"),
    ("adoptions", "adoptions_state", "10000 10000 2500 1"),
    ("adoptions", "adoptions_replaced", "5000 2"),
    ("adoptions", "adoptions_remote", "10000 10000 1"),
];

const INDEXES: [&str; 4] = [
    // One row for an account and a contact: the newest decision.
    "CREATE UNIQUE INDEX adoptions_contact ON adoptions (destination, site_id, moodle_id, remote_id)",
    "CREATE INDEX adoptions_state ON adoptions (destination, state, id)",
    "CREATE INDEX adoptions_remote ON adoptions (destination, remote_id)",
    // For retention.
    "CREATE INDEX adoptions_replaced ON adoptions (changed_at) WHERE replaced IS NOT NULL",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let adoptions = Table::create()
            .table("adoptions")
            .col(big_integer("id").auto_increment().primary_key())
            .col(text("destination"))
            // The account.
            .col(big_integer("site_id"))
            .col(big_integer("moodle_id"))
            // The contact.
            .col(text("remote_id"))
            .col(text("state"))
            // When it came into this state.
            .col(big_integer("changed_at"))
            // The person who brought it there; null if the mapping did.
            .col(text_null("decided_by"))
            // The values that the adoption replaced, field by field, as JSON; null when they are not kept. Personal data.
            .col(text_null("replaced"))
            .foreign_key(ForeignKey::create().from("adoptions", "destination").to("destinations", "name"))
            .foreign_key(ForeignKey::create().from("adoptions", "site_id").to("sites", "id"))
            .to_owned();
        manager.create_table(adoptions).await?;
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        expect(manager, &EXPECTATIONS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("adoptions").to_owned()).await
    }
}
