//! Zoho's expected final state: a plain fold of the events in version order, and the default mapping by hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use backend_sync::clock::Timestamp;
use serde_json::{Map, Value, json};

use super::history::NAMESAKE;

/// Kind and id.
pub(super) type Key = (&'static str, i64);

#[derive(Default)]
struct Folded {
    state: Option<Map<String, Value>>,
    references: Map<String, Value>,
    deleted: bool,
}

/// The user whose item must fail and wait for a person.
pub(super) const REFUSED: Key = ("user", NAMESAKE);

/// A record in Zoho: its module and key.
pub(super) type Place = (&'static str, String);

/// The expected record in Zoho.
pub(super) struct ExpectedRecord {
    /// The Moodle record it comes from.
    pub(super) of: Key,
    /// Deleted in Moodle: Zoho may never have had it.
    pub(super) deleted: bool,
    /// The expected fields; null for an empty one. For a deleted record, only its status fields.
    pub(super) fields: Vec<(&'static str, Value)>,
    /// The targets of its lookups: field, module, key.
    pub(super) lookups: Vec<(&'static str, &'static str, String)>,
}

/// The expected outcome of a history.
pub(super) struct Expected {
    pub(super) in_zoho: BTreeMap<Place, ExpectedRecord>,
    /// Records that stay parked for ever, with what they wait for.
    pub(super) parked: BTreeMap<Key, BTreeSet<Key>>,
    pub(super) records: usize,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records, {} in Zoho, {} parked", self.records, self.in_zoho.len(), self.parked.len())
    }
}

fn number(data: &Map<String, Value>, name: &str) -> i64 {
    let value = &data[name];
    value.as_i64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn text(data: &Map<String, Value>, name: &str) -> Value {
    data.get(name).filter(|value| value.as_str() != Some("")).cloned().unwrap_or_default()
}

fn decimal(data: &Map<String, Value>, name: &str) -> Value {
    data.get(name).and_then(Value::as_str).map_or(Value::Null, |digits| json!(digits.parse::<f64>().unwrap()))
}

impl Expected {
    pub(super) fn fold(events: &[Value]) -> Self {
        let mut records: BTreeMap<Key, Folded> = BTreeMap::new();
        let mut items: BTreeMap<i64, Map<String, Value>> = BTreeMap::new();
        // Of a user's grades in one item: the existing one, or else the one deleted last.
        let mut last_grades: BTreeMap<(i64, i64), i64> = BTreeMap::new();
        for event in events {
            let event_type = event["type"].as_str().unwrap();
            let data = event["data"].as_object().unwrap().clone();
            let key = match event_type {
                "user_created" | "user_updated" | "user_deleted" => ("user", number(&data, "userid")),
                "course_created" | "course_updated" | "course_deleted" => ("course", number(&data, "courseid")),
                "grade_updated" | "grade_deleted" => ("grade", number(&data, "gradeid")),
                _ => ("enrolment", number(&data, "enrollmentid")),
            };
            if key.0 == "grade" {
                last_grades.insert((number(&data, "userid"), number(&data, "itemid")), key.1);
            }
            let record = records.entry(key).or_default();
            record.deleted = event_type.ends_with("_deleted");
            if record.deleted {
                record.references = data;
                continue;
            }
            if key.0 == "grade" {
                items.insert(number(&data, "itemid"), data.clone());
            }
            record.state = Some(data);
        }
        let mut expected = Self { in_zoho: BTreeMap::new(), parked: BTreeMap::new(), records: records.len() };
        let known: BTreeSet<Key> = records.keys().copied().filter(|key| *key != REFUSED).collect();
        for ((kind, id), record) in &records {
            let data = record.state.as_ref().unwrap_or(&record.references);
            let item = items.get(&data.get("itemid").map_or(0, |_| number(data, "itemid")));
            if *kind == "grade" && last_grades[&(number(data, "userid"), number(data, "itemid"))] != *id {
                continue;
            }
            if (*kind, *id) == REFUSED {
                continue;
            }
            let course = data.get("courseid").and_then(|_| records.get(&("course", number(data, "courseid"))));
            let about = (item, course.and_then(|course| course.state.as_ref()));
            let (place, expected_record) = expected_record(kind, *id, record.deleted, data, about);
            let needs = expected_record.lookups.iter().map(|(_, module, key)| {
                let kind = if *module == "Contacts" { "user" } else { "course" };
                (kind, key.rsplit_once(':').unwrap().1.parse::<i64>().unwrap())
            });
            let missing: BTreeSet<Key> = needs.filter(|key| !known.contains(key)).collect();
            if !record.deleted && !missing.is_empty() {
                expected.parked.insert((kind, *id), missing);
                continue;
            }
            expected.in_zoho.insert(place, expected_record);
        }
        expected
    }
}

/// The grade item and the course that a record reads.
type Around<'a> = (Option<&'a Map<String, Value>>, Option<&'a Map<String, Value>>);

/// The default mapping.
fn expected_record(
    kind: &'static str,
    id: i64,
    deleted: bool,
    data: &Map<String, Value>,
    (item, course): Around<'_>,
) -> (Place, ExpectedRecord) {
    let key = format!("moodle:{id}");
    let of_user = || ("Contact", "Contacts", format!("moodle:{}", number(data, "userid")));
    let of_course = |data| ("Course", "Products", format!("moodle:{}", number(data, "courseid")));
    let (place, fields, lookups) = match kind {
        "user" => {
            let lastname = text(data, "lastname");
            let suspended = data.get("suspended") == Some(&json!(true));
            let status = if suspended { "Suspended" } else { "Active" };
            let fields = vec![
                ("First_Name", text(data, "firstname")),
                ("Last_Name", if lastname.is_null() { text(data, "username") } else { lastname }),
                ("Email", text(data, "email")),
                ("Mailing_City", text(data, "city")),
                ("Moodle_Username", text(data, "username")),
                ("Moodle_ID_Number", text(data, "idnumber")),
                ("Moodle_Status", json!(if deleted { "Deleted" } else { status })),
            ];
            (("Contacts", key), fields, vec![])
        }
        "course" => {
            let visible = !deleted && data.get("visible") == Some(&json!("1"));
            let fields = vec![
                ("Product_Name", text(data, "fullname")),
                ("Product_Code", text(data, "shortname")),
                ("Moodle_Visible", json!(visible)),
            ];
            (("Products", key), fields, vec![])
        }
        "enrolment" => {
            let status = if data.get("status") == Some(&json!("1")) { "Suspended" } else { "Active" };
            let role = data.get("roles").map_or(Value::Null, |roles| roles[0]["shortname"].clone());
            // The course's, however often it is renamed.
            let name = course.map_or(Value::Null, |course| text(course, "fullname"));
            let fields =
                vec![("Name", name), ("Role", role), ("Status", json!(if deleted { "Ended" } else { status }))];
            (("Moodle_Enrolments", key), fields, vec![of_user(), of_course(data)])
        }
        _ => {
            let key = format!("moodle:{}:{}", number(data, "userid"), number(data, "itemid"));
            let given = |value: Value| if deleted { Value::Null } else { value };
            let time = data.get("timemodified").and_then(Value::as_i64);
            let time = time.map_or(Value::Null, |time| json!(Timestamp(time * 1_000).to_rfc3339()));
            let name = item.map_or(Value::Null, |item| text(item, "itemname"));
            let fields = vec![
                ("Name", name.clone()),
                ("Item", name),
                ("Final_Grade", given(decimal(data, "finalgrade"))),
                ("Grade_Max", item.map_or(Value::Null, |item| decimal(item, "grademax"))),
                ("Feedback", given(text(data, "feedback"))),
                ("Graded_At", given(time)),
            ];
            let course = item.map(of_course);
            (("Moodle_Grades", key), fields, std::iter::once(of_user()).chain(course).collect())
        }
    };
    if !deleted {
        return (place, ExpectedRecord { of: (kind, id), deleted, fields, lookups });
    }
    let marks = ["Moodle_Status", "Moodle_Visible", "Status", "Final_Grade", "Feedback", "Graded_At"];
    let fields = fields.into_iter().filter(|(name, _)| marks.contains(name)).collect();
    (place, ExpectedRecord { of: (kind, id), deleted, fields, lookups: vec![] })
}
