//! Turns: leases for what only one of several processes does at a time.

use crate::{
    clock::Timestamp,
    store::{StoreError, connection::connect::Store, sql::execute},
};

impl Store {
    /// Takes the turn `name` until `until`; false when another process has it. Turns only expire and are never
    /// released, so a process that dies delays the others no longer than one that lives.
    pub async fn take_turn(&self, name: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let sql = "INSERT INTO turns (name, until_at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET until_at = excluded.until_at \
                   WHERE turns.until_at <= ?";
        Ok(execute(&self.write, sql, vec![name.into(), until.0.into(), now.0.into()]).await? > 0)
    }
}
