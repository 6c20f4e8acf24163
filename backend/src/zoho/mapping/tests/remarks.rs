//! What is left out of a record, and what fails it.

use serde_json::{Map, Value, json};

use super::{
    super::{Mapping, RenderError, Rendered, Subject, Write},
    module, user, users,
};
use crate::zoho::metadata::{Choice, ModuleField};

fn render(rules: &str, types: &[ModuleField], data: Value) -> Result<Rendered, RenderError> {
    let (mapping, metadata) = users(rules, types);
    let person = user(data);
    mapping.module(person.kind()).unwrap().render(&person.subject(), Write::Update, &metadata)
}

/// The fields, without the key, and the remarks as field and code.
fn left_out(rules: &str, types: &[ModuleField], data: Value) -> (Map<String, Value>, Vec<String>) {
    let Rendered { mut fields, remarks } = render(rules, types, data).unwrap();
    fields.remove("Key");
    (fields, remarks.iter().map(|remark| format!("{} {}", remark.field, remark.code)).collect())
}

fn picklist(data_type: &str, values: &[&str]) -> ModuleField {
    let picklist = values.iter().map(|value| Choice::from((*value).to_owned())).collect();
    ModuleField { picklist, ..ModuleField::new("F", data_type) }
}

#[test]
fn an_optional_value_that_does_not_fit_is_left_out_with_a_remark() {
    let long = |data_type| ModuleField { length: Some(12), ..ModuleField::new("F", data_type) };
    for (rule, to, data, code) in [
        ("from = \"email\"", ModuleField::new("F", "email"), json!({ "email": "root@localhost" }), "not_an_email"),
        ("from = \"email\"", long("email"), json!({ "email": "ann@example.com" }), "too_long"),
        ("from = \"phone1\"", ModuleField::new("F", "phone"), json!({ "phone1": "n/a" }), "not_a_phone"),
        ("from = \"phone1\"", long("phone"), json!({ "phone1": "+49 30 1234 5678" }), "too_long"),
        ("from = \"auth\"", picklist("picklist", &["manual"]), json!({ "auth": "ldap" }), "not_in_picklist"),
        ("from = \"idnumber\"", ModuleField::new("F", "integer"), json!({ "idnumber": "S-1" }), "not_a_number"),
        ("from = \"idnumber\"", ModuleField::new("F", "integer"), json!({ "idnumber": "1.5" }), "not_whole"),
        ("from = \"idnumber\"", ModuleField::new("F", "integer"), json!({ "idnumber": "1234567890" }), "too_large"),
        ("from = \"idnumber\"", ModuleField::new("F", "date"), json!({ "idnumber": "2026-02-30" }), "wrong_type"),
    ] {
        let rules = format!("F = {{ {rule} }}\nG = {{ from = \"city\" }}");
        let types = [to.clone(), ModuleField::new("G", "text")];
        let mut data = data;
        data["city"] = json!("Ely");
        let (fields, remarks) = left_out(&rules, &types, data.clone());
        // Not null, which would clear what Zoho has.
        assert_eq!((Value::Object(fields), remarks), (json!({ "G": "Ely" }), vec![format!("F {code}")]), "{rule}");
        let types = [ModuleField { system_mandatory: true, ..to }, ModuleField::new("G", "text")];
        assert!(render(&rules, &types, data).is_err(), "{code} fails a record that needs it");
    }
}

#[test]
fn what_the_mapping_insists_on_fails() {
    let short = [ModuleField { length: Some(4), ..ModuleField::new("F", "text") }];
    let error = render("F = { from = \"city\", too_long = \"fail\" }", &short, json!({ "city": "Cambridge" }));
    assert_eq!(error.unwrap_err(), RenderError::TooLong { field: "F".to_owned(), limit: 4 });
    let key = ModuleField { length: Some(4), ..ModuleField::new("Key", "text") };
    let (mapping, _) = users("F = { from = \"city\" }", &[]);
    let metadata = [key, ModuleField::new("F", "text")].into_iter().collect();
    let error =
        mapping.module(crate::model::Kind::User).unwrap().render(&user(json!({})).subject(), Write::Create, &metadata);
    assert_eq!(error.unwrap_err(), RenderError::TooLong { field: "Key".to_owned(), limit: 4 });
}

