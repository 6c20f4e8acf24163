use std::time::Duration;

use super::{AlertChange, AlertPolicy, NotificationEvent, Observation, OpenAlert, Rule, Severity, decide};
use crate::clock::Timestamp;

const NOW: Timestamp = Timestamp(1_000_000);

fn finding(severity: Severity) -> Observation {
    let subject = "destination:zoho".to_owned();
    Observation { rule: Rule::Failed, subject, code: "records_failed", severity, message: "Two.".to_owned() }
}

fn open() -> OpenAlert {
    OpenAlert {
        id: 7,
        rule: Rule::Failed,
        subject: "destination:zoho".to_owned(),
        severity: Severity::Warning,
        acknowledged: false,
        quiet: 0,
        quiet_needed: 3,
        remind_at: Some(Timestamp(NOW.0 + 1)),
    }
}

fn notified(alert: OpenAlert, severity: Severity, now: Timestamp) -> (Option<NotificationEvent>, Severity) {
    match decide(&[alert], vec![finding(severity)], &[], now).as_slice() {
        [AlertChange::Keep { id: 7, finding, notify: tell }] => (*tell, finding.severity),
        other => panic!("{other:?}"),
    }
}

#[test]
fn words_survive_a_round_trip() {
    for rule in Rule::ALL {
        assert_eq!(rule.as_str().parse::<Rule>().ok(), Some(*rule));
    }
    for event in NotificationEvent::ALL {
        assert_eq!(event.as_str().parse::<NotificationEvent>().ok(), Some(*event));
    }
    assert!("critical".parse::<Severity>().unwrap() > "warning".parse().unwrap());
    assert!("sad".parse::<Severity>().is_err());
}

#[test]
fn only_new_findings_are_raised() {
    let other = Observation { subject: "destination:other".to_owned(), ..finding(Severity::Warning) };
    let changes = decide(&[open()], vec![finding(Severity::Warning), other.clone()], &[], NOW);
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(matches!(&changes[0], AlertChange::Keep { id: 7, notify: None, .. }), "{changes:?}");
    assert_eq!(changes[1], AlertChange::Raise(other));
}

#[test]
fn an_alert_is_resolved_after_enough_quiet_checks_in_a_row() {
    assert_eq!(decide(&[open()], vec![], &[], NOW), [AlertChange::Quiet { id: 7 }]);
    let quiet = OpenAlert { quiet: 2, ..open() };
    assert_eq!(decide(std::slice::from_ref(&quiet), vec![], &[], NOW), [AlertChange::Resolve { id: 7 }]);
    assert_eq!(notified(quiet, Severity::Warning, NOW).0, None, "it was found all along");
}

#[test]
fn an_alert_whose_rule_could_not_be_judged_is_unchanged() {
    let quiet = OpenAlert { quiet: 2, ..open() };
    assert_eq!(decide(std::slice::from_ref(&quiet), vec![], &[Rule::Failed], NOW), [], "neither missed nor resolved");
    assert_eq!(decide(std::slice::from_ref(&quiet), vec![], &[Rule::Parked], NOW), [AlertChange::Resolve { id: 7 }]);
    // A finding of such a rule still counts.
    let found = decide(&[quiet], vec![finding(Severity::Critical)], &[Rule::Failed], NOW);
    assert!(
        matches!(&found[..], [AlertChange::Keep { id: 7, notify: Some(NotificationEvent::Worsened), .. }]),
        "{found:?}"
    );
}

#[test]
fn reminders_come_on_time_unless_acknowledged() {
    let later = Timestamp(NOW.0 + 1);
    assert_eq!(notified(open(), Severity::Warning, NOW).0, None);
    assert_eq!(notified(open(), Severity::Warning, later).0, Some(NotificationEvent::Reminder));
    assert_eq!(notified(OpenAlert { acknowledged: true, ..open() }, Severity::Warning, later).0, None);
    assert_eq!(notified(OpenAlert { remind_at: None, ..open() }, Severity::Warning, later).0, None);
}

#[test]
fn worsening_is_notified_and_keeps_the_highest_severity() {
    let known = OpenAlert { acknowledged: true, ..open() };
    assert_eq!(notified(known, Severity::Critical, NOW), (Some(NotificationEvent::Worsened), Severity::Critical));
    let critical = OpenAlert { severity: Severity::Critical, ..open() };
    assert_eq!(notified(critical, Severity::Warning, NOW), (None, Severity::Critical));
}

#[test]
fn flapping_alerts_need_more_quiet_checks() {
    let policy = AlertPolicy { quiet: 3, remind: None };
    assert_eq!(policy.quiet_needed(None, NOW), 3);
    assert_eq!(policy.quiet_needed(Some((3, Timestamp(NOW.0 - 1))), NOW), 6);
    assert_eq!(policy.quiet_needed(Some((96, Timestamp(NOW.0 - 1))), NOW), 96, "within reason");
    let long_ago = Timestamp(NOW.0 - i64::try_from(Duration::from_secs(3_600).as_millis()).unwrap());
    assert_eq!(policy.quiet_needed(Some((48, long_ago)), NOW), 3);
}
