//! Creating what the mapping needs in Zoho, and [`check`]ing it. A [`Survey`] of the organisation comes first:
//! [`obstacles`] says from it what cannot be created, before anything is written.

pub mod check;
mod edition;
mod obstacles;
mod room;
pub mod suggest;
mod survey;

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value, json};

pub use self::{
    obstacles::{Obstacle, obstacles},
    room::{ModuleRoom, Room},
    survey::Survey,
};
use super::{
    mapping::{ExpectedField, FieldType, Labels, Mapping, ModuleMapping},
    metadata::Module,
};

/// The most fields that one call creates; Zoho's limit.
pub const FIELDS_PER_CALL: usize = 5;

/// The longest field label in Zoho.
const LABEL_CHARACTERS: usize = 25;

/// The longest small text area; anything longer needs a large one.
const SMALL_TEXTAREA: u32 = 2_000;

/// Digits of the number fields that we create: Zoho's maximum for each type.
const BIGINT_DIGITS: u32 = 18;
const INTEGER_DIGITS: u32 = 9;
const DECIMAL_DIGITS: u32 = 16;

/// Decimal places of the fields that we create: those of Moodle's grades.
const DECIMAL_PLACES: u32 = 5;

/// The field that names the records of a new module.
const NAME: &str = "Name";

/// The fields that every new module has.
const OF_NEW_MODULES: [&str; 2] = [NAME, "Owner"];

/// One call of the setup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetupStep {
    /// `POST /settings/modules`.
    CreateModule {
        /// The module's API name.
        module: String,
        /// Its names for people.
        labels: Labels,
    },
    /// `POST /settings/fields?module=`.
    CreateFields {
        /// The module's API name.
        module: String,
        /// At most [`FIELDS_PER_CALL`] fields.
        fields: Vec<NewField>,
    },
}

/// A field to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewField {
    label: String,
    /// The name of the related list in a lookup's target module. Zoho requires one.
    related_list: String,
    expected: ExpectedField,
}

/// The steps that create what is missing, in a working order: all modules, then their fields.
pub fn plan(mapping: &Mapping, metadata: &BTreeMap<String, Option<Module>>) -> Vec<SetupStep> {
    let mut steps = Vec::new();
    let mut fields: Vec<(&str, NewField)> = Vec::new();
    for (_, module) in mapping.modules() {
        let found = metadata.get(&module.module).and_then(Option::as_ref);
        match (&module.labels, found) {
            (_, Some(_)) => {}
            (Some(labels), None) => {
                // Two kinds may share a module.
                if !steps.iter().any(|step: &SetupStep| step.module() == module.module) {
                    steps.push(SetupStep::CreateModule { module: module.module.clone(), labels: labels.clone() });
                }
            }
            // A standard module cannot be created, nor fields in it while it is missing.
            (None, None) => continue,
        }
        for field in missing(mapping, module, found) {
            if !fields.iter().any(|(name, other)| *name == module.module && other.expected.name == field.expected.name)
            {
                fields.push((&module.module, field));
            }
        }
    }
    fields.sort_by_key(|(module, _)| mapping.modules().position(|(_, each)| each.module == *module));
    for of_module in fields.chunk_by(|(one, _), (other, _)| one == other) {
        steps.extend(of_module.chunks(FIELDS_PER_CALL).filter_map(|call| {
            let module = call.first()?.0.to_owned();
            Some(SetupStep::CreateFields { module, fields: call.iter().map(|(_, field)| field.clone()).collect() })
        }));
    }
    steps
}

/// The missing fields of a module that can be created.
fn missing(mapping: &Mapping, module: &ModuleMapping, found: Option<&Module>) -> Vec<NewField> {
    let exists = |name: &str| match found {
        Some(found) => found.fields.contains_key(name),
        None => OF_NEW_MODULES.contains(&name),
    };
    let related_list = module.labels.as_ref().map_or_else(|| module.module.replace('_', " "), |l| l.plural.clone());
    let new = mapping.expected(module).into_iter().filter(|expected| !exists(&expected.name));
    let new = new.filter_map(|expected| {
        Some(NewField { label: label(&expected.name)?, related_list: related_list.clone(), expected })
    });
    new.collect()
}

