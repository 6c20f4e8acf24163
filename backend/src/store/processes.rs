//! The processes that deliver. Those with different mappings would overwrite each other's values for ever, so only those
//! with the mapping of the process that has delivered the longest do.

use std::time::Duration;

use sea_orm::QueryResult;

use super::{
    Store, StoreError,
    sql::{execute, query},
};
use crate::clock::Timestamp;

/// How long a process counts as alive without reporting itself: one with another mapping file delivers after that. As
/// long as the usual lease.
const PROCESS_TIME: Duration = Duration::from_secs(30);

/// A process that delivers, or waits because of its mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryProcess {
    /// Distinguishes it from all others.
    pub id: String,
    /// For people: its number and its host.
    pub place: String,
    /// The digest of its mapping.
    pub mapping: String,
    /// Since when it delivers, or waits.
    pub since: Timestamp,
}

impl Store {
    /// Reports that a process lives. Returns the living ones, beginning with the one whose mapping is delivered by.
    pub async fn report_process(
        &self,
        destination: &str,
        process: &DeliveryProcess,
        now: Timestamp,
    ) -> Result<Vec<DeliveryProcess>, StoreError> {
        let living = self.delivery_processes(destination, now).await?;
        let DeliveryProcess { id, place, mapping, .. } = process;
        if living.iter().any(|other| other.id == *id) {
            let sql = "UPDATE delivery_processes SET seen_at = ? WHERE destination = ? AND process = ?";
            execute(&self.write, sql, vec![now.0.into(), destination.into(), id.as_str().into()]).await?;
            return Ok(living);
        }
        // Also itself: a process that was stalled for long begins anew.
        let sql = "DELETE FROM delivery_processes WHERE destination = ? AND seen_at < ?";
        execute(&self.write, sql, vec![destination.into(), now.before(PROCESS_TIME).0.into()]).await?;
        // After all others, also if this host's clock is behind theirs.
        let since = living.last().map_or(now.0, |last| now.0.max(last.since.0.saturating_add(1)));
        let sql = "INSERT INTO delivery_processes (destination, process, place, mapping, since_at, seen_at) \
                   VALUES (?, ?, ?, ?, ?, ?)";
        let mut values = vec![destination.into(), id.as_str().into(), place.as_str().into(), mapping.as_str().into()];
        values.extend([since.into(), now.0.into()]);
        execute(&self.write, sql, values).await?;
        self.delivery_processes(destination, now).await
    }

    /// Forgets a process that ends.
    pub async fn leave_process(&self, destination: &str, id: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM delivery_processes WHERE destination = ? AND process = ?";
        execute(&self.write, sql, vec![destination.into(), id.into()]).await?;
        Ok(())
    }

    /// The living processes, beginning with the one whose mapping is delivered by.
    pub async fn delivery_processes(
        &self,
        destination: &str,
        now: Timestamp,
    ) -> Result<Vec<DeliveryProcess>, StoreError> {
        let sql = "SELECT process, place, mapping, since_at FROM delivery_processes \
                   WHERE destination = ? AND seen_at >= ? ORDER BY since_at, process";
        let values = vec![destination.into(), now.before(PROCESS_TIME).0.into()];
        query(&self.read, sql, values).await?.iter().map(process_of).collect()
    }
}

fn process_of(row: &QueryResult) -> Result<DeliveryProcess, StoreError> {
    Ok(DeliveryProcess {
        id: row.try_get("", "process")?,
        place: row.try_get("", "place")?,
        mapping: row.try_get("", "mapping")?,
        since: Timestamp(row.try_get("", "since_at")?),
    })
}
