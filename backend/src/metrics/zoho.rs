//! Calls to Zoho.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};

use super::family::{Histograms, Registering};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    operation: &'static str,
    module: String,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

/// Calls to Zoho's API. The default is not registered, so its counts go nowhere.
#[derive(Clone, Debug)]
pub struct ZohoCalls {
    calls: Family<CallLabels, Counter>,
    durations: Histograms<OperationLabels>,
    records: Histograms<OperationLabels>,
}

/// Bounds in seconds: Zoho can be slow, and a call times out after a minute.
fn durations() -> Histogram {
    Histogram::new([0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
}

fn record_counts() -> Histogram {
    Histogram::new([1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0])
}

impl Default for ZohoCalls {
    fn default() -> Self {
        Self {
            calls: Family::default(),
            durations: Family::new_with_constructor(durations),
            records: Family::new_with_constructor(record_counts),
        }
    }
}

impl ZohoCalls {
    pub(super) fn register(&self, registry: &mut Registering<'_>) {
        registry.add("zoho_calls", "Calls to Zoho's API, by operation, module and result", &self.calls);
        registry.add_seconds(
            "zoho_call_duration",
            "Duration of calls to Zoho's API, until the answer is read",
            &self.durations,
        );
        registry.add("zoho_call_records", "Records in one writing call", &self.records);
    }

    /// Counts a finished call. `module` is empty for calls that concern no module; `records` is 0 for calls that read.
    pub fn ended(
        &self,
        operation: &'static str,
        module: &str,
        result: &'static str,
        records: usize,
        duration: Duration,
    ) {
        let labels = OperationLabels { operation };
        self.calls.get_or_create(&CallLabels { operation, module: module.to_owned(), result }).inc();
        self.durations.get_or_create(&labels).observe(duration.as_secs_f64());
        if records > 0 {
            self.records.get_or_create(&labels).observe(records as f64);
        }
    }
}
