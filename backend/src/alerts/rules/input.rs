//! What the rules about a destination judge.

use std::collections::HashMap;

use crate::{
    alerts::words::capitalised,
    store::{CreditSample, DestinationSummary, Reason, Waiting},
};

/// What the rules need to know about a destination.
pub(in crate::alerts) struct DestinationInput {
    pub(in crate::alerts) summary: DestinationSummary,
    /// Credits reserved for others.
    pub(in crate::alerts) reserve: i64,
    /// Credits left, over the last hour.
    pub(in crate::alerts) samples: Vec<CreditSample>,
    /// What is on its way.
    pub(in crate::alerts) waiting: Option<Waiting>,
    /// What failed or waits for other records.
    pub(in crate::alerts) reasons: Vec<Reason>,
    /// The sites' names by number.
    pub(in crate::alerts) sites: HashMap<i64, String>,
}

impl DestinationInput {
    /// The name, as people write it.
    pub(super) fn name(&self) -> String {
        capitalised(&self.summary.name)
    }
}
