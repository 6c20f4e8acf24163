//! The credits of the rolling 24 hours: full speed while they suffice for what waits, then spread over the day, then none.

use crate::{
    clock::Timestamp,
    model::Lane,
    zoho::client::calls::{RECORDS, RECORDS_PER_CREDIT},
};

/// The time over which Zoho counts.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// How old the news of the credits may be when nothing is delivered because of it.
const LOOK_WHEN_STOPPED_MS: i64 = 15 * 60 * 1_000;

/// How old it may be when deliveries are spread: a look costs a credit that a delivery could use.
const LOOK_WHEN_SPREAD_MS: i64 = 60 * 60 * 1_000;

/// Whether a delivery may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Now.
    Go,
    /// Later, because few credits are left for what waits.
    Wait {
        /// Not before then.
        until: Timestamp,
        /// Why, in words.
        reason: String,
        /// When all that waits will be delivered at this speed; nothing when it does not get on at all.
        done_at: Option<Timestamp>,
    },
    /// Not at all, until credits have come back.
    Exhausted {
        /// Why, in words.
        reason: String,
        /// When to look whether some have.
        check_at: Timestamp,
    },
}

/// What an answer told of the credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::zoho::client) enum Told {
    /// So many are left.
    Left(i64),
    /// More than half of them are left: then Zoho tells no number.
    Plenty,
    /// Nothing.
    Nothing,
}

/// When what is left must last until, and what it was.
#[derive(Clone, Copy)]
struct Window {
    end: Timestamp,
    spare: i64,
}

pub(super) struct Budget {
    reserve: i64,
    told: Option<(i64, Timestamp)>,
    /// Number of the news.
    news: u64,
    /// Spent by calls that ended since, and did not tell what is left.
    spent: i64,
    /// Of calls under way.
    under_way: i64,
    window: Option<Window>,
    last_go: Option<Timestamp>,
    /// How old the news may become, when something is held back.
    look_after: Option<i64>,
}

impl Budget {
    pub(super) fn new(reserve: i64) -> Self {
        Self { reserve, told: None, news: 0, spent: 0, under_way: 0, window: None, last_go: None, look_after: None }
    }

    pub(super) fn left(&self) -> Option<(i64, Timestamp)> {
        self.told.map(|(left, at)| ((left - self.spent).max(0), at))
    }

    /// A call begins; gives the number of the news.
    pub(super) fn begin(&mut self, credits: i64) -> u64 {
        self.under_way += credits;
        self.news
    }

    pub(super) fn abandon(&mut self, credits: i64) {
        self.under_way -= credits;
        self.spent += credits;
    }

    pub(super) fn end(&mut self, credits: i64, news: u64, told: Told, now: Timestamp) {
        let left = match told {
            Told::Nothing => return self.abandon(credits),
            Told::Plenty => None,
            // Answers overtake each other: of two whose calls were under way together, the one with less left is the later.
            Told::Left(left) => match self.told {
                Some((known, _)) if news != self.news => Some(left.min(known)),
                _ => Some(left),
            },
        };
        self.under_way -= credits;
        self.spent = 0;
        self.told = left.map(|left| (left, now));
        self.news += 1;
    }

    pub(super) fn is_look_due(&self, now: Timestamp) -> bool {
        let Some(((_, at), after)) = self.told.zip(self.look_after) else { return false };
        now.0 - at.0 >= after
    }

    pub(super) fn admit(&mut self, lane: Lane, waiting: u64, now: Timestamp) -> Admission {
        let admission = match self.told {
            None => self.full_speed(),
            Some((told, at)) => self.admit_few(told - self.spent - self.under_way, at, lane, waiting, now),
        };
        self.look_after = match &admission {
            Admission::Go => None,
            Admission::Wait { done_at: Some(_), .. } => Some(LOOK_WHEN_SPREAD_MS),
            Admission::Wait { done_at: None, .. } | Admission::Exhausted { .. } => Some(LOOK_WHEN_STOPPED_MS),
        };
        admission
    }

    fn full_speed(&mut self) -> Admission {
        (self.window, self.last_go) = (None, None);
        Admission::Go
    }

    fn admit_few(&mut self, left: i64, told_at: Timestamp, lane: Lane, waiting: u64, now: Timestamp) -> Admission {
        let call = credits(waiting.min(RECORDS as u64)).max(1);
        let look_at = later(told_at, LOOK_WHEN_STOPPED_MS).max(now);
        let reserve = self.reserve;
        if left - call < reserve {
            let shown = left.max(0);
            let reason = format!(
                "Zoho has {shown} API credits left, and {reserve} of them are reserved for others; they come back as the calls of a day ago \
                 are forgotten"
            );
            return Admission::Exhausted { reason, check_at: look_at };
        }
        if is_profile(lane) && left - call < reserve * 2 {
            let reason = format!(
                "Zoho has {left} API credits left, {reserve} of them reserved for others; changes of profiles and courses wait, so that \
                 enrolments and grades still go"
            );
            return Admission::Wait { until: look_at, reason, done_at: None };
        }
        let (needed, spare) = (credits(waiting), left - reserve);
        if needed <= spare {
            return self.full_speed();
        }
        self.spread(call, needed, spare, left, now)
    }

    /// One call after the other, so that what is left lasts until those of today come back.
    fn spread(&mut self, call: i64, needed: i64, spare: i64, left: i64, now: Timestamp) -> Admission {
        let fresh = Window { end: later(now, DAY_MS), spare };
        let mut window = self.window.filter(|window| window.end > now).unwrap_or(fresh);
        window.spare = window.spare.max(spare);
        self.window = Some(window);
        let until = self.last_go.map(|last| later(last, share(call, spare, window.end.0 - last.0)));
        let Some(until) = until.filter(|until| *until > now) else {
            self.last_go = Some(now);
            return Admission::Go;
        };
        let reason = format!(
            "Zoho has {left} API credits left, {} of them reserved for others, and what waits needs {needed}: deliveries are spread over the \
             day in which credits come back",
            self.reserve
        );
        Admission::Wait { until, reason, done_at: Some(later(now, share(needed, window.spare, DAY_MS))) }
    }
}

/// `time` x `part` / `whole`, without overflow.
fn share(part: i64, whole: i64, time: i64) -> i64 {
    let share = i128::from(time) * i128::from(part) / i128::from(whole.max(1));
    i64::try_from(share).unwrap_or(i64::MAX)
}

fn later(time: Timestamp, milliseconds: i64) -> Timestamp {
    Timestamp(time.0.saturating_add(milliseconds))
}

/// Credits for so many records.
fn credits(records: u64) -> i64 {
    i64::try_from(records.div_ceil(RECORDS_PER_CREDIT)).unwrap_or(i64::MAX)
}

/// Changes of what is in Zoho already: the least urgent.
fn is_profile(lane: Lane) -> bool {
    matches!(lane, Lane::Course | Lane::User)
}
