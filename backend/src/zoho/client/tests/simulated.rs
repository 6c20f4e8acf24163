//! The client against the simulator, with faults of every kind.

use std::{net::SocketAddr, time::Duration};

use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;
use zoho_simulator::Simulator;

use super::config;
use crate::{
    authorities::Authorities,
    clock::Clock,
    delivery::Admission,
    http::Http,
    model::Lane,
    zoho::client::{Action, CallError, Class, Client, Creation, RecordAnswer},
};

struct Simulated {
    url: String,
    http: Http,
    task: JoinHandle<()>,
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Simulated {
    async fn start() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let clock = Clock::system();
        let running = Simulator::new(move || clock.now().to_utc()).bind(listen).await.unwrap();
        let url = format!("http://{}", running.address());
        let task = tokio::spawn(async move { running.run_until(std::future::pending()).await.unwrap() });
        Self { url, task, http: Http::with_call_time(Duration::from_secs(30), &Authorities::default()).unwrap() }
    }

    fn client(&self) -> Client {
        let mut config = config(&self.url);
        config.refresh_token = "simulator".to_owned().into();
        // Shorter than the time for which the simulator holds a call that times out.
        let http = Http::with_call_time(Duration::from_secs(1), &Authorities::default()).unwrap();
        Client::new(&config, http, None, Clock::system(), getrandom::fill)
    }

    async fn tell(&self, place: &str, body: Value) {
        let request = self.http.request(Method::POST, &format!("{}/__sim/{place}", self.url)).json(&body);
        let answer = self.http.send(request).await.unwrap();
        assert!(answer.status < 300, "{:?}", answer.body);
    }

    async fn fault(&self, fault: &str) {
        self.tell("faults", json!([{"match": {"operation": "insert", "times": 1}, "fault": fault}])).await;
    }

    async fn inspect(&self, place: &str) -> Value {
        let request = self.http.request(Method::GET, &format!("{}/__sim/{place}", self.url));
        serde_json::from_slice(&self.http.send(request).await.unwrap().body).unwrap()
    }

    async fn contacts(&self) -> usize {
        self.inspect("state").await["modules"]["Contacts"].as_array().unwrap().len()
    }
}

fn contact(number: usize) -> Map<String, Value> {
    let fields = json!({"Last_Name": format!("Name {number}"), "Email": format!("a{number}@example.org")});
    fields.as_object().unwrap().clone()
}

async fn insert(client: &Client, count: usize) -> Result<Vec<RecordAnswer>, CallError> {
    let records: Vec<_> = (0..count).map(contact).collect();
    client.insert("Contacts", &records, &[]).await
}

fn ids(entries: &[RecordAnswer]) -> Vec<String> {
    let id = |entry: &RecordAnswer| match entry {
        RecordAnswer::Done { id, .. } => id.clone(),
        RecordAnswer::Refused(refusal) => panic!("{refusal:?}"),
    };
    entries.iter().map(id).collect()
}

#[tokio::test]
async fn fields_on_no_layout_are_read_too() {
    let simulated = Simulated::start().await;
    simulated.tell("fields/Contacts/Phone", json!({"unused": true})).await;
    let contacts = simulated.client().fields("Contacts").await.unwrap().unwrap();
    assert!(contacts.fields["Phone"].unused && !contacts.fields["Email"].unused);
}

#[tokio::test]
async fn records_are_created_changed_and_deleted() {
    let simulated = Simulated::start().await;
    let client = simulated.client();
    let made = insert(&client, 60).await.unwrap();
    assert!(made.iter().all(|entry| matches!(entry, RecordAnswer::Done { action: Action::Inserted, .. })), "{made:?}");
    let ids = ids(&made);
    let mut change = Map::from_iter([("id".to_owned(), json!(ids[0])), ("Last_Name".to_owned(), json!("New"))]);
    let mut gone = change.clone();
    gone.insert("id".to_owned(), json!("4400000099999999999"));
    let entries = client.update("Contacts", &[change.clone(), gone], &[]).await.unwrap();
    assert!(matches!(&entries[0], RecordAnswer::Done { action: Action::Updated, .. }), "{entries:?}");
    assert!(matches!(&entries[1], RecordAnswer::Refused(refusal) if refusal.class == Class::Gone), "{entries:?}");

    let read = client.get("Contacts", &ids, &["Last_Name"]).await.unwrap();
    assert_eq!((read.len(), read.iter().filter(|record| record["Last_Name"] == "New").count()), (60, 1));
    assert_eq!(client.get("Contacts", &["4400000099999999999".to_owned()], &["Last_Name"]).await.unwrap(), []);

    simulated.tell("clock", json!({"advance_seconds": 60})).await;
    let values: Vec<String> = (0..12).map(|number| format!("A{number}@example.org")).collect();
    assert_eq!(client.find_equal("Contacts", "Email", &values, &["Last_Name"]).await.unwrap().records.len(), 12);

    let deleted = client.delete("Contacts", &ids).await.unwrap();
    assert!(
        deleted.iter().all(|entry| matches!(entry, RecordAnswer::Done { action: Action::Deleted, .. })),
        "{deleted:?}"
    );
    let twice = client.delete("Contacts", &ids[..1]).await.unwrap();
    assert!(matches!(&twice[0], RecordAnswer::Refused(refusal) if refusal.class == Class::Gone), "{twice:?}");
    change.insert("Email".to_owned(), json!("not an address"));
    let entries = client.update("Contacts", &[change], &[]).await.unwrap();
    assert!(matches!(&entries[0], RecordAnswer::Refused(refusal) if refusal.class == Class::Gone), "{entries:?}");
}

