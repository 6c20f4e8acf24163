//! Creating custom modules and fields.

use poem::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal},
    call::Call,
    metadata::{PROFILE_ID, named_module},
    rules::Rule,
    schema::{Field, Kind, Module, Organisation, Unique, id_in, read_id},
    standard,
};

/// The most fields that one call creates; Zoho's limit.
const NEW_FIELDS: usize = 5;

/// The longest labels of modules and fields; Zoho's limits.
const MODULE_LABEL: usize = 25;
const FIELD_LABEL: usize = 100;

/// The longest API name; Zoho's limit.
const API_NAME: usize = 50;

#[derive(Deserialize)]
struct NewModules {
    modules: [NewModule; 1],
}

#[derive(Deserialize)]
struct NewModule {
    singular_label: Option<String>,
    plural_label: Option<String>,
    api_name: Option<String>,
    profiles: Option<Vec<Id>>,
    display_field: Option<DisplayField>,
}

#[derive(Deserialize)]
struct Id {
    id: Value,
}

#[derive(Deserialize)]
struct DisplayField {
    field_label: Option<String>,
}

/// Creates a module.
pub(super) fn create_module(organisation: &mut Organisation, call: &Call) -> Result<Answer, Refusal> {
    let body = serde_json::from_slice::<NewModules>(&call.raw);
    let NewModules { modules: [new] } = body.map_err(|_| invalid("modules", "$.modules", "jsonarray"))?;
    let refused = |refusal: Refusal| {
        let answer = Answer::json(StatusCode::BAD_REQUEST, json!({ "modules": [refusal.entry()] }));
        answer.due_to(refusal.rule.into_iter().collect())
    };
    Ok(match make_module(organisation, new) {
        Ok(id) => {
            Answer::json(StatusCode::CREATED, created("modules", vec![success(id, "module created successfully")]))
        }
        Err(refusal) => refused(refusal),
    })
}

fn make_module(organisation: &mut Organisation, new: NewModule) -> Result<u64, Refusal> {
    let path = |name: &str| format!("$.modules[0].{name}");
    let required = |value: Option<String>, name: &str| value.ok_or_else(|| missing(name, &path(name)));
    let singular = required(new.singular_label, "singular_label")?;
    let plural = required(new.plural_label, "plural_label")?;
    for (label, name) in [(&singular, "singular_label"), (&plural, "plural_label")] {
        let fits = |character: char| character.is_ascii_alphanumeric() || matches!(character, ' ' | '_');
        if label.is_empty() || !label.chars().all(fits) {
            return Err(invalid(name, &path(name), "text"));
        }
        if label.len() > MODULE_LABEL {
            return Err(too_long(name, &path(name), MODULE_LABEL));
        }
    }
    let profiles = new.profiles.filter(|profiles| !profiles.is_empty());
    if profiles
        .ok_or_else(|| missing("profiles", &path("profiles")))?
        .iter()
        .any(|profile| id_in(&profile.id) != read_id(PROFILE_ID))
    {
        return Err(invalid("id", "$.modules[0].profiles[0].id", "profile"));
    }
    let api_name = required(new.api_name, "api_name")?;
    if !is_api_name(&api_name) {
        return Err(invalid("api_name", &path("api_name"), "text"));
    }
    let taken = |module: &Module| module.api_name == api_name || module.plural == plural || module.singular == singular;
    if organisation.modules.values().any(taken) {
        return Err(duplicate("api_name", &path("api_name")));
    }
    let label = new.display_field.and_then(|field| field.field_label).unwrap_or_else(|| format!("{singular} Name"));
    let module = standard::custom_module(&mut organisation.ids, &singular, &plural, &api_name, &label);
    let id = module.id;
    organisation.modules.insert(api_name, module);
    Ok(id)
}

#[derive(Deserialize)]
struct NewFields {
    fields: Vec<NewField>,
}

