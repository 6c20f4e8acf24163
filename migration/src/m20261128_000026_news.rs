//! What was told of an alert, in which words and for how long it is acknowledged; when the rules were last evaluated; and
//! since when a sync item is due to be delivered.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

fn columns() -> [(&'static str, &'static str, ColumnDef); 9] {
    let column = |table, name, column: fn(&'static str) -> ColumnDef| (table, name, column(name));
    let words = |name| {
        let mut column = text(name);
        column.default("");
        column
    };
    [
        // The finding in one line; empty in alerts of earlier versions.
        column("alerts", "title", words),
        // The console's page where it is remedied; empty for the alert's own page.
        column("alerts", "link", words),
        // JSON: what was told, by cause. Null if an earlier version raised it.
        column("alerts", "told", text_null),
        column("alerts", "told_at", big_integer_null),
        // Null for as long as it lasts.
        column("alerts", "acknowledged_until", big_integer_null),
        // The words as they were told.
        column("alert_notices", "title", words),
        column("alert_notices", "link", words),
        // When all rules were last evaluated.
        column("alert_turns", "evaluated_at", big_integer_null),
        // Since when it is pending or in flight without a break; null if an earlier version made it so.
        column("sync_items", "queued_at", big_integer_null),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, _, column) in columns() {
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, name, _) in columns() {
            manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
