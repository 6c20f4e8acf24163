//! How many calls at a time, and how many a day: what Zoho allows is found out, and something is left for others.

mod budget;
#[cfg(test)]
mod tests;

use std::{
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use self::budget::Budget;
pub(super) use self::budget::Told;
use crate::{clock::Timestamp, delivery::Admission, model::Lane};

/// Calls at a time to begin with: what the smallest edition allows.
const FIRST_LIMIT: f64 = 5.0;

/// Calls at a time, at most: what the largest edition allows.
const MOST: f64 = 25.0;

/// A call that writes more records than this is a wide one.
const WIDE_RECORDS: usize = 10;

/// Wide calls at a time. Zoho's number, for all editions.
const WIDE_CALLS: u32 = 10;

/// How long no call begins after Zoho said that there were too many: those under way end meanwhile.
const HOLD: Duration = Duration::from_millis(500);

/// Lets calls begin, and tells the engine whether it is worth while to prepare one.
pub struct Limiter {
    state: Mutex<LimiterState>,
    freed: Notify,
}

struct LimiterState {
    limit: f64,
    calls: u32,
    wide: u32,
    /// How often the limit was lowered. A call that began before the last time says nothing new.
    lowered: u64,
    hold_until: Option<Instant>,
    /// How many calls began.
    begun: u64,
    /// Which of them was the last to use up the limit.
    full_at: u64,
    budget: Budget,
}

/// What the answer to a call said about limits.
pub(super) struct CallOutcome {
    pub(super) told: Told,
    /// There were too many calls at a time.
    pub(super) throttled: bool,
    /// Zoho worked on it.
    pub(super) answered: bool,
}

/// The right to make one call.
pub(super) struct Permit<'a> {
    limiter: &'a Limiter,
    wide: bool,
    /// Its number among those that began.
    number: u64,
    lowered: u64,
    credits: i64,
    /// Which news of the credits there was when it began.
    news: u64,
    end: Option<(CallOutcome, Timestamp)>,
}

impl Limiter {
    pub(super) fn new(reserve: u32) -> Self {
        let budget = Budget::new(i64::from(reserve));
        let state = LimiterState {
            limit: FIRST_LIMIT,
            calls: 0,
            wide: 0,
            lowered: 0,
            hold_until: None,
            begun: 0,
            full_at: 0,
            budget,
        };
        Self { state: Mutex::new(state), freed: Notify::new() }
    }

    /// Whether a call of this lane may be prepared now. `waiting_records`: how many wait in all, whatever their lane. A
    /// [`Admission::Go`] counts as spent until the call begins, or for some seconds.
    pub fn admit(&self, lane: Lane, waiting_records: u64, now: Timestamp) -> Admission {
        self.state().budget.admit(lane, waiting_records, now)
    }

    /// Whether deliveries are held back by what may be old news, so that it is time for a cheap call that shows the credits.
    pub fn is_look_due(&self, now: Timestamp) -> bool {
        self.state().budget.is_look_due(now)
    }

    pub(super) fn take_look(&self, now: Timestamp) -> bool {
        self.state().budget.take_look(now)
    }

    /// The credits that are left, and when Zoho said so; nothing while more than half of them are.
    pub fn credits(&self) -> Option<(i64, Timestamp)> {
        self.state().budget.left()
    }

    /// Calls at a time that are allowed at present.
    pub fn concurrency(&self) -> u32 {
        self.state().limit as u32
    }

    fn state(&self) -> MutexGuard<'_, LimiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a call may begin.
    pub(super) async fn permit(&self, writes: usize, credits: u32) -> Permit<'_> {
        loop {
            let mut freed = pin!(self.freed.notified());
            // From here on no release is missed.
            freed.as_mut().enable();
            let hold_until = {
                let mut state = self.state();
                match state.hold_until.filter(|until| *until > Instant::now()) {
                    Some(until) => Some(until),
                    None => match state.begin(self, writes > WIDE_RECORDS, i64::from(credits)) {
                        Some(permit) => return permit,
                        None => None,
                    },
                }
            };
            match hold_until {
                Some(until) => sleep_until(until).await,
                None => freed.await,
            }
        }
    }
}

impl LimiterState {
    fn begin<'a>(&mut self, limiter: &'a Limiter, wide: bool, credits: i64) -> Option<Permit<'a>> {
        if self.calls >= self.limit as u32 || (wide && self.wide >= WIDE_CALLS) {
            return None;
        }
        self.calls += 1;
        self.wide += u32::from(wide);
        self.begun += 1;
        if self.calls >= self.limit as u32 {
            self.full_at = self.begun;
        }
        let news = self.budget.begin(credits);
        Some(Permit { limiter, wide, number: self.begun, lowered: self.lowered, credits, news, end: None })
    }

    fn adapt(&mut self, permit: &Permit<'_>, outcome: &CallOutcome) {
        if outcome.throttled && permit.lowered == self.lowered {
            self.limit = (self.limit / 2.0).max(1.0);
            self.lowered += 1;
            self.hold_until = Some(Instant::now() + HOLD);
            tracing::info!(calls = self.limit as u32, "Zoho takes fewer calls at a time");
        } else if outcome.answered && !outcome.throttled && permit.number <= self.full_at {
            // The limit was used up while it was under way. One more for every round of calls.
            self.limit = (self.limit + 1.0 / self.limit).min(MOST);
        }
    }
}

impl Permit<'_> {
    /// The call is over.
    pub(super) fn end(mut self, outcome: CallOutcome, now: Timestamp) {
        self.end = Some((outcome, now));
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        state.calls -= 1;
        state.wide -= u32::from(self.wide);
        match self.end.take() {
            Some((outcome, now)) => {
                state.adapt(self, &outcome);
                state.budget.end(self.credits, self.news, outcome.told, now);
            }
            // Given up in the middle: it may have been paid for.
            None => state.budget.abandon(self.credits),
        }
        drop(state);
        self.limiter.freed.notify_waiters();
    }
}
