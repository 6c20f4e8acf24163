//! Filters and tracking fields.

use serde_json::{Value, json};

use super::{
    super::{DeliveryFilter, Mapping},
    Owned, Thing, user,
};
use crate::{
    clock::Timestamp,
    model::{GradeItem, Id, Kind},
};

fn filter(text: &str) -> DeliveryFilter {
    Mapping::parse(&format!("[filter]\n{text}\n")).unwrap().filter().clone()
}

#[test]
fn roles() {
    let wants = |filter: &DeliveryFilter, roles: Value| {
        let data = json!({ "enrollmentid": 1, "userid": 2, "courseid": 3, "roleid": 5, "roles": roles });
        let Owned::Enrolment(enrolment) = Thing::read("user_enrolled", data).state else {
            panic!("an enrolment is needed")
        };
        filter.wants_enrolment(&enrolment)
    };
    let role = |shortname: &str, archetype: &str| json!([{ "shortname": shortname, "archetype": archetype }]);
    let students = filter("roles = [\"student\"]");
    assert!(wants(&students, role("student", "student")) && wants(&students, role("learner", "student")));
    assert!(!wants(&students, role("editingteacher", "editingteacher")) && !wants(&students, json!([])));
    // The original plugin sends no roles.
    assert!(wants(&students, Value::Null));
    assert!(!wants(&filter("roles = \"editingteacher\""), Value::Null));
    assert!(wants(&filter("roles = []"), json!([])));
}

#[test]
fn courses_and_categories() {
    let wants = |filter: &DeliveryFilter| {
        let data = json!({
            "courseid": 1, "shortname": "ENG-1", "idnumber": "C-17", "categoryid": 3, "categoryname": "Engineering",
            "categories": [{ "id": 2, "name": "Faculty of Technology" }, { "id": 3, "name": "Engineering" }],
        });
        let Owned::Course(course) = Thing::read("course_created", data).state else { panic!("a course is needed") };
        filter.wants_course(&course)
    };
    for chosen in [
        "courses = [\"x\", \"ENG-1\"]",
        "courses = \"C-17\"",
        "categories = \"3\"",
        "categories = \"Engineering\"",
        "categories = \"2\"",
        "categories = \"Faculty of Technology\"",
        "courses = \"x\"\ncategories = \"3\"",
    ] {
        let filter = filter(chosen);
        assert!(filter.restricts_courses() && wants(&filter), "{chosen}");
    }
    for other in ["courses = \"3\"", "categories = \"ENG-1\"", "categories = \"engineering\""] {
        assert!(!wants(&filter(other)), "{other}");
    }
    assert!(wants(&filter("")) && !filter("").restricts_courses());
    assert!(filter("users = \"enrolled\"").only_enrolled() && !filter("users = \"all\"").only_enrolled());
}

#[test]
fn excluded_people() {
    let excludes = |text: &str, data: Value| {
        let person = user(data);
        filter(text).exclusion("college", Id(3), &person.subject()).is_some()
    };
    let by_key = "exclude_users = [\"college:3\"]";
    assert!(excludes(by_key, json!({})) && !excludes("exclude_users = [\"college:4\", \"other:3\"]", json!({})));
    let by_value = "exclude = { department = [\"Staff\", \"Board\"], suspended = \"true\" }";
    for data in [json!({"department": "staff"}), json!({"department": " Board "}), json!({"suspended": true})] {
        assert!(excludes(by_value, data.clone()), "{data}");
    }
    for data in [json!({}), json!({"department": "Staff office"}), json!({"institution": "Staff", "suspended": false})]
    {
        assert!(!excludes(by_value, data.clone()), "{data}");
    }
    assert!(filter(by_value).reads_people() && !filter(by_key).reads_people());
    assert!(!excludes("", json!({"department": "Staff"})));
}

#[test]
fn whose_contacts_are_adopted() {
    let adopts = |setting: &str, data: Value| {
        let text = format!(
            "[user]\nmodule = \"Contacts\"\nkey = \"Key\"\n{setting}\n[user.fields]\nF = {{ from = \"city\" }}\n"
        );
        let Owned::User(user) = user(data).state else { panic!("a user is needed") };
        Mapping::parse(&text).unwrap().module(Kind::User).unwrap().adopts(&user)
    };
    let (registered, made) = (json!({"auth": "email"}), json!({"auth": "manual"}));
    assert!(!adopts("", registered.clone()) && adopts("", made.clone()) && adopts("", json!({})));
    assert!(adopts("adopt = \"always\"", registered.clone()) && !adopts("adopt = \"never\"", json!({})));
    let others = "self_registration = [\"manual\"]";
    assert!(adopts(others, registered) && !adopts(others, made));
}

#[test]
fn totals_and_items() {
    let item = |itemtype: Option<&str>, name: Option<&str>| GradeItem {
        itemtype: itemtype.map(str::to_owned),
        itemname: name.map(str::to_owned),
        ..Default::default()
    };
    let (all, totals, items) = (filter(""), filter("grades = \"totals\""), filter("grades = \"items\""));
    for (item, is_total) in [
        (item(Some("course"), None), true),
        (item(Some("category"), Some("Module 1")), true),
        (item(Some("mod"), Some("Essay")), false),
        (item(Some("manual"), None), false),
        (item(None, Some("Essay")), false),
        (item(None, Some(" ")), true),
    ] {
        let passes = [&all, &totals, &items].map(|filter| filter.wants_grade(Some(&item)));
        assert_eq!(passes, [true, is_total, !is_total]);
    }
    assert_eq!([&all, &totals, &items].map(|filter| filter.wants_grade(None)), [true, false, false]);
}

#[test]
fn tracking() {
    let mapping = Mapping::parse("[tracking]\nerror = \"Why\"\n").unwrap();
    let tracking = mapping.tracking().unwrap();
    assert_eq!(
        tracking.fields().collect::<Vec<_>>(),
        ["Moodle_Sync_Status", "Moodle_Last_Sync", "Why", "Moodle_Event_Time"]
    );
    assert_eq!(
        Value::Object(tracking.success(Timestamp(1_795_333_607_999), Some(1_795_333_600))),
        json!({
            "Moodle_Sync_Status": "Synced", "Moodle_Last_Sync": "2026-11-22T07:46:47+00:00", "Why": null,
            "Moodle_Event_Time": "2026-11-22T07:46:40+00:00",
        })
    );
    assert_eq!(tracking.success(Timestamp(0), Some(0))["Moodle_Event_Time"], Value::Null);
    let failure = tracking.failure(&"é".repeat(300));
    assert_eq!(Value::Object(failure), json!({ "Moodle_Sync_Status": "Failed", "Why": "é".repeat(250) }));
    assert!(Mapping::parse("[tracking]\nenabled = false\n").unwrap().tracking().is_none());
    assert!(Mapping::parse("").unwrap().tracking().is_some());
}
