use std::{collections::HashMap, time::Duration};

use super::{DestinationInput, Hours, SiteInput, channel, destination, disk, site, tokens};
use crate::{
    alerts::ChannelSummary,
    clock::Timestamp,
    config::{AlertRules, Config, Overrides},
    model::{Id, ItemState, Kind, Observation, RecordKey, Severity},
    store::{
        ChannelState, Conservation, CreditSample, DestinationSummary, Pause, Reason, Space, TokenSummary, Waiting,
    },
};

pub(super) const NOW: Timestamp = Timestamp(1_795_335_000_000);

pub(super) fn ago(minutes: i64) -> Timestamp {
    Timestamp(NOW.0 - minutes * 60_000)
}

pub(super) fn rules() -> AlertRules {
    Config::load(&Overrides::default(), std::iter::empty()).unwrap().alerts.rules
}

/// Every rule that can be turned off is off.
fn no_rules() -> AlertRules {
    AlertRules {
        oldest_minutes: 0,
        parked_hours: 0,
        failed: 0,
        failed_many: 0,
        paused_hours: 0,
        credits_left: 0,
        credits_hours: 0,
        silent_hours: 0,
        disk_free_percent: 0,
        disk_free_mib: 0,
        rejected_events: 0,
        rejected_percent: 0,
        database_seconds: 0,
        token_days: 0,
        backup_hours: 0,
    }
}

pub(super) fn well() -> DestinationInput {
    let summary = DestinationSummary {
        holds: Vec::new(),
        name: crate::zoho::NAME.to_owned(),
        pause: None,
        slow_reason: None,
        done_at: None,
        credits: None,
        audit: None,
    };
    let sites = HashMap::from([(1, "college".to_owned())]);
    DestinationInput { summary, reserve: 1_000, samples: vec![], waiting: None, reasons: vec![], sites }
}

fn codes(findings: &[Observation]) -> Vec<(&'static str, Severity)> {
    findings.iter().map(|finding| (finding.code, finding.severity)).collect()
}

fn judge(input: &DestinationInput) -> Vec<(&'static str, Severity)> {
    codes(&destination(input, &rules(), NOW))
}

use Severity::{Critical, Warning};

#[test]
fn a_destination_that_is_well() {
    assert_eq!(judge(&well()), []);
}

#[test]
fn a_change_that_waits() {
    let waiting =
        |minutes| DestinationInput { waiting: Some(Waiting { count: 3, since: ago(minutes), only: None }), ..well() };
    assert_eq!(judge(&waiting(10)), []);
    assert_eq!(judge(&waiting(11)), [("change_waiting", Warning)]);
    assert_eq!(codes(&destination(&waiting(11), &no_rules(), NOW)), []);
    let mut slow = waiting(11);
    slow.summary.slow_reason = Some("Few credits are left.".to_owned());
    slow.summary.done_at = Some(ago(-60));
    let message = destination(&slow, &rules(), NOW).pop().unwrap().message;
    assert!(message.contains("Few credits are left. It is expected to have caught up at 2026-"), "{message}");
}

#[test]
fn records_that_wait_for_others() {
    let parked = |late| DestinationInput {
        reasons: vec![Reason { state: ItemState::Parked, late, ..reason(Kind::Enrolment, "waits_for_user", 12) }],
        ..well()
    };
    assert_eq!(judge(&parked(0)), []);
    assert_eq!(judge(&parked(2)), [("records_parked", Warning)]);
    let found = destination(&parked(2), &rules(), NOW).pop().unwrap();
    assert_eq!(
        (found.title.as_str(), found.link.as_str()),
        (
            "2 enrolments are not in Zoho: waiting for a person who is not at the destination yet",
            "/attention?destination=zoho&state=parked&kind=enrolment&code=waits_for_user"
        )
    );
    assert_eq!(codes(&destination(&parked(2), &no_rules(), NOW)), []);
}

/// Failed records that are not in Zoho.
pub(super) fn reason(kind: Kind, code: &str, count: u64) -> Reason {
    let only = (count == 1).then_some(RecordKey { kind, site_id: 1, moodle_id: Id(28) });
    let (state, code) = (ItemState::Failed, code.to_owned());
    Reason { state, kind, code, count, there: 0, late: count, since: ago(60), only }
}

pub(super) fn failing(reasons: Vec<Reason>) -> DestinationInput {
    DestinationInput { reasons, ..well() }
}

fn found(input: &DestinationInput) -> Observation {
    destination(input, &rules(), NOW).pop().unwrap()
}

