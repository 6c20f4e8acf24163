//! The credits of the rolling 24 hours: full speed while they suffice for what is pending, then spread over the day,
//! then none.

use std::{collections::VecDeque, time::Duration};

use crate::{
    clock::Timestamp,
    delivery::Admission,
    model::Lane,
    zoho::client::calls::{RECORDS, RECORDS_PER_CREDIT},
};

/// The window over which Zoho counts.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The age at which the known number of credits is refreshed while it stops all deliveries.
const REFRESH_WHEN_STOPPED: Duration = Duration::from_secs(15 * 60);

/// The same when it comes from a refusal without a number, which a refresh will supply.
const REFRESH_AFTER_REFUSAL: Duration = Duration::from_secs(60);

/// The same while deliveries are spread: a refresh costs a credit that a delivery could use.
const REFRESH_WHEN_SPREAD: Duration = Duration::from_secs(60 * 60);

/// What an answer says about the credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::zoho::client) enum CreditReport {
    /// The number left.
    Left(i64),
    /// The call was refused because none are left.
    UsedUp,
    /// More than half are left: then Zoho sends no number.
    Plenty,
    /// Nothing.
    Nothing,
}

/// How long an admission counts as spent if its call does not begin; after that it was not needed.
const GRANT_TIME: Duration = Duration::from_secs(5);

/// The time until which the credits must last, and the spare credits a day before that.
#[derive(Clone, Copy)]
struct Window {
    end: Timestamp,
    spare: i64,
}

pub(super) struct Budget {
    reserve: i64,
    reported: Option<(i64, Timestamp)>,
    /// Whether `reported` comes from a refusal without a number.
    refused: bool,
    /// Counts the updates of `reported`.
    news: u64,
    /// Spent since by calls whose answers said nothing about credits.
    spent: i64,
    /// Credits of calls in progress.
    under_way: i64,
    window: Option<Window>,
    /// Calls that were admitted but have not begun: when, and their credits.
    granted: VecDeque<(Timestamp, i64)>,
    /// The age at which `reported` is refreshed, while it holds something back.
    refresh_after: Option<Duration>,
    /// The last refresh, answered or not.
    refreshed_at: Option<Timestamp>,
}

impl Budget {
    pub(super) fn new(reserve: i64) -> Self {
        Self {
            reserve,
            reported: None,
            refused: false,
            news: 0,
            spent: 0,
            under_way: 0,
            window: None,
            granted: VecDeque::new(),
            refresh_after: None,
            refreshed_at: None,
        }
    }

    pub(super) fn left(&self) -> Option<(i64, Timestamp)> {
        self.reported.map(|(left, at)| ((left - self.spent).max(0), at))
    }

    /// Notes that a call begins; returns the number of updates so far.
    pub(super) fn begin(&mut self, credits: i64) -> u64 {
        self.under_way += credits;
        self.granted.pop_front();
        self.news
    }

    pub(super) fn abandon(&mut self, credits: i64) {
        self.under_way -= credits;
        self.spent += credits;
    }

    pub(super) fn end(&mut self, credits: i64, news: u64, report: CreditReport, now: Timestamp) {
        let left = match report {
            CreditReport::Nothing => return self.abandon(credits),
            CreditReport::Plenty => None,
            CreditReport::UsedUp => Some(0),
            // Answers may overtake each other: of two concurrent calls, the answer with fewer credits left is the later
            // one.
            CreditReport::Left(left) => match self.reported {
                Some((known, _)) if news != self.news => Some(left.min(known)),
                _ => Some(left),
            },
        };
        self.under_way -= credits;
        self.spent = 0;
        self.refused = report == CreditReport::UsedUp;
        self.reported = left.map(|left| (left, now));
        self.news += 1;
    }

    pub(super) fn is_refresh_due(&self, now: Timestamp) -> bool {
        let Some(((_, at), after)) = self.reported.zip(self.refresh_after) else { return false };
        now.is_past(self.refreshed_at.map_or(at, |refreshed| refreshed.max(at)), after)
    }

