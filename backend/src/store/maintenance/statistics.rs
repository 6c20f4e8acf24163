//! PostgreSQL's statistics about our tables. Autovacuum collects them a minute after a first backfill began, or never
//! where it is switched off; so we do, as soon as there is something to learn.

use sea_orm::{ConnectionTrait, DbBackend};

use crate::store::{Store, StoreError, sql::query};

/// Pages of the smallest table with statistics: some thousand rows. Any plan is good for a smaller one.
const PAGES: i64 = 32;

/// How many times as large a table must have become for new statistics.
const GROWTH: i64 = 4;

/// The key of the advisory lock of the process that collects them: any number that no other lock uses.
const LOCK: i64 = 7_263_003;

/// Our tables that have grown by so much since, if we may analyse them.
const GROWN: &str = "SELECT relname::text AS name FROM pg_class AS c \
    WHERE relkind = 'r' AND relnamespace = to_regnamespace(quote_ident(current_schema())) \
    AND pg_has_role(relowner, 'USAGE') AND pg_relation_size(c.oid) >= ? * current_setting('block_size')::bigint \
    AND (pg_relation_size(c.oid) >= ? * greatest(relpages, 1) * current_setting('block_size')::bigint \
         OR NOT EXISTS (SELECT FROM pg_stats WHERE schemaname = current_schema() AND tablename = relname)) \
    ORDER BY relname";

impl Store {
    /// Collects the statistics of tables that have none or have grown much since; returns how many. Writers continue
    /// meanwhile. Does nothing on SQLite, whose statistics are written by migrations.
    pub async fn refresh_statistics(&self) -> Result<usize, StoreError> {
        if self.backend() != DbBackend::Postgres {
            return Ok(0);
        }
        let grown = query(&self.read, GROWN, vec![PAGES.into(), GROWTH.into()]).await?;
        for row in &grown {
            let name: String = row.try_get("", "name")?;
            // A transaction for each, because it holds the table's lock against other maintenance until its end.
            let transaction = self.write.patient().begin().await?;
            let lock = query(&transaction, "SELECT pg_try_advisory_xact_lock(?) AS free", vec![LOCK.into()]).await?;
            if lock.first().map(|row| row.try_get("", "free")).transpose()? != Some(true) {
                return Ok(0);
            }
            transaction.execute_unprepared(&format!("ANALYZE (SKIP_LOCKED) \"{name}\"")).await?;
            transaction.commit().await?;
        }
        Ok(grown.len())
    }
}
