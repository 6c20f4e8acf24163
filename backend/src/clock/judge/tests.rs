//! Runs checks five seconds apart; no real time passes in these tests.

use std::time::Duration;

use super::{ClockReadings, ClockSource, ClockStart, ClockVerdict, Disagreement, Judge, duration_in_words, ms};
use crate::{clock::Timestamp, limits};

const NOW: Timestamp = Timestamp(1_795_335_000_000);
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const DECADE: i64 = 3_650 * DAY;

/// A judge and its monotonic clock.
struct Checks {
    judge: Judge,
    at: Duration,
    last_seen: Option<Timestamp>,
}

impl Checks {
    /// Starts with an agreed time.
    fn begin() -> Self {
        Self::after(NOW)
    }

    /// Starts with another last agreed time.
    fn after(last_seen: Timestamp) -> Self {
        let judge = Judge::begin(Duration::ZERO, NOW, Some(last_seen));
        Self { judge, at: Duration::ZERO, last_seen: Some(last_seen) }
    }

    /// Checks for `time`, while the machine's clock is `ahead` and other sources are as far ahead as given.
    fn check(&mut self, time: Duration, ahead: i64, others: &[(ClockSource, i64)]) -> ClockVerdict {
        let others = others.iter().map(|(source, ahead)| (*source, NOW.0 + ahead)).collect();
        self.check_at(time, &ClockReadings { followed: Some(NOW.0 + ahead), machine: NOW.0 + ahead, others })
    }

    fn check_at(&mut self, time: Duration, readings: &ClockReadings) -> ClockVerdict {
        let end = self.at + time;
        loop {
            self.at += limits::CLOCK_INTERVAL;
            let verdict = self.judge.assess(self.at, readings, self.last_seen);
            if self.at >= end || verdict.step_ms.is_some() {
                return verdict;
            }
        }
    }
}

/// How far a verdict's time is ahead of the true one.
fn ahead(verdict: ClockVerdict) -> i64 {
    verdict.offset - NOW.0
}

const EIGHT_SECONDS: Duration = Duration::from_secs(8);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn ten_years_for_eight_seconds_change_nothing() {
    let mut checks = Checks::begin();
    // Even if Moodle runs on the same machine.
    for others in [&[][..], &[(ClockSource::Moodle(1), DECADE)]] {
        let during = checks.check(EIGHT_SECONDS, DECADE, others);
        assert_eq!((ahead(during), during.disagreement), (0, Some(Disagreement::Step { ahead_ms: DECADE })));
        let after = checks.check(EIGHT_SECONDS, 0, &[]);
        assert_eq!((ahead(after), after.disagreement), (0, None));
    }
}

#[test]
fn an_hour_ahead_is_accepted_when_it_lasts_and_an_hour_back_is_not() {
    let mut checks = Checks::begin();
    assert_eq!(ahead(checks.check(limits::CLOCK_STEP_ALONE - MINUTE, HOUR, &[])), 0);
    let verdict = checks.check(MINUTE * 2, HOUR, &[]);
    assert_eq!((ahead(verdict), verdict.disagreement, verdict.step_ms), (HOUR, None, Some(HOUR)));
    let verdict = checks.check(MINUTE * 60 * 24, 0, &[]);
    assert_eq!((ahead(verdict), verdict.disagreement), (HOUR, Some(Disagreement::Step { ahead_ms: -HOUR })));
    // Moodle shows that it was never that late.
    let verdict = checks.check(MINUTE * 2, 0, &[(ClockSource::Moodle(1), -30_000)]);
    assert_eq!((ahead(verdict), verdict.disagreement, verdict.step_ms), (0, None, Some(-HOUR)));
}

