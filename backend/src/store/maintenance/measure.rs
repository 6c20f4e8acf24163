//! Measurements of the database itself.

use sea_orm::DbBackend;

use crate::store::{StoreError, connection::connect::Store, connection::pool::Pool, sql::query};

/// The connections of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// `read` or `write`.
    pub pool: &'static str,
    /// Connections in use.
    pub used: u32,
    /// Open connections that are not in use.
    pub idle: u32,
}

impl Store {
    /// The connections of this process.
    pub fn connections(&self) -> [PoolUse; 2] {
        [pool_use("read", &self.read), pool_use("write", &self.write)]
    }

    /// The database's size in bytes; for SQLite, the size of its file.
    pub async fn size(&self) -> Result<u64, StoreError> {
        let sql = match self.backend() {
            DbBackend::Postgres => "SELECT pg_database_size(current_database()) AS bytes",
            _ => "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()",
        };
        let rows = query(&self.read, sql, vec![]).await?;
        let bytes = rows.first().map(|row| row.try_get::<i64>("", "bytes")).transpose()?;
        Ok(bytes.unwrap_or_default().unsigned_abs())
    }
}

fn pool_use(pool: &'static str, connections: &Pool) -> PoolUse {
    let (open, idle) = connections.size();
    PoolUse { pool, used: open.saturating_sub(idle), idle }
}
