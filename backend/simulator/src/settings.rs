//! Settings for tests: credits, limits, lag, and lasting faults.

use serde::{Deserialize, Serialize};

/// The scopes that Backend Sync asks for; a self client is granted what it asked for.
const SCOPES: [&str; 8] = [
    "ZohoCRM.modules.ALL",
    "ZohoCRM.settings.fields.READ",
    "ZohoCRM.settings.fields.CREATE",
    "ZohoCRM.settings.modules.READ",
    "ZohoCRM.settings.modules.CREATE",
    "ZohoCRM.org.READ",
    "ZohoCRM.coql.READ",
    "ZohoCRM.bulk.ALL",
];

/// The settings, as `/__sim/settings` shows them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Settings {
    /// Credits per 24 hours.
    pub(super) allowance: u64,
    /// The limit of concurrent calls.
    pub(super) concurrency: usize,
    /// How far the search lags behind writes.
    pub(super) lag_seconds: u64,
    /// The most rows of a COQL query: 200 by Zoho's description, 2,000 by its pages.
    pub(super) coql_rows: usize,
    /// The most rows of a bulk read job.
    pub(super) bulk_rows: usize,
    /// The least duration of each API call.
    pub(super) delay_ms: u64,
    /// The status of a partially successful answer: 200 or 207.
    pub(super) partial_status: u16,
    /// Whether the refresh token is revoked.
    pub(super) revoked: bool,
    /// The scopes of the tokens.
    pub(super) scopes: Vec<String>,
    /// The value of `license_details.paid_type`.
    pub(super) edition: String,
    /// The number of paid users.
    pub(super) users: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowance: 100_000,
            concurrency: 10,
            lag_seconds: 10,
            coql_rows: 200,
            bulk_rows: 200_000,
            delay_ms: 0,
            partial_status: 207,
            revoked: false,
            scopes: SCOPES.map(str::to_owned).to_vec(),
            edition: "enterprise".to_owned(),
            users: 10,
        }
    }
}

/// A change of settings: what is left out stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Change {
    allowance: Option<u64>,
    /// Sets the number of used credits.
    pub(super) used: Option<u64>,
    concurrency: Option<usize>,
    lag_seconds: Option<u64>,
    coql_rows: Option<usize>,
    bulk_rows: Option<usize>,
    delay_ms: Option<u64>,
    partial_status: Option<u16>,
    pub(super) revoked: Option<bool>,
    scopes: Option<Vec<String>>,
    edition: Option<String>,
    users: Option<u64>,
}

impl Settings {
    /// Applies a change; the error says what is wrong with it.
    pub(super) fn apply(&mut self, change: Change) -> Result<(), &'static str> {
        if change.partial_status.is_some_and(|status| !matches!(status, 200 | 207)) {
            return Err("partial_status is 200 or 207");
        }
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        set(&mut self.allowance, change.allowance);
        set(&mut self.concurrency, change.concurrency);
        set(&mut self.lag_seconds, change.lag_seconds);
        set(&mut self.coql_rows, change.coql_rows);
        set(&mut self.bulk_rows, change.bulk_rows);
        set(&mut self.delay_ms, change.delay_ms);
        set(&mut self.partial_status, change.partial_status);
        set(&mut self.revoked, change.revoked);
        set(&mut self.scopes, change.scopes);
        set(&mut self.edition, change.edition);
        set(&mut self.users, change.users);
        Ok(())
    }
}
