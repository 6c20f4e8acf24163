//! Calls about modules, fields and the organisation. Creating them: see [`make`] and [`make_module`].

use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal},
    call::{Call, Target},
    editions::Edition,
    make, make_module,
    rules::Rule,
    schema::{Choice, Field, Kind, Module, Organisation},
    settings::{Environment, Settings},
};

/// The ids of the organisation and of its sandbox.
const PRODUCTION_ID: &str = "5200000000000000099";
const SANDBOX_ID: &str = "5300000000000000099";

/// The values of `status` in a list of modules.
const STATUSES: [&str; 4] = ["visible", "scheduled_for_deletion", "user_hidden", "system_hidden"];

/// Answers a call about settings.
pub(super) fn settings(organisation: &mut Organisation, settings: &Settings, call: &Call) -> Result<Answer, Refusal> {
    match &call.target {
        Target::Org => Ok(Answer::ok(org(settings))),
        Target::Modules => modules(organisation, settings, call),
        Target::Module(name) => {
            let found =
                organisation.modules.values().find(|module| module.api_name == *name || module.id.to_string() == *name);
            let module = found.ok_or_else(|| Refusal::of(Rule::SettingExists))?;
            Ok(list_modules(organisation, settings, [module]))
        }
        Target::CreateModules => make_module::create_module(organisation, settings, call),
        Target::Fields => fields(organisation, call),
        _ => make::create_fields(organisation, settings, call),
    }
}

/// The modules with the asked status; all of ours are visible.
fn modules(organisation: &Organisation, settings: &Settings, call: &Call) -> Result<Answer, Refusal> {
    let statuses: Vec<&str> = call.parameter("status").map_or(vec!["visible"], |text| text.split(',').collect());
    if let Some(index) = statuses.iter().position(|status| !STATUSES.contains(status)) {
        let refusal = Refusal::of(Rule::ParameterFits).detail("param_name", "status").detail("index", index);
        return Err(refusal.detail("supported_values", json!(STATUSES)));
    }
    match statuses.contains(&"visible") {
        true => Ok(list_modules(organisation, settings, organisation.modules.values())),
        false => Ok(Answer::no_content()),
    }
}

fn list_modules<'a>(
    organisation: &Organisation,
    settings: &Settings,
    modules: impl IntoIterator<Item = &'a Module>,
) -> Answer {
    let shown = modules.into_iter().map(|module| show_module(organisation, settings, module));
    let shown: Vec<Value> = shown.collect();
    let more = shown.iter().any(|module| module["has_more_profiles"] == true);
    let answer = Answer::ok(json!({ "modules": shown }));
    if more { answer.due_to(vec![Rule::ProfilesComeInPages]) } else { answer }
}

/// The fields of a module: those that are used, unless others are asked for.
fn fields(organisation: &Organisation, call: &Call) -> Result<Answer, Refusal> {
    let name = named_module(organisation, call)?;
    let module = organisation.modules.get(&name).ok_or_else(Refusal::invalid_module)?;
    let (used, unused) = match call.parameter("type") {
        None | Some("used") => (true, false),
        Some("unused") => (false, true),
        Some("all") => (true, true),
        Some(_) => return Err(Refusal::of(Rule::ParameterFits).detail("param_name", "type")),
    };
    let wanted = |field: &&Field| if field.administered.unused { unused } else { used };
    let shown: Vec<Value> =
        module.fields.values().filter(wanted).map(|field| show_field(organisation, field)).collect();
    if shown.is_empty() {
        return Ok(Answer::no_content());
    }
    let left_out = used && shown.len() < module.fields.len();
    let answer = Answer::ok(json!({ "fields": shown }));
    Ok(if left_out { answer.due_to(vec![Rule::UnusedFieldsAreLeftOut]) } else { answer })
}

/// A field of a module, by its id.
pub(super) fn field(organisation: &Organisation, call: &Call, id: &str) -> Result<Answer, Refusal> {
    let name = named_module(organisation, call)?;
    let module = organisation.modules.get(&name).ok_or_else(Refusal::invalid_module)?;
    let found = module.fields.values().find(|field| field.id.to_string() == id);
    let field = found.ok_or_else(|| Refusal::of(Rule::RecordExists).detail("resource_path_index", 2))?;
    Ok(Answer::ok(json!({ "fields": [show_field(organisation, field)] })))
}

pub(super) fn named_module(organisation: &Organisation, call: &Call) -> Result<String, Refusal> {
    let Some(name) = call.parameter("module") else {
        return Err(Refusal::of(Rule::ParameterIsThere).detail("param_name", "module"));
    };
    match organisation.modules.contains_key(name) {
        true => Ok(name.to_owned()),
        false => Err(Refusal::of(Rule::ModuleExists)),
    }
}

