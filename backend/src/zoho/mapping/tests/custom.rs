//! Custom fields as sources: texts that suit whatever they fit.

use serde_json::{Value, json};

use super::{
    super::{FieldType, Mapping, Subject, Write},
    Owned, Thing, metadata, module, user, users,
};
use crate::{
    model::Kind,
    zoho::{
        metadata::ModuleField,
        setup::check::{Severity, check_module},
    },
};

fn written(rule: &str, to: &str, text: &str) -> (Value, Vec<String>) {
    let (mapping, metadata) = users(&format!("F = {{ {rule} }}"), &[ModuleField::new("F", to)]);
    let person = user(json!({ "profile": { "x": text } }));
    let rendered = mapping.module(Kind::User).unwrap().render(&person.subject(), Write::Update, &metadata).unwrap();
    (rendered.fields.get("F").cloned().unwrap_or_default(), rendered.remarks.into_iter().map(|r| r.code).collect())
}

#[test]
fn a_text_is_written_as_what_the_field_takes() {
    let from = "from = \"profile.x\"";
    for (rule, to, text, value) in [
        (from, "text", " Ada ", json!("Ada")),
        (from, "integer", "42", json!(42)),
        (from, "double", "82.5", json!(82.5)),
        (from, "boolean", "1", json!(true)),
        (from, "boolean", "0", json!(false)),
        (from, "date", "2008-05-23", json!("2008-05-23")),
        (from, "date", "2026-11-28T09:00:00Z", json!("2026-11-28")),
        (from, "datetime", "2026-11-28T09:00:00Z", json!("2026-11-28T09:00:00+00:00")),
        ("from = \"profile.x\", map = { 1 = \"Yes\" }, otherwise = \"No\"", "text", "0", json!("No")),
        (
            "from = \"profile.x\", bands = [{ from = 5, to = \"High\" }, { from = 0, to = \"Low\" }]",
            "text",
            "4.5",
            json!("Low"),
        ),
        ("from = \"profile.x\", decimals = 1", "double", "1.26", json!(1.3)),
        ("from = \"profile.x\", plain = true", "textarea", "<p>a &amp; b</p>", json!("a & b")),
        ("join = [\"profile.x\", \"profile.y\"]", "text", "a", json!("a")),
    ] {
        assert_eq!(written(rule, to, text), (value, Vec::new()), "{rule} {to} {text}");
    }
    for (to, code) in [("boolean", "wrong_type"), ("date", "wrong_type"), ("integer", "not_a_number")] {
        assert_eq!(written(from, to, "soon"), (Value::Null, vec![code.to_owned()]), "{to}");
    }
    // What has no value is cleared; other fields are not looked at.
    assert_eq!(written("from = \"profile.z\"", "text", "a"), (Value::Null, Vec::new()));
}

#[test]
fn other_records_show_it_and_follow_it() {
    let text = "[user]\nmodule = \"Contacts\"\nkey = \"K\"\n[user.fields]\nLast_Name = { from = \"lastname\" }\n\
                [enrolment]\nmodule = \"E\"\nkey = \"K\"\n[enrolment.fields]\nLevel = { from = \"user.profile.level\" }\n";
    let mapping = Mapping::parse(text).unwrap();
    let at_level = |level: &str| user(json!({ "lastname": "Lee", "profile": { "level": level, "other": level } }));
    let (three, four) = (at_level("3"), at_level("4"));
    let enrolment = Thing::read("user_enrolled", json!({ "enrollmentid": 1, "userid": 3, "courseid": 2 }));
    let Owned::User(person) = &three.state else { panic!("a user is needed") };
    let subject = Subject { user: Some(person), ..enrolment.subject() };
    let table = mapping.module(Kind::Enrolment).unwrap();
    assert!(table.reads_user());
    let rendered = table.render(&subject, Write::Create, &metadata(&mapping, Kind::Enrolment)).unwrap();
    assert_eq!(rendered.fields["Level"], json!("3"));
    assert_ne!(mapping.digest_read(three.subject().state), mapping.digest_read(four.subject().state));
    let unread = user(json!({ "lastname": "Lee", "profile": { "level": "3" } }));
    assert_eq!(mapping.digest_read(three.subject().state), mapping.digest_read(unread.subject().state));
}

