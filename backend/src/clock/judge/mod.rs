//! Which time is right: the judgement alone, without any clock.
//!
//! One clock is followed: the database's on PostgreSQL, because all processes compare their times there; else the machine's. Every
//! source is compared as its offset to this process's monotonic clock: that of a clock that is not set stays what it is.
//!
//! Small differences are followed; when our time is ahead, by going slower. A step is believed when another source says the same, or,
//! forward and by less than a day, when it lasts and nobody contradicts. A time that is far ahead of the last one that was agreed is
//! told to everybody, because there is no better one, but it is not agreed until another source has said the same for a while, or a
//! person.

use std::{fmt, time::Duration};

use super::{Timestamp, ms};
use crate::limits;

/// Who tells the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClockSource {
    /// This machine, on PostgreSQL; it counts as another source when the database is on another machine.
    Machine,
    /// A site: the newest version in a batch of events.
    Moodle(i64),
    /// Zoho: the header `Date` of its answers.
    Zoho,
}

impl ClockSource {
    /// How far it may be off and still say the same, in milliseconds.
    fn tolerance(self) -> i64 {
        ms(match self {
            Self::Machine => limits::CLOCK_SLACK,
            Self::Moodle(_) | Self::Zoho => limits::CLOCK_AHEAD,
        })
    }
}

/// Why the time is not agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It was not compared with anything yet.
    NotCompared,
    /// It is far ahead of the last time that was agreed.
    Far {
        /// That time.
        last_seen: Timestamp,
    },
    /// The clock that is followed has stepped, and nobody says the same.
    Step {
        /// By how many milliseconds it is ahead of our time; less than 0: behind.
        ahead_ms: i64,
    },
    /// Machine and database say different times, and nobody says which is right.
    Differ {
        /// By how many milliseconds the machine is ahead; less than 0: behind.
        ahead_ms: i64,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCompared => f.write_str("it was not compared with other clocks yet"),
            Self::Far { last_seen } => {
                let last = last_seen.to_rfc3339();
                write!(
                    f,
                    "it is more than a day after {last}, the last time that was agreed, and nobody else says the same"
                )
            }
            Self::Step { ahead_ms } => {
                let (by, side) = apart(*ahead_ms);
                write!(f, "the clock has stepped and is {by} {side}, and nobody else says the same")
            }
            Self::Differ { ahead_ms } => {
                let (by, side) = apart(*ahead_ms);
                write!(f, "this machine's clock is {by} {side} of the database's, and nobody else says which is right")
            }
        }
    }
}

/// A difference in words: how much, and in which direction.
pub fn apart(ahead_ms: i64) -> (String, &'static str) {
    let side = if ahead_ms < 0 { "behind" } else { "ahead" };
    (span(Duration::from_millis(ahead_ms.unsigned_abs())), side)
}

/// As in `8 seconds`, `3 hours` and `3652 days`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// What the clocks say at one look, as offsets to the monotonic clock in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct ClockReadings {
    /// The clock that is followed; none when it cannot be asked now.
    pub followed: Option<i64>,
    /// This machine's.
    pub machine: i64,
    /// All others.
    pub others: Vec<(ClockSource, i64)>,
}

impl ClockReadings {
    /// Whether another source says the same as `offset`.
    fn confirms(&self, offset: i64) -> bool {
        self.others.iter().any(|(source, said)| (said - offset).abs() <= source.tolerance())
    }

    /// Whether another source says the same as `offset`, and not the same as `other`. Of two times that are near to each other, it
    /// cannot tell.
    fn prefers(&self, offset: i64, other: i64) -> bool {
        let says = |(source, said): &(ClockSource, i64), offset: i64| (said - offset).abs() <= source.tolerance();
        self.others.iter().any(|heard| says(heard, offset) && !says(heard, other))
    }

    /// Whether Zoho, which no clock of the college sets, says another time.
    fn is_denied(&self, offset: i64) -> bool {
        self.others
            .iter()
            .any(|(source, said)| *source == ClockSource::Zoho && (said - offset).abs() > source.tolerance())
    }
}

/// What is known at the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// What the machine says.
    pub machine: Timestamp,
    /// What the database says, on PostgreSQL.
    pub database: Option<Timestamp>,
    /// The last time that was agreed.
    pub last_seen: Option<Timestamp>,
}

impl Start {
    /// The time to begin with: not before the last time seen, so that what has ended does not live again.
    pub fn time(&self) -> Timestamp {
        let followed = match self.database {
            // One of two clocks is wrong, and this one cannot be right.
            Some(database) if self.is_far(database) && !self.is_far(self.machine) => self.machine,
            Some(database) => database,
            None => self.machine,
        };
        self.last_seen.map_or(followed, |seen| followed.max(seen))
    }

    /// Whether a time is too far ahead to be believed without more.
    fn is_far(&self, time: Timestamp) -> bool {
        self.last_seen.is_some_and(|seen| is_far(time, seen))
    }

    /// Why the time to begin with is not agreed.
    pub fn doubt(&self) -> Option<Doubt> {
        let time = self.time();
        if let Some(last_seen) = self.last_seen.filter(|seen| is_far(time, *seen)) {
            return Some(Doubt::Far { last_seen });
        }
        let ahead_ms = self.database.unwrap_or(self.machine).0.saturating_sub(time.0);
        if ahead_ms.saturating_abs() > ms(limits::CLOCK_AHEAD) {
            return Some(Doubt::Step { ahead_ms });
        }
        let ahead_ms = self.machine.0.saturating_sub(self.database.unwrap_or(self.machine).0);
        (ahead_ms.saturating_abs() > ms(limits::CLOCK_AHEAD)).then_some(Doubt::Differ { ahead_ms })
    }
}

