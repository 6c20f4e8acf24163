//! Decides which time is right, without reading any clock.
//!
//! One clock is followed: on PostgreSQL the database's, because all processes share it, otherwise the machine's. Every
//! source is compared as its offset to this process's monotonic clock, which stays constant unless the source's clock
//! is set.
//!
//! Small differences are followed; if our time is ahead, it slows down. A step is accepted when another source confirms
//! it, or, if it goes forward by less than a day, when it lasts and no source contradicts it. A time far ahead of the
//! last agreed one is used, because there is no better one, but it is not agreed until another source has confirmed it
//! for a while, or a person has.

use std::{fmt, time::Duration};

use super::{Timestamp, ms};
use crate::limits;

/// A source of time other than the followed clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClockSource {
    /// This machine, with PostgreSQL; it counts as another source if the database is on another machine.
    Machine,
    /// A site's Moodle: the newest version in a batch of events.
    Moodle(i64),
    /// Zoho: the `Date` header of its answers.
    Zoho,
}

impl ClockSource {
    /// How far it may deviate and still confirm a time, in milliseconds.
    fn tolerance(self) -> i64 {
        ms(match self {
            Self::Machine => limits::CLOCK_SLACK,
            Self::Moodle(_) | Self::Zoho => limits::CLOCK_AHEAD,
        })
    }
}

/// Why the time is not agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// It has not been compared with other clocks yet.
    NotCompared,
    /// It is far ahead of the last agreed time.
    Far {
        /// The last agreed time.
        last_seen: Timestamp,
    },
    /// The followed clock has stepped, and no other source confirms it.
    Step {
        /// How far the clock is ahead of our time, in milliseconds; negative when behind.
        ahead_ms: i64,
    },
    /// The machine's clock and the database's differ, and no other source says which is right.
    Differ {
        /// How far the machine's clock is ahead, in milliseconds; negative when behind.
        ahead_ms: i64,
    },
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCompared => f.write_str("it has not been compared with other clocks yet"),
            Self::Far { last_seen } => {
                let last = last_seen.to_rfc3339();
                write!(f, "it is more than a day after {last}, the last agreed time, and no other source confirms it")
            }
            Self::Step { ahead_ms } => {
                let (by, side) = offset_in_words(*ahead_ms);
                write!(f, "the clock has stepped and is {by} {side}, and no other source confirms it")
            }
            Self::Differ { ahead_ms } => {
                let (by, _) = offset_in_words(*ahead_ms);
                let side_of = if *ahead_ms < 0 { "behind" } else { "ahead of" };
                write!(
                    f,
                    "this machine's clock is {by} {side_of} the database's, and no other source says which is \
                           right"
                )
            }
        }
    }
}

/// A difference in words: how much, and in which direction.
pub fn offset_in_words(ahead_ms: i64) -> (String, &'static str) {
    let side = if ahead_ms < 0 { "behind" } else { "ahead" };
    (duration_in_words(Duration::from_millis(ahead_ms.unsigned_abs())), side)
}

/// As in `8 seconds`, `3 hours` and `3652 days`.
pub fn duration_in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// All clocks' readings at one check, as offsets to the monotonic clock in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct ClockReadings {
    /// The followed clock; none when it cannot be read.
    pub followed: Option<i64>,
    /// This machine's clock.
    pub machine: i64,
    /// All other sources.
    pub others: Vec<(ClockSource, i64)>,
}

impl ClockReadings {
    /// Whether another source confirms `offset`.
    fn confirms(&self, offset: i64) -> bool {
        self.others.iter().any(|(source, reading)| (reading - offset).abs() <= source.tolerance())
    }

    /// Whether another source confirms `offset` but not `other`. It cannot if the two are close together.
    fn prefers(&self, offset: i64, other: i64) -> bool {
        let confirms =
            |(source, reading): &(ClockSource, i64), offset: i64| (reading - offset).abs() <= source.tolerance();
        self.others.iter().any(|other_source| confirms(other_source, offset) && !confirms(other_source, other))
    }

    /// Whether Zoho, whose clock the college does not set, contradicts `offset`.
    fn is_denied(&self, offset: i64) -> bool {
        self.others
            .iter()
            .any(|(source, reading)| *source == ClockSource::Zoho && (reading - offset).abs() > source.tolerance())
    }
}

/// The clocks' readings at the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockStart {
    /// The machine's clock.
    pub machine: Timestamp,
    /// The database's clock, on PostgreSQL.
    pub database: Option<Timestamp>,
    /// The last agreed time.
    pub last_seen: Option<Timestamp>,
}

impl ClockStart {
    /// The time to start with: not before the last agreed time, so that what has expired does not become valid again.
    pub fn time(&self) -> Timestamp {
        let followed = match self.database {
            // One of the two clocks is wrong, and it must be this one.
            Some(database) if self.is_far(database) && !self.is_far(self.machine) => self.machine,
            Some(database) => database,
            None => self.machine,
        };
        self.last_seen.map_or(followed, |seen| followed.max(seen))
    }

    /// Whether a time is too far ahead to be accepted unconfirmed.
    fn is_far(&self, time: Timestamp) -> bool {
        self.last_seen.is_some_and(|seen| is_far(time, seen))
    }

    /// Why the time to start with is not agreed.
    pub fn disagreement(&self) -> Option<Disagreement> {
        let time = self.time();
        if let Some(last_seen) = self.last_seen.filter(|seen| is_far(time, *seen)) {
            return Some(Disagreement::Far { last_seen });
        }
        let ahead_ms = self.database.unwrap_or(self.machine).0.saturating_sub(time.0);
        if ahead_ms.saturating_abs() > ms(limits::CLOCK_AHEAD) {
            return Some(Disagreement::Step { ahead_ms });
        }
        let ahead_ms = self.machine.0.saturating_sub(self.database.unwrap_or(self.machine).0);
        (ahead_ms.saturating_abs() > ms(limits::CLOCK_AHEAD)).then_some(Disagreement::Differ { ahead_ms })
    }
}

