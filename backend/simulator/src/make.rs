//! Creating custom fields. Creating modules: see [`make_module`](super::make_module).

use poem::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    administrator::Administered,
    answer::{Answer, Refusal},
    call::Call,
    metadata::named_module,
    rules::Rule,
    schema::{Choice, DECIMALS, Field, Kind, Module, Organisation, Unique},
    settings::{FieldErrors, Settings},
};

/// The most decimals of a number; Zoho's limit.
const MOST_DECIMALS: u32 = 9;

/// The most fields that one call creates; Zoho's limit.
const NEW_FIELDS: usize = 5;

/// The longest labels of modules, fields and lookups' related lists; Zoho's limit.
pub(super) const LABEL: usize = 25;

/// The most values of a new picklist, and their longest; by Zoho's description.
const NEW_VALUES: usize = 10;
const NEW_VALUE: usize = 25;

/// The longest API name; Zoho's limit.
const API_NAME: usize = 50;

#[derive(Deserialize)]
struct NewFields {
    fields: Vec<NewField>,
}

#[derive(Deserialize)]
struct NewField {
    field_label: Option<String>,
    data_type: Option<String>,
    length: Option<u32>,
    decimal_place: Option<u32>,
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
    display_value: String,
    actual_value: Option<String>,
}

#[derive(Deserialize)]
struct NewLookup {
    module: LookedUp,
    display_label: Option<String>,
}

#[derive(Deserialize)]
struct LookedUp {
    api_name: String,
}

/// Creates up to five fields of a module.
pub(super) fn create_fields(
    organisation: &mut Organisation,
    settings: &Settings,
    call: &Call,
) -> Result<Answer, Refusal> {
    let module = named_module(organisation, call)?;
    organisation.profiles.permit_customizing()?;
    let body = serde_json::from_slice::<NewFields>(&call.raw);
    let new = body.map_err(|_| invalid("fields", "$.fields", "jsonarray"))?.fields;
    if new.is_empty() || new.len() > NEW_FIELDS {
        return Err(too_many(Rule::NewFieldsPerCall, NEW_FIELDS, "fields", "$.fields"));
    }
    let mut made: Vec<Result<String, Refusal>> = Vec::new();
    for (place, new) in new.into_iter().enumerate() {
        made.push(make_field(organisation, settings, &module, new, place));
    }
    let failed = made.iter().filter(|made| made.is_err()).count();
    let together = settings.field_errors != FieldErrors::Each;
    let mut rules: Vec<Rule> = made.iter().filter_map(|made| made.as_ref().err()?.rule).collect();
    if failed > 0 && together {
        if failed < made.len() {
            rules.push(Rule::NewFieldsTogether);
        }
        undo(organisation, &module, &made);
        made.retain(Result::is_err);
    }
    if let (FieldErrors::Flat, Some(Err(refusal))) = (settings.field_errors, made.first()) {
        return Ok(Answer::json(refusal.status, refusal.entry()).due_to(rules));
    }
    let status = match failed {
        0 => StatusCode::CREATED,
        failed if failed == made.len() => StatusCode::BAD_REQUEST,
        _ => StatusCode::MULTI_STATUS,
    };
    let fields = organisation.modules.get(&module).map(|module| &module.fields);
    let entry = |made: Result<String, Refusal>| match made {
        Ok(name) => {
            let id = fields.and_then(|fields| fields.get(&name)).map_or(0, |field| field.id);
            success(id, "field created")
        }
        Err(refusal) => refusal.entry(),
    };
    Ok(Answer::json(status, list("fields", made.into_iter().map(entry).collect())).due_to(rules))
}

/// Removes the fields that were created together with refused ones.
fn undo(organisation: &mut Organisation, module: &str, made: &[Result<String, Refusal>]) {
    if let Some(module) = organisation.modules.get_mut(module) {
        for name in made.iter().flatten() {
            module.fields.remove(name);
        }
    }
}

/// Creates a field and returns its API name.
fn make_field(
    organisation: &mut Organisation,
    settings: &Settings,
    module: &str,
    new: NewField,
    place: usize,
) -> Result<String, Refusal> {
    let path = |name: &str| format!("$.fields[{place}].{name}");
    let label = read_label(&new, place)?;
    let api_name = api_name_of(&label);
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
    let decimals = new.decimal_place.unwrap_or(DECIMALS);
    if decimals > MOST_DECIMALS {
        return Err(too_long("decimal_place", &path("decimal_place"), MOST_DECIMALS as usize));
    }
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
    has_room(settings, module, unique.is_some(), place)?;
    let field = Field {
        id,
        api_name: api_name.clone(),
        label,
        kind,
        length,
        decimals,
        mandatory: false,
        read_only: false,
        unique,
        custom: true,
        administered: Administered::default(),
    };
    module.fields.insert(api_name.clone(), field);
    Ok(api_name)
}

