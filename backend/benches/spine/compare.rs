//! The cost of a change: this build and other ones side by side, in alternating rounds, so that changes of the machine
//! affect all alike.

use std::{path::PathBuf, time::Duration};

use crate::{
    Failed,
    database::{Databases, Kind},
    ingest::{self, Way},
    load::Measured,
    report::{Table, number, ratio},
};

/// The compared load: single events through the writer.
const ROW: ingest::Row = (Way::Writer, 64);

pub(crate) async fn run(databases: &Databases, kind: Kind, others: &[PathBuf], quick: bool) -> Result<(), Failed> {
    let (rounds, warm_up, measured) = if quick { (1, 1, 2) } else { (7, 1, 4) };
    let times = (Duration::from_secs(warm_up), Duration::from_secs(measured));
    let mut sides: Vec<(Option<&PathBuf>, Vec<Measured>)> = vec![(None, Vec::new())];
    sides.extend(others.iter().map(|other| (Some(other), Vec::new())));
    let count = sides.len();
    for round in 0..rounds {
        for turn in 0..count {
            let Some((program, results)) = sides.get_mut((round + turn) % count) else { continue };
            let measured = ingest::measure(databases, kind, program.map(PathBuf::as_path), ROW, times).await?;
            let (rate, cpu) = (number(measured.rate()), number(measured.cpu_per_thousand() * 1_000.0));
            let name = program.map_or_else(|| "this".to_owned(), |program| program.display().to_string());
            eprintln!("against-{} round {} of {rounds}: {name}: {rate} events/s, {cpu} ms", kind.slug(), round + 1);
            results.push(measured);
        }
    }
    println!("### Against other programs\n");
    println!(
        "64 clients, single events; {rounds} rounds that take turns, {measured} s each; medians, lowest to highest.\n"
    );
    let cpu = |measured: &Measured| measured.cpu_per_thousand() * 1_000.0;
    let base = sides.first().map(|(_, results)| (Spread::of(results, Measured::rate), Spread::of(results, cpu)));
    let mut table = Table::new(["", "events/s", "", "this to it", "CPU ms / 1,000", "", "this to it"]);
    for (program, results) in &sides {
        let (rate, time) = (Spread::of(results, Measured::rate), Spread::of(results, cpu));
        let (own_rate, own_time) =
            base.as_ref().map_or((f64::NAN, f64::NAN), |(rate, time)| (rate.median, time.median));
        table.row([
            program.map_or_else(|| "this".to_owned(), |program| program.display().to_string()),
            number(rate.median),
            rate.range(),
            ratio(own_rate / rate.median),
            number(time.median),
            time.range(),
            ratio(own_time / time.median),
        ]);
    }
    table.print();
    Ok(())
}

struct Spread {
    median: f64,
    lowest: f64,
    highest: f64,
}

impl Spread {
    fn of(results: &[Measured], value: impl Fn(&Measured) -> f64) -> Self {
        let mut values: Vec<f64> = results.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        Self { median: at(values.len() / 2), lowest: at(0), highest: at(values.len().saturating_sub(1)) }
    }

    fn range(&self) -> String {
        format!("{}–{}", number(self.lowest), number(self.highest))
    }
}