fn is_far(time: Timestamp, last_seen: Timestamp) -> bool {
    time.since(last_seen) > limits::CLOCK_FAR
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockVerdict {
    /// The new offset of our time.
    pub offset: i64,
    /// Why it is not agreed; none when it is.
    pub disagreement: Option<Disagreement>,
    /// How far our time has stepped, in milliseconds; negative when back.
    pub step_ms: Option<i64>,
}

/// A step of the followed clock that is not accepted yet.
#[derive(Clone, Copy, Debug)]
struct ClockStep {
    offset: i64,
    since: Duration,
}

/// Decides about the time, with what it remembers between checks.
#[derive(Clone, Debug)]
pub struct Judge {
    offset: i64,
    looked_at: Duration,
    step: Option<ClockStep>,
    /// The last agreed time.
    last_seen: Timestamp,
    /// Since when another source has confirmed a time far ahead of that.
    agreed_since: Option<Duration>,
}

impl Judge {
    /// Starts with a time, `at` by the monotonic clock. Without a last agreed time, as in a new database, there is
    /// nothing to protect.
    pub fn begin(at: Duration, time: Timestamp, last_seen: Option<Timestamp>) -> Self {
        let last_seen = last_seen.unwrap_or(time);
        Self { offset: time.0 - ms(at), looked_at: at, step: None, last_seen, agreed_since: None }
    }

    /// Accepts the followed clock, because a person did, or another process with good reason.
    pub fn accept(&mut self, at: Duration, readings: &ClockReadings) {
        self.offset = readings.followed.unwrap_or(self.offset);
        (self.step, self.agreed_since) = (None, None);
        self.last_seen = Timestamp(self.offset + ms(at));
    }

    /// Decides from the clocks' readings, `at` by the monotonic clock. `last_seen`: the last time that another process
    /// of this database agreed to.
    pub fn assess(&mut self, at: Duration, readings: &ClockReadings, last_seen: Option<Timestamp>) -> ClockVerdict {
        let before = self.offset;
        if let Some(followed) = readings.followed {
            self.follow(at, followed, readings);
        }
        let moved = self.offset - before;
        // Slowing down moves it back by less.
        let step_ms = (moved > ms(limits::CLOCK_DRIFT) || moved < -ms(limits::CLOCK_AHEAD)).then_some(moved);
        self.looked_at = at;
        if step_ms.is_some_and(|step| step < 0) {
            // Two sources agree that it was never that late, so forget the later time.
            self.last_seen = Timestamp(self.offset + ms(at));
        } else if let Some(last_seen) = last_seen {
            self.last_seen = self.last_seen.max(last_seen);
        }
        let disagreement = self.disagreement(at, readings);
        if disagreement.is_none() {
            self.last_seen = Timestamp(self.offset + ms(at));
        }
        ClockVerdict { offset: self.offset, disagreement, step_ms }
    }

    fn follow(&mut self, at: Duration, followed: i64, readings: &ClockReadings) {
        let ahead = followed - self.offset;
        if (0..=ms(limits::CLOCK_DRIFT)).contains(&ahead) {
            (self.offset, self.step) = (followed, None);
            return;
        }
        if (-ms(limits::CLOCK_AHEAD)..0).contains(&ahead) {
            let most = ms(at.saturating_sub(self.looked_at) / limits::CLOCK_SLOWDOWN);
            (self.offset, self.step) = (self.offset - most.min(-ahead), None);
            return;
        }
        let same = self.step.filter(|step| (step.offset - followed).abs() <= ms(limits::CLOCK_DRIFT));
        let since = same.map_or(at, |step| step.since);
        self.step = Some(ClockStep { offset: followed, since });
        let lasted = at.saturating_sub(since);
        let believed = if readings.is_denied(followed) || readings.prefers(self.offset, followed) {
            false
        } else if readings.prefers(followed, self.offset) {
            lasted >= limits::CLOCK_STEP_AGREED
        } else {
            (0..=ms(limits::CLOCK_FAR)).contains(&ahead) && lasted >= limits::CLOCK_STEP_ALONE
        };
        if believed {
            (self.offset, self.step) = (followed, None);
        }
    }

    fn disagreement(&mut self, at: Duration, readings: &ClockReadings) -> Option<Disagreement> {
        let now = Timestamp(self.offset + ms(at));
        if is_far(now, self.last_seen) {
            let agrees = readings.confirms(self.offset) && !readings.is_denied(self.offset);
            self.agreed_since = self.agreed_since.or(Some(at)).filter(|_| agrees);
            if self.agreed_since.is_none_or(|since| at.saturating_sub(since) < limits::CLOCK_FAR_AGREED) {
                return Some(Disagreement::Far { last_seen: self.last_seen });
            }
        }
        self.agreed_since = None;
        let far = |ahead_ms: i64| ahead_ms.abs() > ms(limits::CLOCK_AHEAD);
        if let Some(step) = self.step.filter(|step| far(step.offset - self.offset)) {
            return Some(Disagreement::Step { ahead_ms: step.offset - self.offset });
        }
        let ahead_ms = readings.machine - readings.followed?;
        (far(ahead_ms) && !readings.confirms(self.offset)).then_some(Disagreement::Differ { ahead_ms })
    }
}

#[cfg(test)]
mod tests;
