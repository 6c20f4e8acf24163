use std::time::Duration;

use super::{
    AlertCause, AlertChange, AlertPolicy, NotificationEvent, Observation, OpenAlert, Rule, SETTLED, Severity, Told,
    decide,
};
use crate::clock::Timestamp;

const NOW: Timestamp = Timestamp(1_000_000);

fn cause(name: &str, count: u64) -> AlertCause {
    let title = format!("{count} {name}");
    AlertCause { name: name.to_owned(), count, message: title.clone(), link: format!("/{name}"), title }
}

fn of_causes(severity: Severity, causes: &[(&str, u64)]) -> Observation {
    Observation {
        rule: Rule::Failed,
        subject: "destination:zoho".to_owned(),
        code: "records_failed",
        severity,
        title: "All.".to_owned(),
        message: "All.".to_owned(),
        link: "/all".to_owned(),
        causes: causes.iter().map(|(name, count)| cause(name, *count)).collect(),
    }
}

fn finding(severity: Severity) -> Observation {
    of_causes(severity, &[("mapping", 2)])
}

fn open() -> OpenAlert {
    OpenAlert {
        id: 7,
        rule: Rule::Failed,
        subject: "destination:zoho".to_owned(),
        severity: Severity::Warning,
        acknowledged: false,
        told: Some(Told::all(&finding(Severity::Warning), NOW)),
        quiet: 0,
        quiet_needed: 3,
        remind_at: Some(Timestamp(NOW.0 + 1)),
    }
}

fn notified(alert: OpenAlert, severity: Severity, now: Timestamp) -> (Option<NotificationEvent>, Severity) {
    match decide(&[alert], vec![finding(severity)], &[], now).as_slice() {
        [AlertChange::Keep { id: 7, finding, notify: tell, .. }] => {
            (tell.as_ref().map(|(event, _)| *event), finding.severity)
        }
        other => panic!("{other:?}"),
    }
}

/// An acknowledged alert, looked at again and again.
struct Acknowledged(OpenAlert);

impl Acknowledged {
    fn told(causes: &[(&str, u64)]) -> Self {
        let told = Some(Told::all(&of_causes(Severity::Warning, causes), NOW));
        Self(OpenAlert { acknowledged: true, told, ..open() })
    }

    /// What is told, if anything, of what is found so many minutes later; and where it leads.
    fn look(&mut self, minutes: u64, causes: &[(&str, u64)]) -> Option<(String, String)> {
        let now = NOW.after(Duration::from_secs(60 * minutes));
        let found = of_causes(Severity::Warning, causes);
        let changes = decide(std::slice::from_ref(&self.0), vec![found], &[], now);
        let Some(AlertChange::Keep { notify, told, .. }) = changes.into_iter().next() else { panic!("it is kept") };
        self.0.told = Some(told);
        let (event, told) = notify?;
        assert_eq!(event, NotificationEvent::Worsened);
        Some((told.title, told.link))
    }

    /// The same, as a title alone.
    fn title(&mut self, minutes: u64, causes: &[(&str, u64)]) -> Option<String> {
        self.look(minutes, causes).map(|(title, _)| title)
    }
}

#[test]
fn another_cause_is_told_in_its_own_words() {
    let mut alert = Acknowledged::told(&[("mapping", 2)]);
    let news = alert.look(1, &[("mapping", 2), ("address", 1)]);
    assert_eq!(news, Some(("1 address".to_owned(), "/address".to_owned())), "and leads to its own page");
    assert_eq!(alert.look(2, &[("mapping", 2), ("address", 1)]), None, "once");
    let two = alert.look(3, &[("mapping", 2), ("address", 1), ("lead", 1), ("value", 5)]);
    assert_eq!(two, Some(("All.".to_owned(), "/all".to_owned())), "several are told together");
}

