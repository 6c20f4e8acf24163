//! A clock that advances by the monotonic clock.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{ClockSource, ClockStanding, Doubt, Timestamp, ms};
use crate::limits;

/// Time = the monotonic clock + an offset. Only the timekeeper changes the offset.
pub(crate) struct Steady {
    monotonic: Box<dyn Fn() -> Duration + Send + Sync>,
    state: Mutex<SteadyState>,
}

struct SteadyState {
    /// Unix milliseconds at the monotonic clock's zero.
    offset: i64,
    /// The latest time returned: time never goes back, not even a little, until it is corrected.
    latest: Timestamp,
    standing: ClockStanding,
    /// The readings of other sources, as offsets, and their age by the monotonic clock.
    said: BTreeMap<ClockSource, (i64, Duration)>,
}

impl Steady {
    /// A clock that starts at `now`. It is not agreed until compared with other clocks.
    pub(super) fn new(now: Timestamp, monotonic: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let offset = now.0 - ms(monotonic());
        let standing = ClockStanding { doubt: Some(Doubt::NotCompared), machine_ahead_ms: 0 };
        let state = Mutex::new(SteadyState { offset, latest: now, standing, said: BTreeMap::new() });
        Self { monotonic: Box::new(monotonic), state }
    }

    pub(super) fn now(&self) -> Timestamp {
        let mut state = self.state();
        let now = Timestamp(state.offset + ms((self.monotonic)())).max(state.latest);
        state.latest = now;
        now
    }

    /// The monotonic clock.
    pub(crate) fn monotonic(&self) -> Duration {
        (self.monotonic)()
    }

    pub(super) fn standing(&self) -> ClockStanding {
        self.state().standing
    }

    pub(super) fn hear(&self, source: ClockSource, time: Timestamp) {
        let at = self.monotonic();
        let mut state = self.state();
        if state.said.len() < limits::CLOCK_SITES || state.said.contains_key(&source) {
            state.said.insert(source, (time.0.saturating_sub(ms(at)), at));
        }
    }

    /// The recent readings of other sources, as offsets.
    pub(crate) fn said(&self) -> Vec<(ClockSource, i64)> {
        let at = self.monotonic();
        let mut state = self.state();
        state.said.retain(|_, (_, said_at)| at.saturating_sub(*said_at) <= limits::CLOCK_SAID);
        state.said.iter().map(|(source, (offset, _))| (*source, *offset)).collect()
    }

    /// Sets the offset; time may step.
    pub(crate) fn set(&self, offset: i64, standing: ClockStanding) {
        let mut state = self.state();
        (state.offset, state.standing) = (offset, standing);
        state.latest = Timestamp(offset + ms(self.monotonic()));
    }

    /// Adjusts the offset. Time only goes back if it was far ahead; otherwise it stands still for a moment.
    pub(crate) fn go_on(&self, offset: i64, standing: ClockStanding) {
        let before = self.state().offset;
        if offset < before - ms(limits::CLOCK_AHEAD) {
            return self.set(offset, standing);
        }
        let mut state = self.state();
        (state.offset, state.standing) = (offset, standing);
    }

    fn state(&self) -> MutexGuard<'_, SteadyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    use super::{ClockSource, ClockStanding, Steady, Timestamp};

    #[test]
    fn time_goes_back_only_when_it_was_far_ahead() {
        let seconds = Arc::new(AtomicU64::new(100));
        let monotonic = Arc::clone(&seconds);
        let steady = Steady::new(Timestamp(5_000_000), move || Duration::from_secs(monotonic.load(Ordering::SeqCst)));
        seconds.store(101, Ordering::SeqCst);
        assert_eq!(steady.now(), Timestamp(5_001_000));
        let offset = 5_000_000 - 100_000;
        steady.go_on(offset - 500, ClockStanding::default());
        assert_eq!(steady.now(), Timestamp(5_001_000), "a slower clock stands still for a moment");
        seconds.store(102, Ordering::SeqCst);
        assert_eq!(steady.now(), Timestamp(5_001_500));
        steady.go_on(offset - 1_000_000, ClockStanding::default());
        assert_eq!(steady.now(), Timestamp(4_002_000));
    }

    #[test]
    fn what_was_said_long_ago_does_not_count() {
        let seconds = Arc::new(AtomicU64::new(0));
        let monotonic = Arc::clone(&seconds);
        let steady = Steady::new(Timestamp(0), move || Duration::from_secs(monotonic.load(Ordering::SeqCst)));
        steady.hear(ClockSource::Moodle(1), Timestamp(7_000));
        seconds.store(3_000, Ordering::SeqCst);
        steady.hear(ClockSource::Zoho, Timestamp(3_000_000));
        assert_eq!(steady.said(), [(ClockSource::Moodle(1), 7_000), (ClockSource::Zoho, 0)]);
        seconds.store(3_601, Ordering::SeqCst);
        assert_eq!(steady.said(), [(ClockSource::Zoho, 0)]);
    }
}
