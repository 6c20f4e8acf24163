//! Reading and creating modules and fields.

use serde_json::{Value, json};

use super::Client;

async fn profile(client: &Client) -> Value {
    let seen = client.get("/crm/v8/settings/modules/Contacts").await;
    json!([{ "id": seen.body["modules"][0]["profiles"][0]["id"] }])
}

#[tokio::test]
async fn standard_modules_have_their_fields() {
    let client = Client::new().await;
    let contacts = client.fields("Contacts", "").await;
    let field = |name: &str| contacts.iter().find(|field| field["api_name"] == name).expect(name);
    assert_eq!(
        (&field("Last_Name")["system_mandatory"], &field("First_Name")["system_mandatory"]),
        (&json!(true), &json!(false))
    );
    assert_eq!((&field("Email")["data_type"], &field("Email")["length"]), (&json!("email"), &json!(100)));
    assert_eq!(field("Description")["length"], 32_000);
    assert_eq!(field("Modified_Time")["read_only"], true);
    assert_eq!(
        (&field("Moodle_User_Key")["unique"], &field("Email")["unique"]),
        (&json!({ "case_sensitive": true }), &json!({}))
    );
    assert_eq!(field("Account_Name")["lookup"]["module"]["api_name"], "Accounts");
    let products = client.fields("Products", "").await;
    assert!(products.iter().any(|field| field["api_name"] == "Product_Name" && field["system_mandatory"] == true));
    assert_eq!(client.get("/crm/v8/settings/fields?module=Nope").await.code(0), "INVALID_MODULE");
    assert_eq!(client.get("/crm/v8/org").await.body["org"][0]["license_details"]["paid_type"], "enterprise");
}

#[tokio::test]
async fn a_module_is_created_and_used() {
    let client = Client::new().await;
    let new = json!({ "modules": [{ "singular_label": "MoodleGrade", "plural_label": "MoodleGrades", "api_name": "Moodle_Grades", "profiles": profile(&client).await }] });
    let seen = client.post("/crm/v8/settings/modules", new.clone()).await;
    assert_eq!((seen.status, &seen.body["modules"][0]["code"]), (201, &json!("SUCCESS")));
    let again = client.post("/crm/v8/settings/modules", new).await;
    assert_eq!((again.status, &again.body["modules"][0]["code"]), (400, &json!("DUPLICATE_DATA")));
    let lookup = json!({ "field_label": "Contact", "data_type": "lookup", "lookup": { "module": { "api_name": "Contacts" }, "display_label": "Grades" } });
    let key = json!({ "field_label": "Moodle Grade Key", "data_type": "text", "length": 100, "unique": { "casesensitive": false } });
    let band = json!({ "field_label": "Band", "data_type": "picklist", "pick_list_values": [{ "display_value": "Pass", "actual_value": "Pass" }] });
    assert_eq!(client.make_fields("Moodle_Grades", json!([lookup, key, band])).await.status, 201);
    let made = client.fields("Moodle_Grades", "").await;
    let field = |name: &str| made.iter().find(|field| field["api_name"] == name).expect(name);
    assert_eq!(field("Name")["system_mandatory"], true);
    assert_eq!(
        (&field("Moodle_Grade_Key")["unique"], &field("Moodle_Grade_Key")["length"]),
        (&json!({ "case_sensitive": false }), &json!(100))
    );
    assert_eq!(field("Band")["pick_list_values"][0]["actual_value"], "Pass");
    let contact = client.insert(json!([{ "Last_Name": "Ada" }])).await.id(0);
    let grade = json!({ "Name": "Quiz", "Moodle_Grade_Key": "k", "Contact": { "id": contact }, "Band": "Pass" });
    let seen = client.post("/crm/v8/Moodle_Grades/upsert", json!({ "data": [grade] })).await;
    assert_eq!(seen.code(0), "SUCCESS", "{}", seen.text);
    let unnamed = client.post("/crm/v8/Moodle_Grades", json!({ "data": [{ "Band": "Pass" }] })).await;
    assert_eq!(unnamed.code(0), "MANDATORY_NOT_FOUND");
}

#[tokio::test]
async fn wrong_modules_and_fields_are_refused() {
    let client = Client::new().await;
    let module = json!({ "modules": [{ "singular_label": "A", "plural_label": "As", "api_name": "As" }] });
    let seen = client.post("/crm/v8/settings/modules", module).await;
    assert_eq!(seen.body["modules"][0]["details"]["api_name"], "profiles");
    let six: Vec<Value> = (0..6).map(|n| json!({ "field_label": format!("F{n}"), "data_type": "text" })).collect();
    assert_eq!(client.make_fields("Contacts", json!(six)).await.code(0), "LIMIT_EXCEEDED");
    let long = json!({ "field_label": "A", "data_type": "text", "length": 256 });
    let kind = json!({ "field_label": "B", "data_type": "poem" });
    let taken = json!({ "field_label": "Moodle User Key", "data_type": "text" });
    let nowhere = json!({ "field_label": "C", "data_type": "lookup", "lookup": { "module": { "api_name": "Nope" } } });
    let seen = client.make_fields("Contacts", json!([long, kind, taken, nowhere])).await;
    let codes: Vec<_> =
        seen.body["fields"].as_array().unwrap().iter().map(|line| line["code"].as_str().unwrap()).collect();
    assert_eq!((seen.status, codes), (400, vec!["INVALID_DATA", "INVALID_DATA", "DUPLICATE_DATA", "INVALID_DATA"]));
}

#[tokio::test]
async fn countries_are_lists_of_names_in_new_organisations() {
    let client = Client::new().await;
    let person = |country: &str| json!([{ "Last_Name": "Ada", "Mailing_Country": country }]);
    assert_eq!(client.insert(person("DE")).await.code(0), "SUCCESS");
    client.set(json!({ "country_lists": true })).await;
    assert_eq!(client.insert(person("DE")).await.code(0), "INVALID_DATA");
    assert_eq!(client.insert(person("Germany")).await.code(0), "SUCCESS");
}

#[tokio::test]
async fn a_list_is_written_as_people_see_it_and_numbers_are_rounded() {
    let client = Client::new().await;
    let band = json!({ "field_label": "Band", "data_type": "picklist",
        "pick_list_values": [{ "display_value": "Very good", "actual_value": "A" }] });
    let points = json!({ "field_label": "Points", "data_type": "double", "decimal_place": 3 });
    assert_eq!(client.make_fields("Contacts", json!([band, points])).await.status, 201);
    assert_eq!(client.insert(json!([{ "Last_Name": "Ada", "Band": "A" }])).await.code(0), "INVALID_DATA");
    let id = client.insert(json!([{ "Last_Name": "Ada", "Band": "Very good", "Points": 66.66666 }])).await.id(0);
    let contact = client.contact(&id).await;
    assert_eq!((&contact["Band"], &contact["Points"]), (&json!("Very good"), &json!(66.667)));
    client.advance(11).await;
    assert_eq!(client.query("select Points from Contacts where Band = 'A'").await.body["data"][0]["id"], id);
}