#[tokio::test]
async fn two_keys_that_hit_two_records() {
    let simulated = Simulated::start().await;
    let client = simulated.client();
    let key = json!({"fields": [{"field_label": "Key", "data_type": "text", "length": 80, "unique": {"case_sensitive": false}}]});
    client.create_fields("Contacts", key).await.unwrap();
    let with_key = |number: usize, key: &str| {
        let mut fields = contact(number);
        fields.insert("Key".to_owned(), json!(key));
        fields
    };
    let two = [with_key(0, "a"), with_key(1, "b")];
    let ids = ids(&client.insert("Contacts", &two, &[]).await.unwrap());
    let mut clash = with_key(0, "b");
    clash.insert("id".to_owned(), json!(ids[0]));
    let entries = client.update("Contacts", &[clash], &[]).await.unwrap();
    let RecordAnswer::Refused(refusal) = &entries[0] else { panic!("{entries:?}") };
    let other = refusal.duplicates.first().map(|other| (other.field.as_deref(), &other.id));
    assert_eq!((refusal.class, other), (Class::Duplicate, Some((Some("Key"), &ids[1]))), "{refusal:?}");
    // The same of a new record: nothing that exists is changed, and the answer says what is in the way.
    let entries = client.insert("Contacts", &[with_key(2, "b")], &[]).await.unwrap();
    let RecordAnswer::Refused(refusal) = &entries[0] else { panic!("{entries:?}") };
    assert_eq!(refusal.duplicates.first().map(|other| &other.id), Some(&ids[1]), "{refusal:?}");

    let wrong = json!({"Last_Name": "x", "Email": "not an address"});
    let entries = client.insert("Contacts", &[wrong.as_object().unwrap().clone()], &[]).await.unwrap();
    let RecordAnswer::Refused(refusal) = &entries[0] else { panic!("{entries:?}") };
    assert_eq!((refusal.class, refusal.field.as_deref()), (Class::Data, Some("Email")), "{refusal:?}");
}

#[tokio::test]
async fn every_fault_maps_to_an_error() {
    let simulated = Simulated::start().await;
    let client = simulated.client();
    insert(&client, 1).await.unwrap();
    for (fault, kind) in [
        ("internal_error", "unknown"),
        ("bad_gateway_html", "unknown"),
        ("service_unavailable_html", "unknown"),
        ("truncated_json", "unknown"),
        ("connection_reset", "unknown"),
        ("no_permission", "configuration"),
        ("scope_mismatch", "configuration"),
        ("invalid_module", "configuration"),
        ("too_many_requests", "throttled"),
        ("limit_exceeded", "credits_exhausted"),
    ] {
        simulated.fault(fault).await;
        let error = insert(&client, 3).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{fault}: {error}");
        assert_eq!(insert(&client, 3).await.unwrap().len(), 3, "after {fault}");
    }
    // One rejected token is replaced silently.
    simulated.fault("unauthorized").await;
    insert(&client, 3).await.unwrap();
}

#[tokio::test]
async fn after_a_timeout_the_outcome_is_unknown_and_a_retry_is_safe() {
    let simulated = Simulated::start().await;
    let client = simulated.client();
    let key = json!({"fields": [{"field_label": "Key", "data_type": "text", "length": 80, "unique": {"case_sensitive": false}}]});
    client.create_fields("Contacts", key).await.unwrap();
    let with_key = |number: usize| {
        Map::from_iter([("Key".to_owned(), json!(number.to_string()))].into_iter().chain(contact(number)))
    };
    let records: Vec<_> = (0..5).map(with_key).collect();
    for (fault, there) in [("timeout_before_commit", 0), ("timeout_after_commit", 5)] {
        simulated.fault(fault).await;
        let error = client.insert("Contacts", &records, &[]).await.unwrap_err();
        assert!(matches!(error, CallError::Unknown { status: None, .. }), "{error}");
        assert_eq!(simulated.contacts().await, there, "{fault}");
    }
    let entries = client.insert("Contacts", &records, &[]).await.unwrap();
    let exists =
        |entry: &RecordAnswer| matches!(entry, RecordAnswer::Refused(refusal) if !refusal.duplicates.is_empty());
    assert!(entries.iter().all(exists), "{entries:?}");
    assert_eq!(simulated.contacts().await, 5);
}