#[test]
fn a_source_that_contradicts_counts() {
    let mut checks = Checks::begin();
    let verdict = checks.check(MINUTE * 60, HOUR, &[(ClockSource::Moodle(1), 0)]);
    assert_eq!((ahead(verdict), verdict.disagreement), (0, Some(Disagreement::Step { ahead_ms: HOUR })));
    let verdict = checks.check(MINUTE * 60, HOUR, &[(ClockSource::Moodle(1), HOUR), (ClockSource::Zoho, 2 * HOUR)]);
    assert_eq!(ahead(verdict), 0, "Zoho contradicts it");
    let verdict = checks.check(MINUTE * 2, HOUR, &[(ClockSource::Moodle(1), HOUR), (ClockSource::Zoho, HOUR)]);
    assert_eq!((ahead(verdict), verdict.step_ms), (HOUR, Some(HOUR)));
}

#[test]
fn small_differences_are_followed_and_time_never_goes_back() {
    let mut checks = Checks::begin();
    assert_eq!(ahead(checks.check(EIGHT_SECONDS, 1_500, &[])), 1_500);
    let slower = checks.check(Duration::from_secs(1), 0, &[]);
    assert_eq!(
        (ahead(slower), slower.disagreement, slower.step_ms),
        (1_000, None, None),
        "slower by a tenth of five seconds"
    );
    let right = checks.check(MINUTE, 0, &[]);
    assert_eq!((ahead(right), right.step_ms), (0, None));
    // Moodle's readings are too imprecise for half a minute.
    let forward = checks.check(limits::CLOCK_STEP_ALONE * 2, 30_000, &[(ClockSource::Moodle(1), -20_000)]);
    assert_eq!((ahead(forward), forward.disagreement), (30_000, None));
}

#[test]
fn a_time_far_ahead_needs_another_source_for_a_while() {
    let mut checks = Checks::after(Timestamp(NOW.0 - DECADE));
    let far = Some(Disagreement::Far { last_seen: Timestamp(NOW.0 - DECADE) });
    let alone = checks.check(MINUTE * 60 * 24 * 7, 0, &[(ClockSource::Moodle(1), -DECADE)]);
    assert_eq!((ahead(alone), alone.disagreement), (0, far), "it is used, but not agreed");
    let moodle = &[(ClockSource::Moodle(1), -5_000)];
    assert_eq!(checks.check(limits::CLOCK_FAR_AGREED - MINUTE, 0, moodle).disagreement, far);
    assert_eq!(checks.check(MINUTE, 0, &[]).disagreement, far);
    assert_eq!(checks.check(limits::CLOCK_FAR_AGREED - MINUTE, 0, moodle).disagreement, far, "the wait starts over");
    assert_eq!(checks.check(MINUTE * 20, 0, &[moodle[0], (ClockSource::Zoho, -DECADE)]).disagreement, far);
    assert_eq!(checks.check(MINUTE * 20, 0, moodle).disagreement, None);
    assert_eq!(checks.check(MINUTE, 0, &[]).disagreement, None);
}

#[test]
fn a_step_of_years_that_moodle_believes_too_is_not_agreed_at_once() {
    let mut checks = Checks::begin();
    let moodle = &[(ClockSource::Moodle(1), DECADE)];
    let stepped = checks.check(MINUTE * 2, DECADE, moodle);
    assert_eq!((ahead(stepped), stepped.step_ms), (DECADE, Some(DECADE)));
    assert!(matches!(stepped.disagreement, Some(Disagreement::Far { .. })), "{stepped:?}");
    let back = checks.check(MINUTE * 2, 0, &[(ClockSource::Moodle(1), 0)]);
    assert_eq!((ahead(back), back.disagreement), (0, None));
}

