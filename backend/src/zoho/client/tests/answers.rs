//! The requests sent, and the meaning of answers.

use serde_json::{Map, Value, json};

use super::server::{Reply, Stub, reply};
use crate::zoho::client::{Action, CallError, Class, Creation, Duplicate, RecordAnswer, Refusal, refusal::Purpose};

fn records(count: usize) -> Vec<Map<String, Value>> {
    let record = |number| json!({"Last_Name": format!("Name {number}")}).as_object().unwrap().clone();
    (0..count).map(record).collect()
}

fn success(id: &str) -> Value {
    json!({"code": "SUCCESS", "details": {"id": id}, "message": "record added", "status": "success", "action": null})
}

fn failure(code: &str, details: Value) -> Value {
    json!({"code": code, "details": details, "message": "Ann Example is not good", "status": "error"})
}

fn refusal(entry: Value) -> Refusal {
    Refusal::read(&entry, Purpose::Create)
}

async fn insert(stub: &Stub, reply: Reply, count: usize) -> Result<Vec<RecordAnswer>, CallError> {
    stub.will(reply);
    stub.client(None).insert("Contacts", &records(count), &[]).await
}

#[tokio::test]
async fn the_edition_is_that_on_trial() {
    let stub = Stub::start().await;
    for (licence, edition) in [
        (json!({"paid_type": "standard", "trial_type": null}), Some("standard")),
        (json!({"paid_type": "free", "trial_type": "enterprise"}), Some("enterprise")),
        (json!({"paid_type": "professional", "trial_type": "enterprise"}), Some("professional")),
        (json!({}), None),
    ] {
        stub.will(reply(200, json!({"org": [{"id": "1", "company_name": "College", "license_details": licence}]})));
        assert_eq!(stub.client(None).org().await.unwrap().edition.as_deref(), edition, "{licence}");
    }
}

#[tokio::test]
async fn the_missing_permission_is_named() {
    let stub = Stub::start().await;
    let details = json!({"permissions": ["Crm_Implied_Edit_Contacts"], "module": {"api_name": "Contacts", "id": "1"}});
    for answer in [json!({"data": [failure("NO_PERMISSION", details.clone())]}), failure("NO_PERMISSION", details)] {
        stub.will(reply(403, answer));
        let error = stub.client(None).get("Contacts", &["1".to_owned()], &["id"]).await.unwrap_err();
        assert!(error.to_string().contains("Crm_Implied_Edit_Contacts for Contacts"), "{error}");
    }
}

#[tokio::test]
async fn an_insert_in_zohos_format() {
    let stub = Stub::start().await;
    let entries = insert(&stub, reply(200, json!({"data": [success("1"), success("2")]})), 2).await.unwrap();
    let done = |id: &str| RecordAnswer::Done { id: id.to_owned(), action: Action::Inserted, modified_at: None };
    assert_eq!(entries, [done("1"), done("2")]);
    let request = stub.requests().remove(0);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/crm/v8/Contacts"));
    assert_eq!(
        request.json(),
        json!({"data": records(2), "trigger": [], "skip_feature_execution": [{"name": "cadences"}]})
    );
}

