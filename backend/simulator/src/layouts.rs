//! Layouts: each module has one, with all its used fields in one section.

use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal},
    call::Call,
    metadata::{named_module, show_field},
    rules::Rule,
    schema::{Field, Module, Organisation},
    settings::Settings,
};

/// What the ids of a module's layout and of its section are higher than the module's own.
const LAYOUT: u64 = 1_000_000_000;
const SECTION: u64 = 2_000_000_000;

/// The layouts of a module, or the one with this id.
pub(super) fn layouts(
    organisation: &Organisation,
    settings: &Settings,
    call: &Call,
    id: Option<&str>,
) -> Result<Answer, Refusal> {
    let name = named_module(organisation, call)?;
    let module = organisation.modules.get(&name).ok_or_else(Refusal::invalid_module)?;
    if id.is_some_and(|id| id != (module.id + LAYOUT).to_string()) {
        return Err(Refusal::of(Rule::SettingExists));
    }
    Ok(Answer::ok(json!({ "layouts": [layout(organisation, settings, module)] })))
}

fn layout(organisation: &Organisation, settings: &Settings, module: &Module) -> Value {
    let id = (module.id + LAYOUT).to_string();
    let using = organisation.profiles.using(&module.api_name);
    let view = json!({ "name": "Standard View", "id": id, "type": "layout" });
    let profiles: Vec<Value> = using
        .iter()
        .take(settings.profiles_per_page)
        .map(|profile| {
            json!({
                "name": profile.name, "id": profile.id, "default": true,
                "_default_view": view, "_default_assignment_view": view,
            })
        })
        .collect();
    json!({
        "id": id, "name": "Standard", "display_label": "Standard", "api_name": "Standard", "status": "active",
        "visible": true, "source": "crm", "generated_type": "system", "created_for": null, "created_by": null,
        "created_time": null, "modified_by": null, "modified_time": null, "convert_mapping": null,
        "show_business_card": true, "has_more_profiles": using.len() > profiles.len(),
        "profiles": if profiles.is_empty() { Value::Null } else { profiles.into() },
        "actions_allowed": {
            "edit": true, "rename": true, "clone": true, "downgrade": false, "delete": false, "deactivate": false,
            "set_layout_permissions": true,
        },
        "sections": [section(organisation, module)],
    })
}

fn section(organisation: &Organisation, module: &Module) -> Value {
    let used = module.fields.values().filter(|field| !field.administered.unused);
    let fields: Vec<Value> = used.zip(1..).map(|(field, place)| placed(organisation, field, place)).collect();
    let label = format!("{} Information", module.singular);
    json!({
        "id": (module.id + SECTION).to_string(), "name": label, "display_label": label,
        "api_name": label.replace(' ', "_"), "type": "used", "mode": "all", "sequence_number": 1,
        "column_count": 2, "tab_traversal": "left_to_right", "isSubformSection": false, "generated_type": "default",
        "properties": null,
        "actions_allowed": {
            "add_field": true, "rename": true, "change_tab_traversal": true, "reorder": true, "delete": false,
            "remove_field": true, "change_column_count": true,
        },
        "fields": fields,
    })
}

/// A field on a layout: there, and only there, is said whether the layout demands a value.
fn placed(organisation: &Organisation, field: &Field, place: u32) -> Value {
    let mut shown = show_field(organisation, field);
    if let Some(shown) = shown.as_object_mut() {
        shown.remove("email_parser");
    }
    shown["required"] = field.mandatory.into();
    shown["sequence_number"] = place.into();
    // Which values of other picklists a value allows: all.
    for value in shown["pick_list_values"].as_array_mut().into_iter().flatten() {
        value["maps"] = json!([]);
    }
    shown
}
