//! Timelines: what happened to a record, with the old and new values of each changed field.

use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal},
    call::Call,
    history::{Change, Event, Related},
    read::{PAGE, name_of},
    records::Record,
    recycle_bin::number,
    rules::Rule,
    schema::{Module, USER_ID, USER_NAME, read_id},
    time::zoho_time,
};

/// The longest value that is shown; Zoho's limit.
const VALUE: usize = 255;

/// Answers with the timeline of a record, the newest event first.
pub(super) fn of_record(module: &Module, id: &str, call: &Call) -> Result<Answer, Refusal> {
    let record = read_id(id).and_then(|id| module.records.get(id).map(|record| (id, record)));
    let record = record.filter(|(_, record)| record.gone().is_none());
    let (id, record) = record.ok_or_else(|| Refusal::of(Rule::TimelineHasRecord).detail("resource_path_index", 1))?;
    let wrong = |name: &str| Refusal::of(Rule::ParameterFits).detail("param_name", name);
    if call.parameter("sort_by").is_some_and(|by| by != "audited_time") {
        return Err(wrong("sort_by"));
    }
    let mut events: Vec<&Event> = record.history.events().collect();
    match call.parameter("sort_order") {
        None | Some("desc") => events.reverse(),
        Some("asc") => {}
        Some(_) => return Err(wrong("sort_order")),
    }
    let per_page = number(call, "per_page", PAGE)?;
    if per_page > PAGE {
        return Err(Refusal::of(Rule::RecordsPerPage).detail("param_name", "per_page"));
    }
    let page = match call.parameter("page_token") {
        Some(_) => number(call, "page_token", 1)?,
        None => number(call, "page", 1)?,
    };
    let start = (page - 1).saturating_mul(per_page);
    let shown: Vec<Value> =
        events.iter().skip(start).take(per_page).map(|event| shown(module, id, record, event)).collect();
    if shown.is_empty() {
        return Ok(Answer::no_content());
    }
    let more = events.len() > start.saturating_add(per_page);
    let info = json!({
        "count": shown.len(),
        "more_records": more,
        "page": page,
        "per_page": per_page,
        // The tokens of this simulator are the numbers of pages.
        "next_page_token": more.then(|| (page + 1).to_string()),
        "previous_page_token": (page > 1).then(|| (page - 1).to_string()),
    });
    Ok(Answer::ok(json!({ "__timeline": shown, "info": info })))
}

fn shown(module: &Module, id: u64, record: &Record, event: &Event) -> Value {
    let name = record.last_fields().map_or(Value::Null, |fields| name_of(module, fields));
    let history: Vec<Value> = event.changes.iter().map(|change| field(module, change)).collect();
    let mut shown = json!({
        "audited_time": zoho_time(event.time),
        "action": event.action.name(),
        "id": format!("{id}{:04}", event.n),
        "source": event.source.name(),
        "extension": null,
        "done_by": { "name": USER_NAME, "id": USER_ID },
        "related_record": event.related.as_deref().map(related),
        "automation_details": null,
        "record": {
            "name": name,
            "id": id.to_string(),
            "module": { "api_name": module.api_name, "id": module.id.to_string() },
        },
        "type": "timeline",
    });
    shown["field_history"] = if history.is_empty() { Value::Null } else { history.into() };
    shown
}

fn related(related: &Related) -> Value {
    let module = json!({ "api_name": related.module, "name": related.module });
    json!({ "name": related.name, "id": related.id.to_string(), "module": module })
}

fn field(module: &Module, change: &Change) -> Value {
    let mut shown = json!({
        "api_name": change.field,
        "pick_list_values": [],
        "enable_colour_code": false,
        "_value": { "new": value(change.new.as_ref()), "old": value(change.old.as_ref()) },
    });
    if let Some(field) = module.fields.get(&change.field) {
        shown["data_type"] = field.kind.name().into();
        shown["field_label"] = field.label.as_str().into();
        shown["id"] = field.id.to_string().into();
    }
    shown
}

/// A value as a text.
fn value(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.clone(),
        Value::Object(lookup) => lookup.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
        Value::Array(chosen) => chosen.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(";"),
        other => other.to_string(),
    };
    Some(text.chars().take(VALUE).collect())
}
