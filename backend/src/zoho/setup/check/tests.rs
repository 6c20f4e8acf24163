use std::collections::BTreeMap;

use super::{MappingFinding, Severity, check};
use crate::zoho::{
    mapping::Mapping,
    metadata::{Demand, Module, ModuleField},
    setup::{
        self,
        tests::{after, empty_organisation},
    },
};

fn default() -> Mapping {
    Mapping::parse(Mapping::DEFAULT).unwrap()
}

/// The findings in an organisation that is set up for the default mapping, except for one changed field.
fn but(module: &str, name: &str, change: impl FnOnce(&mut ModuleField)) -> Vec<(Severity, String)> {
    let mut organisation = after(&setup::plan(&default(), &empty_organisation()), empty_organisation());
    let fields = &mut organisation.get_mut(module).unwrap().as_mut().unwrap().fields;
    change(fields.entry(name.to_owned()).or_insert_with(|| ModuleField::new(name, "text")));
    check(&default(), &organisation).into_iter().map(|finding| described(module, name, finding)).collect()
}

fn described(module: &str, name: &str, finding: MappingFinding) -> (Severity, String) {
    assert_eq!((finding.module.as_str(), finding.field.as_deref()), (module, Some(name)));
    assert!(!finding.advice.is_empty() && !finding.setup_can_fix);
    (finding.severity, finding.problem)
}

#[test]
fn what_setup_creates_passes() {
    let organisation = after(&setup::plan(&default(), &empty_organisation()), empty_organisation());
    assert_eq!(check(&default(), &organisation), []);
}

#[test]
fn setup_can_create_what_an_empty_organisation_lacks() {
    let findings = check(&default(), &empty_organisation());
    assert!(
        findings.iter().all(|finding| finding.setup_can_fix && finding.severity == Severity::Error),
        "{findings:?}"
    );
    let modules: Vec<_> =
        findings.iter().filter(|finding| finding.field.is_none()).map(|finding| finding.module.as_str()).collect();
    assert_eq!(modules, ["Moodle_Enrolments", "Moodle_Grades"]);
    assert!(findings.iter().any(|finding| finding.field.as_deref() == Some("Moodle_User_Key")));
}

#[test]
fn an_invisible_standard_module_needs_a_person() {
    let findings = check(&default(), &BTreeMap::new());
    let contacts = findings.iter().find(|finding| finding.module == "Contacts").unwrap();
    assert!(!contacts.setup_can_fix && contacts.advice.contains("[user]"), "{contacts:?}");
}

#[test]
fn every_possible_difference() {
    let error = |problem: &str| vec![(Severity::Error, problem.to_owned())];
    let warning = |problem: &str| vec![(Severity::Warning, problem.to_owned())];
    let (enrolments, contacts) = ("Moodle_Enrolments", "Contacts");
    assert_eq!(
        but(contacts, "Moodle_User_Key", |field| field.unique = false),
        error("The key is not unique, so records could be duplicated.")
    );
    assert_eq!(
        but(contacts, "Moodle_User_Key", |field| field.length = Some(30)),
        error("The key needs 80 characters.")
    );
    assert_eq!(
        but(contacts, "Moodle_User_Key", |field| field.data_type = "integer".to_owned()),
        error("The key must have the type text, not integer.")
    );
    assert_eq!(but(contacts, "Phone", |field| field.read_only = true), error("The field cannot be written."));
    assert_eq!(
        but(contacts, "Phone", |field| field.hidden = true),
        error("The connection's user does not see the field.")
    );
    assert_eq!(
        but(contacts, "Phone", |field| field.api_create = false),
        error("The field cannot be written by API when a record is created.")
    );
    assert_eq!(but(contacts, "Phone", |field| field.api_update = false), error("The field cannot be changed by API."));
    assert_eq!(
        but(contacts, "Phone", |field| field.unique = true),
        warning("The field is unique beside the key: of two records with the same value, Zoho refuses one.")
    );
    assert_eq!(
        but(contacts, "Department", |field| field.demand = Demand::EveryLayout),
        error("Zoho requires a value, but the mapping does not fill the field.")
    );
    assert_eq!(
        but(contacts, "Department", |field| field.demand = Demand::SomeLayouts),
        warning("Some layouts demand a value, but the mapping does not fill the field; their records will fail.")
    );
    assert_eq!(but(contacts, "Moodle_Sync_Status", |field| field.demand = Demand::EveryLayout), []);
    assert_eq!(
        but(contacts, "Moodle_Username", |field| field.unused = true),
        error("The field is on no layout, so nobody sees it.")
    );
    assert_eq!(
        but(contacts, "Email", |field| field.data_type = "double".to_owned()),
        error("The source does not suit a field of type double.")
    );
    assert_eq!(
        but(contacts, "Department", |field| field.system_mandatory = true),
        error("Zoho requires a value, but the mapping does not fill the field.")
    );
    assert_eq!(
        but(contacts, "Moodle_Status", |field| field.picklist.retain(|choice| choice.display != "Deleted")),
        error("When a record is gone: the value for Moodle_Status is not in its picklist in Zoho.")
    );
    assert_eq!(
        but(contacts, "Moodle_Status", |field| field.picklist.retain(|choice| choice.display != "Active")),
        error(
            "One of the values in the mapping file cannot be written: the value for Moodle_Status is not in its picklist in Zoho."
        )
    );
    assert_eq!(
        but(enrolments, "Status", |field| field.picklist.retain(|choice| choice.display != "Active")),
        error("The picklist lacks Active.")
    );
    assert_eq!(
        but(enrolments, "Role", |field| field.data_type = "picklist".to_owned()),
        [(Severity::Warning, "Values that are not in the picklist are left out.".to_owned())]
    );
    assert_eq!(
        but(enrolments, "Contact", |field| field.lookup = Some("Leads".to_owned())),
        error("The lookup points to Leads instead of Contacts.")
    );
    assert_eq!(
        but(enrolments, "Contact", |field| field.data_type = "text".to_owned()),
        error("The field must be a lookup, not of type text.")
    );
    assert_eq!(
        but(enrolments, "Moodle_Sync_Error", |field| field.length = Some(100)),
        error("The field needs 250 characters.")
    );
    assert_eq!(
        but(enrolments, "Moodle_Last_Sync", |field| field.data_type = "text".to_owned()),
        error("The tracking field must have the type datetime, not text.")
    );
    assert_eq!(
        but(enrolments, "Moodle_Sync_Status", |field| field.picklist.clear()),
        error("The picklist must have Synced, Failed, Erased.")
    );
    assert_eq!(but(enrolments, "Moodle_Sync_Status", |field| field.data_type = "text".to_owned()), []);
}

#[test]
fn uncut_texts_are_a_warning_and_fields_that_zoho_owns_are_ignored() {
    let text = "[tracking]\nenabled = false\n[user]\nmodule = \"Contacts\"\nkey = \"Key\"\n[user.fields]\n\
        A = { from = \"city\", too_long = \"fail\" }\nB = { from = \"city\", owner = \"zoho\" }\n";
    let key = ModuleField { unique: true, ..ModuleField::new("Key", "text") };
    let contacts: Module =
        [key, ModuleField { length: Some(50), ..ModuleField::new("A", "text") }, ModuleField::new("B", "formula")]
            .into_iter()
            .collect();
    let findings = check(&Mapping::parse(text).unwrap(), &BTreeMap::from([("Contacts".to_owned(), Some(contacts))]));
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].severity, findings[0].field.as_deref()), (Severity::Warning, Some("A")));
}
