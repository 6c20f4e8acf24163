//! Delivery of records to destinations.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};

use super::family::{Histograms, Registering};
use crate::model::Kind;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    destination: &'static str,
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DestinationLabels {
    destination: &'static str,
}

/// The outcome of an item that a worker had claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum DeliveryOutcome {
    /// The destination was called, and accepted it.
    Delivered,
    /// There was nothing to do for it.
    LeftAlone,
    /// It waits for another record.
    Parked,
    /// It will be retried.
    Retried,
    /// It needs a person.
    Failed,
    /// It was released without an attempt.
    GivenBack,
}

impl DeliveryOutcome {
    const ALL: [Self; 6] =
        [Self::Delivered, Self::LeftAlone, Self::Parked, Self::Retried, Self::Failed, Self::GivenBack];

    fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The metrics of deliveries.
#[derive(Debug)]
pub struct Delivery {
    outcomes: Family<OutcomeLabels, Counter>,
    delays: Histograms<DestinationLabels>,
    items: Histograms<DestinationLabels>,
}

/// Bounds in seconds: those of [`crate::activity::DELAY_BOUNDS_MS`], and a few for bad days.
fn delays() -> Histogram {
    Histogram::new([0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 600.0, 3_600.0, 21_600.0, 86_400.0])
}

fn item_counts() -> Histogram {
    Histogram::new([1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0])
}

impl Delivery {
    pub(super) fn new(registry: &mut Registering<'_>) -> Self {
        let new = Self {
            outcomes: Family::default(),
            delays: Family::new_with_constructor(delays),
            items: Family::new_with_constructor(item_counts),
        };
        registry.add("deliveries", "Records claimed for delivery, by outcome", &new.outcomes);
        registry.add_seconds(
            "delivery_delay",
            "Time from a record's oldest undelivered change until the destination had it",
            &new.delays,
        );
        registry.add("delivery_items", "Records claimed for one delivery", &new.items);
        new
    }

    /// Exposes the series of a destination from the start.
    pub fn begin(&self, destination: &'static str) {
        let labels = DestinationLabels { destination };
        let _ = (self.delays.get_or_create(&labels), self.items.get_or_create(&labels));
        for kind in Kind::ALL {
            for outcome in DeliveryOutcome::ALL {
                self.ended(destination, kind, outcome, 0);
            }
        }
    }

    /// Counts the items of one claim.
    pub fn claimed(&self, destination: &'static str, items: usize) {
        self.items.get_or_create(&DestinationLabels { destination }).observe(items as f64);
    }

    /// Counts items by outcome.
    pub fn ended(&self, destination: &'static str, kind: Kind, outcome: DeliveryOutcome, count: u64) {
        let labels = OutcomeLabels { destination, kind: kind.as_str(), outcome: outcome.as_str() };
        self.outcomes.get_or_create(&labels).inc_by(count);
    }

    /// Observes the time from a record's oldest undelivered change to its delivery.
    pub fn delayed(&self, destination: &'static str, delay: Duration) {
        self.delays.get_or_create(&DestinationLabels { destination }).observe(delay.as_secs_f64());
    }
}
