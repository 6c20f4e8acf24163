//! The texts of alerts.

use std::time::Duration;

use crate::{
    clock::Timestamp,
    model::{Kind, NotificationEvent},
    store::Alert,
};

/// For example `2026-11-22 11:14 UTC`.
pub(super) fn when(time: Timestamp) -> String {
    let text = time.to_rfc3339().replace('T', " ");
    format!("{} UTC", text.get(..16).unwrap_or(&text))
}

pub(super) fn records(number: u64) -> String {
    counted(number, "record", "records")
}

/// For example `1,940 records`.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// For example `1,234,567`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let comma = |(place, digit): (usize, char)| {
        let is_group = place > 0 && (digits.len() - place).is_multiple_of(3);
        is_group.then_some(',').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(comma).collect()
}

/// Records of a kind, as people call them: `1 person` and `12 enrolments`.
pub(super) fn of_kind(kind: Kind, count: u64) -> String {
    match kind {
        Kind::User => counted(count, "person", "people"),
        other => counted(count, other.as_str(), &format!("{other}s")),
    }
}

/// With a capital letter, as a name or at the beginning of a sentence.
pub(super) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// The finding in one line. Alerts of earlier versions have none.
pub fn title(alert: &Alert) -> String {
    match alert.title.as_str() {
        "" => format!("{}: {}", alert.rule, alert.subject),
        title => title.to_owned(),
    }
}

/// What an acknowledgement means, after for what and for how long it is.
pub const ACKNOWLEDGED: &str = "Until then nobody is reminded. Another cause is told all the same, and so are many more of the \
                                same: ten times as many at once, twice as many after an hour.";

/// A look this long after it was due is missing, not late.
const LATE: Duration = Duration::from_secs(10 * 60);

/// Whether the rules were evaluated so recently that what they found is how things are. `interval` is the time between
/// two evaluations.
pub fn is_looked_at(evaluated: Option<Timestamp>, interval: Duration, now: Timestamp) -> bool {
    evaluated.is_some_and(|at| !now.is_past(at, interval + LATE))
}

/// Whether anything is wrong, when no alert is open: nobody knows before the rules were evaluated, nor long after.
pub fn nothing_open(evaluated: Option<Timestamp>, interval: Duration, now: Timestamp) -> String {
    match evaluated {
        None => {
            "Whether anything is wrong is not known yet: the alert rules have not been evaluated. The server does it \
                 within a minute of its start."
                .to_owned()
        }
        Some(at) if !is_looked_at(evaluated, interval, now) => format!(
            "No alert was open when the rules were last evaluated, at {}. Nobody has looked since: does the server run?",
            when(at)
        ),
        Some(at) => format!("Nothing is wrong: no alert is open. The rules were last evaluated at {}.", when(at)),
    }
}

/// What a notification's title begins with.
pub(super) fn heading(event: NotificationEvent) -> &'static str {
    match event {
        NotificationEvent::Raised => "Alert",
        NotificationEvent::Worsened => "Worse",
        NotificationEvent::Reminder => "Reminder",
        NotificationEvent::Resolved => "Resolved",
        NotificationEvent::Test => "Test",
    }
}

/// The text of a test notification.
pub(super) const TEST: &str = "This is a test of this channel. It says nothing about how things are.";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{nothing_open, number, of_kind, when};
    use crate::{clock::Timestamp, model::Kind};

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!([0, 12, 123, 1_234, 1_234_567].map(number), ["0", "12", "123", "1,234", "1,234,567"]);
        assert_eq!((of_kind(Kind::User, 1), of_kind(Kind::Enrolment, 1_200)).1, "1,200 enrolments");
        assert_eq!(when(Timestamp(0)), "1970-01-01 00:00 UTC");
    }

    #[test]
    fn nothing_is_wrong_only_after_a_look() {
        let now = Timestamp(1_795_335_000_000);
        let nothing_open = |evaluated| nothing_open(evaluated, Duration::from_secs(60), now);
        assert!(nothing_open(None).starts_with("Whether anything is wrong is not known yet"));
        let recent = nothing_open(Some(now.before(Duration::from_secs(60))));
        assert_eq!(
            recent,
            "Nothing is wrong: no alert is open. The rules were last evaluated at 2026-11-22 08:09 UTC."
        );
        let long_ago = nothing_open(Some(now.before(Duration::from_secs(660))));
        assert!(long_ago.contains("does the server run?") && !long_ago.contains("Nothing is wrong"), "{long_ago}");
    }
}