#[test]
fn a_person_or_another_process_decides() {
    let mut checks = Checks::begin();
    let readings = ClockReadings { followed: Some(NOW.0 + DECADE), machine: NOW.0 + DECADE, others: vec![] };
    assert_eq!(ahead(checks.check_at(MINUTE * 60, &readings)), 0);
    checks.judge.accept(checks.at, &readings);
    let verdict = checks.check_at(MINUTE, &readings);
    assert_eq!((ahead(verdict), verdict.disagreement), (DECADE, None));

    let mut checks = Checks::after(Timestamp(NOW.0 - 3 * DAY));
    assert!(checks.check(MINUTE, 0, &[]).disagreement.is_some());
    checks.last_seen = Some(NOW);
    assert_eq!(checks.check(MINUTE, 0, &[]).disagreement, None);
}

#[test]
fn the_databases_clock_is_followed_and_the_machines_is_watched() {
    let mut checks = Checks::begin();
    let differ = |machine, others| ClockReadings { followed: Some(NOW.0), machine: NOW.0 + machine, others };
    let verdict = checks.check_at(MINUTE, &differ(HOUR, vec![]));
    assert_eq!((ahead(verdict), verdict.disagreement), (0, Some(Disagreement::Differ { ahead_ms: HOUR })));
    assert_eq!(checks.check_at(MINUTE, &differ(HOUR, vec![(ClockSource::Moodle(1), NOW.0)])).disagreement, None);
    // When a database on another machine steps, it is not accepted against this machine's clock, but soon with it.
    let stepped = |machine| ClockReadings {
        followed: Some(NOW.0 + HOUR),
        machine: NOW.0 + machine,
        others: vec![(ClockSource::Machine, NOW.0 + machine)],
    };
    assert_eq!(ahead(checks.check_at(MINUTE * 60, &stepped(0))), 0);
    assert_eq!(ahead(checks.check_at(MINUTE * 2, &stepped(HOUR))), HOUR);
    // A database that does not answer changes nothing.
    let away = checks.check_at(MINUTE * 60, &ClockReadings { followed: None, machine: NOW.0, others: vec![] });
    assert_eq!((ahead(away), away.disagreement), (HOUR, None));
}

#[test]
fn the_time_to_start_with() {
    let start = |machine: i64, database: Option<i64>, last_seen: Option<i64>| {
        let at = |ahead: i64| Timestamp(NOW.0 + ahead);
        let start = ClockStart { machine: at(machine), database: database.map(at), last_seen: last_seen.map(at) };
        (start.time().0 - NOW.0, start.disagreement())
    };
    let last_seen = NOW;
    assert_eq!(start(0, None, None), (0, None), "a new database");
    assert_eq!(start(5_000, None, Some(0)), (5_000, None));
    assert_eq!(start(DECADE, None, Some(0)), (DECADE, Some(Disagreement::Far { last_seen })));
    assert_eq!(
        start(-HOUR, None, Some(0)),
        (0, Some(Disagreement::Step { ahead_ms: -HOUR })),
        "what has expired stays \
                                                                                         expired"
    );
    assert_eq!(start(-5_000, None, Some(0)), (0, None));
    assert_eq!(start(0, Some(HOUR), Some(0)), (HOUR, Some(Disagreement::Differ { ahead_ms: -HOUR })));
    assert_eq!(start(0, Some(DECADE), Some(0)), (0, Some(Disagreement::Step { ahead_ms: DECADE })));
    assert_eq!(start(DECADE, Some(5_000), Some(0)), (5_000, Some(Disagreement::Differ { ahead_ms: DECADE - 5_000 })));
}

#[test]
fn disagreements_are_put_into_words() {
    assert_eq!(duration_in_words(Duration::from_secs(1)), "1 second");
    assert_eq!(duration_in_words(Duration::from_secs(3_600)), "60 minutes");
    assert_eq!(duration_in_words(Duration::from_millis(DECADE.unsigned_abs())), "3650 days");
    let step = Disagreement::Step { ahead_ms: -HOUR * 2 }.to_string();
    assert_eq!(step, "the clock has stepped and is 2 hours behind, and no other source confirms it");
    assert!(Disagreement::Far { last_seen: NOW }.to_string().contains("2026-11-22T"), "{}", ms(MINUTE));
}
