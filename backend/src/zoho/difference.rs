//! Comparing what we write with what Zoho has.

use serde_json::{Map, Value};

use super::metadata::Module;
use crate::clock::Timestamp;

/// A field whose value differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The field's API name.
    pub field: String,
    /// The value in Zoho.
    pub before: Value,
    /// The value that is written.
    pub after: Value,
}

/// The fields of `after` that differ from `before`, by what Zoho makes of the values.
pub(crate) fn differences(
    before: Option<&Map<String, Value>>,
    after: Map<String, Value>,
    metadata: &Module,
) -> Vec<Difference> {
    let differs = |(field, after): (String, Value)| {
        let before = before.and_then(|before| before.get(&field)).cloned().unwrap_or_default();
        (!same(metadata, &field, &before, &after)).then_some(Difference { field, before, after })
    };
    after.into_iter().filter_map(differs).collect()
}

/// Whether both are the same value of a field, by what Zoho makes of them.
pub(crate) fn same(metadata: &Module, field: &str, before: &Value, after: &Value) -> bool {
    if is_empty(metadata, field, before) && is_empty(metadata, field, after) {
        return true;
    }
    // A lookup is written as an id, but read with the name of its record too.
    match (before.get("id"), after.get("id")) {
        (Some(before), Some(after)) => before == after,
        _ => {
            equal(before, after)
                || same_choice(metadata, field, before, after)
                || same_text(metadata, field, before, after)
        }
    }
}

/// Whether Zoho shows nothing: an empty text is none there, and what nobody ticked is not ticked.
fn is_empty(metadata: &Module, field: &str, value: &Value) -> bool {
    let is = |data_type: &str| metadata.fields.get(field).is_some_and(|field| field.data_type == data_type);
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Bool(ticked) => !ticked && is("boolean"),
        _ => false,
    }
}

/// Whether both are the same text after what Zoho does to it: it cuts blanks at both ends, and writes line ends as one
/// character.
fn same_text(metadata: &Module, field: &str, before: &Value, after: &Value) -> bool {
    let (Some(before), Some(after)) = (before.as_str(), after.as_str()) else { return false };
    let lines = |text: &str| text.trim().replace("\r\n", "\n");
    let is_phone = metadata.fields.get(field).is_some_and(|field| field.data_type == "phone");
    // People see one number, however it is divided.
    let number = |text: &str| text.chars().filter(|character| !" -()./".contains(*character)).collect::<String>();
    lines(before) == lines(after) || (is_phone && number(before) == number(after))
}

/// Compares numbers regardless of zeros, and date-times regardless of offsets.
fn equal(before: &Value, after: &Value) -> bool {
    let moments = (moment(before), moment(after));
    // Zoho returns big integers as texts.
    let number =
        |value: &Value, other: &Value| value.as_f64().or_else(|| other.as_f64().and(value.as_str()?.parse().ok()));
    match (number(before, after), number(after, before), moments) {
        (Some(before), Some(after), _) => (before - after).abs() < f64::EPSILON,
        (_, _, (Some(before), Some(after))) => before == after,
        _ => before == after,
    }
}

/// Whether both are the same value of a picklist, as people see it and as it is stored.
fn same_choice(metadata: &Module, field: &str, before: &Value, after: &Value) -> bool {
    let choice = |value: &Value| metadata.fields.get(field)?.choice(value.as_str()?);
    choice(before).is_some_and(|before| Some(before) == choice(after))
}

fn moment(value: &Value) -> Option<Timestamp> {
    Timestamp::from_rfc3339(value.as_str()?)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::differences;
    use crate::zoho::metadata::{Choice, Module, ModuleField};

    #[test]
    fn what_zoho_makes_of_a_value_is_no_difference() {
        let phone = ModuleField::new("Phone", "phone");
        let metadata =
            Module::from_iter([phone, ModuleField::new("Visible", "boolean"), ModuleField::new("Name", "text")]);
        for (field, there, here) in [
            ("Name", json!(null), json!("")),
            ("Name", json!("a"), json!(" a ")),
            ("Name", json!("a\nb"), json!("a\r\nb\r\n")),
            ("Visible", json!(null), json!(false)),
            ("Phone", json!("+44 113 496-0000"), json!("+441134960000")),
        ] {
            assert!(super::same(&metadata, field, &there, &here), "{field}: {there} {here}");
        }
        for (field, there, here) in [
            ("Name", json!("a b"), json!("ab")),
            ("Name", json!(false), json!("")),
            ("Visible", json!(true), json!(false)),
            ("Phone", json!("+44 113 496-0001"), json!("+441134960000")),
        ] {
            assert!(!super::same(&metadata, field, &there, &here), "{field}: {there} {here}");
        }
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn only_differences_are_listed() {
        let before = map(
            json!({"Name": "a", "Grade": 82.50, "Contact": {"id": "1", "name": "Ann"}, "Phone": null, "Number": "7",
            "Start": "2026-11-22T10:00:00+02:00", "Status": "active"}),
        );
        let after =
            map(json!({"Name": "b", "Grade": 82.5, "Contact": {"id": "1"}, "Phone": null, "City": "Ulm", "Number": 7,
            "Start": "2026-11-22T08:00:00+00:00", "Status": "Active"}));
        let mut status = ModuleField::new("Status", "picklist");
        status.picklist = vec![Choice { display: "Active".to_owned(), actual: "active".to_owned() }];
        let found: Vec<_> = differences(Some(&before), after, &Module::from_iter([status]))
            .into_iter()
            .map(|d| (d.field, d.before, d.after))
            .collect();
        let expected = [("City".to_owned(), Value::Null, json!("Ulm")), ("Name".to_owned(), json!("a"), json!("b"))];
        assert_eq!(found, expected);
    }
}
