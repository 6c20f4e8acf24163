//! Bulk read: a job that writes records into a zipped CSV file.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{Cursor, Write},
};

use chrono::{DateTime, TimeDelta, Utc};
use poem::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{
    answer::{Answer, Body, Refusal},
    call::{Call, Target},
    read::{show, unconverted},
    rules::Rule,
    schema::{Module, Organisation, USER_ID, USER_NAME, read_id},
    time::zoho_time,
};

/// The credits that a job costs; Zoho's.
pub(super) const CREDITS: u64 = 50;

/// The last page: more records than anyone has.
const PAGES: usize = 500;

/// The most criteria of a query; Zoho's limit.
const CRITERIA: usize = 25;

/// The most downloads in [`MINUTE`]; Zoho's limit.
const DOWNLOADS: usize = 10;

const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// How long a result can be downloaded; Zoho's.
const KEPT: TimeDelta = TimeDelta::days(1);

/// The states of a job. Each question about it brings it to the next one, so that no client depends on time.
const STATES: [&str; 4] = ["ADDED", "QUEUED", "IN PROGRESS", "COMPLETED"];

/// All jobs.
#[derive(Default)]
pub(super) struct Jobs {
    jobs: BTreeMap<u64, Job>,
    downloads: VecDeque<DateTime<Utc>>,
}

struct Job {
    created: DateTime<Utc>,
    asked: usize,
    query: Value,
    page: usize,
    per_page: usize,
    count: usize,
    more: bool,
    file: Vec<u8>,
}

#[derive(Deserialize)]
struct NewJob {
    query: Query,
    /// Zoho knows another type, of events.
    #[serde(default, rename = "file_type")]
    _file_type: Option<FileType>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum FileType {
    Csv,
}

#[derive(Deserialize)]
struct Query {
    module: ModuleName,
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default)]
    page: Option<usize>,
    #[serde(default)]
    criteria: Option<Criteria>,
}

#[derive(Deserialize)]
struct ModuleName {
    api_name: String,
}

/// A group of criteria, or one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Criteria {
    Group { group_operator: Operator, group: Vec<Criteria> },
    One { field: ModuleName, comparator: String, value: Value },
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Operator {
    And,
    Or,
}

impl Jobs {
    /// Answers a call about bulk read. `most` is the number of rows of a job.
    pub(super) fn answer(
        &mut self,
        organisation: &mut Organisation,
        call: &Call,
        most: usize,
        now: DateTime<Utc>,
    ) -> Result<Answer, Refusal> {
        self.jobs.retain(|_, job| now - job.created < KEPT);
        match &call.target {
            Target::BulkJob(id) => self.job(id),
            Target::BulkResult(id) => self.result(id, now),
            _ => self.start(organisation, call, most, now),
        }
    }

    fn start(
        &mut self,
        organisation: &mut Organisation,
        call: &Call,
        most: usize,
        now: DateTime<Utc>,
    ) -> Result<Answer, Refusal> {
        let NewJob { query, .. } = serde_json::from_slice(&call.raw).map_err(|_| Refusal::of(Rule::BulkBody))?;
        let page = query.page.unwrap_or(1);
        if !(1..=PAGES).contains(&page) {
            return Err(Refusal::of(Rule::BulkPages).detail("max_limit", PAGES));
        }
        let unknown = || Refusal::of(Rule::BulkModule).detail("api_name", query.module.api_name.as_str());
        let module = organisation.modules.get(&query.module.api_name).ok_or_else(unknown)?;
        let job = run(organisation, module, &query, (page, most), now)?;
        let (id, more) = (organisation.ids.next(), job.more);
        self.jobs.insert(id, job);
        let details = json!({
            "id": id.to_string(),
            "operation": "read",
            "state": STATES[0],
            "created_by": { "id": USER_ID, "name": USER_NAME },
            "created_time": zoho_time(now),
        });
        let (code, message) = ("ADDED_SUCCESSFULLY", "Added successfully.");
        let line = json!({ "code": code, "details": details, "message": message, "status": "success" });
        let rules = [Some(Rule::BulkCosts), more.then_some(Rule::BulkRows)];
        let answer = Answer::json(StatusCode::CREATED, json!({ "data": [line], "info": {} }));
        Ok(answer.due_to(rules.into_iter().flatten().collect()))
    }

    fn job(&mut self, text: &str) -> Result<Answer, Refusal> {
        let job = read_id(text).and_then(|id| self.jobs.get_mut(&id)).ok_or_else(|| missing(text))?;
        job.asked = (job.asked + 1).min(STATES.len() - 1);
        let mut shown = json!({
            "id": text,
            "operation": "read",
            "state": STATES[job.asked],
            "query": job.query,
            "created_by": { "id": USER_ID, "name": USER_NAME },
            "created_time": zoho_time(job.created),
            "file_type": "csv",
            "Attachment_Source__s": "document",
            "File_Id__s": null,
        });
        if job.is_completed() {
            shown["result"] = json!({
                "page": job.page,
                "per_page": job.per_page,
                "count": job.count,
                "download_url": format!("/crm/bulk/v8/read/{text}/result"),
                "more_records": job.more,
            });
        }
        Ok(Answer::ok(json!({ "data": [shown] })))
    }

