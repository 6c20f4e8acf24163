//! Charts of arrivals, deliveries, delays and failures, from the counts per minute.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::number;
use crate::{
    activity::{ActivityKind, DELAY_BOUNDS_MS},
    clock::Timestamp,
    store::Activity,
};

/// The time span of the charts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Range {
    #[default]
    Hour,
    Day,
    Week,
}

impl Range {
    pub(super) const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// The start, and the minutes per step. About eighty steps fit on a phone.
    pub(super) fn steps(self, now: Timestamp) -> (Timestamp, u32) {
        let (minutes, step) = match self {
            Self::Hour => (60, 1),
            Self::Day => (24 * 60, 15),
            Self::Week => (7 * 24 * 60, 120),
        };
        let step_ms = i64::from(step) * 60_000;
        (Timestamp((now.0 - minutes * 60_000).div_euclid(step_ms) * step_ms), step)
    }
}

/// A chart: data for the page's script, and the same as a table.
pub(super) struct Chart {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// For screen readers.
    pub(super) summary: String,
    /// Data for the script; contains no `<`.
    pub(super) json: String,
    /// The names of the series.
    pub(super) labels: Vec<&'static str>,
    /// Time and values of each step that is not empty.
    pub(super) rows: Vec<(String, Vec<String>)>,
}

#[derive(Serialize)]
struct ChartData {
    times: Vec<i64>,
    series: Vec<Series>,
    unit: &'static str,
}

#[derive(Serialize)]
struct Series {
    label: &'static str,
    values: Vec<Option<f64>>,
    colour: u8,
}

/// The counts of one step, by name.
type ChartStep = BTreeMap<String, u64>;

pub(super) fn all(counted: &[Activity], since: Timestamp, until: Timestamp, step_minutes: u32) -> Vec<Chart> {
    let step_ms = i64::from(step_minutes) * 60_000;
    let count = usize::try_from((until.0 - since.0) / step_ms + 1).unwrap_or_default();
    let mut steps: BTreeMap<i64, ChartStep> =
        (0i64..).take(count).map(|place| (since.0 + place * step_ms, ChartStep::new())).collect();
    for one in counted {
        if let Some(step) = steps.get_mut(&one.from.0) {
            *step.entry(one.name.clone()).or_default() += one.count;
        }
    }
    let of = |names: &[ActivityKind]| -> Vec<Option<f64>> {
        let names: Vec<String> = names.iter().map(|name| name.name()).collect();
        let sum = |step: &ChartStep| names.iter().filter_map(|name| step.get(name)).sum::<u64>();
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^52, and counts are far smaller")]
        steps.values().map(|step| Some(sum(step) as f64)).collect()
    };
    let arrived = ["applied", "unchanged", "superseded", "duplicate"].map(ActivityKind::Event);
    let times: Vec<i64> = steps.keys().map(|time| time / 1_000).collect();
    let delays = |share| steps.values().map(|step| delay(step, share)).collect();
    let one = |label, values, colour| Series { label, values, colour };
    vec![
        chart(
            "arrivals",
            "Arrivals",
            "events",
            &times,
            vec![one("accepted", of(&arrived), 1), one("rejected", of(&[ActivityKind::Event("rejected")]), 3)],
        ),
        chart(
            "deliveries",
            "Deliveries",
            "records",
            &times,
            vec![one("delivered", of(&[ActivityKind::Delivered]), 1), one("retried", of(&[ActivityKind::Retried]), 2)],
        ),
        chart(
            "delay",
            "Delay from the change in Moodle to the destination",
            "s",
            &times,
            vec![one("median", delays(0.5), 1), one("95th percentile", delays(0.95), 4)],
        ),
        chart("failures", "Failures", "records", &times, vec![one("failed", of(&[ActivityKind::Failed]), 3)]),
    ]
}

/// A quantile of the delay in seconds: the upper bound of its histogram bucket.
fn delay(step: &ChartStep, share: f64) -> Option<f64> {
    let buckets =
        DELAY_BOUNDS_MS.map(|bound| step.get(&ActivityKind::DelayedUpTo(bound).name()).copied().unwrap_or_default());
    let all: u64 = buckets.iter().sum();
    if all == 0 {
        return None;
    }
    let mut seen = 0;
    for (bound, count) in DELAY_BOUNDS_MS.into_iter().zip(buckets) {
        seen += count;
        #[expect(clippy::cast_precision_loss, reason = "an approximate share is enough")]
        if seen as f64 >= share * all as f64 {
            // The last bucket has no bound: it is shown as two hours.
            return Some(if bound == i64::MAX { 7_200.0 } else { bound as f64 / 1_000.0 });
        }
    }
    None
}

fn chart(id: &'static str, title: &'static str, unit: &'static str, times: &[i64], series: Vec<Series>) -> Chart {
    let labels = series.iter().map(|series| series.label).collect();
    let mut rows = Vec::new();
    for (place, time) in times.iter().enumerate() {
        let values: Vec<Option<f64>> =
            series.iter().map(|series| series.values.get(place).copied().flatten()).collect();
        if values.iter().flatten().any(|value| *value > 0.0) {
            let cells = values.iter().map(|value| value.map_or("–".to_owned(), |value| format!("{value}"))).collect();
            rows.push((Timestamp(time * 1_000).to_rfc3339(), cells));
        }
    }
    let most = |series: &Series| series.values.iter().flatten().copied().fold(0.0, f64::max);
    #[expect(clippy::cast_possible_truncation, reason = "whole units are enough in a summary")]
    let summary: Vec<String> = series
        .iter()
        .map(|series| format!("{}: at most {} {unit}", series.label, number(most(series).round() as i64)))
        .collect();
    let data = ChartData { times: times.to_vec(), series, unit };
    let json = serde_json::to_string(&data).unwrap_or_default().replace('<', "\\u003c");
    Chart { id, title, summary: summary.join(", "), json, labels, rows }
}

#[cfg(test)]
mod tests {
    use super::{Range, all};
    use crate::{activity::ActivityKind, clock::Timestamp, store::Activity};

    #[test]
    fn charts_add_up_and_have_no_gaps() {
        let now = Timestamp(1_795_335_030_000);
        let (since, step) = Range::Hour.steps(now);
        let at = |minute: i64, what: ActivityKind, count| Activity {
            from: Timestamp(since.0 + minute * 60_000),
            subject: "site:a".to_owned(),
            name: what.name(),
            count,
        };
        let counted = [
            at(3, ActivityKind::Event("applied"), 5),
            at(3, ActivityKind::Event("unchanged"), 2),
            at(4, ActivityKind::delay(300), 99),
            at(4, ActivityKind::delay(100_000), 1),
        ];
        let charts = all(&counted, since, now, step);
        let drawn = |place: usize| serde_json::from_str::<serde_json::Value>(&charts[place].json).unwrap();
        assert_eq!(drawn(0)["times"].as_array().unwrap().len(), 61);
        assert_eq!(drawn(0)["series"][0]["values"][3].to_string(), "7.0");
        assert_eq!(drawn(0)["series"][0]["values"][4].to_string(), "0.0");
        assert_eq!(drawn(2)["series"][1]["values"][4].to_string(), "0.5", "the 95th percentile is half a second");
        assert!(drawn(2)["series"][0]["values"][3].is_null());
        assert_eq!(charts[0].rows.len(), 1);
    }
}
