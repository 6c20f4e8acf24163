use std::collections::BTreeMap;

use serde_json::json;

use super::{
    super::mapping::Mapping,
    super::metadata::{Module, ModuleField},
    SetupStep, label, plan,
};

/// Zoho's standard modules Contacts and Products, with the fields that the default mapping uses.
pub(crate) fn empty_organisation() -> BTreeMap<String, Option<Module>> {
    let text = |name: &str, length, system_mandatory| ModuleField {
        length: Some(length),
        system_mandatory,
        ..ModuleField::new(name, "text")
    };
    let contacts = [
        text("First_Name", 40, false),
        text("Last_Name", 80, true),
        ModuleField { length: Some(100), ..ModuleField::new("Email", "email") },
        ModuleField { length: Some(30), ..ModuleField::new("Phone", "phone") },
        text("Mailing_City", 100, false),
        text("Mailing_Country", 100, false),
    ];
    let products = [text("Product_Name", 200, true), text("Product_Code", 50, false)];
    BTreeMap::from([
        ("Contacts".to_owned(), Some(contacts.into_iter().collect())),
        ("Products".to_owned(), Some(products.into_iter().collect())),
        ("Moodle_Enrolments".to_owned(), None),
    ])
}

fn default() -> Mapping {
    Mapping::parse(Mapping::DEFAULT).unwrap()
}

#[test]
fn modules_come_before_their_fields_and_five_fields_are_created_at_once() {
    let steps = plan(&default(), &empty_organisation());
    let listed: Vec<_> = steps
        .iter()
        .map(|step| match step {
            SetupStep::CreateModule { module, .. } => (module.as_str(), 0),
            SetupStep::CreateFields { module, fields } => (module.as_str(), fields.len()),
        })
        .collect();
    assert_eq!(
        listed,
        [
            ("Moodle_Enrolments", 0),
            ("Moodle_Grades", 0),
            ("Contacts", 5),
            ("Contacts", 3),
            ("Products", 5),
            ("Products", 1),
            ("Moodle_Enrolments", 5),
            ("Moodle_Enrolments", 5),
            ("Moodle_Enrolments", 1),
            ("Moodle_Grades", 5),
            ("Moodle_Grades", 5),
            ("Moodle_Grades", 2),
        ]
    );
    assert_eq!(
        steps[2].to_string(),
        "create in Contacts: Moodle_User_Key (text, 80 characters, unique); Moodle_Username (text, 255 characters); \
         Moodle_ID_Number (text, 255 characters); Moodle_Status (picklist: Active, Suspended, Deleted); \
         Moodle_Sync_Status (picklist: Synced, Failed, Erased)"
    );
    assert_eq!(steps[0].to_string(), "create the module Moodle_Enrolments, called \"MoodleEnrolments\"");
}

#[test]
fn bodies_have_zohos_format() {
    let steps = plan(&default(), &empty_organisation());
    assert_eq!(
        steps[1].request_body(&["7".to_owned()]),
        json!({ "modules": [{
            "api_name": "Moodle_Grades", "singular_label": "MoodleGrade", "plural_label": "MoodleGrades", "profiles": [{ "id": "7" }],
            "display_field": { "field_label": "Name", "data_type": "text" },
        }] })
    );
    let fields: Vec<_> =
        steps[9..].iter().flat_map(|step| step.request_body(&[])["fields"].as_array().unwrap().clone()).collect();
    let field = |label: &str| fields.iter().find(|field| field["field_label"] == label).unwrap().clone();
    assert_eq!(
        field("Moodle Grade Key"),
        json!({ "field_label": "Moodle Grade Key", "data_type": "text", "length": 80, "unique": { "case_sensitive": false } })
    );
    assert_eq!(
        field("Contact"),
        json!({ "field_label": "Contact", "data_type": "lookup",
            "lookup": { "module": { "api_name": "Contacts" }, "display_label": "MoodleGrades" } })
    );
    assert_eq!(
        field("Final Grade"),
        json!({ "field_label": "Final Grade", "data_type": "double", "length": 16, "decimal_place": 5 })
    );
    assert_eq!(
        field("Feedback"),
        json!({ "field_label": "Feedback", "data_type": "textarea", "textarea": { "type": "large" } })
    );
    assert_eq!(field("Graded At"), json!({ "field_label": "Graded At", "data_type": "datetime" }));
    let status = field("Moodle Sync Status");
    assert_eq!(status["pick_list_values"][1], json!({ "display_value": "Failed", "actual_value": "Failed" }));
}