/// The label from which Zoho derives that API name; `None` when there is none.
pub(crate) fn label(api_name: &str) -> Option<String> {
    let fits = api_name.len() <= LABEL_CHARACTERS && !api_name.ends_with('_') && !api_name.contains("__");
    fits.then(|| api_name.replace('_', " "))
}

impl SetupStep {
    /// The module's API name.
    pub fn module(&self) -> &str {
        match self {
            Self::CreateModule { module, .. } | Self::CreateFields { module, .. } => module,
        }
    }

    /// The API name and the labels of the module that it creates.
    fn new_module(&self) -> Option<(&str, &Labels)> {
        match self {
            Self::CreateModule { module, labels } => Some((module, labels)),
            Self::CreateFields { .. } => None,
        }
    }

    /// The fields that it creates.
    fn fields(&self) -> &[NewField] {
        match self {
            Self::CreateModule { .. } => &[],
            Self::CreateFields { fields, .. } => fields,
        }
    }

    /// The same with labels of letters and digits only: Zoho's pages allow blanks in those of modules, its description
    /// of the API does not. `None` if it is the same.
    pub fn narrow(&self) -> Option<Self> {
        let Self::CreateModule { module, labels } = self else { return None };
        let narrow = |label: &str| label.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        let narrow = Labels { singular: narrow(&labels.singular), plural: narrow(&labels.plural) };
        (narrow != *labels).then(|| Self::CreateModule { module: module.clone(), labels: narrow })
    }

    /// The body of the call. `profiles` are the ids of the profiles that may use a new module; Zoho requires at least
    /// one.
    pub fn request_body(&self, profiles: &[String]) -> Value {
        match self {
            Self::CreateModule { module, labels } => json!({ "modules": [{
                "api_name": module,
                "singular_label": labels.singular,
                "plural_label": labels.plural,
                "profiles": profiles.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>(),
                "display_field": { "field_label": NAME, "data_type": "text" },
            }] }),
            Self::CreateFields { fields, .. } => {
                json!({ "fields": fields.iter().map(NewField::body).collect::<Vec<_>>() })
            }
        }
    }
}

impl NewField {
    fn body(&self) -> Value {
        let Self { label, related_list, expected } = self;
        let mut body = Map::new();
        body.insert("field_label".to_owned(), json!(label));
        body.insert("data_type".to_owned(), json!(expected.data_type.zoho_name()));
        let mut set = |key: &str, value: Value| _ = body.insert(key.to_owned(), value);
        match expected.data_type {
            FieldType::Text => set("length", json!(expected.length)),
            FieldType::Integer => set("length", json!(INTEGER_DIGITS)),
            FieldType::Bigint => set("length", json!(BIGINT_DIGITS)),
            FieldType::Decimal => {
                set("length", json!(DECIMAL_DIGITS));
                set("decimal_place", json!(DECIMAL_PLACES));
            }
            FieldType::Textarea => {
                let large = expected.length.is_none_or(|length| length > SMALL_TEXTAREA);
                set("textarea", json!({ "type": if large { "large" } else { "small" } }));
            }
            FieldType::Picklist => {
                let value = |value: &String| json!({ "display_value": value, "actual_value": value });
                set("pick_list_values", expected.values.iter().map(value).collect());
            }
            FieldType::Lookup => {
                let target = json!({ "api_name": expected.lookup });
                set("lookup", json!({ "module": target, "display_label": related_list }));
            }
            FieldType::Email | FieldType::Phone | FieldType::Boolean | FieldType::Date | FieldType::Datetime => {}
        }
        if expected.unique {
            set("unique", json!({ "case_sensitive": false }));
        }
        Value::Object(body)
    }
}

impl fmt::Display for SetupStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateModule { module, labels } => {
                write!(f, "create the module {module}, called \"{}\"", labels.plural)
            }
            Self::CreateFields { module, fields } => {
                write!(f, "create in {module}: ")?;
                for (number, field) in fields.iter().enumerate() {
                    write!(f, "{}{field}", if number == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for NewField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = &self.expected;
        write!(f, "{} ({}", expected.name, expected.data_type.zoho_name())?;
        if let Some(length) = expected.length {
            write!(f, ", {length} characters")?;
        }
        if expected.unique {
            f.write_str(", unique")?;
        }
        if !expected.values.is_empty() {
            write!(f, ": {}", expected.values.join(", "))?;
        }
        if let Some(module) = &expected.lookup {
            write!(f, " to {module}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
pub(crate) mod tests;