#[derive(Deserialize)]
struct NewField {
    field_label: Option<String>,
    data_type: Option<String>,
    length: Option<u32>,
    unique: Option<NewUnique>,
    pick_list_values: Option<Vec<NewValue>>,
    lookup: Option<NewLookup>,
    textarea: Option<NewTextarea>,
}

#[derive(Deserialize)]
struct NewTextarea {
    #[serde(rename = "type")]
    size: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NewUnique {
    Plain(bool),
    Said {
        /// Zoho's SDKs have another name for it, and a text.
        #[serde(alias = "casesensitive")]
        case_sensitive: Flag,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Flag {
    Plain(bool),
    Text(String),
}

impl Flag {
    fn is_set(&self) -> bool {
        match self {
            Self::Plain(set) => *set,
            Self::Text(text) => text == "true",
        }
    }
}

#[derive(Deserialize)]
struct NewValue {
    actual_value: String,
}

#[derive(Deserialize)]
struct NewLookup {
    module: LookedUp,
}

#[derive(Deserialize)]
struct LookedUp {
    api_name: String,
}

/// Creates up to five fields of a module; each has its entry in the answer.
pub(super) fn create_fields(organisation: &mut Organisation, call: &Call) -> Result<Answer, Refusal> {
    let module = named_module(organisation, call)?;
    let body = serde_json::from_slice::<NewFields>(&call.raw);
    let new = body.map_err(|_| invalid("fields", "$.fields", "jsonarray"))?.fields;
    if new.is_empty() || new.len() > NEW_FIELDS {
        let due_to = json!([{ "api_name": "fields", "json_path": "$.fields" }]);
        let refusal = Refusal::of(Rule::NewFieldsPerCall).detail("limit", NEW_FIELDS);
        return Err(refusal.detail("limit_due_to", due_to));
    }
    let (mut entries, all) = (Vec::new(), new.len());
    let (mut failed, mut rules) = (0, Vec::new());
    for (place, new) in new.into_iter().enumerate() {
        entries.push(match make_field(organisation, &module, new, place) {
            Ok(id) => success(id, "field created"),
            Err(refusal) => {
                failed += 1;
                rules.extend(refusal.rule);
                refusal.entry()
            }
        });
    }
    let status = match failed {
        0 => StatusCode::CREATED,
        failed if failed == all => StatusCode::BAD_REQUEST,
        _ => StatusCode::MULTI_STATUS,
    };
    Ok(Answer::json(status, created("fields", entries)).due_to(rules))
}

fn make_field(organisation: &mut Organisation, module: &str, new: NewField, place: usize) -> Result<u64, Refusal> {
    let path = |name: &str| format!("$.fields[{place}].{name}");
    let label = new.field_label.as_deref().map(str::trim).filter(|label| !label.is_empty());
    let label = label.ok_or_else(|| missing("field_label", &path("field_label")))?;
    if label.chars().count() > FIELD_LABEL {
        return Err(too_long("field_label", &path("field_label"), FIELD_LABEL));
    }
    let api_name = api_name_of(label);
    if !is_api_name(&api_name) {
        return Err(invalid("field_label", &path("field_label"), "text"));
    }
    let kind = read_kind(organisation, &new, place)?;
    let default = match (&kind, &new.textarea) {
        (Kind::Textarea, Some(NewTextarea { size })) if size == "large" => 32_000,
        (Kind::Textarea, Some(NewTextarea { size })) if size == "rich_text" => 50_000,
        _ => kind.length(),
    };
    let length = new.length.unwrap_or(default);
    if length == 0 || length > kind.greatest_length() {
        return Err(too_long("length", &path("length"), kind.greatest_length() as usize));
    }
    let unique = match new.unique {
        None | Some(NewUnique::Plain(false)) => None,
        Some(NewUnique::Plain(true)) => Some(Unique { case_sensitive: false }),
        Some(NewUnique::Said { case_sensitive }) => Some(Unique { case_sensitive: case_sensitive.is_set() }),
    };
    let can_be_unique = matches!(kind, Kind::Text | Kind::Email | Kind::Phone | Kind::Integer | Kind::Bigint);
    if unique.is_some() && !can_be_unique {
        return Err(invalid("unique", &path("unique"), "boolean"));
    }
    let id = organisation.ids.next();
    let module = organisation.modules.get_mut(module).ok_or_else(Refusal::invalid_module)?;
    if module.fields.values().any(|field| field.api_name == api_name || field.label == label) {
        return Err(duplicate("field_label", &path("field_label")));
    }
    let label = label.to_owned();
    let field = Field { id, api_name, label, kind, length, mandatory: false, read_only: false, unique, custom: true };
    module.fields.insert(field.api_name.clone(), field);
    Ok(id)
}

fn read_kind(organisation: &Organisation, new: &NewField, place: usize) -> Result<Kind, Refusal> {
    let path = |name: &str| format!("$.fields[{place}].{name}");
    let values = || {
        let values: Vec<String> =
            new.pick_list_values.iter().flatten().map(|value| value.actual_value.clone()).collect();
        match values.is_empty() {
            true => Err(missing("pick_list_values", &path("pick_list_values"))),
            false => Ok(values),
        }
    };
    Ok(match new.data_type.as_deref() {
        None => return Err(missing("data_type", &path("data_type"))),
        Some("text") => Kind::Text,
        Some("textarea") => Kind::Textarea,
        Some("email") => Kind::Email,
        Some("phone") => Kind::Phone,
        Some("website") => Kind::Website,
        Some("integer") => Kind::Integer,
        Some("bigint") => Kind::Bigint,
        Some("double" | "decimal") => Kind::Double,
        Some("currency") => Kind::Currency,
        Some("boolean") => Kind::Boolean,
        Some("date") => Kind::Date,
        Some("datetime") => Kind::DateTime,
        Some("picklist") => Kind::Picklist(values()?),
        Some("multiselectpicklist") => Kind::Multiselect(values()?),
        Some("lookup") => {
            let target = new.lookup.as_ref().map(|lookup| lookup.module.api_name.clone());
            let target = target.ok_or_else(|| missing("lookup", &path("lookup")))?;
            if !organisation.modules.contains_key(&target) {
                return Err(invalid("api_name", &path("lookup.module.api_name"), "module"));
            }
            Kind::Lookup(target)
        }
        Some(_) => return Err(invalid("data_type", &path("data_type"), "text")),
    })
}

/// The API name that Zoho derives from a label: underscores for spaces.
fn api_name_of(label: &str) -> String {
    label.chars().map(|character| if character == ' ' { '_' } else { character }).collect()
}

fn is_api_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.len() <= API_NAME
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.contains("__")
        && !name.ends_with('_')
}

fn success(id: u64, message: &str) -> Value {
    json!({ "code": "SUCCESS", "details": { "id": id.to_string() }, "message": message, "status": "success" })
}

fn created(what: &str, entries: Vec<Value>) -> Value {
    let mut body = json!({});
    body[what] = entries.into();
    body
}

fn missing(name: &str, path: &str) -> Refusal {
    Refusal::of(Rule::SettingsAreComplete).detail("api_name", name).detail("json_path", path)
}

fn invalid(name: &str, path: &str, expected: &str) -> Refusal {
    let refusal = Refusal::of(Rule::SettingsFit).detail("api_name", name).detail("json_path", path);
    refusal.detail("expected_data_type", expected)
}

fn too_long(name: &str, path: &str, most: usize) -> Refusal {
    let refusal = Refusal::of(Rule::SettingsFit).detail("api_name", name).detail("json_path", path);
    refusal.detail("maximum_length", most)
}

fn duplicate(name: &str, path: &str) -> Refusal {
    Refusal::of(Rule::NamesAreFree).detail("api_name", name).detail("json_path", path)
}
