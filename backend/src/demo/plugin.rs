//! Sends events as the plugin does.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{DemoError, term::TermEvent};
use crate::{
    http::{Http, HttpAnswer},
    limits,
};

/// Attempts to send a request while the backend is busy, before the demo gives up: a minute.
const ATTEMPTS: u32 = 30;

/// A plugin that is connected to the backend.
pub struct Plugin {
    http: Http,
    url: String,
    token: String,
}

/// The number of events by outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(pub BTreeMap<String, usize>);

impl Tally {
    /// Adds another tally.
    pub fn add(&mut self, other: Self) {
        for (outcome, count) in other.0 {
            *self.0.entry(outcome).or_default() += count;
        }
    }

    /// The number of events with this outcome.
    pub fn of(&self, outcome: &str) -> usize {
        self.0.get(outcome).copied().unwrap_or_default()
    }
}

impl Plugin {
    /// `backend` is its address, `token` a site token.
    pub fn new(http: Http, backend: &str, token: String) -> Self {
        Self { http, url: format!("{backend}/api/v1/events/moodle/batch"), token }
    }

    /// Sends these events in one request, and retries while the backend is busy.
    pub async fn send(&self, events: &[TermEvent]) -> Result<Tally, DemoError> {
        let body = json!({ "events": events.iter().map(TermEvent::to_json).collect::<Vec<Value>>() });
        let mut attempts = 0;
        loop {
            let request = self.http.request(Method::POST, &self.url).header("X-Moodle-Token", &self.token).json(&body);
            let answer = self.http.send(request).await;
            attempts += 1;
            match answer {
                Ok(answer) if answer.status == 200 => return read(&answer),
                Ok(answer) if answer.status != 503 => return Err(DemoError::Backend(answer.status)),
                Err(error) if attempts >= ATTEMPTS => return Err(error.into()),
                Ok(answer) if attempts >= ATTEMPTS => return Err(DemoError::Backend(answer.status)),
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_secs(limits::RETRY_AFTER_SECONDS)).await,
            }
        }
    }
}

fn read(answer: &HttpAnswer) -> Result<Tally, DemoError> {
    #[derive(Deserialize)]
    struct BatchAnswer {
        outcomes: Vec<Outcome>,
    }
    #[derive(Deserialize)]
    struct Outcome {
        outcome: String,
    }
    let batch: BatchAnswer = serde_json::from_slice(&answer.body).map_err(|_| DemoError::Backend(answer.status))?;
    let mut tally = Tally::default();
    for Outcome { outcome } in batch.outcomes {
        *tally.0.entry(outcome).or_default() += 1;
    }
    Ok(tally)
}
