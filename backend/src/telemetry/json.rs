//! Log lines for programs: one flat JSON object each, with the fields of the spans next to those of the event.

use std::fmt;

use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use super::text::is_for_traces;

/// The format of a line. Requires span fields formatted as JSON.
pub(super) struct JsonLines;

/// Names and values in the order of output. The first of each name wins.
struct Line(Vec<(String, Value)>);

impl Line {
    fn add(&mut self, name: &str, value: Value) {
        if !self.0.iter().any(|(other, _)| other == name) {
            self.0.push((name.to_owned(), value));
        }
    }

    fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut bytes = Vec::with_capacity(256);
        let mut serializer = serde_json::Serializer::new(&mut bytes);
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            object.serialize_entry(name, value)?;
        }
        object.end()?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field.name(), format!("{value:?}").into());
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut line = Line(Vec::with_capacity(16));
        line.add("timestamp", time.into());
        line.add("level", event.metadata().level().as_str().into());
        event.record(&mut line);
        // From the innermost span outwards: the one nearest to the event wins.
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().map(|fields| fields.as_str()).unwrap_or_default();
            let fields = serde_json::from_str::<Map<String, Value>>(fields).unwrap_or_default();
            for (name, value) in fields.into_iter().filter(|(name, _)| !is_for_traces(name)) {
                line.add(&name, value);
            }
        }
        line.add("target", event.metadata().target().into());
        writer.write_str(&line.to_json().map_err(|_| fmt::Error)?)?;
        writer.write_char('\n')
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tracing_subscriber::{fmt, fmt::format::JsonFields, layer::SubscriberExt};

    use crate::telemetry::buffer::Buffer;

    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = fmt::layer()
            .with_writer(move || writer.clone())
            .event_format(super::JsonLines)
            .fmt_fields(JsonFields::new());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        buffer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_one_flat_object() {
        let lines = lines(|| {
            let outer =
                tracing::error_span!("request", request_id = "r1", kind = "outer", otel.kind = "server").entered();
            tracing::info!(count = 3_u64, good = true, ratio = 0.5, less = -1, text = ?Some("x"), "two\nlines \
                                                                                                   \"quoted\"");
            let inner = tracing::error_span!("delivery", kind = "inner", late = tracing::field::Empty).entered();
            inner.record("late", 7);
            tracing::warn!(request_id = "own", message = "nested");
            drop((inner, outer));
            tracing::error!("alone");
        });
        let [first, second, third] = <[Value; 3]>::try_from(lines).unwrap();
        for line in [&first, &second, &third] {
            let time = line["timestamp"].as_str().unwrap();
            assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok() && time.ends_with('Z'), "{time}");
            assert_eq!(line["target"], module_path!());
        }
        assert_eq!(first["message"], "two\nlines \"quoted\"");
        assert_eq!((&first["count"], &first["good"], &first["ratio"]), (&json!(3), &json!(true), &json!(0.5)));
        assert_eq!((&first["less"], &first["text"]), (&json!(-1), &json!("Some(\"x\")")));
        assert_eq!(
            (&first["request_id"], &first["kind"], &first["level"]),
            (&json!("r1"), &json!("outer"), &json!("INFO"))
        );
        assert_eq!(
            (&second["request_id"], &second["kind"], &second["late"]),
            (&json!("own"), &json!("inner"), &json!(7))
        );
        assert_eq!(first.get("otel.kind"), None);
        assert_eq!((&third["message"], third.get("request_id")), (&json!("alone"), None));
    }
}
