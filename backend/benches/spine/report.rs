//! Tables for people.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use crate::{Failed, database::Databases};

/// A Markdown table; its first column contains words, the others numbers.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { rows: vec![head.into_iter().map(Into::into).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn print(&self) {
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let columns = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns).map(|column| width(column).max(3)).collect();
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = String::from("|");
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
                let _ = match column {
                    0 => write!(line, " {cell}{padding} |"),
                    _ => write!(line, " {padding}{cell} |"),
                };
            }
            println!("{line}");
            if index == 0 {
                let rule = |(column, width): (usize, &usize)| match column {
                    0 => format!("{}|", "-".repeat(width + 2)),
                    _ => format!("{}:|", "-".repeat(width + 1)),
                };
                println!("|{}", widths.iter().enumerate().map(rule).collect::<String>());
            }
        }
        println!();
    }
}

/// A number with at most three significant digits and thousands separators: `12,345`, `123`, `12.3`, `1.23`.
pub(crate) fn number(value: f64) -> String {
    match value {
        v if v.is_nan() => "–".to_owned(),
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => grouped(v.round() as u64),
    }
}

/// A count with thousands separators.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn ratio(value: f64) -> String {
    format!("{}×", number(value))
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

/// The machine that the numbers were measured on.
pub(crate) fn machine(databases: &Databases) -> Result<String, Failed> {
    let information = fs::read_to_string("/proc/cpuinfo")?;
    let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown", |(_, model)| model.trim());
    let processors = std::thread::available_parallelism()?;
    let sync = sync_milliseconds(databases)?;
    Ok(format!(
        "{processors} processors ({model}), shared by clients, server and database; load before the run {}; \
         the disk makes 4 KiB durable in {} ms (median).",
        fs::read_to_string("/proc/loadavg")?.split(' ').next().unwrap_or_default(),
        number(sync),
    ))
}

/// The time the disk takes to make 4 KiB durable: the least that each transaction waits.
fn sync_milliseconds(databases: &Databases) -> Result<f64, Failed> {
    let path = databases.folder().join("sync");
    let mut file = fs::File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..100 {
        let started = Instant::now();
        file.write_all(&[0; 4096])?;
        rustix::fs::fdatasync(file.as_fd())?;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
    }
    fs::remove_file(path)?;
    times.sort_by(f64::total_cmp);
    Ok(times.get(50).copied().unwrap_or_default())
}