#[tokio::test]
async fn each_entry_counts_and_never_the_status() {
    let stub = Stub::start().await;
    for status in [200, 201, 202, 207, 400, 412, 500] {
        let body = json!({"data": [success("1"), failure("RECORD_LOCKED", json!({}))]});
        let entries = insert(&stub, reply(status, body), 2).await.unwrap();
        assert!(matches!(&entries[0], RecordAnswer::Done { id, .. } if id == "1"), "{status}");
        assert!(matches!(&entries[1], RecordAnswer::Refused(refusal) if refusal.class == Class::Locked), "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_leaves_the_outcome_unknown() {
    let stub = Stub::start().await;
    let cut = json!({"data": [success("1"), success("2")]}).to_string();
    let replies = [
        Reply::Body(502, "", "<html>Bad gateway</html>".to_owned()),
        Reply::Body(200, "", "<html>Please log in</html>".to_owned()),
        Reply::Body(200, "", cut[..cut.len() - 9].to_owned()),
        Reply::Body(500, "", String::new()),
        reply(200, json!({"data": [success("1")]})),
        reply(200, json!({"data": [success("1"), success("2"), success("3")]})),
        reply(200, json!({"data": [{"id": "1"}, {"id": "2"}]})),
        reply(200, json!({"result": "ok"})),
        reply(500, failure("INTERNAL_ERROR", json!({}))),
        Reply::Silence,
    ];
    for reply in replies {
        let error = insert(&stub, reply, 2).await.unwrap_err();
        assert!(matches!(error, CallError::Unknown { .. }), "{error}");
        assert!(error.to_string().contains("is unknown"), "{error}");
    }
}

#[tokio::test]
async fn no_connection_means_that_nothing_was_sent() {
    let stub = Stub::start().await;
    let mut config = super::config(&stub.url);
    config.api_url = Some("http://127.0.0.1:1".to_owned());
    let http = crate::http::Http::new(&crate::authorities::Authorities::default()).unwrap();
    let client = crate::zoho::client::Client::new(&config, http, None, stub.clock(), getrandom::fill);
    let error = client.insert("Contacts", &records(1), &[]).await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn errors_of_the_whole_call() {
    let stub = Stub::start().await;
    let mut kinds = Vec::new();
    for (status, credits, code) in [
        (401, "", "OAUTH_SCOPE_MISMATCH"),
        (403, "", "NO_PERMISSION"),
        (400, "", "INVALID_MODULE"),
        (404, "", "INVALID_URL_PATTERN"),
        (429, "", "TOO_MANY_REQUESTS"),
        (429, "0", "TOO_MANY_REQUESTS"),
        (429, "", "LIMIT_EXCEEDED"),
        (429, "17", "LIMIT_EXCEEDED"),
        (400, "", "INVALID_DATA"),
    ] {
        let flat = failure(code, json!({})).to_string();
        let flat = insert(&stub, Reply::Body(status, credits, flat), 2).await.unwrap_err();
        // Some come as a list with one entry, whatever was sent.
        let listed = json!({"data": [failure(code, json!({}))]}).to_string();
        let listed = insert(&stub, Reply::Body(status, credits, listed), 2).await.unwrap_err();
        assert_eq!(flat.kind(), listed.kind(), "{code}");
        assert!(!flat.to_string().contains("Ann"), "{flat}");
        kinds.push(flat.kind());
    }
    let expected = [
        "configuration",
        "configuration",
        "configuration",
        "configuration",
        "throttled",
        "credits_exhausted",
        "credits_exhausted",
        "throttled",
        "invalid",
    ];
    assert_eq!(kinds, expected);
    let bare = insert(&stub, Reply::Body(429, "", "slow down".to_owned()), 2).await.unwrap_err();
    assert_eq!(bare.kind(), "throttled");
}

#[tokio::test]
async fn the_scope_is_named() {
    let stub = Stub::start().await;
    let error = insert(&stub, reply(401, failure("OAUTH_SCOPE_MISMATCH", json!({}))), 1).await.unwrap_err();
    assert!(error.to_string().contains("ZohoCRM.modules.ALL"), "{error}");
    assert_eq!(stub.granted(), 1, "another token would have the same scopes");
}

#[tokio::test]
async fn a_query_that_names_what_is_not_there_is_a_matter_of_configuration() {
    let stub = Stub::start().await;
    for details in [json!({"module": "Contacts"}), json!({"column_name": "Email"})] {
        stub.will(reply(400, failure("INVALID_QUERY", details)));
        let error = stub.client(None).find_equal("Contacts", "Email", &["a@b.org".to_owned()], &[]).await.unwrap_err();
        assert_eq!(error.kind(), "configuration", "{error}");
    }
}

#[tokio::test]
async fn fields_that_are_refused_are_left_out_of_a_second_call() {
    let refusal = failure("DUPLICATE_DATA", json!({"api_name": "field_label", "json_path": "$.fields[1].field_label"}));
    for refused in [json!({"fields": [refusal]}), refusal.clone()] {
        let stub = Stub::start().await;
        stub.will(reply(400, refused));
        stub.will(reply(201, json!({"fields": [success("1"), success("3")]})));
        let fields = json!({"fields": [{"field_label": "A"}, {"field_label": "B"}, {"field_label": "C"}]});
        let entries = stub.client(None).create_fields("Contacts", fields).await.unwrap();
        let [Creation::Done, Creation::Refused(refusal), Creation::Done] = entries.as_slice() else {
            panic!("{entries:?}")
        };
        assert_eq!(refusal.to_string(), "DUPLICATE_DATA at $.fields[1].field_label: \"Ann Example is not good\"");
        assert_eq!(stub.requests()[1].json(), json!({"fields": [{"field_label": "A"}, {"field_label": "C"}]}));
    }
}

#[test]
fn classes_of_refusals() {
    for (code, class) in [
        ("MANDATORY_NOT_FOUND", Class::Data),
        ("INVALID_DATA", Class::Data),
        ("SOMETHING_NEW", Class::Data),
        ("DUPLICATE_DATA", Class::Duplicate),
        ("INVALID_MODULE", Class::Configuration),
        ("INVALID_URL_PATTERN", Class::Configuration),
        ("NO_PERMISSION", Class::Configuration),
        ("OAUTH_SCOPE_MISMATCH", Class::Configuration),
        ("LIMIT_EXCEEDED", Class::Retry),
        ("TOO_MANY_REQUESTS", Class::Retry),
        ("INTERNAL_ERROR", Class::Retry),
        ("RECORD_LOCKED", Class::Locked),
    ] {
        let refusal = refusal(failure(code, json!({})));
        assert_eq!((refusal.class, refusal.code.as_str()), (class, code));
        assert!(refusal.message.contains(code) && !refusal.advice.is_empty(), "{refusal:?}");
    }
}

#[test]
fn names_are_used_and_values_are_not() {
    let details = json!({"api_name": "Email", "json_path": "$.data[3].Email", "expected_data_type": "email",
                         "value": "ann@example.org", "info": "Ann"});
    let wrong = refusal(failure("INVALID_DATA", details));
    assert_eq!((wrong.field.as_deref(), wrong.class), (Some("Email"), Class::Data));
    assert_eq!(wrong.message, "Email: Zoho expects a value of type email (INVALID_DATA)");
    let long = refusal(failure("INVALID_DATA", json!({"api_name": "Phone", "maximum_length": 30})));
    assert_eq!(long.message, "Phone: the value is longer than the 30 characters that Zoho allows (INVALID_DATA)");
    let echo =
        refusal(failure("Ann Example!", json!({"api_name": "Ann <ann@example.org>", "json_path": "Ann Example"})));
    assert!(!format!("{echo:?}").contains("Ann"), "{echo:?}");
}

#[test]
fn a_missing_id_differs_from_a_wrong_lookup() {
    let gone = refusal(failure("INVALID_DATA", json!({"api_name": "id", "json_path": "$.data[0].id"})));
    assert_eq!((gone.class, gone.field), (Class::Gone, None));
    let lookup = refusal(failure("INVALID_DATA", json!({"api_name": "id", "json_path": "$.data[0].Contact.id"})));
    assert_eq!((lookup.class, lookup.field.as_deref()), (Class::Data, Some("Contact")));
    for vague in [json!({}), json!({"resource_path_index": 0})] {
        let refused = failure("INVALID_DATA", vague);
        assert_eq!(Refusal::read(&refused, Purpose::Update).class, Class::Gone, "{refused}");
        assert_eq!(refusal(refused).class, Class::Data, "a new record cannot be gone");
    }
    let deleted = Refusal::read(&failure("INVALID_DATA", json!({"id": "12"})), Purpose::Delete);
    assert_eq!(deleted.class, Class::Gone);
}

#[test]
fn nested_errors_are_found() {
    let other =
        json!({"api_name": "Email", "json_path": "$.data[0].Email", "duplicate_record": {"id": "4400000000012345678"}});
    let nested = failure(
        "MULTIPLE_OR_MULTI_ERRORS",
        json!({"errors": [failure("MANDATORY_NOT_FOUND", json!({"api_name": "Last_Name"})), failure("DUPLICATE_DATA", other)]}),
    );
    let refusal = refusal(nested);
    assert_eq!((refusal.class, refusal.code.as_str()), (Class::Duplicate, "DUPLICATE_DATA"));
    let duplicate = Duplicate { field: Some("Email".to_owned()), id: "4400000000012345678".to_owned() };
    assert_eq!(refusal.duplicates, [duplicate]);
    assert!(refusal.message.contains("Last_Name") && refusal.message.contains("Email"), "{}", refusal.message);
}

#[tokio::test]
async fn a_success_without_an_id_is_retried() {
    let stub = Stub::start().await;
    let nameless = json!({"code": "SUCCESS", "details": {}, "message": "done", "status": "success"});
    let entries = insert(&stub, reply(200, json!({"data": [nameless]})), 1).await.unwrap();
    assert!(matches!(&entries[0], RecordAnswer::Refused(refusal) if refusal.class == Class::Retry), "{entries:?}");
}

#[tokio::test]
async fn deleting_and_reading_are_split() {
    let stub = Stub::start().await;
    let client = stub.client(None);
    let ids: Vec<String> = (0..60).map(|id| format!("{id:019}")).collect();
    let deleted = |part: &[String]| {
        let entry = |id: &String| json!({"code": "SUCCESS", "details": {"id": id}, "message": "record deleted", "status": "success"});
        reply(200, json!({"data": part.iter().map(entry).collect::<Vec<_>>()}))
    };
    stub.will(deleted(&ids[..51]));
    stub.will(deleted(&ids[51..]));
    let entries = client.delete("Contacts", &ids).await.unwrap();
    let same = |(entry, id): (&RecordAnswer, &String)| matches!(entry, RecordAnswer::Done { id: done, action: Action::Deleted, .. } if done == id);
    assert!(entries.len() == 60 && entries.iter().zip(&ids).all(same), "{entries:?}");

    stub.will(reply(200, json!({"data": [{"id": "1"}], "info": {"more_records": false}})));
    stub.will(Reply::Body(204, "", String::new()));
    assert_eq!(client.get("Contacts", &ids, &["Email", "Last_Name"]).await.unwrap().len(), 1);
    let requests = stub.requests();
    assert_eq!(
        requests.iter().map(|request| request.method.as_str()).collect::<Vec<_>>(),
        ["DELETE", "DELETE", "GET", "GET"]
    );
    assert!(requests[2].query.contains(&("fields".to_owned(), "Email,Last_Name".to_owned())), "{requests:?}");
}

#[tokio::test]
async fn a_field_that_cannot_be_read_does_not_hide_the_others() {
    let stub = Stub::start().await;
    let odd = json!({"api_name": "Odd", "data_type": "text", "length": "many"});
    stub.will(reply(200, json!({"fields": [odd, {"api_name": "Email", "data_type": "email"}, {"no": "name"}]})));
    let module = stub.client(None).fields("Contacts").await.unwrap().unwrap();
    let types: Vec<_> =
        module.fields.values().map(|field| (field.api_name.as_str(), field.data_type.as_str())).collect();
    assert_eq!(types, [("Email", "email"), ("Odd", "unknown")]);
}

#[tokio::test]
async fn a_value_that_zoho_refuses_does_not_hide_the_others() {
    let stub = Stub::start().await;
    let refused =
        || reply(400, json!({"code": "INVALID_QUERY", "details": {}, "message": "invalid query", "status": "error"}));
    let found = |email: &str| {
        reply(200, json!({"data": [{"id": "1", "Email": email}], "info": {"count": 1, "more_records": false}}))
    };
    // Three values, then the later half, then its halves.
    for reply in [refused(), refused(), refused(), found("c@example.org"), found("a@example.org")] {
        stub.will(reply);
    }
    let values = ["a@example.org", "b@example.org", "c@example.org"].map(str::to_owned);
    let found = stub.client(None).find_equal("Contacts", "Email", &values, &[]).await.unwrap();
    assert_eq!((found.records.len(), found.refused.len(), stub.requests().len()), (2, 1, 5), "{found:?}");
}

#[tokio::test]
async fn a_query_goes_on_after_the_last_id() {
    let stub = Stub::start().await;
    let page = |id: &str, email: &str, more: bool| {
        reply(200, json!({"data": [{"id": id, "Email": email}], "info": {"count": 1, "more_records": more}}))
    };
    stub.will(page("7", "Ann@Example.org", true));
    stub.will(page("9", "bob@example.org", false));
    let values = ["ann@example.org".to_owned(), "bob@example.org".to_owned()];
    let found = stub.client(None).find_equal("Contacts", "Email", &values, &["Moodle_User_Key"]).await.unwrap();
    assert_eq!(
        found.records.iter().map(|record| record["Email"].as_str().unwrap()).collect::<Vec<_>>(),
        ["Ann@Example.org", "bob@example.org"]
    );
    let queries: Vec<_> = stub.requests().iter().map(|request| request.json()["select_query"].to_string()).collect();
    assert!(queries[0].contains("select id, Email, Moodle_User_Key from Contacts"), "{queries:?}");
    assert!(queries[1].contains("id > '7'"), "{queries:?}");
}

#[tokio::test]
async fn the_credits_are_read_from_every_answer() {
    let stub = Stub::start().await;
    let client = stub.client(None);
    let org = json!({"org": [{"id": "1", "company_name": "College"}]}).to_string();
    stub.will(Reply::Body(200, "412", org.clone()));
    client.org().await.unwrap();
    assert_eq!(client.limiter().credits().map(|(left, _)| left), Some(412));
    stub.will(Reply::Body(502, "", "<html>".to_owned()));
    let _ = client.org().await.unwrap_err();
    assert_eq!(
        client.limiter().credits().map(|(left, _)| left),
        Some(411),
        "a gateway says nothing, and the call may have cost a credit"
    );
    stub.will(reply(429, failure("LIMIT_EXCEEDED", json!({}))));
    let _ = client.org().await.unwrap_err();
    assert_eq!(client.limiter().credits().map(|(left, _)| left), Some(0));
    client.org().await.unwrap();
    assert_eq!(client.limiter().credits(), None);
}

#[tokio::test]
async fn debug_texts_hold_no_secrets() {
    let config = super::config("http://localhost");
    let shown = format!("{config:?}");
    assert!(!shown.contains("\"secret\"") && !shown.contains("\"refresh\""), "{shown}");
}
