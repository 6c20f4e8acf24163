//! Remarks in the database: JSON, and null when there are none.

use sea_orm::{DbErr, QueryResult};

use crate::{model::Remark, store::StoreError};

/// SQL for synced items with remarks. They have a partial index.
pub(super) const SYNCED_WITH: &str = "state = 'synced' AND remarks IS NOT NULL";

/// Reads the column `remarks`.
pub(super) fn read(row: &QueryResult) -> Result<Vec<Remark>, StoreError> {
    let Some(text) = row.try_get::<Option<String>>("", "remarks")? else { return Ok(Vec::new()) };
    serde_json::from_str(&text).map_err(|error| StoreError::Refused(DbErr::Type(format!("remarks: {error}"))))
}

pub(super) fn write(remarks: &[Remark]) -> Option<String> {
    if remarks.is_empty() {
        return None;
    }
    // Texts always become JSON.
    serde_json::to_string(remarks).ok()
}
