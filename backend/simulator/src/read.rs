//! Reading records: by id, as lists, and deleted ones.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal},
    call::{Call, Target},
    records::{Fields, Record},
    recycle_bin,
    rules::Rule,
    schema::{Choice, Kind, Module, Organisation, USER_ID, USER_NAME, read_id},
    time::zoho_time,
    timeline,
};

/// Records per page; Zoho's limit.
pub(super) const PAGE: usize = 200;

/// The most characters of all ids in one call; Zoho's limit.
const IDS: usize = 1_024;

/// The most fields in one call; Zoho's limit.
const FIELDS: usize = 50;

/// Records that can be reached by `page`; beyond, `page_token` is needed. Zoho's limit.
const REACHED_BY_PAGE: usize = 2_000;

/// Answers a call that reads records, except the search.
pub(super) fn read(organisation: &Organisation, call: &Call) -> Result<Answer, Refusal> {
    let name = call.module.as_deref().unwrap_or_default();
    let module = organisation.modules.get(name).ok_or_else(Refusal::invalid_module)?;
    match &call.target {
        Target::GetOne(id) => {
            let Some(id) = read_id(id) else { return Err(Refusal::of(Rule::RecordExists)) };
            Ok(match module.records.live(id) {
                Some((record, fields)) => {
                    let requested = requested_fields(call)?;
                    Answer::ok(
                        json!({ "data": [show(organisation, module, (id, record, fields), requested.as_deref())] }),
                    )
                }
                None => Answer::no_content(),
            })
        }
        Target::Deleted => recycle_bin::deleted(module, call),
        Target::Timeline(id) => timeline::of_record(module, id, call),
        _ if call.parameter("ids").is_some() => by_ids(organisation, module, call),
        _ => list(organisation, module, call),
    }
}

fn by_ids(organisation: &Organisation, module: &Module, call: &Call) -> Result<Answer, Refusal> {
    let requested = requested_fields(call)?;
    if requested.is_none() {
        return Err(fields_missing());
    }
    if call.parameter("ids").is_some_and(|ids| ids.len() > IDS) {
        return Err(Refusal::of(Rule::IdsPerCall));
    }
    let ids = call.ids().into_iter().filter_map(read_id);
    let found = ids.filter_map(|id| module.records.live(id).map(|(record, fields)| (id, record, fields.as_ref())));
    let records = found.map(|found| show(organisation, module, found, requested.as_deref())).collect();
    Ok(page(records, &Paging { start: 0, per_page: PAGE }, false))
}

fn list(organisation: &Organisation, module: &Module, call: &Call) -> Result<Answer, Refusal> {
    let requested = requested_fields(call)?;
    if requested.is_none() {
        return Err(fields_missing());
    }
    let paging = Paging::of(call)?;
    let mut all: Vec<(u64, &Record, &Fields)> =
        unconverted(module).map(|(id, record, fields)| (id, record, fields.as_ref())).collect();
    match call.parameter("sort_by") {
        Some("Modified_Time") => all.sort_by_key(|(_, record, _)| record.modified()),
        Some("Created_Time") => all.sort_by_key(|(_, record, _)| record.created),
        _ => {}
    }
    if call.parameter("sort_order") != Some("asc") {
        all.reverse();
    }
    let more = all.len() > paging.start + paging.per_page;
    let shown = all.into_iter().skip(paging.start).take(paging.per_page);
    let records = shown.map(|found| show(organisation, module, found, requested.as_deref())).collect();
    Ok(page(records, &paging, more))
}

/// The records that a person sees in the module: converted leads are not among them.
pub(super) fn unconverted(module: &Module) -> impl DoubleEndedIterator<Item = (u64, &Record, &Arc<Fields>)> {
    module.records.all_live().filter(|(_, record, _)| !record.is_converted())
}

/// The fields that the call names; `None` when it names none.
pub(super) fn requested_fields(call: &Call) -> Result<Option<Vec<&str>>, Refusal> {
    let Some(fields) = call.parameter("fields").filter(|fields| !fields.is_empty()) else { return Ok(None) };
    let fields: Vec<&str> = fields.split(',').map(str::trim).collect();
    match fields.len() > FIELDS {
        true => Err(Refusal::of(Rule::FieldsPerCall)),
        false => Ok(Some(fields)),
    }
}

