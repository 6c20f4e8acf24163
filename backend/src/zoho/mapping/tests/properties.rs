//! Properties that hold for every record and field.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{Mapping, Rendered, Subject, Write},
    Thing, metadata, user, users,
};
use crate::{
    model::{Kind, Remark},
    zoho::metadata::{Module, ModuleField},
};

/// Every kind of source and transformation, to be tried with a field of each type.
const SOURCES: [&str; 8] = [
    "from = \"city\"",
    "from = [\"idnumber\", \"city\"]",
    "join = [\"firstname\", \"lastname\", \"timecreated\"], with = \"\\n\"",
    "from = \"city\", plain = true",
    "from = \"suspended\", map = { true = \"Suspended\" }, otherwise = 5",
    "from = \"userid\"",
    "from = \"timecreated\"",
    "from = \"city\", too_long = \"fail\"",
];

const TYPES: [&str; 16] = [
    "text", "textarea", "email", "phone", "website", "integer", "bigint", "double", "currency", "percent", "boolean",
    "date", "datetime", "picklist", "lookup", "formula",
];

fn anything() -> impl Strategy<Value = String> {
    prop_oneof![
        "[^\\x00]{0,60}",
        "-?[0-9]{1,26}(\\.[0-9]{1,9})?",
        "[a-z]{0,9}@[a-z]{0,9}",
        "(<p>|</p>|&amp;|&#0;|&#x1F389;|<script>|\\n| |é|🎉){0,20}",
    ]
}

/// What may stand in a field for a telephone number.
fn typed_phone() -> impl Strategy<Value = String> {
    prop_oneof![
        "[^\\x00]{0,20}",
        "[0-9 ()+./,;x-]{0,24}",
        "\\+?[0-9]{1,4}( |-|/|\\.)?(\\(0\\))?[0-9]{1,4}[ /-]{1,3}[0-9]{3,8}( oder | / |, |;)?[0-9+]{0,12}",
        "(12|34|\\(5\\)| |-|\\.|\\(|\\)){0,8}",
        "(\\+|0|1|a| |-|\\.|\\(|\\)|,|;|#|/|\u{a0}|\u{2013}|\u{661}){0,16}",
    ]
}

/// Whether Zoho would accept the value's length.
fn fits(value: &Value, field: &ModuleField) -> bool {
    let limit = field.length.unwrap_or(u32::MAX) as usize;
    match value {
        Value::String(text) if !matches!(field.data_type.as_str(), "date" | "datetime" | "picklist") => {
            !text.is_empty() && text.chars().count() <= limit
        }
        Value::Number(number) => number.as_str().bytes().filter(u8::is_ascii_digit).count() <= limit,
        _ => true,
    }
}

proptest! {
    #[test]
    fn no_value_is_longer_than_its_field(
        source in 0..SOURCES.len(),
        data_type in 0..TYPES.len(),
        length in prop::option::of(0_u32..30),
        decimal_place in prop::option::of(0_u32..9),
        texts in prop::array::uniform4(anything()),
        suspended in any::<bool>(),
        timecreated in 0_i64..=253_402_300_799,
    ) {
        let field = ModuleField { length, decimal_place, ..ModuleField::new("F", TYPES[data_type]) };
        let (mapping, module) = users(&format!("F = {{ {} }}", SOURCES[source]), std::slice::from_ref(&field));
        let [city, idnumber, firstname, lastname] = texts;
        let person = user(json!({
            "city": city, "idnumber": idnumber, "firstname": firstname, "lastname": lastname, "suspended": suspended,
            "timecreated": timecreated,
        }));
        if let Ok(record) = mapping.module(Kind::User).unwrap().render(&person.subject(), Write::Create, &module) {
            let record = record.fields;
            prop_assert!(record.get("F").is_none_or(|value| fits(value, &field)), "{record:?}");
        }
    }

    #[test]
    fn any_grade_is_rendered_or_refused(
        finalgrade in "-?[0-9]{1,10}(\\.[0-9]{1,5})?",
        grademin in "-?[0-9]{1,10}(\\.[0-9]{1,5})?",
        grademax in "-?[0-9]{1,10}(\\.[0-9]{1,5})?",
        feedback in anything(),
        itemname in anything(),
        length in 1_u32..20,
    ) {
        let text = Mapping::DEFAULT.replace("# Percentage", "Percentage");
        let mapping = Mapping::parse(&text).unwrap();
        let short = |field: ModuleField| ModuleField { length: Some(if field.unique { 80 } else { length }), ..field };
        let module: Module = metadata(&mapping, Kind::Grade).fields.into_values().map(short).collect();
        let grade = Thing::read("grade_updated", json!({
            "gradeid": 1, "userid": 2, "itemid": 3, "finalgrade": finalgrade, "grademin": grademin, "grademax": grademax,
            "feedback": feedback, "itemname": itemname, "timemodified": 1,
        }));
        let subject = Subject { user_id: Some("1"), ..grade.subject() };
        if let Ok(record) = mapping.module(Kind::Grade).unwrap().render(&subject, Write::Update, &module) {
            for (name, value) in &record.fields {
                prop_assert!(fits(value, &module.fields[name]), "{name}: {value}");
            }
        }
    }

    #[test]
    fn any_file_is_read_or_refused(text in "([a-z_.]{1,8}|\\[|\\]|\\{|\\}|=|\"|,|1|\\n| |user|grade|fields|from|bands|#){0,40}") {
        if let Err(error) = Mapping::parse(&text) {
            prop_assert!(!error.problems.is_empty());
            let lines = text.lines().count() + 1;
            prop_assert!(error.problems.iter().all(|problem| (1..=lines).contains(&problem.line)), "{error}");
        }
    }
}

proptest! {
    // The rules of telephone numbers have many corners.
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn zoho_accepts_every_phone_and_address_that_is_sent(
        phone in typed_phone(),
        email in "[a-zA-Z0-9.@_+ é-]{0,20}|[a-z.]{1,8}@[a-z.-]{1,12}",
    ) {
        let types = [ModuleField { length: Some(30), ..ModuleField::new("P", "phone") }, ModuleField::new("E", "email")];
        let (mapping, module) = users("P = { from = \"phone1\" }\nE = { from = \"email\" }", &types);
        let person = user(json!({ "phone1": phone, "email": email }));
        let Rendered { fields, remarks } =
            mapping.module(Kind::User).unwrap().render(&person.subject(), Write::Create, &module).unwrap();
        for (name, data_type) in [("P", "phone"), ("E", "email")] {
            if let Some(sent) = fields.get(name).and_then(Value::as_str) {
                prop_assert!(zoho_simulator::accepts(data_type, sent), "{sent:?} of {phone:?} {email:?}");
            }
            let value = [("P", &phone), ("E", &email)].into_iter().find(|(field, _)| *field == name).unwrap().1;
            let missing = !fields.contains_key(name);
            prop_assert!(!missing || remarks.iter().any(|remark| remark.field == name), "{name} is left out silently");
            // What Zoho takes as it is, is sent as it is.
            let as_it_is = value.trim().is_ascii() && value.len() <= 30 && zoho_simulator::accepts(data_type, value.trim());
            prop_assert!(!as_it_is || fields.get(name) == Some(&json!(value.trim())), "{value:?} became {fields:?}");
        }
        let quoted = |remark: &Remark| phone.trim().len() > 6 && remark.message.contains(phone.trim());
        prop_assert!(!remarks.iter().any(quoted), "{remarks:?}");
    }
}
