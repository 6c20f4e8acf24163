//! Finding records by COQL, Zoho's query language. A search would need one scope more, and finds ten values per call.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{Call, Client, answer, changes::ROWS_PER_CALL, error::CallError};
use crate::zoho::halves::{Failed, Halves};

/// The most values of one `in`. Zoho's older limit; its newest documentation says 100.
const VALUES: usize = 50;

/// The values that [`Client::find_equal`] finds with one call, for one credit.
pub const FOUND_PER_CALL: u64 = VALUES as u64;

/// What was found, and the values that Zoho refuses to look for.
#[derive(Debug, Default)]
pub struct Found {
    /// The records.
    pub records: Vec<Map<String, Value>>,
    /// Values for which Zoho refuses the query.
    pub refused: Vec<String>,
    /// Values for which Zoho fails to answer the query, with the last error. The others were looked for.
    pub failed: Vec<String>,
    /// How it fails.
    pub failure: Option<CallError>,
}

impl Client {
    /// The records whose field equals one of the values, ignoring case, with these fields, that one and `id`. Lags
    /// behind writes. A query that Zoho refuses, or fails to answer, is halved until the value that is the reason is alone.
    pub async fn find_equal(
        &self,
        module: &str,
        field: &str,
        values: &[String],
        fields: &[&str],
    ) -> Result<Found, CallError> {
        let mut columns = vec!["id", field];
        columns.extend(fields.iter().filter(|name| !["id", field].contains(name)));
        let mut found = Found::default();
        // How a backslash is written is not documented. No address and no key has one.
        let values: Vec<&str> = values.iter().map(String::as_str).filter(|value| !value.contains('\\')).collect();
        let mut parts = Halves::new(values.chunks(VALUES).map(<[&str]>::to_vec));
        let mut is_answered = false;
        while let Some(part) = parts.next() {
            match self.find_all(module, field, &part, &columns).await {
                Ok(records) => {
                    found.records.extend(records);
                    parts.answered();
                    is_answered = true;
                }
                Err(CallError::Invalid { .. }) => {
                    found.refused.extend(parts.refused(part).map(str::to_owned));
                    is_answered = true;
                }
                Err(error) if error.is_server_error() => match parts.failed(part) {
                    Failed::Halved => found.failure = Some(error),
                    Failed::Alone(value) => {
                        found.failed.push(value.to_owned());
                        found.failure = Some(error);
                    }
                    Failed::GivenUp(_) => return Err(error),
                },
                Err(error) => return Err(error),
            }
        }
        match found.failure.take_if(|_| !is_answered) {
            // Nothing tells whether these values are the reason.
            Some(error) => Err(error),
            None => Ok(found),
        }
    }

    async fn find_all(
        &self,
        module: &str,
        field: &str,
        values: &[&str],
        columns: &[&str],
    ) -> Result<Vec<Map<String, Value>>, CallError> {
        let (mut found, mut last) = (Vec::new(), None);
        loop {
            let query = query(module, columns, field, values, last.as_deref());
            let (records, more) = answer::records(&self.send(call(module, &query)).await?)?;
            last = records.last().and_then(|record| record.get("id")?.as_str()).map(str::to_owned);
            found.extend(records);
            if !more || last.is_none() {
                return Ok(found);
            }
        }
    }

    /// The number of records of a module, without the recycle bin. Lags behind writes.
    pub async fn count(&self, module: &str) -> Result<u64, CallError> {
        let query = format!("select COUNT(id) from {module} where id is not null");
        let answer = self.send(call(module, &query)).await?;
        let rows = answer::list(&answer, "data")?;
        let Some(row) = rows.first() else { return Ok(0) };
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let count = row.iter().find(|(name, _)| name.to_ascii_uppercase().starts_with("COUNT")).map(|(_, value)| value);
        count.and_then(number).ok_or_else(|| CallError::unknown(Some(answer.status), "the answer holds no count"))
    }
}

fn call<'a>(module: &'a str, query: &str) -> Call<'a> {
    let body = json!({ "select_query": query }).to_string().into_bytes();
    Call { method: Method::POST, body: Some(body), ..Call::read("coql", module, "coql".to_owned()) }
}

/// The records after this id, the oldest first.
fn query(module: &str, columns: &[&str], field: &str, values: &[&str], after: Option<&str>) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
    let mut condition = format!("{field} in ({})", values.join(", "));
    if let Some(id) = after {
        condition = format!("({condition} and id > '{id}')");
    }
    format!("select {} from {module} where {condition} order by id asc limit {ROWS_PER_CALL}", columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::query;

    #[test]
    fn a_query_escapes_quotes_and_goes_on_after_an_id() {
        let first = query("Contacts", &["id", "Email"], "Email", &["o'brien@b.org", "c@d.org"], None);
        assert_eq!(
            first,
            "select id, Email from Contacts where Email in ('o''brien@b.org', 'c@d.org') order by id asc limit 200"
        );
        let next = query("Contacts", &["id"], "Email", &["c@d.org"], Some("52"));
        assert_eq!(
            next,
            "select id from Contacts where (Email in ('c@d.org') and id > '52') order by id asc limit 200"
        );
    }
}
