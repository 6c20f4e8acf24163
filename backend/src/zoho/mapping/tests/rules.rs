//! Every option of a field's rule, one at a time.

use serde_json::{Value, json};

use super::{
    super::{Mapping, RenderError, Subject, Write},
    Thing, module, object, user, users,
};
use crate::zoho::metadata::{Module, ModuleField};

fn text(name: &str, length: u32) -> ModuleField {
    ModuleField { length: Some(length), ..ModuleField::new(name, "text") }
}

/// The value of the field `F` with this rule, for this user.
fn field(rule: &str, field: ModuleField, data: Value) -> Result<Option<Value>, RenderError> {
    let (mapping, module) = users(&format!("F = {{ {rule} }}"), &[field]);
    written(&mapping, &module, &user(data), Write::Create).map(|mut record| record.remove("F"))
}

fn written(
    mapping: &Mapping,
    metadata: &Module,
    thing: &Thing,
    write: Write,
) -> Result<serde_json::Map<String, Value>, RenderError> {
    mapping.module(thing.kind()).unwrap().render(&thing.subject(), write, metadata).map(|rendered| rendered.fields)
}

/// Why a record is refused whose mandatory field `F` has this rule.
fn refusal(rule: &str, to: ModuleField, data: Value) -> RenderError {
    field(rule, ModuleField { system_mandatory: true, ..to }, data).unwrap_err()
}

/// The value of the field `F` of a grade.
fn grade(rule: &str, to: ModuleField, data: Value) -> Result<Option<Value>, RenderError> {
    let text = format!("[grade]\nmodule = \"Grades\"\nkey = \"Key\"\n[grade.fields]\nF = {{ {rule} }}\n");
    let mut data = object(data);
    for (name, id) in [("gradeid", 1), ("userid", 3), ("itemid", 4)] {
        data.insert(name.to_owned(), json!(id));
    }
    let grade = Thing::read("grade_updated", Value::Object(data));
    written(&Mapping::parse(&text).unwrap(), &module(&[to]), &grade, Write::Create).map(|mut record| record.remove("F"))
}

fn json_text(value: Result<Option<Value>, RenderError>) -> String {
    value.unwrap().unwrap().to_string()
}

#[test]
fn sources() {
    let ann = || json!({ "firstname": " ", "lastname": "Lee", "username": "ann", "city": "Ely" });
    for (rule, expected) in [
        ("from = \"city\"", json!("Ely")),
        ("from = [\"firstname\", \"email\", \"lastname\"]", json!("Lee")),
        ("from = \"phone1\"", Value::Null),
        ("join = [\"firstname\", \"lastname\", \"city\"], with = \", \"", json!("Lee, Ely")),
        ("join = [\"lastname\", \"userid\"]", json!("Lee 3")),
        ("value = \"Moodle\"", json!("Moodle")),
        ("from = \"key\"", json!("college:3")),
        ("from = \"site\"", json!("college")),
        ("from = \"name\"", json!("Lee")),
    ] {
        assert_eq!(field(rule, text("F", 50), ann()), Ok(Some(expected)), "{rule}");
    }
    assert_eq!(field("value = 7", ModuleField::new("F", "integer"), ann()), Ok(Some(json!(7))));
    assert_eq!(field("value = true", ModuleField::new("F", "boolean"), ann()), Ok(Some(json!(true))));
}

#[test]
fn map_replaces_words() {
    let rule = "from = \"suspended\", map = { true = \"Off\", false = \"On\" }";
    assert_eq!(field(rule, text("F", 50), json!({ "suspended": "1" })), Ok(Some(json!("Off"))));
    assert_eq!(field(rule, text("F", 50), json!({})), Ok(Some(Value::Null)));
    let rule = "from = \"auth\", map = { manual = \"By hand\" }";
    assert_eq!(field(rule, text("F", 50), json!({ "auth": "ldap" })), Ok(Some(Value::Null)));
    let rule = "from = \"auth\", map = { manual = \"By hand\" }, otherwise = \"Other\"";
    assert_eq!(field(rule, text("F", 50), json!({ "auth": "ldap" })), Ok(Some(json!("Other"))));
    assert_eq!(
        field("from = \"auth\", map = { a = 1 }", ModuleField::new("F", "integer"), json!({ "auth": "a" })),
        Ok(Some(json!(1)))
    );
}

#[test]
fn bands_by_percentage_are_decided_by_the_exact_value() {
    let rule = "from = \"percentage\", bands = [{ from = 0, to = \"Refer\" }, { from = 70, to = \"Distinction\" }, { from = 39.5, to = \"Pass\" }]";
    for (points, expected) in [
        ("45.00000", json!("Distinction")),
        ("44.99999", json!("Pass")),
        ("29.75000", json!("Pass")),
        ("29.74999", json!("Refer")),
        ("10", json!("Refer")),
        ("9.99", Value::Null),
    ] {
        let grades = json!({ "finalgrade": points, "grademin": "10", "grademax": "60" });
        assert_eq!(grade(rule, text("F", 20), grades), Ok(Some(expected)), "{points}");
    }
    let rule = "from = \"finalgrade\", bands = [{ from = 5, to = 1 }, { from = -1, to = 0 }]";
    assert_eq!(grade(rule, ModuleField::new("F", "integer"), json!({ "finalgrade": "-1.00000" })), Ok(Some(json!(0))));
}