#[test]
fn of_two_telephone_numbers_the_first_is_written() {
    let phone = [ModuleField::new("F", "phone")];
    let typed = |number: &str| left_out("F = { from = \"phone1\" }", &phone, json!({ "phone1": number }));
    assert_eq!(typed("0123/45678"), (Map::from_iter([("F".to_owned(), json!("0123 45678"))]), vec![]));
    let (fields, remarks) = typed("030 1234567 / 0177 7654321");
    assert_eq!((&fields["F"], remarks), (&json!("030 1234567"), vec!["F shortened".to_owned()]));
}

#[test]
fn a_country_becomes_the_name_that_the_list_has() {
    let country =
        |field: ModuleField, code: &str| left_out("F = { from = \"country\" }", &[field], json!({ "country": code }));
    let list = || picklist("picklist", &["Germany", "Korea, Republic of"]);
    assert_eq!(country(list(), "DE").0["F"], json!("Germany"));
    assert_eq!(country(list(), "KR").0["F"], json!("Korea, Republic of"));
    assert_eq!(country(list(), "FR"), (Map::new(), vec!["F not_in_picklist".to_owned()]));
    assert_eq!(country(ModuleField::new("F", "text"), "DE").0["F"], json!("DE"), "a text keeps Moodle's code");
    // Only of countries: another source with two letters is no country.
    let lang = left_out("F = { from = \"lang\" }", &[list()], json!({ "lang": "de" }));
    assert_eq!(lang.1, ["F not_in_picklist"]);
}

#[test]
fn lists_get_what_people_see() {
    let mut field = picklist("multiselectpicklist", &["Manual", "E-mail"]);
    field.picklist[0].actual = "manual".to_owned();
    let rule = "F = { from = \"idnumber\" }";
    let of = |text: &str| left_out(rule, std::slice::from_ref(&field), json!({ "idnumber": text }));
    assert_eq!(of("manual").0["F"], json!(["Manual"]));
    assert_eq!(of("manual, E-mail").0["F"], json!(["Manual", "E-mail"]));
    assert_eq!(of("manual, ldap"), (Map::new(), vec!["F not_in_picklist".to_owned()]));
}

#[test]
fn a_date_is_that_of_the_time_zone() {
    // Midnight of 1 September 2026 in Berlin.
    let midnight = json!({ "timecreated": 1_788_213_600 });
    let rules = "F = { from = \"timecreated\" }\nG = { from = \"timecreated\", date = \"date\" }\nH = { from = \"timecreated\" }";
    let types = [ModuleField::new("F", "date"), ModuleField::new("G", "text"), ModuleField::new("H", "datetime")];
    let (mapping, metadata) = users(rules, &types);
    let person = user(midnight);
    let of_users = mapping.module(person.kind()).unwrap();
    assert!(of_users.writes_dates(&metadata));
    let at = "2026-08-31T22:00:00+00:00";
    for (time_zone, date) in [
        (chrono_tz::Europe::Berlin, "2026-09-01"),
        (chrono_tz::UTC, "2026-08-31"),
        (chrono_tz::America::New_York, "2026-08-31"),
        (chrono_tz::Asia::Kolkata, "2026-09-01"),
    ] {
        let subject = Subject { time_zone, ..person.subject() };
        let mut fields = of_users.render(&subject, Write::Update, &metadata).unwrap().fields;
        fields.remove("Key");
        assert_eq!(Value::Object(fields), json!({ "F": date, "G": date, "H": at }), "{time_zone}");
    }
    let datetimes = module(&[ModuleField::new("F", "datetime"), ModuleField::new("G", "text")]);
    let (mapping, _) = users("F = { from = \"timecreated\" }\nG = { from = \"city\" }", &[]);
    assert!(!mapping.module(person.kind()).unwrap().writes_dates(&datetimes));
}

#[test]
fn the_mapping_may_name_a_time_zone() {
    let with = |line: &str| Mapping::parse(&format!("{line}\n{}", Mapping::DEFAULT));
    assert_eq!(with("").unwrap().time_zone(), None);
    assert_eq!(with("time_zone = \"Europe/Berlin\"").unwrap().time_zone(), Some(chrono_tz::Europe::Berlin));
    let error = with("time_zone = \"Berlin\"").err().unwrap();
    assert!(error.to_string().contains("is no time zone"), "{error}");
}
