//! PostgreSQL's warnings, which sqlx only logs.
//!
//! One of them must not be missed: an operator can cancel a COMMIT that waits for a synchronous standby. PostgreSQL
//! then warns, and reports the commit as done although only the primary has it.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{Layer, filter::Targets, layer::Context, registry::LookupSpan};

/// The target under which sqlx logs them.
const TARGET: &str = "sqlx::postgres::notice";

/// The number of warnings on all connections of this process.
static WARNINGS: AtomicU64 = AtomicU64::new(0);

/// The number of warnings so far, if [`listener`] is installed.
pub(in crate::store) fn warnings() -> u64 {
    WARNINGS.load(Ordering::Relaxed)
}

/// A layer that counts warnings, whatever the log's filter is.
pub fn listener<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    Listener.with_filter(Targets::new().with_target(TARGET, Level::WARN))
}

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        WARNINGS.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::{listener, warnings};

    #[test]
    fn warnings_are_counted_and_nothing_else() {
        let before = warnings();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(listener()), || {
            tracing::warn!(target: "sqlx::postgres::notice", "canceling wait");
            tracing::info!(target: "sqlx::postgres::notice", "a table exists");
            tracing::warn!(target: "sqlx::query", "slow");
        });
        assert_eq!(warnings() - before, 1);
    }
}
