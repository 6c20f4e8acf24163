//! A listening Zoho simulator on its own thread, so that a test that blocks on a command does not stop it.

#![allow(dead_code, reason = "it offers what the simulator offers; each test uses what it needs")]

use std::{net::SocketAddr, thread::JoinHandle};

use backend_sync::{
    authorities::Authorities,
    clock::Clock,
    config,
    http::Http,
    zoho::{
        client::{Client, Creation},
        destination::read_modules,
        mapping::Mapping,
        setup::{self, SetupStep},
    },
};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use zoho_simulator::Simulator;

use super::api::http_client;

/// The simulator's refresh token and client.
const CREDENTIAL: &str = "simulator";

/// A simulator. Dropping it stops it.
pub(crate) struct ZohoSimulator {
    address: SocketAddr,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ZohoSimulator {
    /// An empty organisation.
    pub(crate) fn start() -> Self {
        let (tell_address, address) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let serve = async move {
            let clock = Clock::system();
            let running = Simulator::new(move || clock.now().to_utc()).bind(([127, 0, 0, 1], 0).into()).await.unwrap();
            tell_address.send(running.address()).unwrap();
            // A dropped sender stops it as well.
            running.run_until(async { _ = stopped.await }).await.unwrap();
        };
        let thread = std::thread::spawn(|| {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(serve);
        });
        Self { address: address.recv().unwrap(), http: http_client(), stop: Some(stop), thread: Some(thread) }
    }

    /// An organisation with everything the default mapping needs, and an empty log.
    pub(crate) async fn start_set_up() -> Self {
        let simulator = Self::start();
        simulator.set_up(&Mapping::parse(Mapping::DEFAULT).unwrap()).await;
        simulator
    }

    /// Creates what the mapping needs and the organisation lacks; empties the log.
    pub(crate) async fn set_up(&self, mapping: &Mapping) {
        let client = self.client();
        let steps = setup::plan(mapping, &read_modules(&client, mapping).await.unwrap());
        let modules = client.modules().await.unwrap();
        let profiles = &modules.iter().find(|module| !module.profiles.is_empty()).unwrap().profiles;
        for step in steps {
            let body = step.request_body(profiles);
            let entries = match &step {
                SetupStep::CreateModule { .. } => client.create_module(body).await.map(|entry| vec![entry]),
                SetupStep::CreateFields { module, .. } => client.create_fields(module, body).await,
            };
            let entries = entries.unwrap_or_else(|error| panic!("{step}: {error}"));
            assert!(entries.iter().all(|entry| *entry == Creation::Done), "{step}: {entries:?}");
        }
        self.send(Method::DELETE, "log", None).await;
    }

    /// The product's own client, connected to it.
    pub(crate) fn client(&self) -> Client {
        let settings = config::Zoho {
            accounts_url: self.url(),
            api_url: None,
            client_id: CREDENTIAL.to_owned(),
            client_secret: CREDENTIAL.to_owned().into(),
            refresh_token: CREDENTIAL.to_owned().into(),
            mapping: None,
            reserve_credits: 0,
            watch_minutes: 0,
            proof_hour: 24,
            authorities: Authorities::default(),
        };
        Client::new(&settings, Http::new(&Authorities::default()).unwrap(), None, Clock::system(), getrandom::fill)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The environment of a server that delivers to it.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let credential = |name| (name, CREDENTIAL.to_owned());
        vec![
            ("BACKEND_SYNC_ZOHO__ACCOUNTS_URL", self.url()),
            credential("BACKEND_SYNC_ZOHO__CLIENT_ID"),
            credential("BACKEND_SYNC_ZOHO__CLIENT_SECRET"),
            credential("BACKEND_SYNC_ZOHO__REFRESH_TOKEN"),
            // A comparison is a test of its own.
            ("BACKEND_SYNC_ZOHO__WATCH_MINUTES", "0".to_owned()),
            ("BACKEND_SYNC_ZOHO__PROOF_HOUR", "24".to_owned()),
        ]
    }

    /// Everything it holds: `modules` and `recycled`.
    pub(crate) async fn state(&self) -> Value {
        self.send(Method::GET, "state", None).await
    }

    /// The records of a module.
    pub(crate) async fn records(&self, module: &str) -> Vec<Map<String, Value>> {
        let records = self.state().await["modules"][module].take();
        serde_json::from_value(records).unwrap_or_else(|_| panic!("there is no module {module}"))
    }

    /// All calls since the log was emptied.
    pub(crate) async fn log(&self) -> Vec<Value> {
        self.send(Method::GET, "log", None).await["calls"].as_array().unwrap().clone()
    }

    pub(crate) async fn empty_log(&self) {
        self.send(Method::DELETE, "log", None).await;
    }

    /// Adds faults; the simulator's module `fault` describes them.
    pub(crate) async fn add_faults(&self, rules: Value) {
        self.send(Method::POST, "faults", Some(rules)).await;
    }

    /// The faults, and how often each has happened.
    pub(crate) async fn faults(&self) -> Value {
        self.send(Method::GET, "faults", None).await
    }

    pub(crate) async fn clear_faults(&self) {
        self.send(Method::DELETE, "faults", None).await;
    }

    /// Changes settings, named as in the simulator's module `settings`.
    pub(crate) async fn change(&self, settings: Value) {
        self.send(Method::POST, "settings", Some(settings)).await;
    }

    /// Its current settings, and the number of credits used.
    pub(crate) async fn settings_now(&self) -> Value {
        self.send(Method::GET, "settings", None).await
    }

    /// Refuses records of a module with this value in this field, by a validation rule of the organisation.
    pub(crate) async fn refuse(&self, module: &str, field: &str, value: &str) {
        let rule = json!({ "module": module, "field": field, "value": value });
        self.send(Method::POST, "policies", Some(json!({ "validation_rules": [rule] }))).await;
    }

    /// Changes a field as an administrator does.
    pub(crate) async fn change_field(&self, module: &str, field: &str, change: Value) {
        self.send(Method::POST, &format!("fields/{module}/{field}"), Some(change)).await;
    }

    /// Moves its clock forward by this much.
    pub(crate) async fn advance(&self, seconds: i64) {
        self.send(Method::POST, "clock", Some(json!({ "advance_seconds": seconds }))).await;
    }

    /// Does what an administrator does in Zoho's settings: `fields/Contacts/Title`, `profiles`, `policies`.
    pub(crate) async fn administer(&self, place: &str, change: Value) {
        self.send(Method::POST, place, Some(change)).await;
    }

    /// Creates fields as an administrator does, by the API but not by the product.
    pub(crate) async fn make_fields(&self, module: &str, fields: Value) {
        let made = self.client().create_fields(module, json!({ "fields": fields })).await.unwrap();
        assert!(made.iter().all(|entry| *entry == Creation::Done), "{made:?}");
    }

    /// Creates a module as an administrator does, by the API but not by the product.
    pub(crate) async fn make_module(&self, mut module: Value) {
        let client = self.client();
        let profiles = client.profiles().await.unwrap().into_iter();
        module["profiles"] = profiles.map(|id| json!({ "id": id })).collect();
        let made = client.create_module(json!({ "modules": [module] })).await.unwrap();
        assert_eq!(made, Creation::Done);
    }

    /// Creates a record as a person does on Zoho's pages.
    pub(crate) async fn make_by_hand(&self, module: &str, fields: Value) -> Value {
        self.send(Method::POST, &format!("records/{module}"), Some(fields)).await
    }

    /// Puts the organisation's policies into force.
    pub(crate) async fn set_policies(&self, policies: Value) {
        self.send(Method::POST, "policies", Some(policies)).await;
    }

    /// Merges or converts records as a person does on Zoho's pages: `merge` or `convert`.
    pub(crate) async fn act(&self, action: &str, what: Value) -> Value {
        self.send(Method::POST, action, Some(what)).await
    }

    /// The same, if it is possible.
    pub(crate) async fn try_act(&self, action: &str, what: Value) {
        self.request(Method::POST, action, Some(what)).await;
    }

    async fn send(&self, method: Method, place: &str, body: Option<Value>) -> Value {
        let (status, text) = self.request(method, place, body).await;
        assert!(status.is_success(), "{place}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn request(&self, method: Method, place: &str, body: Option<Value>) -> (StatusCode, String) {
        let mut request = self.http.request(method, format!("{}/__sim/{place}", self.url()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }
}

impl Drop for ZohoSimulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the simulator failed");
        }
    }
}
