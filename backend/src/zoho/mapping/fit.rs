//! Converts a value to what a field in Zoho accepts, or says why not. Zoho would reject the whole record.

use chrono::{DateTime, NaiveDate};
use rust_decimal::Decimal as Number;
use serde_json::{Value, json};

use super::{
    RenderError, country,
    datum::Datum,
    email, phone,
    rule::Form,
    text::{date, date_time, round, text},
};
use crate::zoho::metadata::ModuleField;

/// The most digits of numbers whose metadata does not say: integer, big integer, decimal.
const INTEGER_DIGITS: u32 = 9;
const BIGINT_DIGITS: u32 = 18;
const DECIMAL_DIGITS: u32 = 16;

/// A value as its field accepts it.
#[derive(Debug, Default)]
pub(super) struct Fitted {
    /// `None` when nothing is left of it.
    pub(super) value: Option<Value>,
    /// A part that may matter was left out.
    pub(super) shortened: bool,
}

impl From<Value> for Fitted {
    fn from(value: Value) -> Self {
        Self { value: Some(value), shortened: false }
    }
}

/// The value as `field` accepts it.
pub(super) fn fit(datum: &Datum<'_>, form: Form, field: &ModuleField) -> Result<Fitted, RenderError> {
    let name = || field.api_name.clone();
    let wrong_type = || RenderError::WrongType { field: name(), data_type: field.data_type.clone() };
    if field.read_only {
        return Err(RenderError::ReadOnly { field: name() });
    }
    let value = match field.data_type.as_str() {
        "text" | "textarea" | "email" | "phone" | "website" => return fit_text(datum, form, field),
        "integer" => Value::Number(whole(datum, form, field, INTEGER_DIGITS)?),
        "bigint" => Value::Number(whole(datum, form, field, BIGINT_DIGITS)?),
        "double" | "currency" | "percent" => Value::Number(decimal(datum, form, field)?),
        "boolean" => Value::Bool(boolean(datum).ok_or_else(wrong_type)?),
        "date" => Value::String(as_date(datum, form).ok_or_else(wrong_type)?),
        "datetime" => Value::String(as_date_time(datum).ok_or_else(wrong_type)?),
        "picklist" => Value::String(listed(datum, form, field)?),
        "multiselectpicklist" => all_listed(datum, form, field)?,
        "lookup" | "ownerlookup" | "userlookup" => json!({ "id": reference(datum).ok_or_else(wrong_type)? }),
        _ => return Err(wrong_type()),
    };
    Ok(value.into())
}

/// Whether the field takes this text, perhaps cut.
pub(crate) fn takes(field: &ModuleField, text: &str) -> bool {
    fit(&Datum::Text(text.into()), Form::default(), field).is_ok()
}

/// The value as text, in the mapping's form.
fn written(datum: &Datum<'_>, form: Form) -> String {
    match (datum, form.decimals) {
        (Datum::Time(seconds), _) if form.date_only => date(*seconds, form.time_zone),
        (Datum::Number(number), Some(decimals)) => round(*number, decimals).normalize().to_string(),
        _ => text(datum).into_owned(),
    }
}

