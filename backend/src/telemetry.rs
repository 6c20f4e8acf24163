//! The log: to standard error or into a file, without personal data.
//!
//! A message says what happened; what varies is in fields. Names, addresses and what a site sent are in neither: a record is
//! named by its site and id.

use std::io::Write;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{Log, LogFormat};

/// The log filter is malformed.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is wrong: log.level: {0}")]
pub struct InvalidFilter(#[from] tracing_subscriber::filter::ParseError);

/// Starts logging to standard error. What is logged is written by a thread of its own until the guard is dropped.
pub fn start(log: &Log) -> Result<WorkerGuard, InvalidFilter> {
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    start_to(log, std::io::stderr(), colours)
}

/// Starts logging to a place of one's own.
pub fn start_to(log: &Log, to: impl Write + Send + 'static, colours: bool) -> Result<WorkerGuard, InvalidFilter> {
    let filter = EnvFilter::builder().parse(&log.level)?;
    // Not lossy: a log line per event is a promise.
    let (writer, guard) = tracing_appender::non_blocking::NonBlockingBuilder::default().lossy(false).finish(to);
    let registry = tracing_subscriber::registry().with(filter);
    match log.format {
        LogFormat::Text => registry.with(fmt::layer().with_writer(writer).with_ansi(colours)).init(),
        LogFormat::Json => registry.with(fmt::layer().json().flatten_event(true).with_writer(writer)).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        // The place alone: the message may hold what was being worked on.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
    Ok(guard)
}