/// The organisation after the steps.
pub(crate) fn after(
    steps: &[SetupStep],
    mut organisation: BTreeMap<String, Option<Module>>,
) -> BTreeMap<String, Option<Module>> {
    for step in steps {
        let module = organisation.entry(step.module().to_owned()).or_default();
        match step {
            SetupStep::CreateModule { .. } => {
                let name =
                    ModuleField { length: Some(120), system_mandatory: true, ..ModuleField::new("Name", "text") };
                *module = Some(Module::from_iter([name]));
            }
            SetupStep::CreateFields { fields, .. } => {
                let module = module.as_mut().expect("the module comes before its fields");
                for field in fields {
                    let body = field.body();
                    let made = ModuleField {
                        length: body.get("length").and_then(|length| length.as_u64()).map(|length| length as u32),
                        unique: body.get("unique").is_some(),
                        picklist: field.expected.values.iter().cloned().map(Into::into).collect(),
                        lookup: field.expected.lookup.clone(),
                        ..ModuleField::new(field.label.replace(' ', "_"), field.expected.data_type.zoho_name())
                    };
                    assert_eq!(module.fields.insert(made.api_name.clone(), made), None, "created twice");
                }
            }
        }
    }
    organisation
}

#[test]
fn after_the_setup_nothing_is_left_to_do() {
    let organisation = after(&plan(&default(), &empty_organisation()), empty_organisation());
    assert_eq!(plan(&default(), &organisation), []);
}

#[test]
fn a_standard_module_is_not_created() {
    let mut organisation = empty_organisation();
    organisation.insert("Contacts".to_owned(), None);
    assert!(plan(&default(), &organisation).iter().all(|step| step.module() != "Contacts"));
}

#[test]
fn types_that_follow_from_sources_and_hints() {
    let text = "[grade]\nmodule = \"G\"\nsingular = \"G\"\nplural = \"Gs\"\nkey = \"Key\"\n[tracking]\nenabled = false\n[grade.fields]\n\
        A = { from = \"userid\" }\nB = { from = \"percentage\" }\nC = { from = \"hidden\" }\nD = { from = \"timemodified\", date = \"date\" }\n\
        E = { from = \"percentage\", bands = [{ from = 40, to = \"Pass\" }, { from = 0, to = \"Refer\" }] }\n\
        F = { from = \"hidden\", map = { true = 1, false = 0.5 } }\nG = { from = \"item.name\", type = \"textarea\", length = 500 }\n\
        H = { from = \"item.itemtype\", type = \"picklist\", values = [\"mod\", \"manual\"] }\nI = { value = \"Moodle\" }\n\
        A_very_long_name_that_no_label_gives = { value = 1 }\n";
    let mapping = Mapping::parse(text).unwrap();
    let described: Vec<_> = plan(&mapping, &BTreeMap::new()).iter().skip(1).map(ToString::to_string).collect();
    assert_eq!(
        described,
        [
            "create in G: Key (text, 80 characters, unique); A (bigint); B (double); C (boolean); D (date)",
            "create in G: E (picklist: Pass, Refer); F (double); G (textarea, 500 characters); H (picklist: mod, manual); \
             I (text, 255 characters)",
        ]
    );
}

#[test]
fn labels_that_yield_the_name() {
    assert_eq!(label("Moodle_User_Key").as_deref(), Some("Moodle User Key"));
    for name in ["Two__Lines", "Ends_", "Abcdefghijklmnopqrstuvwxyz"] {
        assert_eq!(label(name), None, "{name}");
    }
}

#[test]
fn every_new_module_has_an_owner() {
    let text = Mapping::DEFAULT.replace("Role = {", "Owner = { value = \"1\", owner = \"first\" }\nRole = {");
    let steps = plan(&Mapping::parse(&text).unwrap(), &empty_organisation());
    assert!(steps.iter().all(|step| step.fields().iter().all(|field| field.expected.name != "Owner")), "{steps:?}");
}

#[test]
fn labels_can_be_plainer() {
    let text = Mapping::DEFAULT.replace("plural = \"MoodleGrades\"", "plural = \"Moodle Grades\"");
    let steps = plan(&Mapping::parse(&text).unwrap(), &empty_organisation());
    assert_eq!(steps[0].narrow(), None, "it is plain");
    let narrow = steps[1].narrow().unwrap();
    assert_eq!(narrow.request_body(&[])["modules"][0]["plural_label"], "MoodleGrades");
}