fn fields_missing() -> Refusal {
    Refusal::of(Rule::ParameterIsThere).detail("param_name", "fields")
}

/// The requested part of a list.
pub(super) struct Paging {
    pub(super) start: usize,
    pub(super) per_page: usize,
}

impl Paging {
    pub(super) fn of(call: &Call) -> Result<Self, Refusal> {
        let number = |name, default: usize| match call.parameter(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| Refusal::of(Rule::ParameterFits).detail("param_name", name)),
        };
        let per_page = number("per_page", PAGE)?.min(PAGE);
        if let Some(token) = call.parameter("page_token") {
            let start = token.parse().map_err(|_| Refusal::of(Rule::ParameterFits))?;
            return Ok(Self { start, per_page });
        }
        let start = number("page", 1)?.saturating_sub(1).saturating_mul(per_page);
        match start >= REACHED_BY_PAGE {
            true => Err(Refusal::of(Rule::PagesByToken)),
            false => Ok(Self { start, per_page }),
        }
    }
}

/// A page of records, or 204 when there are none.
pub(super) fn page(records: Vec<Value>, paging: &Paging, more: bool) -> Answer {
    if records.is_empty() {
        return Answer::no_content();
    }
    let mut info = json!({
        "per_page": paging.per_page,
        "count": records.len(),
        "page": paging.start / paging.per_page + 1,
        "sort_by": "id",
        "sort_order": "desc",
        "more_records": more,
    });
    if more {
        info["next_page_token"] = (paging.start + paging.per_page).to_string().into();
    }
    Answer::ok(json!({ "data": records, "info": info }))
}

/// A record as Zoho returns it: all fields, or the requested ones, and always its id.
pub(super) fn show(
    organisation: &Organisation,
    module: &Module,
    (id, record, fields): (u64, &Record, &Fields),
    requested: Option<&[&str]>,
) -> Value {
    let mut shown = Fields::new();
    shown.insert("id".to_owned(), id.to_string().into());
    let names: Vec<&str> = match requested {
        Some(requested) => requested.to_vec(),
        None => module.fields.keys().map(String::as_str).collect(),
    };
    for name in names {
        let Some(field) = module.fields.get(name).filter(|field| !field.administered.hidden) else { continue };
        let value = match (name, &field.kind) {
            ("Created_Time", _) => zoho_time(record.created).into(),
            ("Modified_Time", _) => zoho_time(record.modified()).into(),
            ("Full_Name", _) => full_name(fields),
            (_, Kind::Owner) => json!({ "name": USER_NAME, "id": USER_ID }),
            (_, Kind::Boolean) => fields.get(name).cloned().unwrap_or(Value::Bool(false)),
            (_, Kind::Picklist(values)) => fields.get(name).map_or(Value::Null, |actual| displayed(values, actual)),
            (_, Kind::Lookup(target)) => fields.get(name).map_or(Value::Null, |to| lookup(organisation, target, to)),
            _ => fields.get(name).cloned().unwrap_or(Value::Null),
        };
        shown.insert(name.to_owned(), value);
    }
    Value::Object(shown)
}

/// What people see of a stored value.
fn displayed(values: &[Choice], actual: &Value) -> Value {
    let value = values.iter().find(|value| Some(value.actual.as_str()) == actual.as_str());
    value.map_or_else(|| actual.clone(), |value| value.display.as_str().into())
}

fn full_name(fields: &Fields) -> Value {
    let names = ["First_Name", "Last_Name"].into_iter().filter_map(|name| fields.get(name)?.as_str());
    names.collect::<Vec<_>>().join(" ").into()
}

/// A lookup with the name of its target; null when the target was deleted.
fn lookup(organisation: &Organisation, target: &str, value: &Value) -> Value {
    let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
    let module = organisation.modules.get(target);
    let found = module.zip(read_id(id)).and_then(|(module, id)| Some((module, module.records.live(id)?.1)));
    let Some((module, fields)) = found else { return Value::Null };
    json!({ "name": name_of(module, fields), "id": id })
}

/// The name of a record.
pub(super) fn name_of(module: &Module, fields: &Fields) -> Value {
    match module.display_field.as_str() {
        "Full_Name" => full_name(fields),
        field => fields.get(field).cloned().unwrap_or(Value::Null),
    }
}
