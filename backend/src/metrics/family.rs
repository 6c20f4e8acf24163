//! Creating and registering metric families.

use std::{fmt, sync::atomic::AtomicU64};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder},
    metrics::{MetricType, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry, Unit},
};

/// A gauge with fractions.
pub(super) type FloatGauge = Gauge<f64, AtomicU64>;

/// Histograms by labels, all with the same buckets.
pub(super) type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Bounds in seconds for what this machine does: a request, a transaction.
pub(super) fn short_times() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

/// A registry that exposes every family from the start, so that alerting rules that name one can be checked.
pub(super) struct Registering<'a>(pub(super) &'a mut Registry);

impl Registering<'_> {
    pub(super) fn add<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: &M) {
        self.0.register(name, help, Always(metric.clone()));
    }

    pub(super) fn add_seconds<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: &M) {
        self.0.register_with_unit(name, help, Unit::Seconds, Always(metric.clone()));
    }

    pub(super) fn add_bytes<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: &M) {
        self.0.register_with_unit(name, help, Unit::Bytes, Always(metric.clone()));
    }
}

/// Exposes a metric even while it has no value; the library omits empty families.
#[derive(Debug)]
struct Always<M>(M);

impl<M: EncodeMetric> EncodeMetric for Always<M> {
    fn encode(&self, encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        self.0.metric_type()
    }
}
