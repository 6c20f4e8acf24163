//! The modules and fields of the simulated organisation.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{administrator::Administered, people::Profiles, policies::Policies, records::Records};

/// The first id; Zoho's have 19 digits.
const FIRST_ID: u64 = 5_200_000_000_000_000_001;

/// The only user's id.
pub(super) const USER_ID: &str = "5200000000000000000";
/// The only user's name.
pub(super) const USER_NAME: &str = "Simulated Administrator";

/// Assigns unique ids.
pub(super) struct Ids(u64);

impl Default for Ids {
    fn default() -> Self {
        Self(FIRST_ID)
    }
}

impl Ids {
    pub(super) fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0 - 1
    }
}

/// Parses an id: digits only.
pub(super) fn read_id(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The id in a body, where Zoho takes texts and numbers.
pub(super) fn id_in(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => read_id(text),
        Value::Number(number) => read_id(&number.to_string()),
        _ => None,
    }
}

/// The decimals of numbers, unless a new field says otherwise.
pub(super) const DECIMALS: u32 = 2;

/// A value of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// What people see, and clients write.
    pub(super) display: String,
    /// What is stored.
    pub(super) actual: String,
}

/// Values that are stored as people see them.
pub(super) fn choices(values: &[&str]) -> Vec<Choice> {
    let choice = |value: &&str| Choice { display: (*value).to_owned(), actual: (*value).to_owned() };
    values.iter().map(choice).collect()
}

/// The type of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Textarea,
    Email,
    Phone,
    Website,
    Integer,
    Bigint,
    Double,
    Currency,
    Boolean,
    Date,
    DateTime,
    Picklist(Vec<Choice>),
    Multiselect(Vec<Choice>),
    Lookup(String),
    Owner,
}

impl Kind {
    /// Zoho's name of the type.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Textarea => "textarea",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Website => "website",
            Self::Integer => "integer",
            Self::Bigint => "bigint",
            Self::Double => "double",
            Self::Currency => "currency",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Picklist(_) => "picklist",
            Self::Multiselect(_) => "multiselectpicklist",
            Self::Lookup(_) => "lookup",
            Self::Owner => "ownerlookup",
        }
    }

    /// The JSON type in Zoho's metadata.
    pub(super) fn json_type(&self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Double | Self::Currency => "double",
            Self::Boolean => "boolean",
            Self::Lookup(_) | Self::Owner => "jsonobject",
            Self::Multiselect(_) => "jsonarray",
            _ => "string",
        }
    }

    /// The default length; for text areas, that of Zoho's small one.
    pub(super) fn length(&self) -> u32 {
        match self {
            Self::Text => 255,
            Self::Textarea => 2_000,
            Self::Email => 100,
            Self::Phone => 30,
            Self::Website => 450,
            Self::Integer => 9,
            Self::Bigint => 18,
            Self::Double | Self::Currency => 16,
            Self::Boolean => 5,
            Self::Date | Self::DateTime => 50,
            Self::Picklist(_) | Self::Lookup(_) | Self::Owner => 120,
            Self::Multiselect(_) => 255,
        }
    }

    /// The greatest length for this type.
    pub(super) fn greatest_length(&self) -> u32 {
        match self {
            Self::Textarea => 50_000,
            other => other.length(),
        }
    }
}

/// How a unique field compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unique {
    pub(super) case_sensitive: bool,
}

/// A field of a module.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) id: u64,
    pub(super) api_name: String,
    pub(super) label: String,
    pub(super) kind: Kind,
    pub(super) length: u32,
    /// The decimals that a number keeps.
    pub(super) decimals: u32,
    pub(super) mandatory: bool,
    pub(super) read_only: bool,
    pub(super) unique: Option<Unique>,
    pub(super) custom: bool,
    pub(super) administered: Administered,
}

impl Field {
    /// Whether the API's values are stored.
    pub(super) fn is_written_by_api(&self) -> bool {
        !self.read_only && !self.administered.not_by_api && !self.administered.ignored
    }
}

/// A module with its records.
pub(super) struct Module {
    pub(super) id: u64,
    pub(super) api_name: String,
    pub(super) singular: String,
    pub(super) plural: String,
    pub(super) custom: bool,
    pub(super) fields: BTreeMap<String, Field>,
    /// The field that names a record.
    pub(super) display_field: String,
    /// The fields that Zoho itself checks for duplicates, unique or not.
    pub(super) duplicate_checks: Vec<String>,
    pub(super) records: Records,
}

impl Module {
    /// The default duplicate check fields of an upsert: Zoho's own first, then unique fields.
    pub(super) fn default_checks(&self) -> Vec<String> {
        let unique = self.fields.values().filter(|field| field.unique.is_some()).map(|field| &field.api_name);
        let more = unique.filter(|name| !self.duplicate_checks.contains(name));
        self.duplicate_checks.iter().chain(more).cloned().collect()
    }
}

/// The organisation.
pub(super) struct Organisation {
    pub(super) modules: BTreeMap<String, Module>,
    pub(super) ids: Ids,
    pub(super) profiles: Profiles,
    pub(super) policies: Policies,
}

impl Organisation {
    /// Empties the recycle bin of what has been there too long.
    pub(super) fn expire(&mut self, now: DateTime<Utc>) {
        self.modules.values_mut().for_each(|module| module.records.expire(now));
    }
}
