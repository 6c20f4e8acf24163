//! The roles of a person in a course.

use std::{fmt, str::FromStr};

use poem_openapi::{NewType, Object};
use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Field, FieldErrorCode, Fields};
use crate::limits;

/// A person's role in a course. Ids of roles differ between sites; the archetype says what kind of role it is.
#[derive(Clone, PartialEq, Debug, Object, Serialize, Deserialize)]
pub struct Role {
    /// The role's short name (`student`, `editingteacher`, or one that the site defines).
    pub shortname: String,
    /// The role's archetype in Moodle (`student`, `teacher`, ...); empty when it has none.
    pub archetype: String,
}

/// The roles that a person has in a course; stored as JSON text.
#[derive(Clone, PartialEq, Debug, NewType, Serialize, Deserialize, DeriveValueType)]
#[oai(to_header = false, from_parameter = false, from_multipart = false)]
#[sea_orm(value_type = "String")]
pub struct Roles(pub Vec<Role>);

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Roles {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

impl Field for Roles {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        let Value::Array(entries) = value else { return Err(FieldErrorCode::WrongType) };
        if entries.len() > limits::ROLES {
            return Err(FieldErrorCode::TooLong);
        }
        let role = |entry| {
            let Value::Object(map) = entry else { return Err(FieldErrorCode::WrongType) };
            let mut fields = Fields::new(map);
            let (shortname, archetype) = (fields.required("shortname"), fields.optional("archetype"));
            match (shortname, archetype) {
                (Some(shortname), Some(archetype)) => Ok(Role { shortname, archetype: archetype.unwrap_or_default() }),
                _ => Err(fields.finish().err().and_then(|errors| errors.first().map(|error| error.code)))
                    .map_err(|code| code.unwrap_or(FieldErrorCode::WrongType)),
            }
        };
        entries.into_iter().map(role).collect::<Result<_, _>>().map(Self)
    }
}
