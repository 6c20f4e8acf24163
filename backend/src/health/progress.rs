//! The progress of a task, to detect when it is stuck.

use std::time::{Duration, Instant};

use tokio::sync::watch;

/// When a task started its current piece of work; none while it waits for work. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Progress(watch::Sender<Option<Instant>>);

impl Progress {
    /// How long the current piece has taken so far, if longer than `patience`; none while the task waits for work.
    pub fn stuck_for(&self, patience: Duration) -> Option<Duration> {
        self.0.borrow().map(|since| since.elapsed()).filter(|time| *time > patience)
    }

    /// Runs one piece of work.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        self.0.send_replace(Some(Instant::now()));
        let result = work.await;
        self.0.send_replace(None);
        result
    }
}
