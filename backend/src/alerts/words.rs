//! How alerts are put into words.

use crate::{clock::Timestamp, model::NotificationEvent};

/// As in `2026-11-22 11:14 UTC`.
pub(super) fn when(time: Timestamp) -> String {
    let text = time.to_rfc3339().replace('T', " ");
    format!("{} UTC", text.get(..16).unwrap_or(&text))
}

/// As in `1 try` and `2 tries`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

pub(super) fn records(number: u64) -> String {
    count(number, "record", "records")
}

/// What is wrong, in a few words: a line of a list, the subject of a mail.
pub fn title(rule: &str, subject: &str) -> String {
    let name = subject.split_once(':').map_or(subject, |(_, name)| name);
    match rule {
        "oldest_change" => format!("changes wait for {name}"),
        "parked" => format!("records for {name} wait for others"),
        "failed" => format!("records failed at {name}"),
        "paused" => format!("the delivery to {name} is paused"),
        "credits" => format!("the API credits of {name} run out"),
        "site_silent" => format!("site {name} is silent"),
        "conservation" => format!("records and sync items for {name} do not agree"),
        "disk" => "the disk of the database fills".to_owned(),
        "ingest_rejecting" => format!("events of site {name} are rejected"),
        "token_expiring" => format!("token {name} ends"),
        "database" => "the database takes no writes".to_owned(),
        "look_failed" if subject == "alerts" => "alerts cannot be stored".to_owned(),
        "look_failed" => format!("rule {name} cannot be judged"),
        "channel_failing" => format!("notices by {name} do not arrive"),
        "clock" => "the time is in doubt".to_owned(),
        other => format!("{other}: {name}"),
    }
}

/// What a notice says before the title.
pub(super) fn heading(event: NotificationEvent) -> &'static str {
    match event {
        NotificationEvent::Raised => "Alert",
        NotificationEvent::Worsened => "Worse",
        NotificationEvent::Reminder => "Reminder",
        NotificationEvent::Resolved => "Resolved",
        NotificationEvent::Test => "Test",
    }
}

/// What a test says.
pub(super) const TEST: &str = "This is a test: somebody wanted to know whether notices arrive here. Nothing is wrong.";

#[cfg(test)]
mod tests {
    use super::{title, when};
    use crate::{clock::Timestamp, model::Rule};

    #[test]
    fn every_rule_has_words() {
        for rule in Rule::ALL {
            assert!(!title(rule.as_str(), "site:college").contains(':'), "{rule}");
        }
        assert_eq!(title("site_silent", "site:college"), "site college is silent");
        assert_eq!(when(Timestamp(0)), "1970-01-01 00:00 UTC");
    }
}
