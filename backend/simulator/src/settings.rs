//! Settings for tests: credits, limits, lag, and lasting faults.

use serde::{Deserialize, Serialize};

use super::editions::Edition;

/// The scopes that Backend Sync asks for; a self client is granted what it asked for.
const SCOPES: [&str; 11] = [
    "ZohoCRM.modules.ALL",
    "ZohoCRM.settings.fields.READ",
    "ZohoCRM.settings.fields.CREATE",
    "ZohoCRM.settings.modules.READ",
    "ZohoCRM.settings.modules.CREATE",
    "ZohoCRM.settings.layouts.READ",
    "ZohoCRM.settings.profiles.READ",
    "ZohoCRM.users.READ",
    "ZohoCRM.org.READ",
    "ZohoCRM.coql.READ",
    "ZohoCRM.bulk.ALL",
];

/// The settings, as `/__sim/settings` shows them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Settings {
    /// Credits per 24 hours.
    pub(super) allowance: u64,
    /// The limit of concurrent calls; without one, the edition's.
    pub(super) concurrency: Option<usize>,
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
    /// What the organisation has paid for.
    pub(super) edition: Edition,
    /// The number of paid users.
    pub(super) users: u64,
    /// Which organisation it is. Another one is empty and has another id.
    pub(super) organisation: Environment,
    /// The most unique fields in a module: Zoho's documentation has changed.
    pub(super) unique_fields: usize,
    /// Whether labels of modules may have blanks: not by Zoho's description, but by its pages.
    pub(super) label_blanks: bool,
    /// Whether API names of modules may have underscores: not by Zoho's description, but by its pages, and the standard
    /// modules have some.
    pub(super) api_name_underscores: bool,
    /// Whether countries are lists of names, as in new organisations, or texts.
    pub(super) country_lists: bool,
    /// The organisation's time zone.
    pub(super) time_zone: String,
    /// How new fields are refused.
    pub(super) field_errors: FieldErrors,
    /// The most profiles in a list.
    pub(super) profiles_per_page: usize,
    /// The details of errors about unknown ids and modules.
    pub(super) error_details: ErrorDetails,
}

/// The kind of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Environment {
    Production,
    Sandbox,
}

/// How a call is refused some of whose new fields are not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FieldErrors {
    /// No field is created; a list of what is wrong.
    Listed,
    /// No field is created; the first that is wrong.
    Flat,
    /// The others are created; an entry for each field.
    Each,
}

/// The details of an error: Zoho gives different ones for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ErrorDetails {
    /// What the call's own documentation says.
    Usual,
    /// `{ "api_name": "id" }`.
    ApiName,
    /// `{ "resource_path_index": 0 }`.
    PathIndex,
    /// `{}`.
    Empty,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowance: 100_000,
            concurrency: None,
            lag_seconds: 10,
            coql_rows: 200,
            bulk_rows: 200_000,
            delay_ms: 0,
            partial_status: 207,
            revoked: false,
            scopes: SCOPES.map(str::to_owned).to_vec(),
            edition: Edition::Enterprise,
            users: 10,
            organisation: Environment::Production,
            unique_fields: 2,
            label_blanks: false,
            api_name_underscores: true,
            country_lists: false,
            time_zone: "Etc/UTC".to_owned(),
            field_errors: FieldErrors::Listed,
            profiles_per_page: 10,
            error_details: ErrorDetails::Usual,
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
    edition: Option<Edition>,
    users: Option<u64>,
    pub(super) organisation: Option<Environment>,
    unique_fields: Option<usize>,
    label_blanks: Option<bool>,
    api_name_underscores: Option<bool>,
    country_lists: Option<bool>,
    time_zone: Option<String>,
    field_errors: Option<FieldErrors>,
    profiles_per_page: Option<usize>,
    error_details: Option<ErrorDetails>,
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
        self.concurrency = change.concurrency.or(self.concurrency);
        set(&mut self.lag_seconds, change.lag_seconds);
        set(&mut self.coql_rows, change.coql_rows);
        set(&mut self.bulk_rows, change.bulk_rows);
        set(&mut self.delay_ms, change.delay_ms);
        set(&mut self.partial_status, change.partial_status);
        set(&mut self.revoked, change.revoked);
        set(&mut self.scopes, change.scopes);
        set(&mut self.edition, change.edition);
        set(&mut self.users, change.users);
        set(&mut self.organisation, change.organisation);
        set(&mut self.unique_fields, change.unique_fields);
        set(&mut self.label_blanks, change.label_blanks);
        set(&mut self.api_name_underscores, change.api_name_underscores);
        set(&mut self.country_lists, change.country_lists);
        set(&mut self.time_zone, change.time_zone);
        set(&mut self.field_errors, change.field_errors);
        set(&mut self.profiles_per_page, change.profiles_per_page);
        set(&mut self.error_details, change.error_details);
        Ok(())
    }

    /// The limit of concurrent calls.
    pub(super) fn concurrency(&self) -> usize {
        self.concurrency.unwrap_or_else(|| self.edition.concurrency())
    }
}
