//! The metrics that `GET /metrics` exposes to Prometheus.
//!
//! The number of time series is bounded by design. A label's value comes from a fixed list (kinds, states, outcomes,
//! codes, routes), or was named by an operator: sites, destinations, the mapping's modules, alert channels. No label
//! holds an id, a requested path, or personal data.
//!
//! Every family is exposed from the start, even while it has no value. What comes from the database (`state`) is the
//! same in all processes that share it: aggregate with `max`, not `sum`.

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
    refresh::LocalState,
    zoho::ZohoCalls,
};
use self::{family::Registering, refresh::LastRefresh, state::StateMetrics};
use crate::{
    activity::{ActivityKind, Tally, subject_site},
    clock::Timestamp,
    model::EventType,
};

/// All metrics. Cheap to clone; clones share their values.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Families>);

/// The families, by area.
#[derive(Debug)]
pub struct Families {
    /// Events and the queue.
    pub ingest: IngestMetrics,
    /// HTTP requests.
    pub http: Http,
    /// Delivery of records to destinations.
    pub delivery: Delivery,
    /// Calls to Zoho.
    pub zoho: ZohoCalls,
    /// Open alerts.
    pub alerts_firing: AlertsFiring,
    /// Notifications about alerts.
    pub alert_notifications: AlertNotifications,
    state: StateMetrics,
    last_refresh: LastRefresh,
    registry: Registry,
}

impl Deref for Metrics {
    type Target = Families;

    fn deref(&self) -> &Families {
        &self.0
    }
}

impl Metrics {
    /// Metrics at zero, for a process that started at `started_at`.
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
        let last_refresh = LastRefresh::default();
        Self(Arc::new(Families {
            ingest,
            http,
            delivery,
            zoho,
            alerts_firing,
            alert_notifications,
            state,
            last_refresh,
            registry,
        }))
    }

    /// All metrics in the OpenMetrics text format.
    pub fn open_metrics(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// All metrics in Prometheus' older text format, which every collector reads.
    pub fn prometheus_text(&self) -> Result<String, std::fmt::Error> {
        Ok(text::classic(&self.open_metrics()?))
    }
}

/// Counts both for `/metrics` and for the charts of [`crate::activity`]. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Counters {
    /// For `/metrics`.
    pub metrics: Metrics,
    /// For charts.
    pub activity: Tally,
}

impl Counters {
    /// Counts events of a site with the same outcome. The type is `None` when it could not be read.
    pub fn events(&self, now: Timestamp, site: &str, event_type: Option<EventType>, outcome: &'static str, count: u64) {
        self.metrics.ingest.events(now, site, event_type, outcome, count);
        self.activity.add(now, subject_site(site), ActivityKind::Event(outcome), count);
    }
}

#[cfg(test)]
mod tests;
