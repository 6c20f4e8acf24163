//! Waiting for what must happen, however slow the machine.

use std::time::{Duration, Instant};

/// The time-out for anything that is due at once. It does not measure speed: machines are slow, and do other things
/// besides. A test that waits this long has found something that never happens.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// The time-out for a server's end that must not wait for anybody. Much longer than it takes, and shorter than the
/// time-outs that would end it otherwise: those of a body or of a connection.
pub(crate) const SOON: Duration = Duration::from_secs(25);

/// The interval between two checks: a tenth of the time waited so far, within these bounds. What happens soon is seen
/// soon, and a long wait leaves the processor to others.
const RESTS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// Checks until there is a result.
pub(crate) async fn until<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        let waited = begun.elapsed();
        assert!(waited < PATIENCE, "timed out waiting for: {what}");
        tokio::time::sleep((waited / 10).clamp(RESTS.0, RESTS.1)).await;
    }
}
