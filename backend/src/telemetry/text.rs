//! Log lines for people: the library's format, without fields that are only for traces.

use std::{error::Error, fmt};

use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::{RecordFields, VisitOutput},
    fmt::{
        FormatFields,
        format::{DefaultVisitor, Writer},
    },
};

/// The format of fields.
pub(super) struct TextFields;

/// Whether a field is meant only for the tracing library.
pub(super) fn is_for_traces(name: &str) -> bool {
    name.starts_with("otel.")
}

struct Visitor<'a>(DefaultVisitor<'a>);

impl Visit for Visitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if !is_for_traces(field.name()) {
            self.0.record_str(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.0.record_error(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.record_debug(field, value);
    }
}

impl<'w> FormatFields<'w> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = Visitor(DefaultVisitor::new(writer, true));
        fields.record(&mut visitor);
        visitor.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::{fmt, layer::SubscriberExt};

    use crate::telemetry::buffer::Buffer;

    #[test]
    fn a_line_has_the_context_of_its_span() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = fmt::layer().with_writer(move || writer.clone()).with_ansi(false).fmt_fields(super::TextFields);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let _request = tracing::error_span!("request", request_id = "r1", otel.kind = "server").entered();
            tracing::info!(count = 3, outcome = "applied", "received");
        });
        let text = buffer.text();
        let rest = r#" INFO request{request_id="r1"}: backend_sync::telemetry::text::tests: received count=3 outcome="applied""#;
        assert_eq!(text.split_once('Z').unwrap().1, format!(" {rest}\n"));
    }
}
