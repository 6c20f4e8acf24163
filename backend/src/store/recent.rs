//! What is counted over every item: exact while there are few, else a moment old.
//!
//! With hundreds of thousands of items a count takes longer than a page should. Then callers get the last result, and
//! the next count is made beside them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::StoreError;

/// The result of counting fewer rows is not kept: the next caller gets a new one.
const MANY: u64 = 50_000;

/// How many times as long as it took to count the result is shown, so that counting does not keep the database busy.
const SHARE: u32 = 20;

/// The oldest result that is shown. An older one says too little.
const OLDEST: Duration = Duration::from_secs(60);

/// The last results, by destination.
#[derive(Debug)]
pub(super) struct Recent<T>(Arc<Mutex<HashMap<String, Seen<T>>>>);

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

/// What to do for a caller.
enum Look<T> {
    /// Count now.
    Count,
    /// Show this.
    Show(T),
    /// Show this, and count for the next caller.
    ShowAndCount(T),
}

impl<T> Clone for Recent<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Counted + Clone + Send + 'static> Recent<T> {
    /// The result of `count`, or the last one while counting takes long.
    pub(super) async fn get<C>(&self, destination: &str, count: C) -> Result<T, StoreError>
    where
        C: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        match self.look(destination) {
            Look::Count => self.count(destination, count).await,
            Look::Show(value) => Ok(value),
            Look::ShowAndCount(value) => {
                let (this, destination) = (self.clone(), destination.to_owned());
                tokio::spawn(async move {
                    if let Err(error) = this.count(&destination, count).await {
                        tracing::warn!(%error, destination, "could not count the sync items");
                    }
                });
                Ok(value)
            }
        }
    }

    fn look(&self, destination: &str) -> Look<T> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = seen.get_mut(destination) else { return Look::Count };
        let age = seen.at.elapsed();
        if seen.value.rows() < MANY || age >= OLDEST {
            Look::Count
        } else if seen.renewed || age < seen.took * SHARE {
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
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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

    use super::{Counted, MANY, OLDEST, Recent, SHARE};

    impl Counted for u64 {
        fn rows(&self) -> u64 {
            *self
        }
    }

    async fn get(recent: &Recent<u64>, value: u64, took: Duration) -> u64 {
        let count = async move {
            tokio::time::sleep(took).await;
            Ok(value)
        };
        recent.get("zoho", count).await.unwrap()
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
}
