//! PostgreSQL's warnings, which sqlx gives to the log alone.
//!
//! One of them must not be missed: a COMMIT that waits for a synchronous standby can be cancelled by an operator. PostgreSQL then
//! warns, and calls the commit done although it is on the primary alone.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{Layer, filter::Targets, layer::Context, registry::LookupSpan};

/// What sqlx logs them as.
const TARGET: &str = "sqlx::postgres::notice";

/// How many there were, on all connections of this process.
static WARNINGS: AtomicU64 = AtomicU64::new(0);

/// How many warnings there were so far, where [`listener`] listens.
pub(in crate::store) fn warnings() -> u64 {
    WARNINGS.load(Ordering::Relaxed)
}

/// Listens for warnings, whatever is logged.
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