fn show_module(organisation: &Organisation, settings: &Settings, module: &Module) -> Value {
    let using = organisation.profiles.using(&module.api_name);
    let profiles: Vec<Value> = using.iter().take(settings.profiles_per_page).map(|profile| profile.named()).collect();
    let usable = organisation.profiles.let_user(&module.api_name);
    json!({
        "global_search_supported": true,
        "public_fields_configured": false,
        "recycle_bin_on_delete": true,
        "has_more_profiles": using.len() > profiles.len(),
        "sub_menu_available": true,
        "profile_count": using.len(),
        "deletable": usable,
        "description": null,
        "creatable": usable,
        "editable": usable,
        "viewable": usable,
        "api_supported": true,
        "id": module.id.to_string(),
        "api_name": module.api_name,
        "module_name": module.plural,
        "singular_label": module.singular,
        "plural_label": module.plural,
        "actual_singular_label": module.singular,
        "actual_plural_label": module.plural,
        "generated_type": if module.custom { "custom" } else { "default" },
        "profiles": profiles,
        "show_as_tab": true,
        "status": "visible",
        "sequence_number": 1,
    })
}

pub(super) fn show_field(organisation: &Organisation, field: &Field) -> Value {
    let lookup = match &field.kind {
        Kind::Lookup(target) => {
            let id = organisation.modules.get(target).map(|module| module.id.to_string());
            let module = json!({ "api_name": target, "crypt": false, "id": id });
            json!({ "display_label": field.label, "api_name": field.api_name, "module": module, "id": field.id.to_string() })
        }
        _ => json!({}),
    };
    let values: &[Choice] = match &field.kind {
        Kind::Picklist(values) | Kind::Multiselect(values) => values,
        _ => &[],
    };
    let values = values.iter().zip(1_u64..).map(|(value, number)| {
        json!({
            "display_value": value.display, "actual_value": value.actual, "reference_value": value.actual,
            "sequence_number": number, "id": (field.id + number * 1_000_000).to_string(), "type": "used",
        })
    });
    let values: Vec<Value> = values.collect();
    let (writable, visible) = (!field.read_only, !field.administered.hidden);
    let by_api = writable && !field.administered.not_by_api;
    let permission = match (writable, visible) {
        (_, false) => "hidden",
        (false, true) => "read_only",
        (true, true) => "read_write",
    };
    let profiles = organisation.profiles.first().map(|profile| {
        let mut shown = profile.named();
        shown["permission_type"] = permission.into();
        shown
    });
    let profiles: Vec<Value> = profiles.collect();
    let mut shown = json!({
        "id": field.id.to_string(), "api_name": field.api_name, "field_label": field.label,
        "display_label": field.label, "data_type": field.kind.name(), "json_type": field.kind.json_type(),
        "length": field.length, "system_mandatory": field.mandatory && !field.administered.by_layout, "read_only": field.read_only,
        "field_read_only": field.read_only, "custom_field": field.custom, "visible": visible,
        "unique": field.unique.map_or(json!({}), |unique| json!({ "case_sensitive": unique.case_sensitive })),
        "pick_list_values": values, "lookup": lookup,
        "decimal_place": matches!(field.kind, Kind::Double | Kind::Currency).then_some(field.decimals),
    });
    let rest = json!({
        "operation_type": { "web_update": writable, "api_create": by_api, "web_create": writable, "api_update": by_api },
        "view_type": { "view": visible, "edit": writable, "quick_create": false, "create": writable },
        "profiles": profiles,
        "private": field.administered.restricted.then(|| json!({ "restricted": true, "type": "High", "export": false })),
        "email_parser": { "fields_update_supported": false, "record_operations_supported": false },
        "webhook": true, "colour_code_enabled_by_system": false,
        "type": if field.administered.unused { "unused" } else { "used" }, "association_details": null,
        "businesscard_supported": false, "multi_module_lookup": {}, "filterable": true, "separator": false,
        "searchable": true, "history_tracking_enabled": false, "external": null, "enable_colour_code": false,
        "virtual_field": false, "range": null, "created_source": "default", "display_type": -1, "ui_type": 1,
        "public": false, "currency": {}, "convert_mapping": {}, "rollup_summary": {}, "display_field": false,
        "pick_list_values_sorted_lexically": false, "sortable": true, "formula": {}, "mass_update": writable,
        "multiselectlookup": {}, "auto_number": {},
    });
    if let (Some(shown), Value::Object(rest)) = (shown.as_object_mut(), rest) {
        shown.extend(rest);
    }
    shown
}

fn org(settings: &Settings) -> Value {
    let id = match settings.organisation {
        Environment::Production => PRODUCTION_ID,
        Environment::Sandbox => SANDBOX_ID,
    };
    json!({ "org": [{
        "id": id, "zgid": id, "company_name": "Simulated organisation", "type": settings.organisation,
        "domain_name": "simulator", "primary_email": "admin@simulator.example", "time_zone": settings.time_zone,
        "iso_code": "EUR", "currency": "Euro - EUR", "currency_symbol": "€", "currency_locale": "en_GB",
        "country_code": "GB", "created_time": "2026-01-01T00:00:00+00:00", "deletable_org_account": true,
        "privacy_settings": false, "hipaa_compliance_enabled": false, "gapps_enabled": false,
        "translation_enabled": false, "mc_status": false,
        "license_details": {
            "paid": settings.edition != Edition::Free, "paid_type": settings.edition, "paid_expiry": null,
            "trial_type": null, "trial_expiry": null,
            "users_license_purchased": settings.users, "portal_users_license_purchased": 0,
        },
    }] })
}
