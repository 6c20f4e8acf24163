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

fn outcome(alert: OpenAlert, severity: Severity, now: Timestamp) -> (Option<NotificationEvent>, Severity) {
    match decide(&[alert], vec![finding(severity)], &[], now).as_slice() {
        [AlertChange::Keep { id: 7, finding, notify }] => (*notify, finding.severity),
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_parse_back() {
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
fn what_is_new_is_raised_and_what_is_known_is_not() {
    let other = Observation { subject: "destination:other".to_owned(), ..finding(Severity::Warning) };
    let changes = decide(&[open()], vec![finding(Severity::Warning), other.clone()], &[], NOW);
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(matches!(&changes[0], AlertChange::Keep { id: 7, notify: None, .. }), "{changes:?}");
    assert_eq!(changes[1], AlertChange::Raise(other));
}

#[test]
fn it_is_resolved_after_enough_quiet_looks_in_a_row() {
    assert_eq!(decide(&[open()], vec![], &[], NOW), [AlertChange::Quiet { id: 7 }]);
    let quiet = OpenAlert { quiet: 2, ..open() };
    assert_eq!(decide(std::slice::from_ref(&quiet), vec![], &[], NOW), [AlertChange::Resolve { id: 7 }]);
    assert_eq!(outcome(quiet, Severity::Warning, NOW).0, None, "it never went away");
}

#[test]
fn an_alert_of_a_rule_that_was_not_evaluated_stays_unchanged() {
    let quiet = OpenAlert { quiet: 2, ..open() };
    assert_eq!(decide(std::slice::from_ref(&quiet), vec![], &[Rule::Failed], NOW), [], "neither doubted nor resolved");
    assert_eq!(decide(std::slice::from_ref(&quiet), vec![], &[Rule::Parked], NOW), [AlertChange::Resolve { id: 7 }]);
    // A finding counts even so.
    let found = decide(&[quiet], vec![finding(Severity::Critical)], &[Rule::Failed], NOW);
    assert!(
        matches!(&found[..], [AlertChange::Keep { id: 7, notify: Some(NotificationEvent::Worsened), .. }]),
        "{found:?}"
    );
}

#[test]
fn reminders_come_when_due_and_not_after_an_acknowledgement() {
    let later = Timestamp(NOW.0 + 1);
    assert_eq!(outcome(open(), Severity::Warning, NOW).0, None);
    assert_eq!(outcome(open(), Severity::Warning, later).0, Some(NotificationEvent::Reminder));
    assert_eq!(outcome(OpenAlert { acknowledged: true, ..open() }, Severity::Warning, later).0, None);
    assert_eq!(outcome(OpenAlert { remind_at: None, ..open() }, Severity::Warning, later).0, None);
}

#[test]
fn a_worse_finding_is_announced_and_the_severity_stays() {
    let known = OpenAlert { acknowledged: true, ..open() };
    assert_eq!(outcome(known, Severity::Critical, NOW), (Some(NotificationEvent::Worsened), Severity::Critical));
    let critical = OpenAlert { severity: Severity::Critical, ..open() };
    assert_eq!(outcome(critical, Severity::Warning, NOW), (None, Severity::Critical));
}

#[test]
fn a_flapping_alert_takes_longer_to_resolve() {
    let policy = AlertPolicy { quiet: 3, remind: None };
    assert_eq!(policy.quiet_needed(None, NOW), 3);
    assert_eq!(policy.quiet_needed(Some((3, Timestamp(NOW.0 - 1))), NOW), 6);
    assert_eq!(policy.quiet_needed(Some((96, Timestamp(NOW.0 - 1))), NOW), 96, "within reason");
    let long_ago = Timestamp(NOW.0 - i64::try_from(Duration::from_secs(3_600).as_millis()).unwrap());
    assert_eq!(policy.quiet_needed(Some((48, long_ago)), NOW), 3);
}
