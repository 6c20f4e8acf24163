//! The default mapping applied to the examples in `openapi/`.

use serde_json::{Value, json};

use super::{
    super::{Mapping, Subject, Write},
    Owned, Thing, metadata, object,
};

fn example(event_type: &str) -> Thing {
    let path = format!("{}/../openapi/examples/{event_type}.json", env!("CARGO_MANIFEST_DIR"));
    Thing::read(event_type, serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
}

fn render(thing: &Thing, subject: &Subject<'_>) -> Value {
    let mapping = Mapping::parse(Mapping::DEFAULT).unwrap();
    let module = mapping.module(thing.kind()).unwrap();
    Value::Object(module.render(subject, Write::Create, &metadata(&mapping, thing.kind())).unwrap().fields)
}

fn deleted(event_type: &str) -> Value {
    let thing = example(event_type);
    let mapping = Mapping::parse(Mapping::DEFAULT).unwrap();
    let metadata = metadata(&mapping, thing.kind());
    let module = mapping.module(thing.kind()).unwrap();
    Value::Object(module.render_deleted(&thing.subject(), &metadata).unwrap())
}

#[test]
fn a_user() {
    let user = example("user_created");
    assert_eq!(
        render(&user, &user.subject()),
        json!({
            "Moodle_User_Key": "college:3", "First_Name": "Ann", "Last_Name": "O'Neil \"q\"", "Email": "ann33607@example.com",
            "Phone": "+44 20 7946 0000", "Mailing_City": "London", "Mailing_Country": "GB", "Moodle_Username": "ann33607",
            "Moodle_ID_Number": "S-0001", "Moodle_Status": "Active",
        })
    );
    assert_eq!(deleted("user_deleted"), json!({ "Moodle_User_Key": "college:7", "Moodle_Status": "Deleted" }));
}

#[test]
fn a_course() {
    let course = example("course_created");
    assert_eq!(
        render(&course, &course.subject()),
        json!({
            "Moodle_Course_Key": "college:2", "Product_Name": "BTEC National in Engineering", "Product_Code": "BTEC-ENG-1",
            "Moodle_Visible": true,
        })
    );
    assert_eq!(deleted("course_deleted"), json!({ "Moodle_Course_Key": "college:2", "Moodle_Visible": false }));
}

#[test]
fn an_enrolment() {
    let (enrolment, course) = (example("enrolment_updated"), example("course_created"));
    let Owned::Course(course) = &course.state else { panic!("a course is needed") };
    let subject = Subject { course: Some(course), user_id: Some("17"), course_id: Some("18"), ..enrolment.subject() };
    assert_eq!(
        render(&enrolment, &subject),
        json!({
            "Moodle_Enrolment_Key": "college:1", "Name": "BTEC National in Engineering", "Contact": { "id": "17" },
            "Course": { "id": "18" }, "Role": "student, course_rep", "Status": "Suspended",
            "Start": "2026-11-22T07:46:47+00:00", "End": "2027-02-20T07:46:47+00:00",
        })
    );
    let original = example("user_enrolled");
    let rendered = object(render(&original, &original.subject()));
    assert_eq!(rendered["Name"], json!("college:1"));
    assert_eq!((&rendered["Status"], &rendered["Role"]), (&json!("Active"), &Value::Null));
    assert_eq!(deleted("enrolment_deleted"), json!({ "Moodle_Enrolment_Key": "college:1", "Status": "Ended" }));
}

#[test]
fn a_grade() {
    let grade = example("grade_updated");
    let subject = Subject { user_id: Some("17"), ..grade.subject() };
    let rendered = render(&grade, &subject);
    assert_eq!(
        rendered,
        json!({
            "Moodle_Grade_Key": "college:3:3", "Name": "Essay №1 x", "Contact": { "id": "17" }, "Course": null,
            "Item": "Essay №1 x", "Final_Grade": number("82.5"), "Grade_Max": null, "Feedback": "Well done Ann 🎉 & مرحبا",
            "Graded_At": "2026-11-22T07:46:48+00:00",
        })
    );
    assert!(rendered.to_string().contains("\"Final_Grade\":82.5,"), "{rendered}");
    assert_eq!(
        deleted("grade_deleted"),
        json!({ "Moodle_Grade_Key": "college:3:3", "Final_Grade": null, "Feedback": null, "Graded_At": null })
    );
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_completion_when_its_table_is_uncommented() {
    let marker = "# [completion]";
    let (before, after) = Mapping::DEFAULT.split_once(marker).unwrap();
    let after: String =
        after.lines().map(|line| format!("{}\n", line.trim_start_matches("# ").trim_start_matches('#'))).collect();
    let mapping = Mapping::parse(&format!("{before}[completion]{after}")).unwrap();
    let completion = example("course_completed");
    let subject = Subject { user_id: Some("17"), course_id: Some("18"), ..completion.subject() };
    let module = mapping.module(completion.kind()).unwrap();
    let metadata = metadata(&mapping, completion.kind());
    assert_eq!(
        Value::Object(module.render(&subject, Write::Create, &metadata).unwrap().fields),
        json!({
            "Moodle_Completion_Key": "college:1", "Name": "college:1", "Contact": { "id": "17" }, "Course": { "id": "18" },
            "Completed_At": "2026-11-22T07:51:40+00:00",
        })
    );
    assert_eq!(
        Value::Object(module.render_deleted(&subject, &metadata).unwrap()),
        json!({ "Moodle_Completion_Key": "college:1", "Contact": null, "Course": null, "Completed_At": null })
    );
}

#[test]
fn prerequisites_and_what_is_read() {
    let mapping = Mapping::parse(Mapping::DEFAULT).unwrap();
    let listed: Vec<_> = mapping
        .modules()
        .map(|(kind, module)| {
            (kind.as_str(), module.needs_user(), module.needs_course(), module.reads_user(), module.reads_course())
        })
        .collect();
    assert_eq!(
        listed,
        [
            ("user", false, false, true, false),
            ("course", false, false, false, true),
            ("enrolment", true, true, false, true),
            ("grade", true, true, false, false),
        ]
    );
}