#[test]
fn courses_have_fields_and_a_path() {
    let text = "[course]\nmodule = \"P\"\nkey = \"K\"\n[course.fields]\nCredits = { from = \"customfields.credits\", type = \"integer\" }\n\
                Path = { from = \"categorypath\" }\nFaculty = { from = \"topcategory\" }\n\
                [enrolment]\nmodule = \"E\"\nkey = \"K\"\n[enrolment.fields]\n\
                Award = { join = [\"course.topcategory\", \"course.customfields.award\"], with = \": \" }\n";
    let mapping = Mapping::parse(text).unwrap();
    let in_path = |names: &[&str]| {
        let path: Vec<_> = (1..).zip(names).map(|(id, name)| json!({ "id": id, "name": name })).collect();
        let fields = json!({ "credits": "120", "award": "BTEC" });
        Thing::read("course_updated", json!({ "courseid": 2, "categories": path, "customfields": fields }))
    };
    let course = in_path(&["Science ", "Physics"]);
    let render = |kind: Kind, subject: &Subject<'_>| {
        mapping.module(kind).unwrap().render(subject, Write::Create, &metadata(&mapping, kind)).unwrap().fields
    };
    let fields = render(Kind::Course, &course.subject());
    let of = |name: &str| fields[name].clone();
    assert_eq!([of("Credits"), of("Path"), of("Faculty")], [json!(120), json!("Science / Physics"), json!("Science")]);
    let Owned::Course(state) = &course.state else { panic!("a course is needed") };
    let enrolment = Thing::read("user_enrolled", json!({ "enrollmentid": 1, "userid": 3, "courseid": 2 }));
    let subject = Subject { course: Some(state), ..enrolment.subject() };
    assert_eq!(render(Kind::Enrolment, &subject)["Award"], json!("Science: BTEC"));
    let digest = |course: &Thing| mapping.digest_read(course.subject().state);
    assert_ne!(digest(&course), digest(&in_path(&["Arts", "Physics"])));
    assert_eq!(digest(&course), digest(&in_path(&["Science", "Chemistry"])), "nobody reads the second level");
}

#[test]
fn setup_creates_a_text_unless_the_mapping_says_otherwise() {
    let (mapping, _) = users("A = { from = \"profile.a\" }\nB = { from = \"profile.b\", type = \"date\" }", &[]);
    let expected = mapping.expected(mapping.module(Kind::User).unwrap());
    let type_of = |name: &str| expected.iter().find(|field| field.name == name).unwrap().data_type;
    assert_eq!((type_of("A"), type_of("B")), (FieldType::Text, FieldType::Date));
}

#[test]
fn check_takes_it_for_any_field() {
    for data_type in ["text", "phone", "bigint", "double", "boolean", "date", "datetime"] {
        let (mapping, _) = users("F = { from = \"profile.x\" }", &[]);
        let table = mapping.module(Kind::User).unwrap();
        let found = module(&[ModuleField::new("F", data_type)]);
        let findings = check_module(&mapping, Kind::User, table, Some(&found));
        let wrong = findings.iter().find(|finding| finding.field.as_deref() == Some("F"));
        assert_eq!(wrong.map(|finding| (finding.severity == Severity::Error, &finding.problem)), None, "{data_type}");
    }
}

#[test]
fn people_are_excluded_by_it() {
    let text = "[filter]\nexclude = { \"profile.type\" = [\"guest\"] }\n\
                [user]\nmodule = \"Contacts\"\nkey = \"K\"\n[user.fields]\nLast_Name = { from = \"lastname\" }\n";
    let mapping = Mapping::parse(text).unwrap();
    for (kind, excluded) in [("Guest", true), ("Student", false)] {
        let person = user(json!({ "profile": { "type": kind } }));
        let Owned::User(state) = &person.state else { panic!("a user is needed") };
        let found = mapping.filter().exclusion("college", state.userid, &person.subject());
        assert_eq!(found.is_some(), excluded, "{kind}");
    }
}

#[test]
fn a_source_without_a_name_is_a_mistake() {
    for name in ["profile", "profile.", "user.profile.x", "profiles.x"] {
        let text = format!("[user]\nmodule = \"C\"\nkey = \"K\"\n[user.fields]\nF = {{ from = \"{name}\" }}\n");
        let error = Mapping::parse(&text).err().unwrap_or_else(|| panic!("{name} is accepted"));
        assert!(error.to_string().contains(name), "{error}");
    }
    let text = "[user]\nmodule = \"C\"\nkey = \"K\"\n[user.fields]\nF = { from = \"profile.x\", date = \"date\" }\n";
    assert!(Mapping::parse(text).err().unwrap().to_string().contains("date is for times"));
}
