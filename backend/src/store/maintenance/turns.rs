//! Turns: what only one of several processes does at a time.

use crate::{
    clock::Timestamp,
    store::{StoreError, connection::connect::Store, sql::execute},
};

impl Store {
    /// Takes the turn to do something, until `until`; false when another process has it. Nobody gives a turn back, so that a process
    /// that dies keeps nobody waiting for longer.
    pub async fn take_turn(&self, name: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let sql = "INSERT INTO turns (name, until_at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET until_at = excluded.until_at \
                   WHERE turns.until_at <= ?";
        Ok(execute(&self.write, sql, vec![name.into(), until.0.into(), now.0.into()]).await? > 0)
    }
}