#[test]
fn ten_times_as_many_are_told_at_once() {
    let mut alert = Acknowledged::told(&[("mapping", 1)]);
    assert_eq!(alert.title(1, &[("mapping", 9)]), None);
    assert_eq!(alert.title(2, &[("mapping", 100)]).as_deref(), Some("100 mapping"));
    assert_eq!(alert.title(3, &[("mapping", 999)]), None, "a hundred were told");
    assert_eq!(alert.title(4, &[("mapping", 1_000)]).as_deref(), Some("1000 mapping"));
}

#[test]
fn twice_as_many_are_told_after_an_hour() {
    let mut alert = Acknowledged::told(&[("mapping", 2)]);
    assert_eq!(alert.title(59, &[("mapping", 4)]), None);
    assert_eq!(alert.title(60, &[("mapping", 3)]), None, "half as many more are not");
    assert_eq!(alert.title(61, &[("mapping", 4)]).as_deref(), Some("4 mapping"));
    assert_eq!(alert.title(62, &[("mapping", 8)]), None, "and again after an hour");
    assert_eq!(alert.title(121, &[("mapping", 8)]).as_deref(), Some("8 mapping"));
    // From one record to a thousand, one a minute.
    let mut alert = Acknowledged::told(&[("mapping", 1)]);
    let told = (1..=1_000).filter(|minute| alert.title(*minute, &[("mapping", *minute)]).is_some()).count();
    assert!((5..=10).contains(&told), "{told} times");
}

#[test]
fn what_is_away_for_a_moment_is_not_news_when_it_returns() {
    let mut alert = Acknowledged::told(&[("mapping", 5), ("address", 30)]);
    // A retry.
    assert_eq!(alert.title(10, &[("mapping", 5)]), None);
    assert_eq!(alert.title(12, &[("mapping", 5), ("address", 30)]), None);
    // Gone for an hour, it is forgotten.
    for minute in 20..=80 {
        assert_eq!(alert.title(minute, &[("mapping", 5)]), None);
    }
    let returned = alert.title(81, &[("mapping", 5), ("address", 1)]);
    assert_eq!(returned.as_deref(), Some("1 address"));
}

#[test]
fn fewer_for_an_hour_are_what_was_told() {
    let mut alert = Acknowledged::told(&[("mapping", 100)]);
    assert_eq!(alert.title(10, &[("mapping", 1)]), None);
    assert_eq!(alert.title(20, &[("mapping", 3)]), None);
    assert_eq!(alert.title(70, &[("mapping", 1)]), None, "three at most since");
    assert_eq!(alert.title(71, &[("mapping", 6)]).as_deref(), Some("6 mapping"));
    let mut alert = Acknowledged::told(&[("mapping", 100)]);
    assert_eq!(alert.title(10, &[("mapping", 1)]), None);
    assert_eq!(alert.title(30, &[("mapping", 100)]), None, "as many as were told");
}

#[test]
fn what_an_earlier_version_raised_is_not_news() {
    let mut alert = Acknowledged(OpenAlert { acknowledged: true, told: None, ..open() });
    assert_eq!(alert.title(1, &[("mapping", 70)]), None);
    assert_eq!(alert.title(2, &[("mapping", 700)]).as_deref(), Some("700 mapping"));
}

#[test]
fn an_acknowledgement_is_for_what_is_there() {
    let mut alert = Acknowledged::told(&[("mapping", 1)]);
    assert_eq!(alert.title(10, &[("mapping", 9)]), None);
    let known = alert.0.told.take().unwrap();
    let causes = known.causes.into_iter().map(super::ToldCause::told_now).collect();
    alert.0.told = Some(Told { causes, at: NOW.after(Duration::from_secs(600)) });
    assert_eq!(alert.title(11, &[("mapping", 89)]), None, "nine were known");
    assert_eq!(alert.title(12, &[("mapping", 90)]).as_deref(), Some("90 mapping"));
    assert_eq!(SETTLED, Duration::from_secs(3_600));
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
        matches!(&found[..], [AlertChange::Keep { id: 7, notify: Some((NotificationEvent::Worsened, _)), .. }]),
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
