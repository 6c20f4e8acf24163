//! The simulated Zoho organisation: its contacts before the term, its credits and its clock.

use reqwest::Method;
use serde_json::{Value, json};

use super::DemoError;
use crate::http::Http;

/// The age of admissions' imported contacts. Zoho's search does not find records that are a few seconds old.
const IMPORTED_SECONDS_AGO: i64 = 60 * 24 * 60 * 60;

/// The simulator's own interface, below `/__sim/`.
pub struct SimulatedOrganisation {
    http: Http,
    url: String,
}

impl SimulatedOrganisation {
    /// `simulator` is its address.
    pub fn new(http: Http, simulator: &str) -> Self {
        Self { http, url: simulator.to_owned() }
    }

    /// Adds contacts as admissions would have done; returns their ids.
    pub async fn import(&self, contacts: &[Value]) -> Result<Vec<String>, DemoError> {
        self.advance(-IMPORTED_SECONDS_AGO).await?;
        let mut ids = Vec::new();
        for contact in contacts {
            let answer = self.call(Method::POST, "records/Contacts", Some(contact)).await?;
            let id = answer.pointer("/data/0/details/id").and_then(Value::as_str);
            ids.push(id.ok_or(DemoError::Simulator(200))?.to_owned());
        }
        self.advance(IMPORTED_SECONDS_AGO).await?;
        Ok(ids)
    }

    /// API credits used so far, and the daily allowance.
    pub async fn credits(&self) -> Result<(u64, u64), DemoError> {
        let settings = self.call(Method::GET, "settings", None).await?;
        let number = |name: &str| settings[name].as_u64().unwrap_or_default();
        Ok((number("used"), number("allowance")))
    }

    /// Makes the search find new records at once, so that a repair by hand works without waiting.
    pub async fn end_lag(&self) -> Result<(), DemoError> {
        self.call(Method::POST, "settings", Some(&json!({ "lag_seconds": 0 }))).await.map(drop)
    }

    async fn advance(&self, seconds: i64) -> Result<(), DemoError> {
        self.call(Method::POST, "clock", Some(&json!({ "advance_seconds": seconds }))).await.map(drop)
    }

    async fn call(&self, method: Method, place: &str, body: Option<&Value>) -> Result<Value, DemoError> {
        let mut request = self.http.request(method, &format!("{}/__sim/{place}", self.url));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = self.http.send(request).await?;
        match (answer.status, serde_json::from_slice(&answer.body)) {
            (200 | 201, Ok(value)) => Ok(value),
            (status, _) => Err(DemoError::Simulator(status)),
        }
    }
}
