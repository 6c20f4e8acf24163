//! Deleted records: the list of each module, and the recycle bin.

use std::cmp::Reverse;

use poem::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal},
    call::{Call, Target},
    person::When,
    read::{PAGE, name_of},
    records::{Gone, Record},
    rules::Rule,
    schema::{Module, Organisation, USER_ID, USER_NAME, id_in, read_id},
    time::{read_rfc3339, zoho_time},
    write::{Writing, unique, unique_fields},
};

/// The most ids that one call purges; Zoho's limit.
const IDS: usize = 100;

/// What is more than this is purged or restored later; Zoho's limit.
const AT_ONCE: usize = 1_000;

/// The kinds of deletion that the list of deleted records can be restricted to.
const TYPES: [&str; 3] = ["all", "recycle", "permanent"];

/// Something in the recycle bin.
type Item = (String, u64);

/// A page of a list without tokens.
struct Pages {
    page: usize,
    per_page: usize,
}

impl Pages {
    fn of(call: &Call) -> Result<Self, Refusal> {
        let (page, per_page) = (number(call, "page", 1)?, number(call, "per_page", PAGE)?);
        match per_page > PAGE {
            true => Err(Refusal::of(Rule::RecordsPerPage).detail("param_name", "per_page")),
            false => Ok(Self { page, per_page }),
        }
    }

    /// The page's part of a list, and what Zoho says about it.
    fn cut<T>(&self, all: impl Iterator<Item = T>) -> (Vec<T>, Value) {
        let start = (self.page - 1).saturating_mul(self.per_page);
        let mut rest = all.skip(start);
        let shown: Vec<T> = rest.by_ref().take(self.per_page).collect();
        let more = rest.next().is_some();
        let (per_page, count) = (self.per_page, shown.len());
        (shown, json!({ "per_page": per_page, "count": count, "page": self.page, "more_records": more }))
    }
}

/// A parameter that is a number from 1.
pub(super) fn number(call: &Call, name: &str, default: usize) -> Result<usize, Refusal> {
    let Some(text) = call.parameter(name) else { return Ok(default) };
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Refusal::of(Rule::ParameterFits).detail("param_name", name))
}

fn user() -> Value {
    json!({ "name": USER_NAME, "id": USER_ID })
}

/// The deleted records of a module.
pub(super) fn deleted(module: &Module, call: &Call) -> Result<Answer, Refusal> {
    let pages = Pages::of(call)?;
    let wrong = |name: &str| Refusal::of(Rule::ParameterFits).detail("param_name", name);
    let wanted = call.parameter("type").unwrap_or("all");
    if !TYPES.contains(&wanted) {
        return Err(wrong("type"));
    }
    let since = call.modified_since.as_deref().map(|time| read_rfc3339(time).ok_or(wrong("If-Modified-Since")));
    let since = since.transpose()?;
    let fits = |record: &Record| {
        let kind = if record.gone().is_some() { "permanent" } else { "recycle" };
        (wanted == "all" || wanted == kind) && since.is_none_or(|since| record.modified() >= since)
    };
    let (shown, info) = pages.cut(module.records.deleted().filter(|(_, record)| fits(record)));
    if shown.is_empty() {
        return Ok(Answer::no_content());
    }
    let rules = shown.iter().filter_map(|(_, record)| record.gone()).map(|gone| match gone {
        Gone::Purged => Rule::PermanentIsNameless,
        Gone::Expired => Rule::BinIsForSixtyDays,
    });
    let rules = rules.collect();
    let lines: Vec<Value> = shown.into_iter().map(|(id, record)| deleted_line(module, id, record)).collect();
    Ok(Answer::ok(json!({ "data": lines, "info": info })).due_to(rules))
}

