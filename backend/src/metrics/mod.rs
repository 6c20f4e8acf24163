//! What `GET /metrics` shows to Prometheus.
//!
//! The number of time series is bounded by design. A label is a word of a fixed list (kinds, states, outcomes, codes, routes), or what
//! an operator has named: sites, destinations, the modules of the mapping, alert channels. No label holds an id, a path as it was asked
//! for, or anything of a person.
//!
//! Every family is exposed from the start, also while it has no value. What the database knows (`state`) is the same in all processes
//! that share it: take the maximum over them, not the sum.

mod alerts;
mod delivery;
mod family;
mod http;
mod ingest;
mod process;
mod refresh;
mod state;
mod text;
mod zoho;

use std::{ops::Deref, sync::Arc};

use prometheus_client::registry::Registry;

pub use self::{
    alerts::{AlertNotifications, AlertsFiring},
    delivery::{Delivery, DeliveryOutcome},
    http::Http,
    ingest::{IngestMetrics, Waiting},
    refresh::Witnessed,
    zoho::ZohoCalls,
};
use self::{family::Registering, refresh::LastLook, state::StateMetrics};
use crate::{
    activity::{ActivityKind, Tally, subject_site},
    clock::Timestamp,
    model::EventType,
};

/// What is measured. Cheap to clone; all clones measure together.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Families>);

/// The families, by area.
#[derive(Debug)]
pub struct Families {
    /// Events, and the queue.
    pub ingest: IngestMetrics,
    /// Requests of all kinds.
    pub http: Http,
    /// Records on their way to destinations.
    pub delivery: Delivery,
    /// Calls of Zoho.
    pub zoho: ZohoCalls,
    /// Alerts that are firing now.
    pub alerts_firing: AlertsFiring,
    /// What was sent about alerts.
    pub alert_notifications: AlertNotifications,
    state: StateMetrics,
    last_look: LastLook,
    registry: Registry,
}

impl Deref for Metrics {
    type Target = Families;

    fn deref(&self) -> &Families {
        &self.0
    }
}

impl Metrics {
    /// Nothing has happened yet, in a process that started at `started_at`.
    pub fn new(started_at: Timestamp) -> Self {
        let mut registry = Registry::default();
        let registering = &mut Registering(registry.sub_registry_with_prefix("backend_sync"));
        let (ingest, http, delivery) =
            (IngestMetrics::new(registering), Http::new(registering), Delivery::new(registering));
        let zoho = ZohoCalls::default();
        zoho.register(registering);
        let (alerts_firing, alert_notifications) =
            (AlertsFiring::new(registering), AlertNotifications::new(registering));
        let state = StateMetrics::new(registering);
        process::register(&mut registry, started_at);
        let last_look = LastLook::default();
        Self(Arc::new(Families {
            ingest,
            http,
            delivery,
            zoho,
            alerts_firing,
            alert_notifications,
            state,
            last_look,
            registry,
        }))
    }

    /// All of it as OpenMetrics text.
    pub fn open_metrics(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// All of it in Prometheus' older text format, which every collector reads.
    pub fn prometheus_text(&self) -> Result<String, std::fmt::Error> {
        Ok(text::classic(&self.open_metrics()?))
    }
}

/// Counts what happens, both for `/metrics` and for the charts of [`crate::activity`]. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Counters {
    /// For `/metrics`.
    pub metrics: Metrics,
    /// For charts.
    pub activity: Tally,
}

impl Counters {
    /// Events of a site that came to the same. The type is unknown when it could not be read.
    pub fn events(&self, now: Timestamp, site: &str, event_type: Option<EventType>, outcome: &'static str, count: u64) {
        self.metrics.ingest.events(now, site, event_type, outcome, count);
        self.activity.add(now, subject_site(site), ActivityKind::Event(outcome), count);
    }
}

#[cfg(test)]
mod tests;
