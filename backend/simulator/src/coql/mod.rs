//! COQL, Zoho's query language: the part that a synchronisation uses, with its limits.

mod parse;

use std::{cmp::Ordering, collections::BTreeSet};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) use self::parse::Query;
use self::parse::{Condition, Test};
use super::{
    answer::{Answer, Refusal},
    call::Call,
    read::show,
    records::{Fields, Record, index_key},
    rules::Rule,
    schema::{Kind, Module, Organisation},
    settings::Settings,
    time::{read_rfc3339, to_rfc3339},
};

/// Rows that can be reached by an offset; Zoho's limit.
const REACHED_BY_OFFSET: usize = 100_000;

/// The rows of a call for one credit, and for two.
const ROWS_OF_CREDITS: [usize; 2] = [200, 1_000];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    select_query: String,
}

/// Reads the body of a call.
pub(super) fn read(body: &[u8]) -> Result<Query, Refusal> {
    let body = serde_json::from_slice::<Body>(body).map_err(|_| Refusal::of(Rule::BodyFits))?;
    parse::query(&body.select_query)
}

/// The credits of a call; one if its query cannot be read.
pub(super) fn credits(call: &Call) -> u64 {
    let rows = call.query_of_coql().map_or(0, |query| query.rows);
    1 + ROWS_OF_CREDITS.iter().filter(|most| rows > **most).count() as u64
}

/// Answers a query with the records as of `seen`.
pub(super) fn answer(
    organisation: &mut Organisation,
    settings: &Settings,
    call: &Call,
    seen: DateTime<Utc>,
) -> Result<Answer, Refusal> {
    let query = call.coql.as_ref().map_err(Clone::clone)?.as_ref().ok_or_else(|| Refusal::of(Rule::BodyFits))?;
    let last = query.offset.saturating_add(query.rows);
    if query.rows == 0 || query.rows > settings.coql_rows || last > REACHED_BY_OFFSET {
        return Err(Refusal::of(Rule::CoqlRows).detail("limit", settings.coql_rows.to_string()));
    }
    let no_module = || Refusal::of(Rule::CoqlModuleExists).detail("module", query.module.as_str());
    let module = organisation.modules.get_mut(&query.module).ok_or_else(no_module)?;
    let columns = query.columns.iter().chain(query.order.iter().map(|(field, _)| field));
    columns.map(String::as_str).try_for_each(|name| known(module, name).map(drop))?;
    check(module, &query.condition)?;
    index(module, &query.condition);
    let module = organisation.modules.get(&query.module).ok_or_else(no_module)?;
    let found = found(module, query, seen);
    if query.columns.is_empty() {
        let counted = json!([{ "COUNT(id)": found.len() }]);
        return Ok(Answer::ok(json!({ "info": { "count": 1, "more_records": false }, "data": counted })));
    }
    let more = found.len() > last;
    let columns: Vec<&str> = query.columns.iter().map(String::as_str).filter(|name| *name != "id").collect();
    let shown = found.into_iter().skip(query.offset).take(query.rows);
    let shown: Vec<Value> = shown.map(|row| row_of(organisation, module, row, &columns)).collect();
    Ok(match shown.is_empty() {
        true => Answer::no_content(),
        false => Answer::ok(json!({ "info": { "count": shown.len(), "more_records": more }, "data": shown })),
    })
}

type Row<'a> = (u64, &'a Record, &'a Fields);

fn found<'a>(module: &'a Module, query: &Query, seen: DateTime<Utc>) -> Vec<Row<'a>> {
    let rows: Box<dyn Iterator<Item = Row<'a>>> = match candidates(module, &query.condition) {
        Some(ids) => Box::new(ids.into_iter().filter_map(move |id| {
            let record = module.records.get(id)?;
            Some((id, record, record.fields_at(seen)?.as_ref()))
        })),
        None => Box::new(module.records.all_at(seen).map(|(id, record, fields)| (id, record, fields.as_ref()))),
    };
    let mut found: Vec<Row<'a>> = rows.filter(|row| fits(module, &query.condition, *row)).collect();
    if let Some((field, descending)) = &query.order {
        found.sort_by(|left, right| {
            let ordering = compare(module, field, &text(field, *left), &text(field, *right));
            if *descending { ordering.reverse() } else { ordering }
        });
    }
    found
}

/// A row with its id, and lookups as their ids alone.
fn row_of(organisation: &Organisation, module: &Module, row: Row<'_>, columns: &[&str]) -> Value {
    let mut shown = show(organisation, module, row, Some(columns));
    for name in columns {
        let is_lookup = module.fields.get(*name).is_some_and(|field| matches!(field.kind, Kind::Lookup(_)));
        if let (true, Some(lookup)) = (is_lookup, shown[*name].as_object_mut()) {
            lookup.retain(|key, _| key == "id");
        }
    }
    shown
}

