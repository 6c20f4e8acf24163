//! Names of what a person belongs to.

use std::{fmt, str::FromStr};

use poem_openapi::NewType;
use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Field, FieldErrorCode};
use crate::limits;

/// Names of cohorts or groups; stored as JSON text.
#[derive(Clone, PartialEq, Debug, NewType, Serialize, Deserialize, DeriveValueType)]
#[oai(to_header = false, from_parameter = false, from_multipart = false)]
#[sea_orm(value_type = "String")]
pub struct Names(pub Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Names {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

impl Field for Names {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        let Value::Array(entries) = value else { return Err(FieldErrorCode::WrongType) };
        if entries.len() > limits::NAMES {
            return Err(FieldErrorCode::TooLong);
        }
        entries.into_iter().map(String::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Names;
    use crate::{
        limits,
        model::{Field, FieldErrorCode},
    };

    #[test]
    fn names_are_read_and_come_back_from_the_database() {
        let names = Names::parse(json!(["Year 1", "\"B\""])).unwrap();
        assert_eq!(names.to_string().parse::<Names>().unwrap(), names);
    }

    #[test]
    fn what_is_no_list_of_names_is_refused() {
        for (value, code) in [
            (json!("Year 1"), FieldErrorCode::WrongType),
            (json!([1]), FieldErrorCode::WrongType),
            (Value::Array(vec![json!("x"); limits::NAMES + 1]), FieldErrorCode::TooLong),
        ] {
            assert_eq!(Names::parse(value).unwrap_err(), code);
        }
    }
}