#[tokio::test]
async fn partial_success_with_either_status() {
    let simulated = Simulated::start().await;
    let client = simulated.client();
    for fault in ["partial_200", "partial_207", "record_locked"] {
        simulated.fault(fault).await;
        let entries = insert(&client, 4).await.unwrap();
        let locked =
            |entry: &&RecordAnswer| matches!(entry, RecordAnswer::Refused(refusal) if refusal.class == Class::Locked);
        let expected = if fault == "record_locked" { 4 } else { 2 };
        assert_eq!(entries.iter().filter(locked).count(), expected, "{fault}: {entries:?}");
    }
}

#[tokio::test]
async fn a_revoked_refresh_token_and_one_that_works_again() {
    let simulated = Simulated::start().await;
    let client = simulated.client();
    insert(&client, 1).await.unwrap();
    simulated.tell("settings", json!({"revoked": true})).await;
    let error = insert(&client, 1).await.unwrap_err();
    assert!(matches!(&error, CallError::Unauthorized { reason } if reason.contains("zoho connect")), "{error}");
    simulated.tell("settings", json!({"revoked": false})).await;
    insert(&client, 1).await.unwrap();
}

#[tokio::test]
async fn too_many_access_tokens() {
    let simulated = Simulated::start().await;
    for _ in 0..10 {
        simulated.client().org().await.unwrap();
    }
    let error = simulated.client().org().await.unwrap_err();
    assert!(matches!(error, CallError::Throttled { until: Some(_), .. }), "{error}");
}

#[tokio::test]
async fn the_limit_adapts_to_zohos() {
    let simulated = Simulated::start().await;
    simulated.tell("settings", json!({"concurrency": 3, "delay_ms": 20})).await;
    let client = simulated.client();
    client.org().await.unwrap();
    let calls = (0..12).map(|number| {
        let client = client.clone();
        async move {
            let mut refused = 0;
            while let Err(error) = client.insert("Contacts", &[contact(number)], &[]).await {
                assert!(matches!(error, CallError::Throttled { .. }), "{error}");
                refused += 1;
            }
            refused
        }
    });
    let refused: i32 = futures_util::future::join_all(calls).await.into_iter().sum();
    assert!(refused > 0 && client.limiter().concurrency() <= 4, "{refused} were refused");
    assert_eq!(simulated.contacts().await, 12);
}

#[tokio::test]
async fn scarce_credits_are_noticed_at_once() {
    let simulated = Simulated::start().await;
    simulated.tell("settings", json!({"allowance": 1_000})).await;
    let client = simulated.client();
    insert(&client, 100).await.unwrap();
    assert_eq!(client.limiter().credits(), None);
    simulated.tell("settings", json!({"used": 700})).await;
    insert(&client, 100).await.unwrap();
    let left = 1_000 - simulated.inspect("settings").await["used"].as_i64().unwrap();
    assert_eq!(client.limiter().credits().map(|(left, _)| left), Some(left));
    simulated.tell("settings", json!({"used": 1_000})).await;
    let error = insert(&client, 1).await.unwrap_err();
    assert!(matches!(error, CallError::CreditsExhausted), "{error}");
    let exhausted = client.limiter().admit(Lane::Grade, 1, Clock::system().now());
    assert!(matches!(exhausted, Admission::Exhausted { .. }), "{exhausted:?}");
    let calls = simulated.inspect("log").await["calls"].as_array().unwrap().len();
    client.refresh_credits().await.unwrap();
    assert_eq!(simulated.inspect("log").await["calls"].as_array().unwrap().len(), calls, "the number is fresh");
}

#[tokio::test]
async fn modules_and_fields() {
    let simulated = Simulated::start().await;
    let client = simulated.client();
    assert_eq!(client.fields("Moodle_Grades").await.unwrap(), None);
    let modules = client.modules().await.unwrap();
    let contacts = modules.iter().find(|module| module.api_name == "Contacts").unwrap();
    assert!(!contacts.profiles.is_empty());
    let field = json!({"fields": [{"field_label": "Moodle User Key", "data_type": "text", "length": 100, "unique": {"case_sensitive": false}}]});
    let made = client.create_fields("Contacts", field.clone()).await.unwrap();
    assert_eq!(made, [Creation::Done]);
    let fields = client.fields("Contacts").await.unwrap().unwrap();
    assert!(fields.fields["Moodle_User_Key"].unique);
    let again = client.create_fields("Contacts", field).await.unwrap();
    let [Creation::Refused(refusal)] = &again[..] else { panic!("{again:?}") };
    assert!(refusal.to_string().starts_with("DUPLICATE_DATA at $.fields[0].field_label: "), "{refusal}");
    let people = client.profiles().await.unwrap();
    assert_eq!(people.len(), 2, "of all pages, each once");
    assert!(client.current_user().await.unwrap().is_some_and(|user| people.contains(&user.profile.unwrap())));
    simulated.tell("fields/Contacts/Title", json!({"mandatory": true})).await;
    let demands = client.demands("Contacts").await.unwrap();
    assert!(demands.len() == 1 && demands[0].contains("Title") && !demands[0].contains("Email"), "{demands:?}");
}
