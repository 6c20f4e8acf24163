//! Calls that read, write and delete records.

use reqwest::Method;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Call, Client, answer,
    error::CallError,
    refusal::{Purpose, RecordAnswer},
};

/// The most records in one writing call; Zoho's limit.
pub const RECORDS: usize = 100;

/// Records written per credit; Zoho's price.
pub(super) const RECORDS_PER_CREDIT: u64 = 10;

/// The most characters of the parameter `ids`; Zoho's limit.
const IDS_CHARACTERS: usize = 1_024;

#[derive(Serialize)]
struct Write<'a> {
    data: &'a [Map<String, Value>],
    /// Always sent: if it is missing, all workflows run.
    trigger: Vec<&'a str>,
    /// Cadences run whatever `trigger` says, unless they are skipped by name.
    #[serde(skip_serializing_if = "<[Feature]>::is_empty")]
    skip_feature_execution: &'static [Feature],
}

/// An automation that is not one of Zoho's triggers.
#[derive(Serialize)]
struct Feature {
    name: &'static str,
}

/// The word in a trigger of the mapping for the automation that Zoho's triggers do not have.
pub const CADENCES: &str = "cadences";

const NO_CADENCES: [Feature; 1] = [Feature { name: CADENCES }];

impl<'a> Write<'a> {
    fn new(data: &'a [Map<String, Value>], trigger: &'a [String]) -> Self {
        let run = trigger.iter().any(|word| word == CADENCES);
        Self {
            data,
            trigger: trigger.iter().map(String::as_str).filter(|word| *word != CADENCES).collect(),
            skip_feature_execution: if run { &[] } else { &NO_CADENCES },
        }
    }
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
        let read = Call::read(operation, module, path);
        Ok(Call { method, body: Some(body), writes, credits: cost(writes), ..read })
    }
}

/// The credits for a call that writes `records` records.
fn cost(records: usize) -> u32 {
    u32::try_from((records as u64).div_ceil(RECORDS_PER_CREDIT).max(1)).unwrap_or(u32::MAX)
}

impl Client {
    /// Inserts 1 to [`RECORDS`] records. A record with the value of a unique field that another one has is refused:
    /// nothing that exists is changed. Returns one entry per record, in order.
    pub async fn insert(
        &self,
        module: &str,
        records: &[Map<String, Value>],
        trigger: &[String],
    ) -> Result<Vec<RecordAnswer>, CallError> {
        let write = Write::new(records, trigger);
        let answer = self.send(write.call("insert", module, Method::POST, module.to_owned())?).await?;
        answer::entries(&answer, "data", records.len(), Purpose::Create)
    }

    /// Updates 1 to [`RECORDS`] records, each with its `id`. Returns one entry per record, in order.
    pub async fn update(
        &self,
        module: &str,
        records: &[Map<String, Value>],
        trigger: &[String],
    ) -> Result<Vec<RecordAnswer>, CallError> {
        let write = Write::new(records, trigger);
        let answer = self.send(write.call("update", module, Method::PUT, module.to_owned())?).await?;
        answer::entries(&answer, "data", records.len(), Purpose::Update)
    }

    /// Moves records to the recycle bin, without workflows. Returns one entry per id, in order. It may take several
    /// calls; a retry after an error finds some of them gone.
    pub async fn delete(&self, module: &str, ids: &[String]) -> Result<Vec<RecordAnswer>, CallError> {
        let mut entries = Vec::with_capacity(ids.len());
        for ids in chunks(ids) {
            let answer = self
                .send(Call {
                    method: Method::DELETE,
                    query: vec![("ids", ids.join(",")), ("wf_trigger", "false".to_owned())],
                    writes: ids.len(),
                    credits: cost(ids.len()),
                    ..Call::read("delete", module, module.to_owned())
                })
                .await?;
            entries.extend(answer::entries(&answer, "data", ids.len(), Purpose::Delete)?);
        }
        Ok(entries)
    }

    /// Removes a record from the recycle bin, for good. One that does not lie there is left alone.
    pub async fn purge(&self, id: &str) -> Result<(), CallError> {
        let path = format!("settings/recycle_bin/{id}");
        let call = Call { method: Method::DELETE, writes: 1, ..Call::read("purge", "", path) };
        match answer::list(&self.send(call).await?, "recycle_bin") {
            Err(CallError::Invalid { .. }) => Ok(()),
            purged => purged.map(|_| ()),
        }
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

#[cfg(test)]
mod tests {
    use super::{IDS_CHARACTERS, chunks, cost};

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
    fn ten_records_cost_a_credit() {
        assert_eq!([1, 10, 11, 100].map(cost), [1, 1, 2, 10]);
    }
}
