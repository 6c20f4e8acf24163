//! Randomness, passed in so that tests can set it. Not for secrets.

use std::{sync::Arc, time::Duration};

/// Gives random numbers. Cheap to clone.
#[derive(Clone)]
pub struct Random(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Random {
    /// The machine's randomness. If that fails, which it does not once the machine has booted, every number is 0: this
    /// needs spread, not secrecy.
    pub fn system() -> Self {
        Self(Arc::new(|| getrandom::u64().unwrap_or_default()))
    }

    /// Numbers from a function.
    pub fn new(next: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(next))
    }

    /// A random number.
    pub fn number(&self) -> u64 {
        (self.0)()
    }

    /// A random duration from zero to `most`, in whole milliseconds.
    pub fn up_to(&self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(most.checked_add(1).map_or(self.number(), |end| self.number() % end))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Random;

    #[test]
    fn durations_stay_below_the_limit() {
        for number in [0, 1, 1_000, 1_001, u64::MAX] {
            assert!(Random::new(move || number).up_to(Duration::from_secs(1)) <= Duration::from_secs(1));
        }
        assert_eq!(Random::new(|| 1_000).up_to(Duration::from_secs(1)), Duration::from_secs(1));
    }
}