#[test]
fn records_that_failed() {
    let failed =
        |count| failing(vec![reason(Kind::User, "INVALID_DATA", count), reason(Kind::User, "DUPLICATE_DATA", 1)]);
    assert_eq!(judge(&failed(98)), [("records_failed", Warning)]);
    assert_eq!(judge(&failed(99)), [("many_records_failed", Critical)]);
    let braked = reason(Kind::User, "braked_deletion", 3);
    assert_eq!(judge(&failing(vec![braked])), [], "the brake has a rule of its own");
    let Observation { title, message, link, causes, .. } = found(&failed(2));
    assert_eq!(title, "3 records are not in Zoho, for 2 reasons");
    assert!(message.contains("2 people are not in Zoho: Zoho does not accept a value. 1 person is not"), "{message}");
    assert_eq!(link, "/attention?destination=zoho");
    let names: Vec<(&str, u64)> = causes.iter().map(|cause| (cause.name.as_str(), cause.count)).collect();
    assert_eq!(names, [("user INVALID_DATA", 2), ("user DUPLICATE_DATA", 1)]);
}

#[test]
fn a_failure_leads_to_its_record_or_group() {
    let one = found(&failing(vec![reason(Kind::User, "email_taken", 1)]));
    assert_eq!(one.title, "1 person is not in Zoho: somebody else has the same e-mail address");
    assert!(one.message.contains("What to do: Decide whether they are the same person."), "{}", one.message);
    assert_eq!(one.link, "/records/user:college:28");
    let many = found(&failing(vec![Reason { there: 2, ..reason(Kind::Grade, "INVALID_DATA", 2) }]));
    assert_eq!(many.title, "2 grades are out of date in Zoho: Zoho does not accept a value");
    assert_eq!(many.link, "/attention?destination=zoho&state=failed&kind=grade&code=INVALID_DATA");
    let some = found(&failing(vec![Reason { there: 1, ..reason(Kind::Grade, "INVALID_DATA", 2) }]));
    assert!(some.title.starts_with("2 grades are not in Zoho, or out of date there: "), "{}", some.title);
}

#[test]
fn a_pause_by_its_cause() {
    let paused = |cause: &str, minutes| {
        let mut input = well();
        // What waits during the pause is not an alert of its own.
        input.waiting = Some(Waiting { count: 3, since: ago(minutes), only: None });
        let reason = "Ask Ann.".to_owned();
        input.summary.pause = Some(Pause { cause: cause.to_owned(), reason, since: ago(minutes), check_at: None });
        input
    };
    assert_eq!(judge(&paused("credentials", 0)), [("paused_credentials", Critical)]);
    assert_eq!(judge(&paused("configuration", 0)), [("paused_configuration", Critical)]);
    assert_eq!(judge(&paused("credits", 0)), [("paused_credits", Warning)]);
    assert_eq!(judge(&paused("operator", 4 * 60)), []);
    assert_eq!(judge(&paused("operator", 4 * 60 + 1)), [("paused_by_operator", Warning)]);
    let message = destination(&paused("operator", 300), &rules(), NOW).pop().unwrap().message;
    assert!(!message.contains("Ann"), "the operator's text stays out: {message}");
}

#[test]
fn credits_that_run_out() {
    let left = |left, samples: &[(i64, i64)]| {
        let mut input = well();
        input.summary.credits = Some((left, ago(0)));
        input.samples = samples.iter().map(|(minutes, left)| CreditSample { at: ago(*minutes), left: *left }).collect();
        input
    };
    assert_eq!(judge(&left(1_500, &[])), []);
    assert_eq!(judge(&left(1_499, &[])), [("credits_low", Warning)]);
    assert_eq!(judge(&left(1_000, &[])), [("credits_used_up", Critical)]);
    // 4,000 above the reserve, 1,000 of which go in half an hour.
    let fast = left(5_000, &[(30, 6_000), (0, 5_000)]);
    assert_eq!(judge(&fast), [("credits_running_out", Warning)]);
    let message = destination(&fast, &rules(), NOW).pop().unwrap().message;
    assert!(message.contains("2000 an hour") && message.contains("used up at 2026-11-22 10:10 UTC"), "{message}");
    assert_eq!(judge(&left(5_000, &[(60, 5_900), (0, 5_000)])), [], "it lasts for more than four hours");
    assert_eq!(judge(&left(5_000, &[(5, 9_000), (0, 5_000)])), [], "five minutes say nothing");
    assert_eq!(judge(&left(5_000, &[(30, 4_000), (0, 5_000)])), [], "they came back");
    let mut old = left(0, &[]);
    old.summary.credits = Some((0, ago(24 * 60)));
    assert_eq!(judge(&old), [], "they have come back since");
}

#[test]
fn a_sum_that_is_wrong() {
    let mut input = well();
    let mut found = Conservation { records: 2, items: 2, without_item: 0, without_record: 0, malformed: 0 };
    input.summary.audit = Some((found, ago(1)));
    assert_eq!(judge(&input), []);
    (found.items, found.without_item) = (1, 1);
    input.summary.audit = Some((found, ago(1)));
    assert_eq!(judge(&input), [("conservation_broken", Critical)]);
}

