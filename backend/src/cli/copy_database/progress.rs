//! The progress of a copy: a bar on a terminal, lines elsewhere.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::store::copy::{Stage, Watch};

/// Between two progress lines in a log.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct Progress {
    /// The bar of the current stage, on a terminal.
    bar: Option<ProgressBar>,
    stage: Stage,
    rows: u64,
    /// When the stage began, and the rows done by then.
    began: (Instant, u64),
    done: u64,
    /// When the last progress line was printed.
    printed: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { bar: None, stage: Stage::Reading, rows: 0, began: (now, 0), done: 0, printed: now }
    }

    fn verb(&self) -> &'static str {
        match self.stage {
            Stage::Reading => "reading the source",
            Stage::Copying => "copying",
            Stage::Verifying => "verifying the destination",
        }
    }

    fn rate(&self) -> f64 {
        (self.done - self.began.1) as f64 / self.began.0.elapsed().as_secs_f64().max(0.001)
    }

    fn line(&self, rest: &str) {
        let (verb, done, rows, rate) = (self.verb(), self.done, self.rows, self.rate());
        let _ = writeln!(std::io::stderr(), "{verb}: {done} of {rows} rows, {rate:.0} rows/s{rest}");
    }
}

impl Watch for Progress {
    fn begin(&mut self, stage: Stage, rows: u64, done: u64) {
        let now = Instant::now();
        *self = Self { bar: None, stage, rows, began: (now, done), done, printed: now };
        if stage == Stage::Copying && done > 0 {
            let _ =
                writeln!(std::io::stderr(), "resuming an interrupted copy: {done} of {rows} rows are already there");
        }
        if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(rows).with_position(done);
            let style = ProgressStyle::with_template("{msg:<26} {bar:30} {pos}/{len} {rate} {eta}");
            if let Ok(style) = style {
                let rate = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
                    let _ = write!(text, "{:.0}/s", state.per_sec());
                };
                bar.set_style(style.with_key("rate", rate));
            }
            bar.set_message(self.verb());
            self.bar = Some(bar);
        }
    }

    fn advance(&mut self, table: &str, rows: u64) {
        self.done += rows;
        match &self.bar {
            Some(bar) => bar.inc(rows),
            None if self.printed.elapsed() >= LINE_INTERVAL => {
                self.printed = Instant::now();
                let left = self.rows.saturating_sub(self.done) as f64 / self.rate().max(0.001);
                self.line(&format!(", {left:.0} s left; now {table}"));
            }
            None => {}
        }
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let seconds = self.began.0.elapsed().as_secs_f64();
        self.line(&format!(" (took {seconds:.1} s)"));
    }
}
