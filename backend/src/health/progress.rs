//! Whether a task moves on, for whoever watches it.

use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Since when a task has been at its present piece of work. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Progress(watch::Sender<Option<Instant>>);

impl Progress {
    /// How long the present piece has taken so far; `None` while the task waits for work.
    pub fn busy_for(&self) -> Option<Duration> {
        self.0.borrow().map(|since| since.elapsed())
    }

    /// Whether the present piece takes longer than that.
    pub fn is_stuck(&self, patience: Duration) -> bool {
        self.busy_for().is_some_and(|time| time > patience)
    }

    /// Does one piece of work.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        self.0.send_replace(Some(Instant::now()));
        let result = work.await;
        self.0.send_replace(None);
        result
    }
}
