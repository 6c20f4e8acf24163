//! The operating system's numbers about this process, under the names that Prometheus clients share.

use std::{fmt, fs};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use crate::{clock::Timestamp, descriptors, telemetry::lost_lines};

/// Linux reports CPU time in hundredths of a second, whatever its internal tick is.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug)]
struct Process {
    started_at: Timestamp,
}

pub(super) fn register(registry: &mut Registry, started_at: Timestamp) {
    registry.register_collector(Box::new(Process { started_at }));
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: f64| {
            ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?)
        };
        let started_at = self.started_at.0 as f64 / 1_000.0;
        gauge("process_start_time", "Unix time at which the process started.", Some(&Unit::Seconds), started_at)?;
        if let Some(bytes) = resident_bytes() {
            gauge("process_resident_memory", "Resident memory size.", Some(&Unit::Bytes), bytes)?;
        }
        if let Some(open) = fs::read_dir("/proc/self/fd").ok().map(Iterator::count) {
            gauge("process_open_fds", "Open file descriptors.", None, open as f64)?;
        }
        if let Some(limit) = descriptors::soft_limit() {
            gauge("process_max_fds", "Maximum number of open file descriptors.", None, limit as f64)?;
        }
        if let Some(seconds) = cpu_seconds() {
            let (help, counter) = ("User and system CPU time spent.", ConstCounter::new(seconds));
            let unit = Some(&Unit::Seconds);
            counter.encode(encoder.encode_descriptor("process_cpu", help, unit, MetricType::Counter)?)?;
        }
        let (help, counter) = ("Log lines left out because nothing read the log.", ConstCounter::new(lost_lines()));
        counter.encode(encoder.encode_descriptor("backend_sync_log_lines_lost", help, None, MetricType::Counter)?)
    }
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?;
    Some(kib.parse::<f64>().ok()? * 1_024.0)
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // After the program's name, which may hold anything: user and system time are fields 12 and 13 of the rest.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<f64>);
    Some((times.next()?.ok()? + times.next()?.ok()?) / TICKS_PER_SECOND)
}