/// The field's kind; `None` for the id.
fn known<'a>(module: &'a Module, name: &str) -> Result<Option<&'a Kind>, Refusal> {
    match module.fields.get(name) {
        _ if name == "id" => Ok(None),
        Some(field) => Ok(Some(&field.kind)),
        None => Err(Refusal::of(Rule::CoqlFieldExists).detail("column_name", name)),
    }
}

fn check(module: &Module, condition: &Condition) -> Result<(), Refusal> {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().try_for_each(|part| check(module, part)),
        Condition::One { field, .. } => match known(module, field)? {
            Some(Kind::Textarea) => Err(Refusal::of(Rule::CoqlNoTextarea).detail("column_name", field.as_str())),
            _ => Ok(()),
        },
    }
}

fn index(module: &mut Module, condition: &Condition) {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| index(module, part)),
        Condition::One { field, test: Test::In { wanted: true, .. } } if field != "id" => module.records.index(field),
        Condition::One { .. } => {}
    }
}

/// The ids of the records that can match, if an index tells.
fn candidates(module: &Module, condition: &Condition) -> Option<BTreeSet<u64>> {
    match condition {
        Condition::One { field, test: Test::In { values, wanted: true } } if field == "id" => {
            Some(values.iter().filter_map(|value| value.parse().ok()).collect())
        }
        Condition::One { field, test: Test::In { values, wanted: true } } => {
            let ids =
                |value: &String| module.records.candidates(field, &Value::from(value.as_str())).collect::<Vec<_>>();
            Some(values.iter().flat_map(ids).collect())
        }
        Condition::One { .. } => None,
        Condition::All(parts) => parts.iter().find_map(|part| candidates(module, part)),
        Condition::Any(parts) => {
            let sets: Option<Vec<_>> = parts.iter().map(|part| candidates(module, part)).collect();
            sets.map(|sets| sets.into_iter().flatten().collect())
        }
    }
}

fn fits(module: &Module, condition: &Condition, row: Row<'_>) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().all(|part| fits(module, part, row)),
        Condition::Any(parts) => parts.iter().any(|part| fits(module, part, row)),
        Condition::One { field, test } => {
            let value = text(field, row);
            match test {
                Test::Null(wanted) => value.is_empty() == *wanted,
                Test::In { values, wanted } => {
                    let is = |other: &String| compare(module, field, &value, other) == Ordering::Equal;
                    values.iter().any(is) == *wanted
                }
                Test::Like(pattern) => like(&value, pattern),
                Test::Compare(sign, other) => {
                    let ordering = compare(module, field, &value, other);
                    !value.is_empty()
                        && (sign.contains('=') && ordering.is_eq()
                            || sign.starts_with('<') && ordering.is_lt()
                            || sign.starts_with('>') && ordering.is_gt())
                }
            }
        }
    }
}

fn like(value: &str, pattern: &str) -> bool {
    let core = pattern.trim_matches('%');
    match (pattern.starts_with('%'), pattern.ends_with('%')) {
        (true, true) => value.contains(core),
        (true, false) => value.ends_with(core),
        (false, true) => value.starts_with(core),
        (false, false) => value == core,
    }
}

/// A field's value in lower case; empty for null.
fn text(field: &str, (id, record, fields): Row<'_>) -> String {
    match field {
        "id" => id.to_string(),
        "Created_Time" => to_rfc3339(record.created),
        "Modified_Time" => to_rfc3339(record.modified()),
        _ => fields.get(field).and_then(index_key).unwrap_or_default(),
    }
}

/// Compares as numbers, as times, or as texts, by the field's type.
fn compare(module: &Module, field: &str, left: &str, right: &str) -> Ordering {
    let kind = module.fields.get(field).map(|field| &field.kind);
    let of_numbers = || left.parse::<f64>().ok()?.partial_cmp(&right.parse::<f64>().ok()?);
    let of_ids = || Some(left.parse::<u64>().ok()?.cmp(&right.parse::<u64>().ok()?));
    let of_times = || Some(time(left)?.cmp(&time(right)?));
    let typed = match kind {
        None => of_ids(),
        Some(Kind::Integer | Kind::Bigint | Kind::Double | Kind::Currency) => of_numbers(),
        Some(Kind::DateTime) => of_times(),
        _ => None,
    };
    typed.unwrap_or_else(|| left.cmp(right))
}

/// A time in whole seconds, as Zoho shows it.
fn time(text: &str) -> Option<i64> {
    read_rfc3339(&text.to_uppercase()).map(|time| time.timestamp())
}
