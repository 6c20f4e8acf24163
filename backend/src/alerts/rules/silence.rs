//! Whether a site is silent when it usually sends: compared with the same hours of the weeks before.

use std::{collections::BTreeMap, time::Duration};

use crate::clock::Timestamp;

/// Events by hour since 1970.
pub(in super::super) type Hours = BTreeMap<i64, u64>;

/// A site's activity repeats weekly.
pub(in super::super) const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Weeks to compare with. Each of them must have had events, so that one odd week proves nothing.
pub(in super::super) const WEEKS: u32 = 4;

/// The longest silence that is compared: a site that sends ten events in two days is missed after two days.
pub(in super::super) const LONGEST_SILENCE: Duration = Duration::from_secs(LONGEST_HOURS * 60 * 60);

const LONGEST_HOURS: u64 = 48;

const WEEK_HOURS: i64 = 7 * 24;

/// Events that each of the weeks must have had. Fewer may be absent by chance: with ten expected, the chance of none
/// at all is 1 in 20,000.
const LEAST_EVENTS: u64 = 10;

/// The hour since 1970 of a time.
pub(in super::super) fn hour(time: Timestamp) -> i64 {
    time.0.div_euclid(60 * 60 * 1000)
}

/// A silence at a time when the site usually sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Silence {
    /// In whole hours.
    pub(super) hours: i64,
    /// Events in the same hours of the quietest of the weeks before.
    pub(super) least: u64,
}

fn events(hours: &Hours, from: i64, until: i64) -> u64 {
    hours.range(from..until).map(|(_, count)| count).sum()
}

/// Whether nothing came in the last `silence` whole hours and the current one.
pub(in super::super) fn is_quiet(hours: &Hours, silence: u32, now: Timestamp) -> bool {
    let now = hour(now);
    events(hours, now - i64::from(silence), now + 1) == 0
}

/// The shortest silence of at least `shortest` hours that did not occur in any of the weeks before.
pub(super) fn usual_but_missing(hours: &Hours, shortest: u32, now: Timestamp) -> Option<Silence> {
    let lengths = std::iter::successors(Some(shortest.max(1)), |hours| hours.checked_mul(2));
    let lengths = lengths.take_while(|hours| u64::from(*hours) <= LONGEST_HOURS);
    let end = hour(now);
    for length in lengths.take_while(|length| is_quiet(hours, *length, now)) {
        let length = i64::from(length);
        let week = |number: u32| {
            let end = end - i64::from(number) * WEEK_HOURS;
            events(hours, end - length, end)
        };
        let least = (1..=WEEKS).map(week).min().unwrap_or_default();
        if least >= LEAST_EVENTS {
            return Some(Silence { hours: length, least });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Hours, Silence, WEEK_HOURS, usual_but_missing};
    use crate::clock::Timestamp;

    /// Half past some hour.
    const NOW: Timestamp = Timestamp((500_000 * 60 + 30) * 60 * 1000);
    const HOUR: i64 = 500_000;

    /// Four weeks with `count` events in each of these hours before now.
    fn weeks(before: std::ops::Range<i64>, count: u64) -> Hours {
        (1..=4).flat_map(|week| before.clone().map(move |hour| (HOUR - week * WEEK_HOURS - hour, count))).collect()
    }

    #[test]
    fn a_site_without_a_past_is_never_missed() {
        assert_eq!(usual_but_missing(&Hours::new(), 2, NOW), None);
        let mut three = weeks(1..49, 100);
        three.retain(|hour, _| *hour > HOUR - 4 * WEEK_HOURS);
        assert_eq!(usual_but_missing(&three, 2, NOW), None, "three weeks are no habit");
    }

    #[test]
    fn a_busy_site_is_missed_after_the_shortest_time() {
        assert_eq!(usual_but_missing(&weeks(1..49, 100), 2, NOW), Some(Silence { hours: 2, least: 200 }));
        assert_eq!(usual_but_missing(&weeks(1..49, 100), 3, NOW), Some(Silence { hours: 3, least: 300 }));
        for hour in [HOUR, HOUR - 1, HOUR - 2] {
            let mut heard = weeks(1..49, 100);
            heard.insert(hour, 1);
            assert_eq!(usual_but_missing(&heard, 2, NOW), None, "one event is enough");
        }
    }

    #[test]
    fn a_night_is_no_silence_and_a_whole_day_is() {
        // Nothing in the last ten hours, usually; before that it was day.
        let past = weeks(11..20, 5);
        let mut heard = past.clone();
        heard.insert(HOUR - 11, 5);
        assert_eq!(usual_but_missing(&heard, 2, NOW), None, "as always");
        assert_eq!(usual_but_missing(&past, 2, NOW), Some(Silence { hours: 16, least: 30 }), "the day is missing too");
    }

    #[test]
    fn few_events_are_missed_late_or_never() {
        assert_eq!(usual_but_missing(&weeks(1..49, 1), 2, NOW), Some(Silence { hours: 16, least: 16 }));
        assert_eq!(usual_but_missing(&weeks(40..41, 9), 2, NOW), None);
    }
}
