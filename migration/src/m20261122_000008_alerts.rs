//! Alerts, their notifications, and the state of the channels; and when tokens expire.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

fn alerts() -> TableCreateStatement {
    Table::create()
        .table("alerts")
        .col(big_integer("id").auto_increment().primary_key())
        // Makes the thread references of its e-mails unique.
        .col(text("reference"))
        .col(text("rule"))
        .col(text("subject"))
        .col(text("code"))
        .col(text("severity"))
        .col(text("message"))
        .col(big_integer("raised_at"))
        .col(big_integer("last_seen_at"))
        .col(big_integer_null("resolved_at"))
        .col(big_integer_null("acknowledged_at"))
        .col(text_null("acknowledged_by"))
        // Consecutive checks that found nothing, and how many of them resolve the alert.
        .col(integer("quiet"))
        .col(integer("quiet_needed"))
        // When the next reminder is due; null for never.
        .col(big_integer_null("remind_at"))
        .to_owned()
}

fn notices() -> TableCreateStatement {
    Table::create()
        .table("alert_notices")
        .col(big_integer("id").auto_increment().primary_key())
        // Identifies the notification to its receiver.
        .col(text("reference"))
        // Null for a test.
        .col(big_integer_null("alert_id"))
        .col(text("channel"))
        .col(text("event"))
        // The alert as it was at the time: the notification may be sent later.
        .col(text("severity"))
        .col(text("message"))
        .col(text("state"))
        .col(integer("attempts"))
        .col(big_integer("next_at"))
        .col(big_integer_null("lease_until"))
        .col(big_integer("created_at"))
        .col(big_integer_null("finished_at"))
        .col(text_null("error"))
        .foreign_key(ForeignKey::create().from("alert_notices", "alert_id").to("alerts", "id"))
        .to_owned()
}

fn channels() -> TableCreateStatement {
    Table::create()
        .table("alert_channels")
        .col(text("name").primary_key())
        .col(big_integer_null("last_success_at"))
        .col(big_integer_null("last_failure_at"))
        // Consecutive failures.
        .col(integer("failures"))
        .col(text_null("error"))
        .to_owned()
}

/// Which process's turn it is to check: one row.
fn turns() -> TableCreateStatement {
    Table::create()
        .table("alert_turns")
        .col(text("name").primary_key())
        .col(big_integer("due_at"))
        .col(text_null("holder"))
        .col(big_integer_null("lease_until"))
        .to_owned()
}

/// A destination's remaining credits over time, to see how fast they fall.
fn credit_samples() -> TableCreateStatement {
    Table::create()
        .table("credit_samples")
        .col(text("destination"))
        .col(big_integer("taken_at"))
        .col(big_integer("credits"))
        .primary_key(Index::create().col("destination").col("taken_at"))
        .to_owned()
}

const STATEMENTS: [&str; 5] = [
    "CREATE UNIQUE INDEX alerts_open ON alerts (rule, subject) WHERE resolved_at IS NULL",
    "CREATE INDEX alerts_episodes ON alerts (rule, subject, id)",
    "CREATE INDEX alert_notices_open ON alert_notices (channel, id) WHERE state IN ('pending', 'sending')",
    "CREATE INDEX alert_notices_alert ON alert_notices (alert_id, id)",
    "INSERT INTO alert_turns (name, due_at) VALUES ('look', 0)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [alerts(), notices(), channels(), turns(), credit_samples()] {
            manager.create_table(table).await?;
        }
        for statement in STATEMENTS {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        let expires_at = big_integer_null("expires_at");
        manager.alter_table(Table::alter().table("tokens").add_column(expires_at).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("tokens").drop_column("expires_at").to_owned()).await?;
        for table in ["credit_samples", "alert_turns", "alert_channels", "alert_notices", "alerts"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