fn fit_text(datum: &Datum<'_>, form: Form, field: &ModuleField) -> Result<Fitted, RenderError> {
    let mut text = written(datum, form);
    let one_line = field.data_type != "textarea";
    if one_line && text.contains(['\n', '\r']) {
        text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let mut shortened = false;
    match field.data_type.as_str() {
        "email" if !email::is_accepted(&text) => {
            return Err(RenderError::NotAnEmail { field: field.api_name.clone() });
        }
        "phone" if !text.is_empty() => {
            let cleaned = phone::clean(&text, field.length);
            let cleaned = cleaned.ok_or_else(|| RenderError::NotAPhone { field: field.api_name.clone() })?;
            (text, shortened) = (cleaned.number, cleaned.shortened);
        }
        _ => {}
    }
    if let Some(limit) = field.length {
        // A truncated telephone number, address or number would be wrong.
        let may_cut = matches!(field.data_type.as_str(), "text" | "textarea") && matches!(datum, Datum::Text(_));
        if let Some((end, _)) = text.char_indices().nth(limit as usize) {
            if form.never_cut || !may_cut {
                return Err(RenderError::TooLong { field: field.api_name.clone(), limit });
            }
            text.truncate(end);
            text.truncate(text.trim_end().len());
        }
    }
    Ok(Fitted { value: (!text.is_empty()).then_some(Value::String(text)), shortened })
}

fn number(datum: &Datum<'_>, field: &ModuleField) -> Result<Number, RenderError> {
    datum.number().ok_or_else(|| RenderError::NotANumber { field: field.api_name.clone() })
}

fn whole(datum: &Datum<'_>, form: Form, field: &ModuleField, digits: u32) -> Result<serde_json::Number, RenderError> {
    let number = number(datum, field)?;
    let number = form.decimals.map_or(number, |decimals| round(number, decimals));
    if !number.is_integer() {
        return Err(RenderError::NotWhole { field: field.api_name.clone() });
    }
    json_number(number, field.length.unwrap_or(digits), field)
}

fn decimal(datum: &Datum<'_>, form: Form, field: &ModuleField) -> Result<serde_json::Number, RenderError> {
    let number = number(datum, field)?;
    let digits = field.length.unwrap_or(DECIMAL_DIGITS);
    let room = digits.saturating_sub(digits_of(number.trunc()));
    let decimals = [form.decimals, field.decimal_place, Some(room)].into_iter().flatten().min().unwrap_or(room);
    json_number(round(number, decimals), digits, field)
}

/// The number of digits of a whole number.
fn digits_of(number: Number) -> u32 {
    number.mantissa().unsigned_abs().checked_ilog10().map_or(1, |log| log + 1)
}

fn json_number(number: Number, digits: u32, field: &ModuleField) -> Result<serde_json::Number, RenderError> {
    let number = number.normalize();
    let too_large = || RenderError::TooLarge { field: field.api_name.clone(), digits };
    // Rounding up may have added a digit: 99.9 is 100.
    if digits_of(number.trunc()) + number.scale() > digits {
        return Err(too_large());
    }
    number.to_string().parse().map_err(|_| too_large())
}

fn boolean(datum: &Datum<'_>) -> Option<bool> {
    match text(datum).as_ref() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn as_date(datum: &Datum<'_>, form: Form) -> Option<String> {
    match datum {
        Datum::Time(seconds) => Some(date(*seconds, form.time_zone)),
        Datum::Text(text) if text.len() == 10 => text.parse::<NaiveDate>().ok().map(|_| text.clone().into_owned()),
        Datum::Text(text) => moment(text).map(|seconds| date(seconds, form.time_zone)),
        _ => None,
    }
}

/// The Unix seconds of a moment with its offset.
fn moment(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp())
}

fn as_date_time(datum: &Datum<'_>) -> Option<String> {
    match datum {
        Datum::Time(seconds) => Some(date_time(*seconds)),
        Datum::Text(text) => moment(text).map(date_time),
        _ => None,
    }
}

fn listed(datum: &Datum<'_>, form: Form, field: &ModuleField) -> Result<String, RenderError> {
    choice(&written(datum, form), form, field)
}

/// One value of the list, or several with commas between.
fn all_listed(datum: &Datum<'_>, form: Form, field: &ModuleField) -> Result<Value, RenderError> {
    let text = written(datum, form);
    let all = match choice(&text, form, field) {
        Ok(one) => vec![one],
        Err(_) => text.split(',').map(|part| choice(part.trim(), form, field)).collect::<Result<_, _>>()?,
    };
    Ok(all.into())
}

fn choice(text: &str, form: Form, field: &ModuleField) -> Result<String, RenderError> {
    let country = || form.country.then(|| country::choice(text, field)).flatten();
    let choice = field.choice(text).or_else(country).map(|choice| choice.display.clone());
    choice.ok_or_else(|| RenderError::NotInPicklist { field: field.api_name.clone() })
}

fn reference<'a>(datum: &'a Datum<'_>) -> Option<&'a str> {
    let is_id = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match datum {
        Datum::Reference(id) => Some(id),
        Datum::Text(text) if is_id(text) => Some(text),
        _ => None,
    }
}
