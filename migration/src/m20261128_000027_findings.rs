//! Comparing with a destination: when a remote record was last changed by us, what was found to differ there, and how far
//! the comparisons have come.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::ConnectionTrait};

use crate::{Expectation, expect};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// See `m20261122_000005_statistics`.
const EXPECTATIONS: [Expectation; 3] = [
    ("findings", "findings_remote", "10000 10000 1"),
    ("findings", "findings_record", "10000 10000 5000 2000 1"),
    ("findings", "findings_state", "10000 10000 2500 1"),
];

const INDEXES: [&str; 3] = [
    // One for each remote record.
    "CREATE UNIQUE INDEX findings_remote ON findings (destination, remote_id)",
    "CREATE INDEX findings_record ON findings (destination, site_id, kind, moodle_id)",
    "CREATE INDEX findings_state ON findings (destination, state, id)",
];

fn columns() -> [(&'static str, &'static str, ColumnDef); 4] {
    [
        // When the destination changed the remote record by our last write, by its clock; null if it did not say so.
        ("sync_items", "remote_modified_at", big_integer_null("remote_modified_at")),
        // JSON: how far changes at the destination were looked at.
        ("destinations", "watch", text_null("watch")),
        // JSON: how far all records were compared, and the last result.
        ("destinations", "proof", text_null("proof")),
        // When a person asked for a proof that has not begun.
        ("destinations", "proof_wanted_at", big_integer_null("proof_wanted_at")),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, _, column) in columns() {
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        let findings = Table::create()
            .table("findings")
            .col(big_integer("id").auto_increment().primary_key())
            .col(text("destination"))
            .col(text("kind"))
            // The record; null if the remote record belongs to none that is known.
            .col(big_integer_null("site_id"))
            .col(big_integer_null("moodle_id"))
            .col(text("remote_id"))
            .col(text("sort"))
            .col(text("state"))
            // The fields that differ, as JSON. Personal data.
            .col(text_null("fields"))
            // When and by whom the remote record was changed, as far as the destination says.
            .col(big_integer_null("modified_at"))
            .col(text_null("modified_by"))
            .col(big_integer("found_at"))
            .col(text("found_by"))
            // When it came into this state, and the person who brought it there; null if nobody did.
            .col(big_integer("changed_at"))
            .col(text_null("decided_by"))
            .foreign_key(ForeignKey::create().from("findings", "destination").to("destinations", "name"))
            .foreign_key(ForeignKey::create().from("findings", "site_id").to("sites", "id"))
            .to_owned();
        manager.create_table(findings).await?;
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        expect(manager, &EXPECTATIONS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("findings").to_owned()).await?;
        for (table, name, _) in columns() {
            manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