    /// Whether a refresh is due; the caller then makes it.
    pub(super) fn take_refresh(&mut self, now: Timestamp) -> bool {
        let due = self.is_refresh_due(now);
        if due {
            self.refreshed_at = Some(now);
        }
        due
    }

    pub(super) fn admit(&mut self, lane: Lane, waiting: u64, now: Timestamp) -> Admission {
        let Some((reported, at)) = self.reported else {
            self.granted.clear();
            (self.window, self.refresh_after) = (None, None);
            return Admission::Go;
        };
        while self.granted.front().is_some_and(|(granted, _)| now.is_past(*granted, GRANT_TIME)) {
            self.granted.pop_front();
        }
        let call = credits(waiting.min(RECORDS as u64)).max(1);
        let left = reported - self.spent - self.under_way;
        let admission = self.admit_few(left, at, call, lane, waiting, now);
        if admission == Admission::Go {
            self.granted.push_back((now, call));
        }
        self.refresh_after = match &admission {
            Admission::Go => None,
            Admission::Wait { done_at: Some(_), .. } => Some(REFRESH_WHEN_SPREAD),
            Admission::Wait { done_at: None, .. } | Admission::Exhausted { .. } => Some(self.refresh_when_stopped()),
        };
        admission
    }

    fn refresh_when_stopped(&self) -> Duration {
        if self.refused { REFRESH_AFTER_REFUSAL } else { REFRESH_WHEN_STOPPED }
    }

    fn admit_few(
        &mut self,
        untouched: i64,
        reported_at: Timestamp,
        call: i64,
        lane: Lane,
        waiting: u64,
        now: Timestamp,
    ) -> Admission {
        let left = untouched - self.granted.iter().map(|(_, credits)| credits).sum::<i64>();
        let refresh_at = reported_at.after(self.refresh_when_stopped()).max(now);
        let reserve = self.reserve;
        if left - call < reserve {
            let shown = left.max(0);
            let reason = format!(
                "Zoho has {shown} API credits left, and {reserve} of them are reserved for others; each comes back 24 hours \
                 after its use"
            );
            return Admission::Exhausted { reason, check_at: refresh_at };
        }
        if is_profile(lane) && left - call < reserve * 2 {
            let reason = format!(
                "Zoho has {left} API credits left, {reserve} of them reserved for others; changes to profiles and courses wait, \
                 so that enrolments and grades are still delivered"
            );
            return Admission::Wait { until: refresh_at, reason, done_at: None };
        }
        let needed = credits(waiting);
        // Admitted calls are part of what is pending.
        if needed <= untouched - reserve {
            self.window = None;
            return Admission::Go;
        }
        self.spread(needed, left, now)
    }

    /// Keeps the credits above a line that falls to the reserve within a day, by when what is spent today comes back.
    fn spread(&mut self, needed: i64, left: i64, now: Timestamp) -> Admission {
        let spare = left - self.reserve;
        let window = self.window.filter(|window| window.end > now && window.spare >= spare);
        let window = *self.window.insert(window.unwrap_or(Window { end: now.after(DAY), spare }));
        let until = Timestamp(window.end.0.saturating_sub(milliseconds(share(spare, window.spare, DAY))));
        if until <= now {
            return Admission::Go;
        }
        let reason = format!(
            "Zoho has {left} API credits left, {} of them reserved for others, and the pending records need {needed}: deliveries \
             are spread over the day in which credits come back",
            self.reserve
        );
        Admission::Wait { until, reason, done_at: Some(now.after(share(needed, window.spare, DAY))) }
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// `time` × `part` / `whole`, without overflow.
fn share(part: i64, whole: i64, time: Duration) -> Duration {
    let milliseconds = time.as_millis() * u128::from(part.unsigned_abs()) / u128::from(whole.unsigned_abs().max(1));
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX))
}

/// The credits for writing `records` records.
fn credits(records: u64) -> i64 {
    i64::try_from(records.div_ceil(RECORDS_PER_CREDIT)).unwrap_or(i64::MAX)
}

/// Changes to people and courses that are already in Zoho: the least urgent.
fn is_profile(lane: Lane) -> bool {
    matches!(lane, Lane::Course | Lane::User)
}
