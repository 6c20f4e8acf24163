//! Calls of Zoho.

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

/// Calls of Zoho's API. The default is registered nowhere: it counts for nobody.
#[derive(Clone, Debug)]
pub struct ZohoCalls {
    calls: Family<CallLabels, Counter>,
    durations: Histograms<OperationLabels>,
    records: Histograms<OperationLabels>,
}

/// Zoho takes its time; a call is given up after a minute.
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
        registry.add("zoho_calls", "Calls of Zoho's API, by module and by how they ended", &self.calls);
        registry.add_seconds(
            "zoho_call_duration",
            "Calls of Zoho's API, from being sent to being read",
            &self.durations,
        );
        registry.add("zoho_call_records", "Records in one call that writes", &self.records);
    }

    /// A call has ended. `module` is empty for what is of no module; `records` is 0 when it reads.
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
