//! The categories above a course.

use std::{fmt, str::FromStr};

use poem_openapi::{NewType, Object};
use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Field, FieldErrorCode, Fields, Id};
use crate::limits;

/// A course category.
#[derive(Clone, PartialEq, Debug, Object, Serialize, Deserialize)]
pub struct Category {
    /// Its id in Moodle.
    pub id: Id,
    /// Its name.
    pub name: String,
}

/// The categories of a course, from the top to its own; stored as JSON text.
#[derive(Clone, PartialEq, Debug, NewType, Serialize, Deserialize, DeriveValueType)]
#[oai(to_header = false, from_parameter = false, from_multipart = false)]
#[sea_orm(value_type = "String")]
pub struct Categories(pub Vec<Category>);

impl fmt::Display for Categories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Categories {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

impl Field for Categories {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        let Value::Array(entries) = value else { return Err(FieldErrorCode::WrongType) };
        if entries.len() > limits::CATEGORY_LEVELS {
            return Err(FieldErrorCode::TooLong);
        }
        let category = |entry| {
            let Value::Object(map) = entry else { return Err(FieldErrorCode::WrongType) };
            let mut fields = Fields::new(map);
            match (fields.required("id"), fields.required("name")) {
                (Some(id), Some(name)) => Ok(Category { id, name }),
                _ => Err(fields.finish().err().and_then(|errors| errors.first().map(|error| error.code)))
                    .map_err(|code| code.unwrap_or(FieldErrorCode::WrongType)),
            }
        };
        entries.into_iter().map(category).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Categories;
    use crate::{
        limits,
        model::{Field, FieldErrorCode, Id},
    };

    #[test]
    fn categories_are_read_and_come_back_from_the_database() {
        let path = Categories::parse(json!([{"id": "3", "name": "Science"}, {"id": 7, "name": "Physics"}])).unwrap();
        assert_eq!(path.0[1].id, Id(7));
        assert_eq!(path.to_string(), r#"[{"id":3,"name":"Science"},{"id":7,"name":"Physics"}]"#);
        assert_eq!(path.to_string().parse::<Categories>().unwrap(), path);
    }

    #[test]
    fn what_is_no_category_is_refused() {
        let deep = vec![json!({"id": 1, "name": "x"}); limits::CATEGORY_LEVELS + 1];
        for (value, code) in [
            (json!({}), FieldErrorCode::WrongType),
            (json!(["Science"]), FieldErrorCode::WrongType),
            (json!([{"id": 0, "name": "x"}]), FieldErrorCode::OutOfRange),
            (json!([{"id": 1}]), FieldErrorCode::Required),
            (Value::Array(deep), FieldErrorCode::TooLong),
        ] {
            assert_eq!(Categories::parse(value).unwrap_err(), code);
        }
    }
}
