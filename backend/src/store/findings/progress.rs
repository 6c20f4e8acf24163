//! How far the comparisons with a destination have come.

use std::collections::BTreeMap;

use sea_orm::Value;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Store, StoreError};
use crate::{
    clock::Timestamp,
    model::Kind,
    store::sql::{execute, query},
};

/// How far changes at a destination were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchState {
    /// The time before which all changes were looked at, in Unix milliseconds, by module.
    #[serde(default)]
    pub seen: BTreeMap<String, i64>,
    /// When the last look ended, in Unix milliseconds.
    pub ended_at: Option<i64>,
    /// API credits of the last look.
    #[serde(default)]
    pub credits: u64,
    /// Remote records that it read because others may have changed them.
    #[serde(default)]
    pub read: u64,
    /// Why the last look did not end, if it failed.
    pub failure: Option<String>,
}

/// How far all records were compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofState {
    /// When the last one began, in Unix milliseconds.
    pub began_at: Option<i64>,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<i64>,
    /// What is done of it, by kind.
    #[serde(default)]
    pub kinds: BTreeMap<String, ProofOfKind>,
    /// Calls so far.
    #[serde(default)]
    pub calls: u64,
    /// API credits so far.
    #[serde(default)]
    pub credits: u64,
    /// Why it waits, if it does.
    pub failure: Option<String>,
}

/// The comparison of the records of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofOfKind {
    /// The last remote id that was compared; the next step begins behind it.
    #[serde(default)]
    pub after: String,
    /// Whether all were compared.
    #[serde(default)]
    pub done: bool,
    /// Records that the destination has as the mapping writes them.
    #[serde(default)]
    pub equal: u64,
    /// Records that differ.
    #[serde(default)]
    pub differing: u64,
    /// Records that could not be compared, because they are to be delivered, or need a person.
    #[serde(default)]
    pub passed_over: u64,
    /// Remote records with a key of ours.
    #[serde(default)]
    pub remote: u64,
}

impl ProofState {
    /// Whether one runs.
    pub fn runs(&self) -> bool {
        self.began_at.is_some() && self.ended_at.is_none()
    }

    /// The comparison of a kind, if it has begun.
    pub fn of(&self, kind: Kind) -> Option<&ProofOfKind> {
        self.kinds.get(kind.as_str())
    }
}

impl Store {
    /// How far changes at a destination were looked at.
    pub async fn watch_state(&self, destination: &str) -> Result<WatchState, StoreError> {
        self.progress(destination, "watch").await
    }

    /// Stores how far changes at a destination were looked at.
    pub async fn save_watch(&self, destination: &str, state: &WatchState) -> Result<(), StoreError> {
        self.save_progress(destination, "watch", state).await
    }

    /// How far all records were compared.
    pub async fn proof_state(&self, destination: &str) -> Result<ProofState, StoreError> {
        self.progress(destination, "proof").await
    }

    /// Stores how far all records were compared.
    pub async fn save_proof(&self, destination: &str, state: &ProofState) -> Result<(), StoreError> {
        self.save_progress(destination, "proof", state).await
    }

    async fn progress<T: DeserializeOwned + Default>(&self, destination: &str, column: &str) -> Result<T, StoreError> {
        let sql = format!("SELECT {column} AS progress FROM destinations WHERE name = ?");
        let rows = query(&self.read, &sql, vec![destination.into()]).await?;
        let text = rows.first().map(|row| row.try_get::<Option<String>>("", "progress")).transpose()?.flatten();
        // What an older version wrote, and this one cannot read, is done again.
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    async fn save_progress(&self, destination: &str, column: &str, state: &impl Serialize) -> Result<(), StoreError> {
        let sql = format!("UPDATE destinations SET {column} = ? WHERE name = ?");
        let text = serde_json::to_string(state).unwrap_or_default();
        execute(&self.write, &sql, vec![text.into(), destination.into()]).await?;
        Ok(())
    }

    /// Asks for a comparison of all records.
    pub async fn want_proof(&self, destination: &str, now: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE destinations SET proof_wanted_at = COALESCE(proof_wanted_at, ?) WHERE name = ?";
        execute(&self.write, sql, vec![now.0.into(), destination.into()]).await?;
        Ok(())
    }

    /// Since when a comparison of all records is asked for.
    pub async fn proof_wanted(&self, destination: &str) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT proof_wanted_at FROM destinations WHERE name = ?";
        let rows = query(&self.read, sql, vec![destination.into()]).await?;
        let at = rows.first().map(|row| row.try_get::<Option<i64>>("", "proof_wanted_at")).transpose()?.flatten();
        Ok(at.map(Timestamp))
    }

    /// Begins a comparison of all records, in place of the last one.
    pub async fn begin_proof(&self, destination: &str, now: Timestamp) -> Result<ProofState, StoreError> {
        let state = ProofState { began_at: Some(now.0), ..ProofState::default() };
        self.save_proof(destination, &state).await?;
        let sql = "UPDATE destinations SET proof_wanted_at = NULL WHERE name = ? AND proof_wanted_at <= ?";
        let values: Vec<Value> = vec![destination.into(), now.0.into()];
        execute(&self.write, sql, values).await?;
        Ok(state)
    }
}
