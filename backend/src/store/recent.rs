//! What is counted over every item: exact while there are few, else a moment old.
//!
//! With hundreds of thousands of items a count takes longer than a page should. Then callers get the last result, and
//! the next count is made beside them. A server counts when it starts, and whenever nobody has asked for a while, so that
//! whoever asks next does not wait either.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::StoreError;

/// The result of counting fewer rows is not kept: the next caller gets a new one.
const MANY: u64 = 50_000;

/// How many times as long as it took to count the result is shown, so that counting does not keep the database busy.
const SHARE: u32 = 20;

/// The oldest result that is shown, unless counting takes so long that it is made less often. An older one says too
/// little.
const OLDEST: Duration = Duration::from_secs(60);

/// The age at which a server makes a new result though nobody asks.
const KEPT: Duration = Duration::from_secs(30);

/// The last results, by destination.
#[derive(Debug)]
pub(super) struct Recent<T> {
    seen: Arc<Mutex<HashMap<String, Seen<T>>>>,
    /// Of those that need a result and have none, one counts for all.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct Seen<T> {
    value: T,
    at: Instant,
    took: Duration,
    /// Somebody is counting.
    renewed: bool,
}

/// A result of counting.
pub(super) trait Counted {
    /// The rows that were counted.
    fn rows(&self) -> u64;
}

impl<T: Counted> Seen<T> {
    /// How long it is shown before the next count.
    fn share(&self) -> Duration {
        self.took * SHARE
    }

    fn is_too_old(&self) -> bool {
        self.at.elapsed() >= OLDEST.max(self.share() * 2)
    }
}

/// What to do for a caller.
enum Look<T> {
    /// Count now: there are few.
    Count,
    /// There is no result, or an old one: count now, unless somebody is counting.
    CountOnce,
    /// Show this.
    Show(T),
    /// Show this, and count for the next caller.
    ShowAndCount(T),
}

impl<T> Clone for Recent<T> {
    fn clone(&self) -> Self {
        Self { seen: Arc::clone(&self.seen), turn: Arc::clone(&self.turn) }
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { seen: Arc::default(), turn: Arc::default() }
    }
}

impl<T: Counted + Clone + Send + 'static> Recent<T> {
    /// The result of `count`, or the last one while counting takes long.
    pub(super) async fn get<C>(&self, destination: &str, count: C) -> Result<T, StoreError>
    where
        C: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let mut turn = None;
        loop {
            match self.look(destination) {
                Look::Count => return self.count(destination, count).await,
                Look::CountOnce if turn.is_some() => return self.count(destination, count).await,
                Look::CountOnce => turn = Some(self.turn.lock().await),
                Look::Show(value) => return Ok(value),
                Look::ShowAndCount(value) => {
                    let (this, destination) = (self.clone(), destination.to_owned());
                    tokio::spawn(async move {
                        if let Err(error) = this.count(&destination, count).await {
                            tracing::warn!(%error, destination, "could not count the sync items");
                        }
                    });
                    return Ok(value);
                }
            }
        }
    }

    /// Makes a first result, and a new one when the last one becomes old, so that the next caller need not wait.
    pub(super) async fn keep(
        &self,
        destination: &str,
        count: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<(), StoreError> {
        let is_due = self.seen().get(destination).is_none_or(|seen| {
            seen.value.rows() >= MANY && !seen.renewed && seen.at.elapsed() >= KEPT.max(seen.share())
        });
        if is_due {
            let _turn = self.turn.lock().await;
            self.count(destination, count).await?;
        }
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Seen<T>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, destination: &str) -> Look<T> {
        let mut seen = self.seen();
        let Some(seen) = seen.get_mut(destination) else { return Look::CountOnce };
        if seen.value.rows() < MANY {
            Look::Count
        } else if seen.is_too_old() {
            Look::CountOnce
        } else if seen.renewed || seen.at.elapsed() < seen.share() {
            Look::Show(seen.value.clone())
        } else {
            seen.renewed = true;
            Look::ShowAndCount(seen.value.clone())
        }
    }

    async fn count(
        &self,
        destination: &str,
        count: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let counted = count.await;
        let mut seen = self.seen();
        match counted {
            Ok(value) => {
                let (at, took) = (Instant::now(), began.elapsed());
                seen.insert(destination.to_owned(), Seen { value: value.clone(), at, took, renewed: false });
                Ok(value)
            }
            Err(error) => {
                if let Some(seen) = seen.get_mut(destination) {
                    seen.renewed = false;
                }
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Counted, KEPT, MANY, OLDEST, Recent, SHARE, StoreError};

    impl Counted for u64 {
        fn rows(&self) -> u64 {
            *self
        }
    }

    async fn slow(value: u64, took: Duration) -> Result<u64, StoreError> {
        tokio::time::sleep(took).await;
        Ok(value)
    }

    async fn get(recent: &Recent<u64>, value: u64, took: Duration) -> u64 {
        recent.get("zoho", slow(value, took)).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_count_of_few_is_always_exact() {
        let recent = Recent::default();
        for value in 0..3 {
            assert_eq!(get(&recent, value, Duration::from_secs(1)).await, value);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_count_is_made_beside_the_callers() {
        let (recent, took) = (Recent::default(), Duration::from_millis(500));
        let [first, second, third, fourth, fifth] = [1, 2, 3, 4, 5].map(|more| MANY + more);
        assert_eq!(get(&recent, first, took).await, first);
        let asked = tokio::time::Instant::now();
        assert_eq!(get(&recent, second, took).await, first);
        tokio::time::sleep(took * SHARE).await;
        assert_eq!(get(&recent, third, took).await, first, "this caller does not wait either, but it is counted again");
        assert!(asked.elapsed() < took * (SHARE + 1));
        tokio::time::sleep(took * 2).await;
        assert_eq!(get(&recent, fourth, took).await, third);
        tokio::time::sleep(OLDEST).await;
        assert_eq!(get(&recent, fifth, took).await, fifth, "nothing older than a minute is shown");
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_wait_for_the_first_count_share_it() {
        let (recent, took) = (Recent::default(), Duration::from_millis(500));
        let kept = recent.clone();
        let starting = tokio::spawn(async move { kept.keep("zoho", async { slow(MANY, took).await }).await });
        tokio::task::yield_now().await;
        let asked = tokio::time::Instant::now();
        assert_eq!(tokio::join!(get(&recent, MANY + 1, took), get(&recent, MANY + 2, took)), (MANY, MANY));
        assert!(asked.elapsed() < took * 2, "nobody counted again");
        starting.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_result_is_never_too_old() {
        // Also where counting takes longer than an old result usually may be.
        for took in [Duration::from_millis(500), Duration::from_secs(10)] {
            let recent = Recent::default();
            for round in 0..100 {
                recent.keep("zoho", slow(MANY + round, took)).await.unwrap();
                tokio::time::sleep(Duration::from_secs(10)).await;
                let asked = tokio::time::Instant::now();
                get(&recent, MANY, took).await;
                assert!(asked.elapsed() < took, "a caller waits in round {round}");
            }
        }
        let few = Recent::default();
        few.keep("zoho", slow(1, KEPT)).await.unwrap();
        tokio::time::sleep(KEPT * 2).await;
        let begun = tokio::time::Instant::now();
        few.keep("zoho", slow(2, KEPT)).await.unwrap();
        assert!(begun.elapsed() < KEPT, "few are counted when somebody asks");
    }
}