fn is_far(time: Timestamp, last_seen: Timestamp) -> bool {
    time.since(last_seen) > limits::CLOCK_FAR
}

/// What came of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockVerdict {
    /// Our time, as an offset.
    pub offset: i64,
    /// Why it is not agreed.
    pub doubt: Option<Doubt>,
    /// By how many milliseconds our time has stepped; less than 0: back.
    pub step_ms: Option<i64>,
}

/// A step of the clock that is followed.
#[derive(Clone, Copy, Debug)]
struct ClockStep {
    offset: i64,
    since: Duration,
}

/// What is remembered between two looks.
#[derive(Clone, Debug)]
pub struct Judge {
    offset: i64,
    looked_at: Duration,
    step: Option<ClockStep>,
    /// The last time that was agreed.
    last_seen: Timestamp,
    /// Since when another source agrees with a time that is far from it.
    agreed_since: Option<Duration>,
}

impl Judge {
    /// Begins with a time, `at` by the monotonic clock. Without a last time seen, as in a new database, there is nothing to lose.
    pub fn begin(at: Duration, time: Timestamp, last_seen: Option<Timestamp>) -> Self {
        let last_seen = last_seen.unwrap_or(time);
        Self { offset: time.0 - ms(at), looked_at: at, step: None, last_seen, agreed_since: None }
    }

    /// Believes the clock that is followed, because a person does, or another process has good reason to.
    pub fn accept(&mut self, at: Duration, said: &ClockReadings) {
        self.offset = said.followed.unwrap_or(self.offset);
        (self.step, self.agreed_since) = (None, None);
        self.last_seen = Timestamp(self.offset + ms(at));
    }

    /// Looks at what the clocks say, `at` by the monotonic clock. `last_seen`: what another process of this database agreed to.
    pub fn look(&mut self, at: Duration, said: &ClockReadings, last_seen: Option<Timestamp>) -> ClockVerdict {
        let before = self.offset;
        if let Some(followed) = said.followed {
            self.follow(at, followed, said);
        }
        let moved = self.offset - before;
        // Going slower moves it back by less.
        let step_ms = (moved > ms(limits::CLOCK_DRIFT) || moved < -ms(limits::CLOCK_AHEAD)).then_some(moved);
        self.looked_at = at;
        if step_ms.is_some_and(|step| step < 0) {
            // Two sources agree that it was never that late.
            self.last_seen = Timestamp(self.offset + ms(at));
        } else if let Some(last_seen) = last_seen {
            self.last_seen = self.last_seen.max(last_seen);
        }
        let doubt = self.doubt(at, said);
        if doubt.is_none() {
            self.last_seen = Timestamp(self.offset + ms(at));
        }
        ClockVerdict { offset: self.offset, doubt, step_ms }
    }

    fn follow(&mut self, at: Duration, followed: i64, said: &ClockReadings) {
        let ahead = followed - self.offset;
        if (0..=ms(limits::CLOCK_DRIFT)).contains(&ahead) {
            (self.offset, self.step) = (followed, None);
            return;
        }
        if (-ms(limits::CLOCK_AHEAD)..0).contains(&ahead) {
            let most = ms(at.saturating_sub(self.looked_at) / limits::CLOCK_SLOWER);
            (self.offset, self.step) = (self.offset - most.min(-ahead), None);
            return;
        }
        let same = self.step.filter(|step| (step.offset - followed).abs() <= ms(limits::CLOCK_DRIFT));
        let since = same.map_or(at, |step| step.since);
        self.step = Some(ClockStep { offset: followed, since });
        let lasted = at.saturating_sub(since);
        let believed = if said.is_denied(followed) || said.prefers(self.offset, followed) {
            false
        } else if said.prefers(followed, self.offset) {
            lasted >= limits::CLOCK_STEP_AGREED
        } else {
            (0..=ms(limits::CLOCK_FAR)).contains(&ahead) && lasted >= limits::CLOCK_STEP_ALONE
        };
        if believed {
            (self.offset, self.step) = (followed, None);
        }
    }

    fn doubt(&mut self, at: Duration, said: &ClockReadings) -> Option<Doubt> {
        let now = Timestamp(self.offset + ms(at));
        if is_far(now, self.last_seen) {
            let agrees = said.confirms(self.offset) && !said.is_denied(self.offset);
            self.agreed_since = self.agreed_since.or(Some(at)).filter(|_| agrees);
            if self.agreed_since.is_none_or(|since| at.saturating_sub(since) < limits::CLOCK_FAR_AGREED) {
                return Some(Doubt::Far { last_seen: self.last_seen });
            }
        }
        self.agreed_since = None;
        let far = |ahead_ms: i64| ahead_ms.abs() > ms(limits::CLOCK_AHEAD);
        if let Some(step) = self.step.filter(|step| far(step.offset - self.offset)) {
            return Some(Doubt::Step { ahead_ms: step.offset - self.offset });
        }
        let ahead_ms = said.machine - said.followed?;
        (far(ahead_ms) && !said.confirms(self.offset)).then_some(Doubt::Differ { ahead_ms })
    }
}

#[cfg(test)]
mod tests;