fn deleted_line(module: &Module, id: u64, record: &Record) -> Value {
    let recycled = record.last_fields();
    let (kind, by) = if recycled.is_some() { ("recycle", user()) } else { ("permanent", Value::Null) };
    json!({
        "id": id.to_string(),
        "display_name": recycled.map_or(Value::Null, |fields| name_of(module, fields)),
        "type": kind,
        "deleted_time": zoho_time(record.modified()),
        "deleted_by": by,
        "created_by": by,
    })
}

/// Answers a call about the recycle bin.
pub(super) fn answer(organisation: &mut Organisation, call: &Call, writing: &Writing<'_>) -> Result<Answer, Refusal> {
    match &call.target {
        Target::BinCount => Ok(Answer::ok(json!({ "count": items(organisation).len() }))),
        Target::BinEmpty => Ok(empty(organisation, writing)),
        Target::BinOne(id) => one(organisation, id),
        Target::BinPurgeOne(id) => {
            let item = found(organisation, read_id(id)).ok_or_else(|| missing(id))?;
            Ok(lines(vec![Ok(purge(organisation, &item, writing))]))
        }
        Target::BinRestoreOne(id) => {
            let item = found(organisation, read_id(id)).ok_or_else(|| missing(id))?;
            restore(organisation, &item, writing).map(|line| lines(vec![Ok(line)]))
        }
        Target::BinPurge => purge_many(organisation, call, writing),
        Target::BinRestore => restore_many(organisation, call, writing),
        _ => list(organisation, call),
    }
}

/// What lies in the recycle bin, the last deleted first.
fn items(organisation: &Organisation) -> Vec<Item> {
    let of_module = |(name, module): (&String, &Module)| {
        let items = module.records.in_bin().map(|(time, id, _)| (Reverse((time, id)), (name.clone(), id)));
        items.collect::<Vec<_>>()
    };
    let mut all: Vec<_> = organisation.modules.iter().flat_map(of_module).collect();
    all.sort_unstable();
    all.into_iter().map(|(_, item)| item).collect()
}

fn found(organisation: &Organisation, id: Option<u64>) -> Option<Item> {
    let id = id?;
    let (name, _) = organisation.modules.iter().find(|(_, module)| module.records.is_in_bin(id))?;
    Some((name.clone(), id))
}

fn missing(id: &str) -> Refusal {
    Refusal::of(Rule::BinHasRecord).detail("id", id)
}

fn list(organisation: &Organisation, call: &Call) -> Result<Answer, Refusal> {
    let pages = Pages::of(call)?;
    let mut all = items(organisation);
    if let Some(filter) = Filter::of(call.parameter("filters"))? {
        all.retain(|item| filter.fits(organisation, item));
    }
    if call.parameter("ids").is_some() {
        let ids: Vec<u64> = call.ids().into_iter().filter_map(read_id).collect();
        all.retain(|(_, id)| ids.contains(id));
    }
    let (shown, info) = pages.cut(all.into_iter());
    let shown: Vec<Value> = shown.iter().filter_map(|item| item_shown(organisation, item)).collect();
    match shown.is_empty() {
        true => Ok(Answer::no_content()),
        false => Ok(Answer::ok(json!({ "recycle_bin": shown, "info": info }))),
    }
}

fn item_shown(organisation: &Organisation, (name, id): &Item) -> Option<Value> {
    let module = organisation.modules.get(name)?;
    let record = module.records.get(*id)?;
    Some(json!({
        "id": id.to_string(),
        "display_name": display_name(module, record),
        "deleted_time": zoho_time(record.modified()),
        "owner": user(),
        "module": name,
        "deleted_by": user(),
    }))
}

fn display_name(module: &Module, record: &Record) -> String {
    let name = record.last_fields().map_or(Value::Null, |fields| name_of(module, fields));
    name.as_str().unwrap_or_default().to_owned()
}

