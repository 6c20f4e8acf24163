//! Whether a task moves on, for whoever watches it.

use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Since when a task has been at its present piece of work. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Progress(watch::Sender<Option<Instant>>);

impl Progress {
    /// How long the present piece has taken so far, if longer than `patience`; none while the task waits for work.
    pub fn stuck_for(&self, patience: Duration) -> Option<Duration> {
        self.0.borrow().map(|since| since.elapsed()).filter(|time| *time > patience)
    }

    /// Does one piece of work.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        self.0.send_replace(Some(Instant::now()));
        let result = work.await;
        self.0.send_replace(None);
        result
    }
}
