//! What was left out of a record that is synced all the same.

use poem_openapi::Object;
use serde::{Deserialize, Serialize};

/// A value that does not fit its field at the destination and was left out; the rest of the record is there. Never
/// holds the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct Remark {
    /// The field's name at the destination.
    pub field: String,
    /// Why, for programs, such as `not_a_phone`, `not_in_picklist` or `refused_by_zoho`.
    pub code: String,
    /// Why and what to change, for people.
    pub message: String,
}