/// A single one; by Zoho's description, its module is an object.
fn one(organisation: &Organisation, id: &str) -> Result<Answer, Refusal> {
    let item = found(organisation, read_id(id)).ok_or_else(|| missing(id))?;
    let mut shown = item_shown(organisation, &item).ok_or_else(|| missing(id))?;
    let module = organisation.modules.get(&item.0).map(|module| module.id.to_string());
    shown["module"] = json!({ "api_name": item.0, "id": module });
    let info = json!({ "per_page": PAGE, "count": 1, "page": 1, "more_records": false });
    Ok(Answer::ok(json!({ "recycle_bin": [shown], "info": info })))
}

/// What became of one item: a line of the answer, or the id and why not.
type Line = Result<Value, (String, Refusal)>;

fn success(message: &str, details: Value) -> Value {
    json!({ "code": "SUCCESS", "details": details, "message": message, "status": "success" })
}

fn scheduled(message: &str) -> Value {
    json!({ "code": "SCHEDULED", "details": {}, "message": message, "status": "success" })
}

/// The answer to a call about several items: 207 if some are refused.
fn lines(lines: Vec<Line>) -> Answer {
    let refused: Vec<Rule> =
        lines.iter().filter_map(|line| line.as_ref().err()).filter_map(|(_, refusal)| refusal.rule).collect();
    let some_failed = lines.iter().any(Result::is_err);
    let shown = lines.into_iter().map(|line| {
        let (mut line, id) = match line {
            Ok(line) => (line.clone(), line["details"]["id"].clone()),
            Err((id, refusal)) => (refusal.entry(), id.into()),
        };
        // By Zoho's description, lines have an id only if some failed.
        if some_failed {
            line["id"] = id;
        }
        line
    });
    let status = if some_failed { StatusCode::MULTI_STATUS } else { StatusCode::OK };
    Answer::json(status, json!({ "recycle_bin": shown.collect::<Vec<_>>() })).due_to(refused)
}

fn purge(organisation: &mut Organisation, (name, id): &Item, writing: &Writing<'_>) -> Value {
    if let Some(module) = organisation.modules.get_mut(name) {
        module.records.purge(*id, writing.now, writing.forget, Gone::Purged);
    }
    success("record deleted permanently", json!({ "id": id.to_string() }))
}

fn empty(organisation: &mut Organisation, writing: &Writing<'_>) -> Answer {
    let all = items(organisation);
    for item in &all {
        purge(organisation, item, writing);
    }
    match all.len() > AT_ONCE {
        true => Answer::json(StatusCode::ACCEPTED, scheduled("the recycle bin is being emptied")),
        false => Answer::ok(success("the recycle bin is empty", json!({}))),
    }
}

/// Purges by ids, or by filters: the latter is what Zoho's description has, and Zoho does it later.
fn purge_many(organisation: &mut Organisation, call: &Call, writing: &Writing<'_>) -> Result<Answer, Refusal> {
    if call.parameter("ids").is_none() {
        let missing = || Refusal::of(Rule::ParameterIsThere).detail("param_name", "filters");
        let filter = Filter::of(call.parameter("filters"))?.ok_or_else(missing)?;
        for item in filter.all(organisation) {
            purge(organisation, &item, writing);
        }
        return Ok(lines(vec![Ok(scheduled("the records are being deleted"))]));
    }
    let ids = call.ids();
    if ids.len() > IDS {
        return Err(Refusal::of(Rule::BinIdsPerCall).detail("param_name", "ids").detail("limit", IDS));
    }
    let purged = ids.into_iter().map(|id| match found(organisation, read_id(id)) {
        Some(item) => Ok(purge(organisation, &item, writing)),
        None => Err((id.to_owned(), missing(id))),
    });
    Ok(lines(purged.collect()))
}

fn restore(organisation: &mut Organisation, (name, id): &Item, writing: &Writing<'_>) -> Result<Value, Refusal> {
    let module = organisation.modules.get_mut(name).ok_or_else(Refusal::invalid_module)?;
    for field in unique_fields(module) {
        module.records.index(&field);
    }
    // Another record may have taken its value of a unique field meanwhile.
    if let Some(fields) = module.records.get(*id).and_then(Record::last_fields) {
        unique(module, fields, None, 0)?;
    }
    match module.records.restore(*id, writing.now, writing.forget) {
        true => Ok(success("record restored", json!({ "id": id.to_string() }))),
        false => Err(missing(&id.to_string())),
    }
}

