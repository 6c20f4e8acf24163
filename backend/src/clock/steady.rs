//! A clock that advances by the monotonic clock.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{ClockSource, ClockStatus, Disagreement, Timestamp, ms};
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
    status: ClockStatus,
    /// The readings of other sources, as offsets, and their age by the monotonic clock.
    readings: BTreeMap<ClockSource, (i64, Duration)>,
}

impl Steady {
    /// A clock that starts at `now`. It is not agreed until compared with other clocks.
    pub(super) fn new(now: Timestamp, monotonic: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let offset = now.0 - ms(monotonic());
        let status = ClockStatus { disagreement: Some(Disagreement::NotCompared), machine_ahead_ms: 0 };
        let state = Mutex::new(SteadyState { offset, latest: now, status, readings: BTreeMap::new() });
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

    pub(super) fn status(&self) -> ClockStatus {
        self.state().status
    }

    pub(super) fn add_reading(&self, source: ClockSource, time: Timestamp) {
        let at = self.monotonic();
        let mut state = self.state();
        if state.readings.len() < limits::CLOCK_SOURCES || state.readings.contains_key(&source) {
            state.readings.insert(source, (time.0.saturating_sub(ms(at)), at));
        }
    }

    /// The recent readings of other sources, as offsets.
    pub(crate) fn recent_readings(&self) -> Vec<(ClockSource, i64)> {
        let at = self.monotonic();
        let mut state = self.state();
        state.readings.retain(|_, (_, said_at)| at.saturating_sub(*said_at) <= limits::CLOCK_READING_TIME);
        state.readings.iter().map(|(source, (offset, _))| (*source, *offset)).collect()
    }

    /// Sets the offset; time may step.
    pub(crate) fn set(&self, offset: i64, status: ClockStatus) {
        let mut state = self.state();
        (state.offset, state.status) = (offset, status);
        state.latest = Timestamp(offset + ms(self.monotonic()));
    }

    /// Adjusts the offset. Time only goes back if it was far ahead; otherwise it stands still for a moment.
    pub(crate) fn adjust(&self, offset: i64, status: ClockStatus) {
        let before = self.state().offset;
        if offset < before - ms(limits::CLOCK_AHEAD) {
            return self.set(offset, status);
        }
        let mut state = self.state();
        (state.offset, state.status) = (offset, status);
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

    use super::{ClockSource, ClockStatus, Steady, Timestamp};

    #[test]
    fn time_goes_back_only_when_it_was_far_ahead() {
        let seconds = Arc::new(AtomicU64::new(100));
        let monotonic = Arc::clone(&seconds);
        let steady = Steady::new(Timestamp(5_000_000), move || Duration::from_secs(monotonic.load(Ordering::SeqCst)));
        seconds.store(101, Ordering::SeqCst);
        assert_eq!(steady.now(), Timestamp(5_001_000));
        let offset = 5_000_000 - 100_000;
        steady.adjust(offset - 500, ClockStatus::default());
        assert_eq!(steady.now(), Timestamp(5_001_000), "a slower clock stands still for a moment");
        seconds.store(102, Ordering::SeqCst);
        assert_eq!(steady.now(), Timestamp(5_001_500));
        steady.adjust(offset - 1_000_000, ClockStatus::default());
        assert_eq!(steady.now(), Timestamp(4_002_000));
    }

    #[test]
    fn old_readings_do_not_count() {
        let seconds = Arc::new(AtomicU64::new(0));
        let monotonic = Arc::clone(&seconds);
        let steady = Steady::new(Timestamp(0), move || Duration::from_secs(monotonic.load(Ordering::SeqCst)));
        steady.add_reading(ClockSource::Moodle(1), Timestamp(7_000));
        seconds.store(3_000, Ordering::SeqCst);
        steady.add_reading(ClockSource::Zoho, Timestamp(3_000_000));
        assert_eq!(steady.recent_readings(), [(ClockSource::Moodle(1), 7_000), (ClockSource::Zoho, 0)]);
        seconds.store(3_601, Ordering::SeqCst);
        assert_eq!(steady.recent_readings(), [(ClockSource::Zoho, 0)]);
    }
}
