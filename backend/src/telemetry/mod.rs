//! The log, to standard error or a file, and traces, to a collector if one is configured. Both are free of personal
//! data.
//!
//! A message says what happened; variable parts are in fields. Names, addresses and a site's data are in neither: a
//! record is identified by its site and id.
//!
//! The spans of requests and deliveries give log lines their context, so they exist at every level. All other spans are
//! for traces only, and exist only if something collects them.

#[cfg(test)]
mod buffer;
pub(crate) mod cause;
mod export;
mod json;
mod lines;
mod text;
pub(crate) mod trace;

use std::{io::Write, time::Duration};

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{LevelFilter, Targets},
    fmt::{self, format::JsonFields},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

pub use self::lines::lost as lost_lines;
use self::{export::TraceExport, lines::Lines};
use crate::{
    config::{LogConfig, LogFormat, Tracing},
    store,
};

/// Why log and traces cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter is malformed.
    #[error("the configuration is wrong: log.level: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter of traces cannot start.
    #[error("traces cannot be exported: {0}")]
    Export(String),
}

/// Keeps log and traces running.
pub struct Telemetry {
    export: Option<TraceExport>,
    _log: WorkerGuard,
}

impl Telemetry {
    /// Sends the remaining traces within `grace`, and writes the rest of the log.
    pub async fn end(self, grace: Duration) {
        if let Some(export) = self.export {
            export.end(grace).await;
        }
    }
}

/// Starts logging to standard error, and tracing. A thread writes the log until [`Telemetry`] is dropped.
pub fn start(log: &LogConfig, tracing: Option<&Tracing>) -> Result<Telemetry, TelemetryError> {
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    start_to(log, tracing, std::io::stderr(), colours)
}

/// Starts logging to `to`, and tracing.
pub fn start_to(
    log: &LogConfig,
    tracing: Option<&Tracing>,
    to: impl Write + Send + 'static,
    colours: bool,
) -> Result<Telemetry, TelemetryError> {
    // Spans that are only for traces stay out of the log, whatever its level.
    let filter = EnvFilter::builder().parse(&log.level)?.add_directive(format!("{}=off", trace::TARGET).parse()?);
    let export = tracing.map(TraceExport::start).transpose()?;
    let (writer, guard) = Lines::new(to);
    let lines = fmt::layer().with_writer(writer).with_ansi(colours);
    let lines = match log.format {
        LogFormat::Text => lines.fmt_fields(text::TextFields).with_filter(filter).boxed(),
        LogFormat::Json => {
            lines.event_format(json::JsonLines).fmt_fields(JsonFields::new()).with_filter(filter).boxed()
        }
    };
    let spans = [trace::TARGET, trace::SHARED].map(|target| (target, LevelFilter::TRACE));
    let traces = export.as_ref().map(|export| export.layer().with_filter(Targets::new().with_targets(spans)));
    tracing_subscriber::registry().with(lines).with(traces).with(store::postgres_warnings()).init();
    std::panic::set_hook(Box::new(|panic| {
        // Log only the place: the message may contain data.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
    Ok(Telemetry { export, _log: guard })
}
