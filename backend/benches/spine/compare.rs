//! The cost of a change: this build and other ones side by side, in alternating rounds, so that changes of the machine
//! affect all alike.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    Failed,
    database::{Databases, Kind},
    delivery,
    ingest::{self, Way},
    report::{Table, number, ratio},
};

/// The compared ingest: single events through the writer.
const ROW: ingest::Row = (Way::Writer, 64);

/// Rounds, unless it is quick.
const INGEST_ROUNDS: usize = 7;
const DELIVERY_ROUNDS: usize = 5;

/// What is compared.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    Ingest,
    Delivery,
}

/// What a round of it cost.
struct Cost {
    /// Events or records per second.
    rate: f64,
    /// The servers' CPU, in milliseconds per 1,000.
    cpu: f64,
}

pub(crate) async fn run(
    databases: &Databases,
    kind: Kind,
    work: Work,
    others: &[PathBuf],
    quick: bool,
) -> Result<(), Failed> {
    let rounds = work.rounds(quick);
    let mut sides: Vec<(Option<&Path>, Vec<Cost>)> = vec![(None, Vec::new())];
    sides.extend(others.iter().map(|other| (Some(other.as_path()), Vec::new())));
    let count = sides.len();
    for round in 0..rounds {
        for turn in 0..count {
            let Some((program, results)) = sides.get_mut((round + turn) % count) else { continue };
            let cost = work.measure(databases, kind, *program, quick).await?;
            let (rate, cpu) = (number(cost.rate), number(cost.cpu));
            let (slug, name) = (kind.slug(), name(*program));
            eprintln!("against-{slug} round {} of {rounds}: {name}: {rate} {}, {cpu} ms", round + 1, work.unit());
            results.push(cost);
        }
    }
    println!("### Against other programs\n");
    println!("{}; {rounds} rounds that take turns; medians, lowest to highest.\n", work.describe());
    print_table(work, &sides);
    Ok(())
}

impl Work {
    fn rounds(self, quick: bool) -> usize {
        match self {
            _ if quick => 1,
            Self::Ingest => INGEST_ROUNDS,
            Self::Delivery => DELIVERY_ROUNDS,
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Ingest => "events/s",
            Self::Delivery => "records/s",
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Ingest => "64 clients, single events",
            Self::Delivery => "Grades that wait, delivered by one process",
        }
    }

    async fn measure(
        self,
        databases: &Databases,
        kind: Kind,
        program: Option<&Path>,
        quick: bool,
    ) -> Result<Cost, Failed> {
        match self {
            Self::Ingest => {
                let times = (Duration::from_secs(1), Duration::from_secs(if quick { 2 } else { 4 }));
                let measured = ingest::measure(databases, kind, program, ROW, times).await?;
                Ok(Cost { rate: measured.rate(), cpu: measured.cpu_per_thousand() * 1_000.0 })
            }
            Self::Delivery => {
                let measured = delivery::measure(databases, kind, program, 1, delivery::records(quick)).await?;
                Ok(Cost { rate: measured.rate(), cpu: measured.cpu_per_thousand() * 1_000.0 })
            }
        }
    }
}

fn name(program: Option<&Path>) -> String {
    program.map_or_else(|| "this".to_owned(), |program| program.display().to_string())
}

fn print_table(work: Work, sides: &[(Option<&Path>, Vec<Cost>)]) {
    let spreads: Vec<_> = sides
        .iter()
        .map(|(program, costs)| (*program, Spread::of(costs, |cost| cost.rate), Spread::of(costs, |cost| cost.cpu)))
        .collect();
    let (own_rate, own_cpu) = spreads.first().map_or((f64::NAN, f64::NAN), |(_, rate, cpu)| (rate.median, cpu.median));
    let mut table = Table::new(["", work.unit(), "", "this to it", "CPU ms / 1,000", "", "this to it"]);
    for (program, rate, cpu) in &spreads {
        table.row([
            name(*program),
            number(rate.median),
            rate.range(),
            ratio(own_rate / rate.median),
            number(cpu.median),
            cpu.range(),
            ratio(own_cpu / cpu.median),
        ]);
    }
    table.print();
}

struct Spread {
    median: f64,
    lowest: f64,
    highest: f64,
}

impl Spread {
    fn of(costs: &[Cost], value: impl Fn(&Cost) -> f64) -> Self {
        let mut values: Vec<f64> = costs.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        Self { median: at(values.len() / 2), lowest: at(0), highest: at(values.len().saturating_sub(1)) }
    }

    fn range(&self) -> String {
        format!("{}–{}", number(self.lowest), number(self.highest))
    }
}