pub(super) fn a_site(rejected: u64, events: u64) -> SiteInput {
    SiteInput { name: "college".to_owned(), hours: Hours::new(), silent_since: None, rejected, events }
}

#[test]
pub(super) fn a_site_that_is_silent_stays_so_until_it_is_heard() {
    let mut input = a_site(0, 0);
    assert_eq!(site(&input, &rules(), NOW), []);
    // Even in a week whose past is as silent.
    input.silent_since = Some(ago(60 * 24 * 10));
    assert_eq!(codes(&site(&input, &rules(), NOW)), [("site_silent", Warning)]);
    assert_eq!(codes(&site(&input, &no_rules(), NOW)), []);
}

#[test]
fn events_that_are_rejected() {
    assert_eq!(site(&a_site(10, 10), &rules(), NOW), [], "not more than ten");
    assert_eq!(site(&a_site(11, 1_100), &rules(), NOW), [], "one in a hundred");
    assert_eq!(codes(&site(&a_site(11, 1_099), &rules(), NOW)), [("events_rejected", Warning)]);
}

pub(super) fn token(id: i64, site: Option<&str>, days: Option<i64>, used: Option<i64>) -> TokenSummary {
    TokenSummary {
        id,
        scope: "ingest".to_owned(),
        site: site.map(str::to_owned),
        name: site.is_none().then(|| "Ann's laptop".to_owned()),
        created_at: ago(0),
        last_used_at: used.map(ago),
        revoked_at: None,
        expires_at: days.map(|days| ago(-days * 24 * 60)),
    }
}

#[test]
fn tokens_that_end() {
    let judge = |all: &[TokenSummary]| codes(&tokens(all, &rules(), NOW));
    assert_eq!(judge(&[token(1, Some("college"), None, None), token(2, None, Some(15), None)]), []);
    assert_eq!(judge(&[token(1, Some("college"), Some(14), None)]), [("token_ends", Warning)]);
    assert_eq!(judge(&[token(1, Some("college"), Some(0), None)]), [("token_ended", Critical)]);
    let api = tokens(&[token(2, None, Some(1), None)], &rules(), NOW);
    assert!(!api[0].message.contains("Ann") && api[0].subject == "token:2", "{api:?}");
}

#[test]
fn a_token_that_is_replaced_may_end() {
    let old = || token(1, Some("college"), Some(1), Some(60));
    let judge = |other: TokenSummary| tokens(&[old(), other], &rules(), NOW).len();
    assert_eq!(judge(token(2, Some("college"), None, Some(5))), 0, "the site sends with the new one");
    assert_eq!(judge(token(2, Some("college"), None, None)), 1, "nobody uses the new one");
    assert_eq!(judge(token(2, Some("college"), None, Some(90))), 1, "the site went back to the old one");
    assert_eq!(judge(token(2, Some("other"), None, Some(5))), 1, "another site's");
}

#[test]
fn a_disk_that_fills() {
    let space = |free_mib: u64, total_mib: u64| {
        Ok(Space { folder: "/data".into(), free: free_mib * 1024 * 1024, total: total_mib * 1024 * 1024 })
    };
    let judge = |space| disk(&space, &rules()).map(|finding| (finding.code, finding.severity));
    assert_eq!(judge(space(20_000, 100_000)), None);
    assert_eq!(judge(space(9_999, 100_000)), Some(("disk_filling", Warning)));
    assert_eq!(judge(space(1_023, 4_000)), Some(("disk_nearly_full", Critical)));
    assert_eq!(judge(Err(std::io::ErrorKind::NotFound.into())), Some(("disk_unknown", Warning)));
    assert_eq!(disk(&space(0, 0), &no_rules()), None);
}

#[test]
fn a_channel_that_fails() {
    let channel_with = |failures| {
        let state = ChannelState {
            name: "ops".to_owned(),
            last_success_at: Some(ago(60)),
            last_failure_at: Some(ago(1)),
            failures,
            error: Some("the webhook answered 500".to_owned()),
        };
        channel(&ChannelSummary { name: "ops".to_owned(), kind: "slack", state: Some(state) })
    };
    assert_eq!(channel_with(2), None);
    let finding = channel_with(3).unwrap();
    assert_eq!((finding.subject.as_str(), finding.code), ("channel:ops", "channel_failing"));
    assert!(finding.message.contains("3 times in a row") && finding.title.contains("500"), "{}", finding.message);
    assert_eq!(channel(&ChannelSummary { name: "ops".to_owned(), kind: "slack", state: None }), None);
    assert_eq!(super::limit(2, 60), Some(Duration::from_secs(120)));
}