#[test]
fn numbers_are_exact_and_without_trailing_zeros() {
    let double = || ModuleField { length: Some(16), ..ModuleField::new("F", "double") };
    let places = |decimal_place| ModuleField { decimal_place: Some(decimal_place), ..double() };
    let from = "from = \"finalgrade\"";
    for (to, rule, points, expected) in [
        (double(), from, "82.50000", "82.5"),
        (double(), from, "100.00000", "100"),
        (double(), from, "0.00000", "0"),
        (double(), from, "-3.33333", "-3.33333"),
        (double(), from, "1234567890.1234567", "1234567890.123457"),
        (places(2), from, "66.66666", "66.67"),
        (places(2), from, "2.005", "2.01"),
        (double(), "from = \"finalgrade\", decimals = 1", "66.66666", "66.7"),
        (ModuleField::new("F", "integer"), "from = \"finalgrade\", decimals = 0", "66.5", "67"),
        (ModuleField::new("F", "integer"), from, "66.00000", "66"),
        (text("F", 20), from, "66.50000", "\"66.5\""),
    ] {
        assert_eq!(json_text(grade(rule, to, json!({ "finalgrade": points }))), expected);
    }
    let third = json!({ "finalgrade": "1", "grademax": "3" });
    assert_eq!(json_text(grade("from = \"percentage\"", double(), third.clone())), "33.33");
    assert_eq!(json_text(grade("from = \"percentage\"", text("F", 20), third)), "\"33.33\"");
    for without in
        [json!({ "finalgrade": "1", "grademax": "0" }), json!({ "finalgrade": "1" }), json!({ "grademax": "5" })]
    {
        assert_eq!(grade("from = \"percentage\"", double(), without), Ok(Some(Value::Null)));
    }
    let integer = || ModuleField { system_mandatory: true, ..ModuleField::new("F", "integer") };
    let error = grade(from, integer(), json!({ "finalgrade": "66.5" })).unwrap_err();
    assert_eq!(error, RenderError::NotWhole { field: "F".to_owned() });
    let error = grade(from, integer(), json!({ "finalgrade": "1234567890" })).unwrap_err();
    assert_eq!(error, RenderError::TooLarge { field: "F".to_owned(), digits: 9 });
    let error = refusal("from = \"idnumber\"", double(), json!({ "idnumber": "S-1" }));
    assert_eq!(error, RenderError::NotANumber { field: "F".to_owned() });
    assert_eq!(json_text(field("from = \"idnumber\"", double(), json!({ "idnumber": "0017.50" }))), "17.5");
}

#[test]
fn times_follow_the_fields_type() {
    let at = || json!({ "timecreated": "1795333607" });
    let from = "from = \"timecreated\"";
    for (to, rule, expected) in [
        (ModuleField::new("F", "datetime"), from, json!("2026-11-22T07:46:47+00:00")),
        (ModuleField::new("F", "date"), from, json!("2026-11-22")),
        (text("F", 40), from, json!("2026-11-22T07:46:47+00:00")),
        (text("F", 40), "from = \"timecreated\", date = \"date\"", json!("2026-11-22")),
    ] {
        assert_eq!(field(rule, to, at()), Ok(Some(expected)));
    }
    assert_eq!(field(from, ModuleField::new("F", "datetime"), json!({ "timecreated": "0" })), Ok(Some(Value::Null)));
    assert!(refusal(from, ModuleField::new("F", "boolean"), at()).is_configuration());
    let date = refusal("from = \"idnumber\"", ModuleField::new("F", "date"), json!({ "idnumber": "2026-02-30" }));
    assert_eq!(date, RenderError::WrongType { field: "F".to_owned(), data_type: "date".to_owned() });
}

#[test]
fn plain_removes_html() {
    let html = json!({ "feedback": "<p>A &amp; B</p><p>C</p>" });
    let to = |data_type| ModuleField { length: Some(100), ..ModuleField::new("F", data_type) };
    assert_eq!(grade("from = \"feedback\", plain = true", to("textarea"), html.clone()), Ok(Some(json!("A & B\nC"))));
    assert_eq!(grade("from = \"feedback\", plain = true", to("text"), html.clone()), Ok(Some(json!("A & B C"))));
    assert_eq!(grade("from = \"feedback\"", to("text"), html), Ok(Some(json!("<p>A &amp; B</p><p>C</p>"))));
    let empty = json!({ "feedback": "<p></p>" });
    assert_eq!(grade("from = \"feedback\", plain = true", to("textarea"), empty), Ok(Some(Value::Null)));
}

