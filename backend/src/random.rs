//! Randomness, passed in, so that tests decide it.

use std::{sync::Arc, time::Duration};

/// Gives random numbers. Cheap to clone.
#[derive(Clone)]
pub struct Random(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Random {
    /// The machine's. Where that fails, which it does not after the start of the machine, everything is 0: what uses this needs
    /// spread, not secrecy.
    pub fn system() -> Self {
        Self(Arc::new(|| getrandom::u64().unwrap_or_default()))
    }

    /// Numbers from a function.
    pub fn new(next: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(next))
    }

    /// Any number.
    pub fn number(&self) -> u64 {
        (self.0)()
    }

    /// Any duration up to `most`, to the millisecond.
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
