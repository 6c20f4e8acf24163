//! One writing item per remote record, holds of single modules, and which organisation the records are in.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::ConnectionTrait};

use crate::{Expectation, create_keyed_table, expect};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// See `m20261122_000005_statistics`.
const EXPECTATIONS: [Expectation; 2] =
    [("sync_items", "sync_items_writers", "1000000 1000000 1"), ("sync_items", "sync_items_linked", "1000 1000 1")];

/// Two grades of one user in one item stand for one remote record: the newer one writes it.
const LINK_SIBLINGS: &str = "UPDATE sync_items SET linked = TRUE WHERE kind = 'grade' AND remote_id IS NOT NULL \
    AND EXISTS (SELECT 1 FROM grades mine JOIN grades other ON other.site_id = mine.site_id \
    AND other.userid = mine.userid AND other.itemid = mine.itemid AND other.moodle_id <> mine.moodle_id \
    AND (CASE WHEN other.deleted THEN 0 ELSE 1 END, other.moodle_id) \
      > (CASE WHEN mine.deleted THEN 0 ELSE 1 END, mine.moodle_id) \
    JOIN sync_items holder ON holder.destination = sync_items.destination AND holder.site_id = other.site_id \
    AND holder.kind = 'grade' AND holder.moodle_id = other.moodle_id AND holder.remote_id = sync_items.remote_id \
    WHERE mine.site_id = sync_items.site_id AND mine.moodle_id = sync_items.moodle_id)";

/// Items whose remote record another item, the earlier one in Moodle, also writes.
const DOUBLES: &str = "remote_id IS NOT NULL AND NOT linked AND EXISTS (SELECT 1 FROM sync_items first \
    WHERE first.destination = sync_items.destination AND first.remote_id = sync_items.remote_id AND NOT first.linked \
    AND (first.site_id, first.kind, first.moodle_id) < (sync_items.site_id, sync_items.kind, sync_items.moodle_id))";

/// What a record that refers to a user, or to a user and a course, is stored in.
const DEPENDANTS: [(&str, &str); 3] = [("enrolment", "enrolments"), ("grade", "grades"), ("completion", "completions")];

fn fail_doubles() -> String {
    format!(
        "UPDATE sync_items SET state = 'failed', lease = NULL, lease_until = NULL, waits_kind = NULL, waits_id = NULL, \
         code = 'remote_taken', reason = 'An earlier version delivered it over the same record in Zoho (' || remote_id \
         || ') as another one. Look at that record in Zoho; then retry this one, which gets a record of its own.', \
         remote_id = NULL, digest = NULL, revision = revision + 1 WHERE {DOUBLES}"
    )
}

/// Delivers again what refers to a failed double: it points to the other's record.
fn redeliver(kind: &str, table: &str) -> String {
    format!(
        "UPDATE sync_items SET state = 'pending', lease = NULL, lease_until = NULL, digest = NULL, \
         revision = revision + 1 WHERE kind = '{kind}' AND state <> 'failed' AND EXISTS (SELECT 1 FROM {table} record \
         JOIN sync_items holder ON holder.destination = sync_items.destination AND holder.site_id = record.site_id \
         AND holder.kind = 'user' AND holder.moodle_id = record.userid AND holder.code = 'remote_taken' \
         WHERE record.site_id = sync_items.site_id AND record.moodle_id = sync_items.moodle_id)"
    )
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // It stands for a remote record that another item writes.
        let linked = Table::alter().table("sync_items").add_column(boolean("linked").default(false)).to_owned();
        manager.alter_table(linked).await?;
        let connection = manager.get_connection();
        // For finding the doubles among millions.
        let found = "CREATE INDEX sync_items_remote ON sync_items (destination, remote_id) WHERE remote_id IS NOT NULL";
        connection.execute_unprepared(found).await?;
        connection.execute_unprepared(LINK_SIBLINGS).await?;
        connection.execute_unprepared(&fail_doubles()).await?;
        for (kind, table) in DEPENDANTS {
            connection.execute_unprepared(&redeliver(kind, table)).await?;
        }
        connection.execute_unprepared("DROP INDEX sync_items_remote").await?;
        let writers = "CREATE UNIQUE INDEX sync_items_writers ON sync_items (destination, remote_id) \
                       WHERE remote_id IS NOT NULL AND NOT linked";
        connection.execute_unprepared(writers).await?;
        let linked = "CREATE INDEX sync_items_linked ON sync_items (destination, remote_id) WHERE linked";
        connection.execute_unprepared(linked).await?;
        expect(manager, &EXPECTATIONS).await?;
        // The id of the organisation that the remote ids are from.
        let organisation = Table::alter().table("destinations").add_column(text_null("organisation")).to_owned();
        manager.alter_table(organisation).await?;
        // Whether records there with our keys are ours, although this database did not write them.
        let takes_over =
            Table::alter().table("destinations").add_column(boolean("takes_over").default(false)).to_owned();
        manager.alter_table(takes_over).await?;
        let holds = Table::create()
            .table("sync_holds")
            .col(text("destination"))
            .col(text("kind"))
            // Which records of the kind: all, new or known.
            .col(text("records"))
            .col(text("cause"))
            .col(text("reason"))
            .col(big_integer("since"))
            // Null: only a person ends it.
            .col(big_integer_null("check_at"))
            .primary_key(Index::create().col("destination").col("kind").col("records"))
            .foreign_key(ForeignKey::create().from("sync_holds", "destination").to("destinations", "name"))
            .to_owned();
        create_keyed_table(manager, holds).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("sync_holds").to_owned()).await?;
        for column in ["takes_over", "organisation"] {
            manager.alter_table(Table::alter().table("destinations").drop_column(column).to_owned()).await?;
        }
        for index in ["sync_items_linked", "sync_items_writers"] {
            manager.get_connection().execute_unprepared(&format!("DROP INDEX {index}")).await?;
        }
        manager.alter_table(Table::alter().table("sync_items").drop_column("linked").to_owned()).await
    }
}
