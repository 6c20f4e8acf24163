//! Calls that read, search, write and delete records.

use reqwest::Method;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Call, Client,
    answer::{self, Purpose},
    error::CallError,
    refusal::RecordAnswer,
};

/// The most records in one writing call; Zoho's limit.
pub const RECORDS: usize = 100;

/// Records written per credit; Zoho's price.
pub(super) const RECORDS_PER_CREDIT: u64 = 10;

/// The most characters of the parameter `ids`; Zoho's limit.
const IDS_CHARACTERS: usize = 1_024;

/// The most criteria of one search; Zoho's limit.
const CRITERIA: usize = 10;

/// The most characters of a search's criteria: a URL of 8 kB passes every gateway, even if each character is escaped.
const CRITERIA_CHARACTERS: usize = 2_000;

/// Records per page of a search: more than ten values of a unique field match, and within Zoho's documented limit.
const PAGE_RECORDS: usize = 100;

/// The most pages of a search that Zoho returns by page number.
const PAGES: usize = 20;

#[derive(Serialize)]
struct Write<'a> {
    data: &'a [Map<String, Value>],
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    duplicate_check_fields: &'a [&'a str],
    /// Always sent: if it is missing, all workflows run.
    trigger: &'a [String],
}

impl Write<'_> {
    fn call<'a>(
        &self,
        operation: &'static str,
        module: &'a str,
        method: Method,
        path: String,
    ) -> Result<Call<'a>, CallError> {
        let body = serde_json::to_vec(self).map_err(|error| CallError::Invalid {
            reason: format!("the records cannot be written as JSON: {error}"),
            code: "JSON".to_owned(),
        })?;
        let writes = self.data.len();
        Ok(Call { operation, module, method, path, query: Vec::new(), body: Some(body), writes, credits: cost(writes) })
    }
}

/// The credits for a call that writes `records` records.
fn cost(records: usize) -> u32 {
    u32::try_from((records as u64).div_ceil(RECORDS_PER_CREDIT).max(1)).unwrap_or(u32::MAX)
}

impl Client {
    /// Inserts or updates 1 to [`RECORDS`] records. Zoho matches by the check fields in order. Returns one entry per
    /// record, in order.
    pub async fn upsert(
        &self,
        module: &str,
        records: &[Map<String, Value>],
        duplicate_check_fields: &[&str],
        trigger: &[String],
    ) -> Result<Vec<RecordAnswer>, CallError> {
        let write = Write { data: records, duplicate_check_fields, trigger };
        let answer = self.send(write.call("upsert", module, Method::POST, format!("{module}/upsert"))?).await?;
        answer::entries(&answer, "data", records.len(), Purpose::Write)
    }

    /// Updates 1 to [`RECORDS`] records, each with its `id`. Returns one entry per record, in order.
    pub async fn update(
        &self,
        module: &str,
        records: &[Map<String, Value>],
        trigger: &[String],
    ) -> Result<Vec<RecordAnswer>, CallError> {
        let write = Write { data: records, duplicate_check_fields: &[], trigger };
        let answer = self.send(write.call("update", module, Method::PUT, module.to_owned())?).await?;
        answer::entries(&answer, "data", records.len(), Purpose::Write)
    }

    /// Moves records to the recycle bin, without workflows. Returns one entry per id, in order. It may take several
    /// calls; a retry after an error finds some of them gone.
    pub async fn delete(&self, module: &str, ids: &[String]) -> Result<Vec<RecordAnswer>, CallError> {
        let mut entries = Vec::with_capacity(ids.len());
        for ids in chunks(ids) {
            let answer = self
                .send(Call {
                    operation: "delete",
                    module,
                    method: Method::DELETE,
                    path: module.to_owned(),
                    query: vec![("ids", ids.join(",")), ("wf_trigger", "false".to_owned())],
                    body: None,
                    writes: ids.len(),
                    credits: cost(ids.len()),
                })
                .await?;
            entries.extend(answer::entries(&answer, "data", ids.len(), Purpose::Delete)?);
        }
        Ok(entries)
    }

    /// The existing records with these ids, with these fields (up to 50) and `id`. Sees every write at once.
    pub async fn get(
        &self,
        module: &str,
        ids: &[String],
        fields: &[&str],
    ) -> Result<Vec<Map<String, Value>>, CallError> {
        let mut records = Vec::with_capacity(ids.len());
        for ids in chunks(ids) {
            let mut call = Call::read("get", module, module.to_owned());
            call.query = vec![("ids", ids.join(",")), ("fields", fields.join(","))];
            records.extend(answer::records(&self.send(call).await?)?.0);
        }
        Ok(records)
    }

