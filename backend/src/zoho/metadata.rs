//! What the modules and fields of a Zoho organisation are like, as `GET /settings/fields` tells.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// A module's fields by their API names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// The fields.
    pub fields: BTreeMap<String, Field>,
}

/// A field of a module.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Field {
    /// The name that records use.
    pub api_name: String,
    /// The name that people see.
    pub field_label: String,
    /// The type: `text`, `email`, `phone`, `textarea`, `integer`, `bigint`, `double`, `boolean`, `date`, `datetime`, `picklist`, `lookup`, ...
    pub data_type: String,
    /// The most characters, or digits of a number.
    #[serde(default)]
    pub length: Option<u32>,
    /// A record cannot be made without it.
    #[serde(default)]
    pub system_mandatory: bool,
    /// Zoho computes it; it cannot be written.
    #[serde(default)]
    pub read_only: bool,
    /// No two records have the same value.
    #[serde(default, deserialize_with = "is_unique")]
    pub unique: bool,
    /// The values of a picklist, as records hold them.
    #[serde(default, rename = "pick_list_values", deserialize_with = "actual_values")]
    pub picklist: Vec<String>,
    /// The module that a lookup points to.
    #[serde(default, deserialize_with = "module_name")]
    pub lookup: Option<String>,
}

/// Zoho writes `"unique": {}` for a field that is not unique and `{"casesensitive": "…"}` for one that is.
fn is_unique<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let unique = Option::<BTreeMap<String, serde::de::IgnoredAny>>::deserialize(deserializer)?;
    Ok(unique.is_some_and(|unique| !unique.is_empty()))
}

fn actual_values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    struct Value {
        actual_value: String,
    }
    Ok(Option::<Vec<Value>>::deserialize(deserializer)?.into_iter().flatten().map(|value| value.actual_value).collect())
}

fn module_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Lookup {
        #[serde(default)]
        module: Option<Target>,
    }
    #[derive(Deserialize)]
    struct Target {
        api_name: String,
    }
    Ok(Option::<Lookup>::deserialize(deserializer)?.and_then(|lookup| lookup.module).map(|module| module.api_name))
}
