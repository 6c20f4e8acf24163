//! Creating custom modules.

use std::collections::BTreeSet;

use poem::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::{
    answer::{Answer, Refusal},
    call::Call,
    make::{LABEL, duplicate, invalid, is_api_name, list, missing, success, too_long},
    rules::Rule,
    schema::{Module, Organisation, id_in},
    settings::Settings,
    standard,
};

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
pub(super) fn create_module(
    organisation: &mut Organisation,
    settings: &Settings,
    call: &Call,
) -> Result<Answer, Refusal> {
    organisation.profiles.permit_customizing()?;
    let most = settings.edition.new_modules();
    if organisation.modules.values().filter(|module| module.custom).count() >= most {
        return Err(Refusal::of(Rule::EditionHasModules).detail("limit", most));
    }
    let new = serde_json::from_slice::<NewModules>(&call.raw);
    let new = new.map_err(|_| invalid("modules", "$.modules", "jsonarray"));
    let made = new.and_then(|NewModules { modules: [new] }| make_module(organisation, settings, new));
    let (status, entry, rule) = match made {
        Ok(id) => (StatusCode::CREATED, success(id, "module created successfully"), Some(Rule::NewModulesCostCredits)),
        Err(refusal) => (StatusCode::BAD_REQUEST, refusal.entry(), refusal.rule),
    };
    Ok(Answer::json(status, list("modules", vec![entry])).due_to(rule.into_iter().collect()))
}

fn make_module(organisation: &mut Organisation, settings: &Settings, new: NewModule) -> Result<u64, Refusal> {
    let path = |name: &str| format!("$.modules[0].{name}");
    let required = |value: Option<String>, name: &str| value.ok_or_else(|| missing(name, &path(name)));
    let singular = required(new.singular_label, "singular_label")?;
    let plural = required(new.plural_label, "plural_label")?;
    for (label, name) in [(&singular, "singular_label"), (&plural, "plural_label")] {
        let fits = |character: char| character.is_ascii_alphanumeric() || (settings.label_blanks && character == ' ');
        if label.is_empty() || !label.chars().all(fits) {
            let refusal = Refusal::of(Rule::ModuleLabelsArePlain).detail("api_name", name);
            return Err(refusal.detail("json_path", path(name)).detail("expected_data_type", "text"));
        }
        if label.len() > LABEL {
            return Err(too_long(name, &path(name), LABEL));
        }
    }
    let profiles = read_profiles(organisation, new.profiles)?;
    let api_name = required(new.api_name, "api_name")?;
    if !is_api_name(&api_name) || (api_name.contains('_') && !settings.api_name_underscores) {
        return Err(invalid("api_name", &path("api_name"), "text"));
    }
    let taken = |name: fn(&Module) -> &str, new: &str| organisation.modules.values().any(|module| name(module) == new);
    for (name, taken) in [
        ("api_name", taken(|module| &module.api_name, &api_name)),
        ("plural_label", taken(|module| &module.plural, &plural)),
        ("singular_label", taken(|module| &module.singular, &singular)),
    ] {
        if taken {
            return Err(duplicate(name, &path(name)));
        }
    }
    let label = new.display_field.and_then(|field| field.field_label).unwrap_or_else(|| format!("{singular} Name"));
    let module = standard::custom_module(&mut organisation.ids, &singular, &plural, &api_name, &label);
    let id = module.id;
    organisation.profiles.reserve(&api_name, &profiles);
    organisation.modules.insert(api_name, module);
    Ok(id)
}

/// The profiles that may use a new module: at least one, and none twice.
fn read_profiles(organisation: &Organisation, profiles: Option<Vec<Id>>) -> Result<Vec<String>, Refusal> {
    let ids: Vec<String> =
        profiles.into_iter().flatten().map(|profile| id_in(&profile.id).unwrap_or_default().to_string()).collect();
    if ids.is_empty() {
        return Err(missing("profiles", "$.modules[0].profiles"));
    }
    let mut seen = BTreeSet::new();
    match ids.iter().position(|id| !organisation.profiles.know(id) || !seen.insert(id)) {
        Some(place) => Err(invalid("id", &format!("$.modules[0].profiles[{place}].id"), "profile")),
        None => Ok(ids),
    }
}
