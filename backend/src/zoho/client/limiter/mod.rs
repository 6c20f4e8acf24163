//! Limits on concurrent calls and on credits per day: adapts to what Zoho allows, and leaves credits for others.

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
pub(super) use self::budget::CreditReport;
use crate::{clock::Timestamp, delivery::Admission, model::Lane};

/// The initial limit of concurrent calls: what the smallest edition allows.
const FIRST_LIMIT: f64 = 5.0;

/// The upper limit of concurrent calls: what the largest edition allows.
const MOST: f64 = 25.0;

/// A call that writes more records than this counts as wide.
const WIDE_RECORDS: usize = 10;

/// The limit of concurrent wide calls; Zoho's, for all editions.
const WIDE_CALLS: u32 = 10;

/// The pause after Zoho reported too many calls, in which running calls end.
const HOLD: Duration = Duration::from_millis(500);

/// Decides when calls may begin, and whether it is worth preparing one.
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
    /// Counts the calls that have begun.
    begun: u64,
    /// The number of the last call that reached the limit.
    full_at: u64,
    budget: Budget,
}

/// What a call's answer says about limits.
pub(super) struct CallOutcome {
    pub(super) credits: CreditReport,
    /// There were too many concurrent calls.
    pub(super) throttled: bool,
    /// Zoho processed the call.
    pub(super) answered: bool,
}

/// The right to make one call.
pub(super) struct Permit<'a> {
    limiter: &'a Limiter,
    wide: bool,
    /// Its number among the calls that have begun.
    number: u64,
    lowered: u64,
    credits: i64,
    /// The number of updates about credits when it began.
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

    /// Whether a call for this lane may be prepared now. `waiting_records` is the number of pending records in all
    /// lanes. An [`Admission::Go`] counts as spent until the call begins, or for some seconds.
    pub fn admit(&self, lane: Lane, waiting_records: u64, now: Timestamp) -> Admission {
        self.state().budget.admit(lane, waiting_records, now)
    }

    /// Whether deliveries are held back by a possibly outdated number of credits, so that a cheap call to refresh it is
    /// due.
    pub fn is_refresh_due(&self, now: Timestamp) -> bool {
        self.state().budget.is_refresh_due(now)
    }

    pub(super) fn take_refresh(&self, now: Timestamp) -> bool {
        self.state().budget.take_refresh(now)
    }

    /// The credits left as last reported, and when; `None` while more than half are left.
    pub fn credits(&self) -> Option<(i64, Timestamp)> {
        self.state().budget.left()
    }

    /// The current limit of concurrent calls.
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
            // Registered before the check, so that no release is missed.
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
            tracing::info!(calls = self.limit as u32, "lowered the limit of concurrent calls to Zoho");
        } else if outcome.answered && !outcome.throttled && permit.number <= self.full_at {
            // The limit was reached while it was in progress: one more for every round of calls.
            self.limit = (self.limit + 1.0 / self.limit).min(MOST);
        }
    }
}

impl Permit<'_> {
    /// Ends the call with its outcome.
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
                state.budget.end(self.credits, self.news, outcome.credits, now);
            }
            // Abandoned half-way: it may have cost its credits.
            None => state.budget.abandon(self.credits),
        }
        drop(state);
        self.limiter.freed.notify_waiters();
    }
}
