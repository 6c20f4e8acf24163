//! Waiting for what must come, however long the machine takes.

use std::time::{Duration, Instant};

/// How long anything may take that is due at once. It is no measure of speed: machines are slow, and do other things besides. A test
/// that waits that long has found something that never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// How long the end of a server may take that is not to wait for anybody. Much longer than it takes, and shorter than the time-outs by
/// which it would end otherwise: those of a body or of a connection.
pub(crate) const SOON: Duration = Duration::from_secs(25);

/// The rest between two looks: a tenth of the time waited so far, within these bounds. What comes soon is seen soon, and a test that waits
/// long leaves the processor to the others.
const RESTS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// Looks until the answer is something.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        let waited = begun.elapsed();
        assert!(waited < PATIENCE, "in vain: {what}");
        tokio::time::sleep((waited / 10).clamp(RESTS.0, RESTS.1)).await;
    }
}
