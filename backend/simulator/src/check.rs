//! Checking whether a field accepts a value.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{
    answer::Refusal,
    pattern,
    rules::Rule,
    schema::{Field, Kind, Organisation, USER_ID, id_in, read_id},
    time::{read_zoho_time, zoho_time},
};

/// The path of a value in the body, for errors.
pub(super) fn json_path(record: usize, field: &str) -> String {
    format!("$.data[{record}].{field}")
}

/// The value to store: null and an empty text clear the field.
pub(super) fn value(organisation: &Organisation, field: &Field, value: Value, record: usize) -> Result<Value, Refusal> {
    if value.is_null() || value.as_str().is_some_and(str::is_empty) {
        return Ok(Value::Null);
    }
    let wrong_type = || invalid(field, record).detail("expected_data_type", expected(&field.kind));
    let text = || value.as_str().ok_or_else(wrong_type);
    let number = || value.as_number().map(ToString::to_string).ok_or_else(wrong_type);
    match &field.kind {
        Kind::Text | Kind::Textarea => short_enough(field, text()?.chars().count(), record)?,
        Kind::Email | Kind::Phone | Kind::Website => {
            let text = text()?;
            short_enough(field, text.chars().count(), record)?;
            if !pattern::fits(&field.kind, text) {
                return Err(wrong_type());
            }
        }
        Kind::Integer | Kind::Bigint => {
            // Big integers are returned as text, and accepted as either.
            let digits = match (&field.kind, value.as_str()) {
                (Kind::Bigint, Some(text)) => text.to_owned(),
                _ => number()?,
            };
            let digits = digits.strip_prefix('-').unwrap_or(&digits);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(wrong_type());
            }
            short_enough(field, digits.len(), record)?;
        }
        Kind::Double | Kind::Currency => {
            let number = number()?;
            let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
            let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
            short_enough(field, digits, record)?;
            return Ok(rounded(&number, field.decimals as usize));
        }
        Kind::Boolean if value.is_boolean() => {}
        Kind::Boolean => return Err(wrong_type()),
        Kind::Date => {
            let text = text()?;
            if text.len() != 10 || NaiveDate::parse_from_str(text, "%Y-%m-%d").is_err() {
                return Err(wrong_type());
            }
        }
        Kind::DateTime => {
            let time = read_zoho_time(text()?).ok_or_else(wrong_type)?;
            return Ok(zoho_time(time).into());
        }
        Kind::Picklist(values) => {
            let text = text()?;
            let listed = values.iter().find(|value| value.display == text);
            return listed.map(|value| value.actual.as_str().into()).ok_or_else(|| not_in_list(field, record));
        }
        Kind::Multiselect(values) => {
            let chosen = value.as_array().ok_or_else(wrong_type)?;
            if !chosen.iter().all(|chosen| values.iter().any(|value| Some(value.display.as_str()) == chosen.as_str())) {
                return Err(not_in_list(field, record));
            }
        }
        Kind::Lookup(target) => {
            let id = value.get("id").ok_or_else(wrong_type)?;
            let module = organisation.modules.get(target);
            return match id_in(id).filter(|id| module.is_some_and(|module| module.records.live(*id).is_some())) {
                Some(id) => Ok(json!({ "id": id.to_string() })),
                None => Err(unknown_id(field, record)),
            };
        }
        Kind::Owner => {
            let id = value.get("id").ok_or_else(wrong_type)?;
            return match id_in(id) == read_id(USER_ID) {
                true => Ok(json!({ "id": USER_ID })),
                false => Err(unknown_id(field, record)),
            };
        }
    }
    Ok(value)
}

/// Zoho's name of the expected type in errors.
fn expected(kind: &Kind) -> &'static str {
    match kind {
        Kind::Lookup(_) | Kind::Owner => "jsonobject",
        Kind::Multiselect(_) => "jsonarray",
        kind => kind.name(),
    }
}

fn invalid(field: &Field, record: usize) -> Refusal {
    Refusal::of(Rule::ValuesFit)
        .detail("api_name", field.api_name.as_str())
        .detail("json_path", json_path(record, &field.api_name))
}

fn not_in_list(field: &Field, record: usize) -> Refusal {
    let (Kind::Picklist(values) | Kind::Multiselect(values)) = &field.kind else { return invalid(field, record) };
    let supported: Vec<&str> = values.iter().map(|value| value.display.as_str()).collect();
    invalid(field, record).detail("expected_data_type", "picklist").detail("supported_values", supported)
}

fn unknown_id(field: &Field, record: usize) -> Refusal {
    let json_path = format!("{}.id", json_path(record, &field.api_name));
    Refusal::of(Rule::LookupExists).detail("api_name", field.api_name.as_str()).detail("json_path", json_path)
}

fn short_enough(field: &Field, length: usize, record: usize) -> Result<(), Refusal> {
    if length > field.length as usize {
        return Err(invalid(field, record).detail("maximum_length", field.length));
    }
    Ok(())
}

/// A number with at most so many decimals: Zoho rounds what it stores.
fn rounded(number: &str, decimals: usize) -> Value {
    match number.parse::<f64>() {
        Ok(parsed) if number.split_once('.').is_some_and(|(_, after)| after.len() > decimals) => {
            format!("{parsed:.decimals$}").parse::<f64>().map_or(Value::Null, Value::from)
        }
        _ => number.parse::<serde_json::Number>().map_or(Value::Null, Value::Number),
    }
}