    fn result(&mut self, text: &str, now: DateTime<Utc>) -> Result<Answer, Refusal> {
        let job = read_id(text).and_then(|id| self.jobs.get(&id)).ok_or_else(|| missing(text))?;
        if !job.is_completed() {
            return Err(Refusal::of(Rule::BulkJobCompleted).detail("resource", text));
        }
        self.downloads.retain(|time| now - *time < MINUTE);
        if self.downloads.len() >= DOWNLOADS {
            return Err(Refusal::of(Rule::BulkDownloads));
        }
        self.downloads.push_back(now);
        Ok(Answer { status: StatusCode::OK, body: Body::Zip(job.file.clone()), rules: Vec::new() })
    }
}

fn missing(id: &str) -> Refusal {
    Refusal::of(Rule::BulkJobExists).detail("resource", id)
}

impl Job {
    fn is_completed(&self) -> bool {
        self.asked + 1 == STATES.len()
    }
}

/// Does the work of a job, with the records of this moment.
fn run(
    organisation: &Organisation,
    module: &Module,
    query: &Query,
    (page, per_page): (usize, usize),
    now: DateTime<Utc>,
) -> Result<Job, Refusal> {
    if let Some(criteria) = &query.criteria {
        criteria.check(module)?;
    }
    let unknown = |field: &&String| *field != "id" && !module.fields.contains_key(*field);
    if query.fields.iter().any(|field| unknown(&field)) {
        return Err(Refusal::of(Rule::BulkFields));
    }
    let all = query.fields.is_empty().then(|| module.fields.keys());
    let columns: Vec<&str> = match all {
        Some(all) => all.map(String::as_str).collect(),
        None => query.fields.iter().map(String::as_str).filter(|field| *field != "id").collect(),
    };
    let fitting = unconverted(module).filter_map(|(id, record, fields)| {
        let shown = show(organisation, module, (id, record, fields), None);
        query.criteria.as_ref().is_none_or(|criteria| criteria.fit(&shown)).then_some(shown)
    });
    let mut rest = fitting.skip((page - 1).saturating_mul(per_page));
    let rows: Vec<Value> = rest.by_ref().take(per_page).collect();
    let more = rest.next().is_some();
    let mut told = json!({ "module": { "api_name": module.api_name, "id": module.id.to_string() }, "page": page });
    if !query.fields.is_empty() {
        told["fields"] = query.fields.clone().into();
    }
    let file = zipped(&columns, &rows).map_err(|_| Refusal::internal_error())?;
    Ok(Job { created: now, asked: 0, query: told, page, per_page, count: rows.len(), more, file })
}

/// The file: the column `Id` comes first, whatever fields are asked for.
fn zipped(columns: &[&str], rows: &[Value]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["Id"].iter().chain(columns))?;
    for row in rows {
        let values = ["id"].iter().chain(columns).map(|column| text(&row[*column]));
        csv.write_record(values.collect::<Vec<_>>())?;
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("result.csv", SimpleFileOptions::default().compression_method(CompressionMethod::Stored))?;
    zip.write_all(&csv.into_inner()?)?;
    Ok(zip.finish()?.into_inner())
}

/// A value in the file: of a lookup, the id.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(chosen) => chosen.iter().map(text).collect::<Vec<_>>().join(";"),
        Value::Object(lookup) => lookup.get("id").map(text).unwrap_or_default(),
        other => other.to_string(),
    }
}

impl Criteria {
    fn count(&self) -> usize {
        match self {
            Self::One { .. } => 1,
            Self::Group { group, .. } => group.iter().map(Self::count).sum(),
        }
    }

    fn check(&self, module: &Module) -> Result<(), Refusal> {
        if self.count() > CRITERIA {
            return Err(Refusal::of(Rule::BulkCriteria).detail("max_limit", CRITERIA));
        }
        match self {
            Self::Group { group, .. } => group.iter().try_for_each(|criteria| criteria.check(module)),
            Self::One { field, comparator, .. } => {
                let name = field.api_name.as_str();
                let refused = |rule| Err(Refusal::of(rule).detail("api_name", name));
                match comparison(comparator) {
                    None => refused(Rule::BulkComparators),
                    Some(_) if name != "id" && !module.fields.contains_key(name) => refused(Rule::BulkCriteriaFields),
                    Some(_) => Ok(()),
                }
            }
        }
    }

    fn fit(&self, record: &Value) -> bool {
        match self {
            Self::Group { group_operator: Operator::And, group } => group.iter().all(|part| part.fit(record)),
            Self::Group { group_operator: Operator::Or, group } => group.iter().any(|part| part.fit(record)),
            Self::One { field, comparator, value } => {
                let (found, wanted) = (text(&record[&field.api_name]).to_lowercase(), text(value).to_lowercase());
                comparison(comparator).is_some_and(|fits| fits(&found, &wanted))
            }
        }
    }
}

/// A comparator of Zoho's.
fn comparison(name: &str) -> Option<fn(&str, &str) -> bool> {
    Some(match name {
        "equal" => |found, wanted| found == wanted,
        "not_equal" => |found, wanted| found != wanted,
        "contains" => |found, wanted| found.contains(wanted),
        "not_contains" => |found, wanted| !found.contains(wanted),
        "starts_with" => |found, wanted| found.starts_with(wanted),
        "ends_with" => |found, wanted| found.ends_with(wanted),
        _ => return None,
    })
}