    /// The records whose field equals one of the values, ignoring case, with these fields and that one. Lags behind
    /// writes.
    pub async fn search_equal(
        &self,
        module: &str,
        field: &str,
        values: &[String],
        fields: &[&str],
    ) -> Result<Vec<Map<String, Value>>, CallError> {
        let mut shown = fields.to_vec();
        if !shown.contains(&field) {
            shown.push(field);
        }
        let mut found = Vec::new();
        for criteria in criteria(field, values) {
            for page in 1..=PAGES {
                let mut call = Call::read("search", module, format!("{module}/search"));
                call.query = vec![
                    ("criteria", criteria.clone()),
                    ("fields", shown.join(",")),
                    ("page", page.to_string()),
                    ("per_page", PAGE_RECORDS.to_string()),
                ];
                let (records, more) = answer::records(&self.send(call).await?)?;
                found.extend(records);
                if !more {
                    break;
                }
            }
        }
        // With several criteria, Zoho also returns values that merely contain one.
        let requested: Vec<String> = values.iter().map(|value| value.to_lowercase()).collect();
        found.retain(|record| {
            let value = record.get(field).and_then(Value::as_str);
            value.is_some_and(|value| requested.contains(&value.to_lowercase()))
        });
        Ok(found)
    }
}

/// Splits ids into parts that fit into the parameter.
fn chunks(ids: &[String]) -> impl Iterator<Item = &[String]> {
    let mut rest = ids;
    std::iter::from_fn(move || {
        let mut characters = 0;
        let fits = rest.iter().take(RECORDS).take_while(|id| {
            characters += id.len() + 1;
            characters <= IDS_CHARACTERS + 1
        });
        let count = fits.count().max(usize::from(!rest.is_empty()));
        let (now, later) = rest.split_at(count);
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

/// The criteria, split over as many searches as needed.
fn criteria(field: &str, values: &[String]) -> Vec<String> {
    let mut all: Vec<Vec<String>> = Vec::new();
    let mut characters = 0;
    for value in values {
        let one = format!("({field}:equals:{})", escaped(value));
        characters += one.len();
        match all.last_mut() {
            Some(last) if last.len() < CRITERIA && characters <= CRITERIA_CHARACTERS => last.push(one),
            _ => {
                characters = one.len();
                all.push(vec![one]);
            }
        }
    }
    let join = |part: Vec<String>| match part.len() {
        1 => part.concat(),
        _ => format!("({})", part.join("or")),
    };
    all.into_iter().map(join).collect()
}

/// Escapes commas and parentheses, which have a meaning in criteria.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, ',' | '(' | ')' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{IDS_CHARACTERS, chunks, cost, criteria};

    #[test]
    fn ids_fit_into_the_parameter() {
        let ids: Vec<String> = (0..120).map(|id| format!("{:019}", id)).collect();
        let parts: Vec<&[String]> = chunks(&ids).collect();
        assert_eq!(parts.concat(), ids);
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [51, 51, 18]);
        assert!(parts.iter().all(|part| part.join(",").len() <= IDS_CHARACTERS));
        assert_eq!(chunks(&[]).count(), 0);
        let short: Vec<String> = (0..150).map(|_| "1".to_owned()).collect();
        assert_eq!(chunks(&short).map(<[String]>::len).collect::<Vec<_>>(), [100, 50], "and no more than 100 records");
    }

    #[test]
    fn criteria_are_escaped_and_split() {
        let values = ["a,b".to_owned(), r"(c)\".to_owned()];
        assert_eq!(criteria("F", &values), [r"((F:equals:a\,b)or(F:equals:\(c\)\\))"]);
        assert_eq!(criteria("F", &values[..1]), [r"(F:equals:a\,b)"]);
        let many: Vec<String> = (0..23).map(|n| n.to_string()).collect();
        let split: Vec<usize> = criteria("F", &many).iter().map(|part| part.matches("equals").count()).collect();
        assert_eq!(split, [10, 10, 3]);
        let long = ["x".repeat(1_500), "y".repeat(1_500)];
        assert_eq!(criteria("F", &long).len(), 2);
    }

    #[test]
    fn ten_records_cost_a_credit() {
        assert_eq!([1, 10, 11, 100].map(cost), [1, 1, 2, 10]);
    }
}