#[test]
fn long_texts_are_cut_between_characters_or_refused() {
    let city = |text: &str| json!({ "city": text });
    for (long, limit, cut) in
        [("Łódź-Łódź", 4, "Łódź"), ("🎉🎉🎉", 2, "🎉🎉"), ("ab cd", 3, "ab"), ("مرحبا", 5, "مرحبا")]
    {
        assert_eq!(field("from = \"city\"", text("F", limit), city(long)), Ok(Some(json!(cut))));
    }
    let error = field("from = \"city\", too_long = \"fail\"", text("F", 4), city("Łódź!")).unwrap_err();
    assert_eq!(error, RenderError::TooLong { field: "F".to_owned(), limit: 4 });
    assert!(!error.is_configuration() && error.field() == "F");
    let email = ModuleField { length: Some(5), ..ModuleField::new("F", "email") };
    let error = refusal("from = \"email\"", email.clone(), json!({ "email": "ann@example.com" }));
    assert_eq!(error, RenderError::TooLong { field: "F".to_owned(), limit: 5 });
    let error = refusal("from = \"email\"", email, json!({ "email": "secret" }));
    assert!(!error.to_string().contains("secret") && !error.advice().contains("secret"));
}

#[test]
fn picklists_accept_only_their_values() {
    let list = ModuleField { picklist: vec!["GB".to_owned().into()], ..ModuleField::new("F", "picklist") };
    assert_eq!(field("from = \"country\"", list.clone(), json!({ "country": "GB" })), Ok(Some(json!("GB"))));
    let error = refusal("from = \"country\"", list, json!({ "country": "NL" }));
    assert_eq!(error, RenderError::NotInPicklist { field: "F".to_owned() });
}

#[test]
fn missing_values_clear_or_stay() {
    let none = || json!({ "city": "" });
    assert_eq!(field("from = \"city\"", text("F", 9), none()), Ok(Some(Value::Null)));
    assert_eq!(field("from = \"city\", null = \"keep\"", text("F", 9), none()), Ok(None));
    let mandatory = ModuleField { system_mandatory: true, ..text("F", 9) };
    let error = field("from = \"city\"", mandatory, none()).unwrap_err();
    assert_eq!(error, RenderError::Mandatory { field: "F".to_owned() });
    assert_eq!(field("from = \"suspended\"", ModuleField::new("F", "boolean"), none()), Ok(None));
}

#[test]
fn owners_decide_when_a_field_is_written() {
    let rules = "A = { from = \"city\" }\nB = { from = \"city\", owner = \"first\" }\nC = { from = \"city\", owner = \"zoho\" }";
    let (mapping, metadata) = users(rules, &[text("A", 9), text("B", 9), text("C", 9)]);
    let ely = user(json!({ "city": "Ely" }));
    for (write, expected) in [(Write::Create, "A B Key"), (Write::Update, "A Key")] {
        let record = written(&mapping, &metadata, &ely, write).unwrap();
        assert_eq!(record.keys().map(String::as_str).collect::<Vec<_>>().join(" "), expected);
    }
}

#[test]
fn an_unmapped_mandatory_field_is_an_error() {
    let (mapping, metadata) =
        users("A = { from = \"city\" }", &[text("A", 9), ModuleField { system_mandatory: true, ..text("B", 9) }]);
    let ely = user(json!({ "city": "Ely" }));
    let error = written(&mapping, &metadata, &ely, Write::Create).unwrap_err();
    assert_eq!(error, RenderError::NotMapped { field: "B".to_owned() });
    assert!(written(&mapping, &metadata, &ely, Write::Update).is_ok());
}

#[test]
fn a_missing_or_read_only_field_is_an_error() {
    let error = field("from = \"city\"", text("G", 9), json!({})).unwrap_err();
    assert_eq!(error, RenderError::NoSuchField { field: "F".to_owned() });
    let error = field("from = \"city\"", ModuleField { read_only: true, ..text("F", 9) }, json!({})).unwrap_err();
    assert_eq!(error, RenderError::ReadOnly { field: "F".to_owned() });
}

#[test]
fn a_record_that_is_gone_is_blanked() {
    let text_of = "[user]\nmodule = \"Contacts\"\nkey = \"Key\"\non_delete = \"blank\"\n[user.fields]\n\
        A = { from = \"city\" }\nB = { from = \"lastname\" }\nC = { from = \"city\", owner = \"zoho\" }\nD = { from = \"suspended\" }\n\
        [user.deleted]\nB = \"Removed\"\nE = { clear = true }\n";
    let mapping = Mapping::parse(text_of).unwrap();
    let mandatory = ModuleField { system_mandatory: true, ..text("B", 9) };
    let metadata = module(&[text("A", 9), mandatory, text("C", 9), ModuleField::new("D", "boolean"), text("E", 9)]);
    let gone = user(json!({ "city": "Ely" }));
    let subject = Subject { user_id: None, ..gone.subject() };
    let record = mapping.module(gone.kind()).unwrap().render_deleted(&subject, &metadata).unwrap();
    assert_eq!(Value::Object(record), json!({ "Key": "college:3", "A": null, "B": "Removed", "D": false, "E": null }));
}
