//! The custom fields of a record.

use std::{collections::BTreeMap, fmt, str::FromStr};

use poem_openapi::NewType;
use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Field, FieldErrorCode};
use crate::limits;

/// Custom fields: a text for each that has a value, by its short name; stored as JSON text.
#[derive(Clone, PartialEq, Debug, NewType, Serialize, Deserialize, DeriveValueType)]
#[oai(to_header = false, from_parameter = false, from_multipart = false)]
#[sea_orm(value_type = "String")]
pub struct CustomFields(pub BTreeMap<String, String>);

impl CustomFields {
    /// The text of a field; none when it has no value.
    pub fn get(&self, name: &str) -> Option<&String> {
        self.0.get(name)
    }
}

impl fmt::Display for CustomFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for CustomFields {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

impl Field for CustomFields {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        let Value::Object(entries) = value else { return Err(FieldErrorCode::WrongType) };
        if entries.len() > limits::CUSTOM_FIELDS {
            return Err(FieldErrorCode::TooLong);
        }
        let (mut fields, mut bytes) = (BTreeMap::new(), 0);
        for (name, value) in entries {
            let text = String::parse(value)?;
            if name.contains('\0') {
                return Err(FieldErrorCode::InvalidCharacter);
            }
            bytes += name.len() + text.len();
            fields.insert(name, text);
        }
        if bytes > limits::TEXT_BYTES { Err(FieldErrorCode::TooLong) } else { Ok(Self(fields)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::CustomFields;
    use crate::{
        limits,
        model::{Field, FieldErrorCode},
    };

    #[test]
    fn texts_by_name_are_read_and_come_back_from_the_database() {
        let fields = CustomFields::parse(json!({"level": "3", "bio": "<p>\"ü\"</p>"})).unwrap();
        assert_eq!(fields.get("level").map(String::as_str), Some("3"));
        assert_eq!(fields.get("other"), None);
        assert_eq!(fields.to_string().parse::<CustomFields>().unwrap(), fields);
        assert_eq!(CustomFields::parse(json!({})).unwrap().to_string(), "{}");
    }

    #[test]
    fn what_is_no_text_or_too_much_is_refused() {
        let long = "x".repeat(limits::TEXT_BYTES / 2);
        let many: serde_json::Map<_, _> =
            (0..=limits::CUSTOM_FIELDS).map(|number| (number.to_string(), json!("x"))).collect();
        for (value, code) in [
            (json!([]), FieldErrorCode::WrongType),
            (json!({"a": 1}), FieldErrorCode::WrongType),
            (json!({"a": null}), FieldErrorCode::WrongType),
            (json!({"a\u{0}": "x"}), FieldErrorCode::InvalidCharacter),
            (json!({"a": "x\u{0}"}), FieldErrorCode::InvalidCharacter),
            (json!({"a": long.clone(), "b": long}), FieldErrorCode::TooLong),
            (Value::Object(many), FieldErrorCode::TooLong),
        ] {
            assert_eq!(CustomFields::parse(value).unwrap_err(), code);
        }
    }
}