/// A record that a person restores on Zoho's pages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restored {
    id: String,
}

impl Restored {
    pub(super) fn perform(self, organisation: &mut Organisation, when: When) -> Result<Value, String> {
        let When { now, forget } = when;
        let writing = Writing { now, forget, partial_status: StatusCode::OK, fault: None };
        let item = found(organisation, read_id(&self.id)).ok_or("it is not in the recycle bin")?;
        restore(organisation, &item, &writing).map_err(|refusal| refusal.entry().to_string())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restoration {
    ids: Option<Vec<Value>>,
    filters: Option<Filter>,
    restore_all_records: Option<bool>,
}

fn restore_many(organisation: &mut Organisation, call: &Call, writing: &Writing<'_>) -> Result<Answer, Refusal> {
    let wrong = || Refusal::of(Rule::BodyFits).detail("expected_data_type", "jsonobject");
    let body: Restoration = serde_json::from_slice(&call.raw).map_err(|_| wrong())?;
    let (named, later) = match (body.ids, body.filters, body.restore_all_records) {
        (Some(ids), None, None) => (ids, false),
        (None, Some(filter), None) => (filter.all(organisation).into_iter().map(|(_, id)| id.into()).collect(), true),
        (None, None, Some(true)) => (items(organisation).into_iter().map(|(_, id)| id.into()).collect(), false),
        _ => return Err(wrong()),
    };
    let all = named.len();
    let restored: Vec<Line> = named
        .into_iter()
        .map(|value| {
            let id = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let item = found(organisation, id_in(&value)).ok_or_else(|| missing(&id));
            item.and_then(|item| restore(organisation, &item, writing)).map_err(|refusal| (id, refusal))
        })
        .collect();
    match later || all > AT_ONCE {
        true => Ok(Answer { status: StatusCode::ACCEPTED, ..lines(vec![Ok(scheduled("records are being restored"))]) }),
        false => Ok(lines(restored)),
    }
}

/// Which records of the recycle bin are meant: those that fit all conditions.
#[derive(Deserialize)]
struct Filter {
    group_operator: String,
    group: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    field: FieldName,
    comparator: String,
    value: Value,
}

#[derive(Deserialize)]
struct FieldName {
    api_name: String,
}

impl Filter {
    fn of(text: Option<&str>) -> Result<Option<Self>, Refusal> {
        let wrong = || Refusal::of(Rule::ParameterFits).detail("param_name", "filters");
        let Some(text) = text else { return Ok(None) };
        let filter: Self = serde_json::from_str(text).map_err(|_| wrong())?;
        filter.group_operator.eq_ignore_ascii_case("and").then_some(Some(filter)).ok_or_else(wrong)
    }

    fn all(&self, organisation: &Organisation) -> Vec<Item> {
        items(organisation).into_iter().filter(|item| self.fits(organisation, item)).collect()
    }

    fn fits(&self, organisation: &Organisation, (name, id): &Item) -> bool {
        let Some(module) = organisation.modules.get(name) else { return false };
        let Some(record) = module.records.get(*id) else { return false };
        self.group.iter().all(|condition| {
            let found = match condition.field.api_name.as_str() {
                "module" => name.clone(),
                "display_name" => display_name(module, record),
                "id" => id.to_string(),
                _ => return false,
            };
            let wanted = condition.value.as_str().map_or_else(|| condition.value.to_string(), str::to_owned);
            match condition.comparator.as_str() {
                "equal" => found.eq_ignore_ascii_case(&wanted),
                "contains" => found.to_lowercase().contains(&wanted.to_lowercase()),
                _ => false,
            }
        })
    }
}
