//! The delivery of records: destinations, one sync item per record and destination, and the attempts.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{Expectation, create_keyed_table, expect};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

fn destinations() -> TableCreateStatement {
    Table::create()
        .table("destinations")
        .col(text("name").primary_key())
        .col(big_integer("created_at"))
        // A pause applies to all processes. `pause` holds its cause.
        .col(text_null("pause"))
        .col(text_null("pause_reason"))
        .col(big_integer_null("paused_at"))
        .col(big_integer_null("check_at"))
        // Why delivery is slow, and when it should have caught up.
        .col(text_null("slow_reason"))
        .col(big_integer_null("done_at"))
        .col(big_integer_null("credits"))
        .col(big_integer_null("credits_at"))
        // The access token, shared by all processes, encrypted with a key derived from the client's secret.
        .col(text_null("access_token"))
        .col(big_integer_null("access_expires_at"))
        .col(big_integer_null("refresh_lease_until"))
        .to_owned()
}

fn sync_items() -> TableCreateStatement {
    Table::create()
        .table("sync_items")
        .col(text("destination"))
        .col(big_integer("site_id"))
        .col(text("kind"))
        .col(big_integer("moodle_id"))
        .col(text("state"))
        // The order between items of different kinds: first what others wait for.
        .col(integer("lane"))
        // Incremented by each request for a delivery, so that a worker sees whether another one came meanwhile.
        .col(big_integer("revision"))
        // Since when a change is undelivered.
        .col(big_integer("changed_at"))
        .col(big_integer("due_at"))
        .col(integer("attempts"))
        .col(text_null("lease"))
        .col(big_integer_null("lease_until"))
        .col(text_null("remote_id"))
        // The digest of what was last delivered; null if unknown.
        .col(text_null("digest"))
        .col(big_integer_null("synced_at"))
        .col(text_null("waits_kind"))
        .col(big_integer_null("waits_id"))
        .col(text_null("code"))
        .col(text_null("reason"))
        .primary_key(Index::create().col("destination").col("site_id").col("kind").col("moodle_id"))
        .foreign_key(ForeignKey::create().from("sync_items", "site_id").to("sites", "id"))
        .foreign_key(ForeignKey::create().from("sync_items", "destination").to("destinations", "name"))
        .to_owned()
}

fn sync_attempts() -> TableCreateStatement {
    Table::create()
        .table("sync_attempts")
        .col(big_integer("id").auto_increment().primary_key())
        .col(text("destination"))
        .col(big_integer("site_id"))
        .col(text("kind"))
        .col(big_integer("moodle_id"))
        .col(big_integer("revision"))
        .col(big_integer("started_at"))
        .col(big_integer("duration_ms"))
        .col(text("outcome"))
        .col(text_null("code"))
        .col(text_null("message"))
        .col(text_null("remote_id"))
        .to_owned()
}

/// The indexes on items are partial, so that items at rest cost nothing: most items are synced, and in none of them.
const INDEXES: [&str; 7] = [
    "CREATE INDEX sync_items_pending ON sync_items (destination, lane, due_at) WHERE state = 'pending'",
    "CREATE INDEX sync_items_in_flight ON sync_items (destination, lease_until) WHERE state = 'in_flight'",
    "CREATE INDEX sync_items_attention ON sync_items (destination, state, site_id, kind, moodle_id) \
     WHERE state IN ('parked', 'failed')",
    "CREATE INDEX sync_items_waiting ON sync_items (destination, site_id, waits_kind, waits_id) WHERE waits_id IS NOT \
     NULL",
    "CREATE INDEX sync_attempts_record ON sync_attempts (site_id, kind, moodle_id, id)",
    // Replaces the index on the item only: a user's grades in one item are one record at a destination.
    "DROP INDEX grades_itemid",
    "CREATE INDEX grades_itemid ON grades (site_id, itemid, userid, moodle_id)",
];

/// See `m20261122_000005_statistics`.
const EXPECTATIONS: [Expectation; 7] = [
    ("grades", "grades_itemid", "1000000 1000000 30 1 1"),
    ("sync_items", "sync_items", "1000000 1000000 1000000 200000 1"),
    ("sync_items", "sync_items_pending", "10000 10000 2000 1"),
    ("sync_items", "sync_items_in_flight", "1000 1000 100"),
    ("sync_items", "sync_items_attention", "10000 10000 5000 5000 1000 1"),
    ("sync_items", "sync_items_waiting", "10000 10000 10000 5000 5"),
    ("sync_attempts", "sync_attempts_record", "1000000 1000000 200000 3 1"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(destinations()).await?;
        create_keyed_table(manager, sync_items()).await?;
        manager.create_table(sync_attempts()).await?;
        let connection = manager.get_connection();
        for index in INDEXES {
            connection.execute_unprepared(index).await?;
        }
        expect(manager, &EXPECTATIONS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["sync_attempts", "sync_items", "destinations"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        let connection = manager.get_connection();
        connection.execute_unprepared("DROP INDEX grades_itemid").await?;
        connection.execute_unprepared("CREATE INDEX grades_itemid ON grades (site_id, itemid, moodle_id)").await?;
        Ok(())
    }
}
