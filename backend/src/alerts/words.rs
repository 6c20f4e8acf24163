//! The texts of alerts.

use crate::{clock::Timestamp, model::NotificationEvent};

/// For example `2026-11-22 11:14 UTC`.
pub(super) fn when(time: Timestamp) -> String {
    let text = time.to_rfc3339().replace('T', " ");
    format!("{} UTC", text.get(..16).unwrap_or(&text))
}

/// For example `1 record` and `2 records`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

pub(super) fn records(number: u64) -> String {
    count(number, "record", "records")
}

/// A short title: a line of a list, the subject of a mail.
pub fn title(rule: &str, subject: &str) -> String {
    let name = subject.split_once(':').map_or(subject, |(_, name)| name);
    match rule {
        "oldest_change" => format!("changes wait to be delivered to {name}"),
        "parked" => format!("records for {name} wait for others"),
        "failed" => format!("records failed at {name}"),
        "paused" => format!("the delivery to {name} is paused"),
        "other_mapping" => format!("a process with another mapping does not deliver to {name}"),
        "braked" => format!("unusually much that cannot be undone waits at site {name}"),
        "parity_broken" => format!("Moodle and the backend differ at site {name}"),
        "backup_missed" => "there is no recent backup".to_owned(),
        "credits" => format!("the API credits of {name} are running out"),
        "site_silent" => format!("site {name} is silent"),
        "conservation" => format!("records and sync items for {name} do not match"),
        "disk" => "the database's disk is filling up".to_owned(),
        "ingest_rejecting" => format!("events of site {name} are being rejected"),
        "token_expiring" => format!("token {name} expires"),
        "database" => "the database accepts no events".to_owned(),
        "look_failed" if subject == "alerts" => "alerts cannot be stored".to_owned(),
        "look_failed" => format!("rule {name} cannot be evaluated"),
        "channel_failing" => format!("notifications by {name} fail"),
        "clock" => "the time is uncertain".to_owned(),
        other => format!("{other}: {name}"),
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
pub(super) const TEST: &str = "This is a test of this channel. Nothing is wrong.";

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
