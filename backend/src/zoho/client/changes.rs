//! What others did at Zoho: the records of a module in order, those that were changed, and those that were deleted.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    Call, Client,
    answer::{self, time},
    error::CallError,
};
use crate::clock::Timestamp;

/// Rows of one call of COQL: the smaller of the two limits in Zoho's documentation, and all that one credit pays.
pub const ROWS_PER_CALL: usize = 200;

/// Columns of one call of COQL; Zoho's limit.
pub const COLUMNS: usize = 50;

/// The entries of one page of the list of deleted records; Zoho's limit.
const DELETED_PER_PAGE: usize = 200;

/// The field with the time of a record's last change.
pub const MODIFIED_TIME: &str = "Modified_Time";

/// The field with the user who changed a record last.
pub const MODIFIED_BY: &str = "Modified_By";

/// Which records of a module are read.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// Those that have a value in this field.
    With(&'a str),
    /// Those that were changed at this time or later.
    ChangedSince(Timestamp),
}

/// A deleted record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedRecord {
    /// Its id.
    pub id: String,
    /// When.
    pub at: Option<Timestamp>,
    /// The name of the user who deleted it; Zoho does not say so of permanent deletions.
    pub by: Option<String>,
}

impl Client {
    /// The next records of a module behind the id `after`, in the order of ids, and whether there may be more. Lags behind
    /// writes. At most [`COLUMNS`] columns, `id` among them.
    pub async fn walk(
        &self,
        module: &str,
        columns: &[&str],
        wanted: Wanted<'_>,
        after: &str,
    ) -> Result<(Vec<Map<String, Value>>, bool), CallError> {
        let query = query(module, columns, wanted, after);
        let body = json!({ "select_query": query }).to_string().into_bytes();
        let call = Call { method: Method::POST, body: Some(body), ..Call::read("walk", module, "coql".to_owned()) };
        answer::records(&self.send(call).await?)
    }

    /// A page, from 1, of the records of a module that were deleted at this time or later, and whether there are more.
    pub async fn deleted(
        &self,
        module: &str,
        since: Timestamp,
        page: usize,
    ) -> Result<(Vec<DeletedRecord>, bool), CallError> {
        let mut call = Call::read("deleted", module, format!("{module}/deleted"));
        call.query =
            vec![("type", "all".to_owned()), ("page", page.to_string()), ("per_page", DELETED_PER_PAGE.to_string())];
        call.modified_since = Some(zoho_time(since));
        let (entries, more) = answer::records(&self.send(call).await?)?;
        Ok((entries.iter().filter_map(deleted).collect(), more))
    }
}

fn deleted(entry: &Map<String, Value>) -> Option<DeletedRecord> {
    Some(DeletedRecord {
        id: entry.get("id")?.as_str()?.to_owned(),
        at: entry.get("deleted_time").and_then(time),
        by: entry.get("deleted_by").and_then(|by| by.get("name")?.as_str().map(str::to_owned)),
    })
}

/// A time as Zoho reads it, in whole seconds, not later than this one.
fn zoho_time(at: Timestamp) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(at.0).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, false)
}

fn query(module: &str, columns: &[&str], wanted: Wanted<'_>, after: &str) -> String {
    let condition = match wanted {
        Wanted::With(field) => format!("{field} is not null"),
        Wanted::ChangedSince(at) => format!("{MODIFIED_TIME} >= '{}'", zoho_time(at)),
    };
    let condition = match after {
        "" => condition,
        after => format!("({condition} and id > '{after}')"),
    };
    format!("select {} from {module} where {condition} order by id asc limit {ROWS_PER_CALL}", columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{Wanted, query};
    use crate::clock::Timestamp;

    #[test]
    fn a_walk_goes_on_behind_an_id() {
        assert_eq!(
            query("Contacts", &["id", "Key"], Wanted::With("Key"), ""),
            "select id, Key from Contacts where Key is not null order by id asc limit 200"
        );
        let since = Wanted::ChangedSince(Timestamp(1_795_333_607_999));
        assert_eq!(
            query("Contacts", &["id"], since, "52"),
            "select id from Contacts where (Modified_Time >= '2026-11-22T07:46:47+00:00' and id > '52') order by id asc limit 200"
        );
    }
}
