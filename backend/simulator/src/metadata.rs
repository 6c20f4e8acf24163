//! Calls about modules, fields and the organisation. Creating them: see [`make`].

use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal},
    call::{Call, Target},
    make,
    rules::Rule,
    schema::{Field, Kind, Module, Organisation, USER_ID, USER_NAME},
    settings::Settings,
};

/// The organisation's id.
const ORGANISATION_ID: &str = "5200000000000000099";

/// The address of the organisation and of its only user.
const EMAIL: &str = "admin@simulator.example";

/// The only role's id.
const ROLE_ID: &str = "5200000000000000097";

/// The only profile's id.
pub(super) const PROFILE_ID: &str = "5200000000000000098";

/// Answers a call about settings.
pub(super) fn settings(organisation: &mut Organisation, settings: &Settings, call: &Call) -> Result<Answer, Refusal> {
    match &call.target {
        Target::Org => Ok(Answer::ok(org(settings))),
        Target::Users => Ok(Answer::ok(users())),
        Target::Modules => {
            let modules: Vec<Value> = organisation.modules.values().map(show_module).collect();
            Ok(Answer::ok(json!({ "modules": modules })))
        }
        Target::Module(name) => {
            let found =
                organisation.modules.values().find(|module| module.api_name == *name || module.id.to_string() == *name);
            let module = found.ok_or_else(Refusal::invalid_module)?;
            Ok(Answer::ok(json!({ "modules": [show_module(module)] })))
        }
        Target::CreateModules => make::create_module(organisation, call),
        Target::Fields => {
            let module = named_module(organisation, call)?;
            let fields = organisation.modules.get(&module).ok_or_else(Refusal::invalid_module)?.fields.values();
            let fields: Vec<Value> = fields.map(|field| show_field(organisation, field)).collect();
            Ok(Answer::ok(json!({ "fields": fields })))
        }
        _ => make::create_fields(organisation, call),
    }
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

fn show_module(module: &Module) -> Value {
    json!({
        "global_search_supported": true,
        "public_fields_configured": false,
        "recycle_bin_on_delete": true,
        "has_more_profiles": false,
        "sub_menu_available": true,
        "profile_count": 1,
        "deletable": module.custom,
        "description": null,
        "creatable": true,
        "editable": true,
        "viewable": true,
        "api_supported": true,
        "id": module.id.to_string(),
        "api_name": module.api_name,
        "module_name": module.plural,
        "singular_label": module.singular,
        "plural_label": module.plural,
        "actual_singular_label": module.singular,
        "actual_plural_label": module.plural,
        "generated_type": if module.custom { "custom" } else { "default" },
        "profiles": [{ "name": "Administrator", "id": PROFILE_ID }],
        "show_as_tab": true,
        "status": "visible",
        "sequence_number": 1,
    })
}

fn show_field(organisation: &Organisation, field: &Field) -> Value {
    let lookup = match &field.kind {
        Kind::Lookup(target) => {
            let id = organisation.modules.get(target).map(|module| module.id.to_string());
            let module = json!({ "api_name": target, "crypt": false, "id": id });
            json!({ "display_label": field.label, "api_name": field.api_name, "module": module, "id": field.id.to_string() })
        }
        _ => json!({}),
    };
    let values: &[String] = match &field.kind {
        Kind::Picklist(values) | Kind::Multiselect(values) => values,
        _ => &[],
    };
    let values = values.iter().zip(1_u64..).map(|(value, number)| {
        json!({
            "display_value": value, "actual_value": value, "reference_value": value,
            "sequence_number": number, "id": (field.id + number * 1_000_000).to_string(), "type": "used",
        })
    });
    let values: Vec<Value> = values.collect();
    let writable = !field.read_only;
    let mut shown = json!({
        "id": field.id.to_string(), "api_name": field.api_name, "field_label": field.label,
        "display_label": field.label, "data_type": field.kind.name(), "json_type": field.kind.json_type(),
        "length": field.length, "system_mandatory": field.mandatory, "read_only": field.read_only,
        "field_read_only": field.read_only, "custom_field": field.custom, "visible": true,
        "unique": field.unique.map_or(json!({}), |unique| json!({ "case_sensitive": unique.case_sensitive })),
        "pick_list_values": values, "lookup": lookup,
        "decimal_place": matches!(field.kind, Kind::Double | Kind::Currency).then_some(2),
    });
    let rest = json!({
        "operation_type": { "web_update": writable, "api_create": writable, "web_create": writable, "api_update": writable },
        "view_type": { "view": true, "edit": writable, "quick_create": false, "create": writable },
        "profiles": [{ "permission_type": "read_write", "name": "Administrator", "id": PROFILE_ID }],
        "email_parser": { "fields_update_supported": false, "record_operations_supported": false },
        "webhook": true, "colour_code_enabled_by_system": false, "type": "used", "association_details": null,
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

/// The only user, of whatever type the call asks for.
fn users() -> Value {
    json!({
        "users": [{
            "id": USER_ID, "full_name": USER_NAME, "first_name": "Simulated", "last_name": "Administrator",
            "email": EMAIL, "status": "active", "confirm": true, "created_time": "2026-01-01T00:00:00+00:00",
            "profile": { "name": "Administrator", "id": PROFILE_ID }, "role": { "name": "CEO", "id": ROLE_ID },
        }],
        "info": { "per_page": 200, "count": 1, "page": 1, "more_records": false },
    })
}

fn org(settings: &Settings) -> Value {
    json!({ "org": [{
        "id": ORGANISATION_ID, "zgid": ORGANISATION_ID, "company_name": "Simulated organisation", "type": "developer",
        "domain_name": "simulator", "primary_email": EMAIL, "time_zone": "Etc/UTC",
        "iso_code": "EUR", "currency": "Euro - EUR", "currency_symbol": "€", "currency_locale": "en_GB",
        "country_code": "GB", "created_time": "2026-01-01T00:00:00+00:00", "deletable_org_account": true,
        "privacy_settings": false, "hipaa_compliance_enabled": false, "gapps_enabled": false,
        "translation_enabled": false, "mc_status": false,
        "license_details": {
            "paid": settings.edition != "free", "paid_type": settings.edition, "paid_expiry": null,
            "trial_type": null, "trial_expiry": null,
            "users_license_purchased": settings.users, "portal_users_license_purchased": 0,
        },
    }] })
}