/// Whether a module may have one more field, or one more unique field.
fn has_room(settings: &Settings, module: &Module, unique: bool, place: usize) -> Result<(), Refusal> {
    let count = |counts: fn(&Field) -> bool| module.fields.values().filter(|field| counts(field)).count();
    let (most, most_unique) = (settings.edition.custom_fields(), settings.unique_fields);
    if count(|field| field.custom) >= most {
        return Err(too_many(Rule::EditionHasFields, most, "fields", &format!("$.fields[{place}]")));
    }
    if unique && count(|field| field.unique.is_some()) >= most_unique {
        return Err(too_many(Rule::FewUniqueFields, most_unique, "unique", &format!("$.fields[{place}].unique")));
    }
    Ok(())
}

fn read_label(new: &NewField, place: usize) -> Result<String, Refusal> {
    let path = format!("$.fields[{place}].field_label");
    let label = new.field_label.as_deref().map(str::trim).filter(|label| !label.is_empty());
    let label = label.ok_or_else(|| missing("field_label", &path))?;
    match label.chars().count() > LABEL {
        true => Err(too_long("field_label", &path, LABEL)),
        false => Ok(label.to_owned()),
    }
}

/// The values of a new picklist.
fn read_values(new: &NewField, place: usize) -> Result<Vec<Choice>, Refusal> {
    let path = format!("$.fields[{place}].pick_list_values");
    let choice = |value: &NewValue| Choice {
        display: value.display_value.clone(),
        actual: value.actual_value.clone().unwrap_or_else(|| value.display_value.clone()),
    };
    let values: Vec<Choice> = new.pick_list_values.iter().flatten().map(choice).collect();
    let too_big = |path: &str, most: usize| {
        let refusal = Refusal::of(Rule::NewPicklistsAreSmall).detail("api_name", "pick_list_values");
        refusal.detail("json_path", path).detail("maximum_length", most)
    };
    if values.is_empty() {
        return Err(missing("pick_list_values", &path));
    }
    if values.len() > NEW_VALUES {
        return Err(too_big(&path, NEW_VALUES));
    }
    match values.iter().position(|value| value.display.chars().count() > NEW_VALUE) {
        Some(value) => Err(too_big(&format!("{path}[{value}].actual_value"), NEW_VALUE)),
        None => Ok(values),
    }
}

/// The module that a new lookup points to.
fn read_lookup(organisation: &Organisation, new: &NewField, place: usize) -> Result<String, Refusal> {
    let path = |name: &str| format!("$.fields[{place}].{name}");
    let lookup = new.lookup.as_ref().ok_or_else(|| missing("lookup", &path("lookup")))?;
    if !organisation.modules.contains_key(&lookup.module.api_name) {
        return Err(invalid("api_name", &path("lookup.module.api_name"), "module"));
    }
    match lookup.display_label.as_deref().unwrap_or_default() {
        "" => Err(Refusal::of(Rule::LookupsHaveLabels)
            .detail("api_name", "display_label")
            .detail("json_path", path("lookup.display_label"))),
        label if label.chars().count() > LABEL => Err(too_long("display_label", &path("lookup.display_label"), LABEL)),
        _ => Ok(lookup.module.api_name.clone()),
    }
}

fn read_kind(organisation: &Organisation, new: &NewField, place: usize) -> Result<Kind, Refusal> {
    let path = |name: &str| format!("$.fields[{place}].{name}");
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
        Some("picklist") => Kind::Picklist(read_values(new, place)?),
        Some("multiselectpicklist") => Kind::Multiselect(read_values(new, place)?),
        Some("lookup") => Kind::Lookup(read_lookup(organisation, new, place)?),
        Some(_) => return Err(invalid("data_type", &path("data_type"), "text")),
    })
}

/// The API name that Zoho derives from a label: underscores for spaces.
fn api_name_of(label: &str) -> String {
    label.chars().map(|character| if character == ' ' { '_' } else { character }).collect()
}

pub(super) fn is_api_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.len() <= API_NAME
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.contains("__")
        && !name.ends_with('_')
}

pub(super) fn success(id: u64, message: &str) -> Value {
    json!({ "code": "SUCCESS", "details": { "id": id.to_string() }, "message": message, "status": "success" })
}

pub(super) fn list(what: &str, entries: Vec<Value>) -> Value {
    let mut body = json!({});
    body[what] = entries.into();
    body
}

pub(super) fn missing(name: &str, path: &str) -> Refusal {
    Refusal::of(Rule::SettingsAreComplete).detail("api_name", name).detail("json_path", path)
}

pub(super) fn invalid(name: &str, path: &str, expected: &str) -> Refusal {
    let refusal = Refusal::of(Rule::SettingsFit).detail("api_name", name).detail("json_path", path);
    refusal.detail("expected_data_type", expected)
}

pub(super) fn too_long(name: &str, path: &str, most: usize) -> Refusal {
    let refusal = Refusal::of(Rule::SettingsFit).detail("api_name", name).detail("json_path", path);
    refusal.detail("maximum_length", most)
}

fn too_many(rule: Rule, most: usize, name: &str, path: &str) -> Refusal {
    let due_to = json!([{ "api_name": name, "json_path": path }]);
    Refusal::of(rule).detail("limit", most).detail("limit_due_to", due_to)
}

pub(super) fn duplicate(name: &str, path: &str) -> Refusal {
    Refusal::of(Rule::NamesAreFree).detail("api_name", name).detail("json_path", path)
}
