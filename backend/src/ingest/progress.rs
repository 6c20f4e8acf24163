//! Whether the writer moves on, for whoever watches it.

use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Since when the writer has been at its present transaction. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Progress(watch::Sender<Option<Instant>>);

impl Progress {
    /// How long the present transaction has taken so far; `None` while the writer waits for work.
    pub fn busy_for(&self) -> Option<Duration> {
        self.0.borrow().map(|since| since.elapsed())
    }

    /// Does the work of one transaction.
    pub(super) async fn during<T>(&self, transaction: impl Future<Output = T>) -> T {
        self.0.send_replace(Some(Instant::now()));
        let result = transaction.await;
        self.0.send_replace(None);
        result
    }
}
