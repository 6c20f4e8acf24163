//! Insert, update, upsert, delete, and the checks of records.

use poem::http::Method;
use serde_json::{Value, json};

use super::{Client, people};

#[tokio::test]
async fn an_upsert_inserts_then_updates_and_says_so() {
    let client = Client::new().await;
    let first = client.upsert(json!([{ "Last_Name": "Ada", "Moodle_User_Key": "s:1", "Email": "a@b.org" }])).await;
    assert_eq!((first.status, first.code(0)), (200, "SUCCESS"));
    let line = &first.body["data"][0];
    assert_eq!((&line["action"], &line["duplicate_field"]), (&json!("insert"), &Value::Null));
    let id = first.id(0);
    assert!(id.len() == 19 && id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
    let again = client.upsert(json!([{ "Last_Name": "Byron", "Moodle_User_Key": "s:1" }])).await;
    let line = &again.body["data"][0];
    assert_eq!((&line["action"], &line["duplicate_field"]), (&json!("update"), &json!("Moodle_User_Key")));
    assert_eq!(again.id(0), id);
    let contact = client.contact(&id).await;
    assert_eq!((&contact["Last_Name"], &contact["Email"]), (&json!("Byron"), &json!("a@b.org")), "absent fields stay");
    for detail in ["Created_Time", "Modified_Time", "Created_By", "Modified_By"] {
        assert!(!line["details"][detail].is_null(), "{detail}");
    }
}

#[tokio::test]
async fn checks_are_tried_in_order_and_an_existing_contact_is_adopted() {
    let client = Client::new().await;
    let by_mail = client.insert(json!([{ "Last_Name": "Imported", "Email": "A@b.org" }])).await;
    assert_eq!(by_mail.status, 201);
    let adopted = client.upsert(json!([{ "Last_Name": "Ada", "Email": "a@B.org", "Moodle_User_Key": "s:1" }])).await;
    assert_eq!((adopted.id(0), &adopted.body["data"][0]["duplicate_field"]), (by_mail.id(0), &json!("Email")));
    let other = client.insert(json!([{ "Last_Name": "Other", "Email": "o@b.org" }])).await;
    let key_first = client.upsert(json!([{ "Last_Name": "Ada", "Email": "o@b.org", "Moodle_User_Key": "s:1" }])).await;
    assert_eq!(key_first.id(0), by_mail.id(0));
    assert_eq!(client.contact(&other.id(0)).await["Last_Name"], "Other");
}

#[tokio::test]
async fn within_one_call_the_second_record_sees_the_first() {
    let client = Client::new().await;
    let seen = client.upsert(json!([people(1)[0], people(1)[0]])).await;
    assert_eq!(seen.id(0), seen.id(1));
    assert_eq!(seen.body["data"][1]["action"], "update");
    assert_eq!(client.contacts().await.len(), 1);
}

#[tokio::test]
async fn without_check_fields_the_unique_fields_decide() {
    let client = Client::new().await;
    for action in ["insert", "update"] {
        let seen = client.post("/crm/v8/Contacts/upsert", json!({ "data": people(1) })).await;
        assert_eq!(seen.body["data"][0]["action"], action);
    }
    let wrong = json!({ "data": people(1), "duplicate_check_fields": ["Mailing_City"] });
    let seen = client.post("/crm/v8/Contacts/upsert", wrong).await;
    assert_eq!((seen.status, seen.code(0)), (400, "INVALID_DATA"));
}

#[tokio::test]
async fn null_clears_and_a_mandatory_field_cannot_be_cleared() {
    let client = Client::new().await;
    let id = client.insert(json!([{ "Last_Name": "Ada", "First_Name": "A", "Mailing_City": "Bern" }])).await.id(0);
    assert_eq!(client.update(&id, json!({ "First_Name": null })).await.status, 200);
    let contact = client.contact(&id).await;
    assert_eq!((&contact["First_Name"], &contact["Mailing_City"]), (&Value::Null, &json!("Bern")));
    let refused = client.update(&id, json!({ "Last_Name": null })).await;
    assert_eq!((refused.status, refused.code(0)), (400, "MANDATORY_NOT_FOUND"));
    assert_eq!(client.contact(&id).await["Last_Name"], "Ada");
}

#[tokio::test]
async fn each_kind_of_value_is_checked() {
    let client = Client::new().await;
    let fields =
        [("Whole", "integer"), ("Long", "bigint"), ("Part", "double"), ("Flag", "boolean"), ("When", "datetime")];
    let fields = fields.map(|(label, kind)| json!({ "field_label": label, "data_type": kind }));
    assert_eq!(client.make_fields("Contacts", json!(fields)).await.status, 201);
    let fields = json!([{ "field_label": "Day", "data_type": "date" }, { "field_label": "Band", "data_type": "picklist",
        "pick_list_values": [{ "display_value": "Pass", "actual_value": "Pass" }] }]);
    assert_eq!(client.make_fields("Contacts", fields).await.status, 201);
    let good = json!([
        { "Whole": 123_456_789 }, { "Whole": -5 }, { "Long": 123_456_789_012_345_678_i64 }, { "Part": 85.25 }, { "Flag": true },
        { "When": "2026-11-22T10:00:00+01:00" }, { "When": "2026-11-22T10:00:00Z" }, { "Day": "2024-02-29" }, { "Band": "Pass" },
        { "Email": "a.b+c@d-e.org" },
        { "Phone": "+41 (31) 555-12.34" }, { "Mailing_City": "é".repeat(100) }, { "Unknown_Field": 1 },
    ]);
    let bad = json!([
        { "Whole": 1_234_567_890 }, { "Whole": "5" }, { "Whole": 1.5 }, { "Long": 1_234_567_890_123_456_789_i64 },
        { "Part": 12_345_678_901_234_567_i64 }, { "Part": "85" }, { "Flag": "true" }, { "Flag": 1 },
        { "When": "2026-11-22T10:00:00.123+01:00" }, { "When": "2026-02-30T10:00:00+01:00" },
        { "Day": "2026-2-3" }, { "Day": "2026-02-29" }, { "Band": "Merit" }, { "Email": "nobody" }, { "Email": "a b@c.org" },
        { "Phone": "030/123" }, { "Mailing_City": "é".repeat(101) }, { "Mailing_City": 5 },
    ]);
    let named = |records: Value| -> Vec<Value> {
        let named = records.as_array().unwrap().iter().map(|fields| {
            let mut fields = fields.clone();
            fields["Last_Name"] = "N".into();
            fields
        });
        named.collect()
    };
    let seen = client.insert(json!(named(good.clone()))).await;
    assert_eq!(seen.status, 201, "{}", seen.text);
    let seen = client.insert(json!(named(bad.clone()))).await;
    assert_eq!(seen.status, 202);
    for (line, sent) in bad.as_array().unwrap().iter().enumerate() {
        assert_eq!(seen.code(line), "INVALID_DATA", "{sent}");
        let name = sent.as_object().unwrap().keys().next().unwrap();
        assert_eq!(seen.body["data"][line]["details"]["json_path"], format!("$.data[{line}].{name}"));
    }
    assert_eq!(seen.body["data"][0]["details"]["maximum_length"], 9);
    assert_eq!(seen.body["data"][6]["details"]["expected_data_type"], "boolean");
    let when = client.contacts().await.into_iter().find(|contact| !contact["When"].is_null()).unwrap();
    assert_eq!(when["When"], "2026-11-22T09:00:00+00:00", "stored in the organisation's time zone");
}

#[tokio::test]
async fn a_mixed_answer_is_207_or_200_and_keeps_the_order() {
    let client = Client::new().await;
    let mixed = json!([{ "First_Name": "no last name" }, { "Last_Name": "Ada" }]);
    let seen = client.insert(mixed.clone()).await;
    assert_eq!((seen.status, seen.code(0), seen.code(1)), (207, "MANDATORY_NOT_FOUND", "SUCCESS"));
    client.set(json!({ "partial_status": 200 })).await;
    assert_eq!(client.insert(mixed).await.status, 200);
}

#[tokio::test]
async fn a_unique_value_belongs_to_one_record() {
    let client = Client::new().await;
    let seen = client.insert(people(2)).await;
    let (first, second) = (seen.id(0), seen.id(1));
    let clash = client.update(&second, json!({ "Moodle_User_Key": "s:0" })).await;
    assert_eq!((clash.status, clash.code(0)), (400, "DUPLICATE_DATA"));
    assert_eq!(clash.body["data"][0]["details"]["duplicate_record"]["id"], first);
    assert_eq!(client.insert(people(1)).await.code(0), "DUPLICATE_DATA");
    let other_case = client.insert(json!([{ "Last_Name": "S", "Moodle_User_Key": "S:0" }])).await;
    assert_eq!(other_case.status, 201, "the key was made case sensitive");
    assert_eq!(client.update(&first, json!({ "Moodle_User_Key": "s:free" })).await.status, 200);
    assert_eq!(
        client.update(&second, json!({ "Moodle_User_Key": "s:0" })).await.status,
        200,
        "the value is free again"
    );
}

#[tokio::test]
async fn two_unique_fields_that_hit_two_records() {
    let client = Client::new().await;
    client.set(json!({ "unique_fields": 3 })).await;
    let fields = ["Card", "Badge"].map(|label| json!({ "field_label": label, "data_type": "text", "unique": true }));
    client.make_fields("Contacts", json!(fields)).await;
    let one = client.insert(json!([{ "Last_Name": "1", "Card": "c1" }])).await.id(0);
    client.insert(json!([{ "Last_Name": "2", "Badge": "b2" }, { "Last_Name": "3", "Moodle_User_Key": "s:3" }])).await;
    let both = json!({ "data": [{ "Card": "C1", "Badge": "b2" }], "duplicate_check_fields": ["Card", "Badge"] });
    let seen = client.post("/crm/v8/Contacts/upsert", both).await;
    assert_eq!(seen.code(0), "DUPLICATE_DATA");
    let seen = client.update(&one, json!({ "Badge": "b2", "Moodle_User_Key": "s:3" })).await;
    assert_eq!(seen.code(0), "MULTIPLE_OR_MULTI_ERRORS");
    let errors = seen.body["data"][0]["details"]["errors"].as_array().unwrap();
    assert!(errors.len() == 2 && errors.iter().all(|error| error["code"] == "DUPLICATE_DATA"), "{}", seen.text);
}

#[tokio::test]
async fn a_deleted_record_is_recycled_and_its_key_can_be_inserted_again() {
    let client = Client::new().await;
    let id = client.upsert(people(1)).await.id(0);
    assert_eq!(client.call(Method::DELETE, &format!("/crm/v8/Contacts?ids={id}"), Value::Null).await.status, 200);
    assert_eq!(client.get(&format!("/crm/v8/Contacts/{id}")).await.status, 204);
    assert_eq!(client.update(&id, json!({ "First_Name": "A" })).await.code(0), "INVALID_DATA");
    let deleted = client.get("/crm/v8/Contacts/deleted").await;
    assert_eq!((&deleted.body["data"][0]["id"], &deleted.body["data"][0]["type"]), (&json!(id), &json!("recycle")));
    assert_eq!(client.get("/__sim/state").await.body["recycled"]["Contacts"], 1);
    let again = client.upsert(people(1)).await;
    assert_eq!(again.body["data"][0]["action"], "insert");
    assert_ne!(again.id(0), id);
    let twice = client.call(Method::DELETE, &format!("/crm/v8/Contacts/{id}"), Value::Null).await;
    assert_eq!((twice.status, twice.code(0)), (400, "INVALID_DATA"));
}

#[tokio::test]
async fn bodies_that_are_wrong_as_a_whole() {
    let client = Client::new().await;
    for body in [json!({ "data": [] }), json!({ "data": people(101) }), json!({ "data": {} }), json!({}), json!([])] {
        let seen = client.post("/crm/v8/Contacts/upsert", body).await;
        assert_eq!((seen.status, seen.body["code"].as_str()), (400, Some("INVALID_DATA")));
    }
    assert!(client.contacts().await.is_empty());
    assert_eq!(client.upsert(people(100)).await.status, 200);
    assert_eq!(client.contacts().await.len(), 100);
}

#[tokio::test]
async fn if_unmodified_since_prevents_an_overwrite() {
    let client = Client::new().await;
    let id = client.upsert(people(1)).await.id(0);
    let update =
        async |since: &str| client.update_unless_modified(&id, since, json!({ "First_Name": "A" })).await.status;
    assert_eq!(update("2020-01-01T00:00:00+00:00").await, 412);
    assert_eq!(update("2099-01-01T00:00:00+00:00").await, 200);
}

#[tokio::test]
async fn changes_by_hand_ignore_the_limits() {
    let client = Client::new().await;
    client.set(json!({ "allowance": 0, "concurrency": 0 })).await;
    let id = client.post("/__sim/records/Contacts", json!({ "Last_Name": "Ada" })).await.id(0);
    client.post("/__sim/records/Contacts", json!({ "id": id, "First_Name": "A" })).await;
    assert_eq!(client.contacts().await[0]["First_Name"], "A");
    assert_eq!(
        client.post("/__sim/records/Contacts", json!({ "First_Name": "A" })).await.code(0),
        "MANDATORY_NOT_FOUND"
    );
    client.post("/__sim/records/Contacts", json!({ "id": id, "$delete": true })).await;
    assert!(client.contacts().await.is_empty());
    assert_eq!(client.post("/__sim/reset", json!({})).await.status, 204);
    assert_eq!(client.get("/__sim/state").await.body["recycled"]["Contacts"], 0);
}
