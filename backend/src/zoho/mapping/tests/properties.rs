//! Properties that hold for every record and field.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{Mapping, Subject, Write},
    Thing, metadata, user, users,
};
use crate::{
    model::Kind,
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
            for (name, value) in &record {
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
