//! Moments, durations and numbers in words.

use std::time::Duration;

use crate::clock::Timestamp;

/// A moment and how long ago it was. The page's script shows the moment in the reader's time zone.
pub(super) struct Moment {
    /// RFC 3339.
    pub(super) exact: String,
    /// As in `3 minutes ago` or `in 5 minutes`.
    pub(super) ago: String,
}

impl Moment {
    pub(super) fn new(moment: Timestamp, now: Timestamp) -> Self {
        let ago = match moment > now {
            true => format!("in {}", span(moment.since(now))),
            false if now.since(moment) < Duration::from_secs(1) => "just now".to_owned(),
            false => format!("{} ago", span(now.since(moment))),
        };
        Self { exact: moment.to_rfc3339(), ago }
    }
}

/// A duration in the largest unit that gives at least two, as in `90 minutes`.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    counted(count, unit)
}

/// A count with its noun, as in `1 record` or `2,000 records`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", number(count), if count == 1 { "" } else { "s" })
}

/// An integer with thousands separators, as in `12,345`.
pub(super) fn number(number: impl std::fmt::Display) -> String {
    let plain = number.to_string();
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |digits| ("-", digits));
    let first = digits.len() % 3;
    let mut text = sign.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && place % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A query string.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Moment, counted, number, span};
    use crate::clock::Timestamp;

    #[test]
    fn numbers_and_spans_read_well() {
        assert_eq!(
            [0, 12, 123, 1_234, 1_234_567, -1_000].map(number),
            ["0", "12", "123", "1,234", "1,234,567", "-1,000"]
        );
        assert_eq!([0, 1, 2_000].map(|count| counted(count, "record")), ["0 records", "1 record", "2,000 records"]);
        let spans = [1, 59, 119, 120, 7_199, 7_200, 200_000].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(spans, ["1 second", "59 seconds", "119 seconds", "2 minutes", "119 minutes", "2 hours", "2 days"]);
        let now = Timestamp(1_000_000);
        let ago = |ms| Moment::new(Timestamp(now.0 + ms), now).ago;
        assert_eq!([ago(0), ago(-5_000), ago(300_000)], ["just now", "5 seconds ago", "in 5 minutes"]);
    }
}
