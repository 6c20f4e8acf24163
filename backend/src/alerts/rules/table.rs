//! The table of all alerts in `docs/alerts.md` is what the rules find: an example of each, with what is told again.

use std::{collections::BTreeSet, time::Instant};

use super::{
    Backups, BrakedSite, DestinationInput, SiteInput, UnreadableRules, backup, braked, channel, clock, database,
    destination, destination_parity, disk, lost, not_stored, other_mapping, parity, site, tests::*, tokens, unreadable,
};
use crate::{
    alerts::{ChannelSummary, links},
    clock::{ClockStatus, Timestamp, judge::Disagreement},
    config::AlertRules,
    health::WriteHealth,
    model::{
        AlertChange, Digest, Effect, FindingSort, ItemState, Kind, NotificationEvent, Observation, OpenAlert, Records,
        Rule, Told, decide,
    },
    store::{
        BrakeCount, Cause, ChannelState, Comparison, Conservation, CreditSample, DeliveryProcess, Hold, Pause,
        ProofState, Reason, Space, Waiting,
    },
};

/// A finding, when it is found, and what may become of it.
struct Example {
    when: &'static str,
    finding: Observation,
    later: Vec<Observation>,
}

fn example(when: &'static str, finding: Observation, later: impl IntoIterator<Item = Observation>) -> Example {
    Example { when, finding, later: later.into_iter().collect() }
}

fn of(input: DestinationInput) -> Observation {
    destination(&input, &rules(), NOW).pop().unwrap()
}

fn waiting(count: u64) -> Observation {
    of(DestinationInput { waiting: Some(Waiting { count, since: ago(12), only: None }), ..well() })
}

fn parked(kind: Kind, count: u64) -> Observation {
    let since = ago(25 * 60);
    let reason = Reason { state: ItemState::Parked, late: count, since, ..reason(kind, "waits_for_user", count) };
    of(failing(vec![reason]))
}

fn failed(code: &str, count: u64) -> Observation {
    of(failing(vec![reason(Kind::User, code, count)]))
}

fn paused(cause: &str, reason: &str) -> Observation {
    let pause = Pause { cause: cause.to_owned(), reason: reason.to_owned(), since: ago(300), check_at: None };
    let mut input = well();
    input.summary.pause = Some(pause);
    of(input)
}

fn held(cause: &str, reason: &str, kinds: &[Kind]) -> Observation {
    let hold = |kind: &Kind| Hold {
        kind: *kind,
        records: Records::New,
        cause: cause.to_owned(),
        reason: reason.to_owned(),
        since: ago(5),
        check_at: None,
    };
    let mut input = well();
    input.summary.holds = kinds.iter().map(hold).collect();
    of(input)
}

fn mappings(others: usize) -> Observation {
    let process = |number: usize, mapping: &str| DeliveryProcess {
        id: number.to_string(),
        place: format!("process {number} on host a"),
        mapping: mapping.to_owned(),
        since: ago(5),
    };
    let living: Vec<_> =
        std::iter::once(process(1, "a")).chain((2..others + 2).map(|number| process(number, "b"))).collect();
    other_mapping("zoho", &living, NOW).unwrap()
}

fn effects(waiting: &[(Effect, u64)]) -> Observation {
    let count = |(effect, waiting): &(Effect, u64)| {
        (*effect, BrakeCount { waiting: *waiting, since: Some(ago(5)), ..BrakeCount::default() })
    };
    braked(&BrakedSite { name: "college".to_owned(), waiting: waiting.iter().map(count).collect() }).unwrap()
}

fn compared(differing: &[(Kind, i64)]) -> Observation {
    let comparison = |(kind, differing): &(Kind, i64)| Comparison {
        site_id: 1,
        kind: *kind,
        compared_at: ago(5),
        moodle_records: 998,
        backend_records: 998,
        digest: Digest::UNKNOWN,
        repaired: 0,
        differing: *differing,
        unprovable: 0,
    };
    parity("college", &differing.iter().map(comparison).collect::<Vec<_>>()).unwrap()
}

fn differing(open: &[(FindingSort, u64)]) -> Observation {
    destination_parity("zoho", &open.iter().copied().collect(), &ProofState::default(), NOW).unwrap()
}

fn unproved(failure: &str) -> Observation {
    let began_at = Some(ago(25 * 60).0);
    let proof = ProofState { began_at, failure: Some(failure.to_owned()), ..ProofState::default() };
    destination_parity("zoho", &std::collections::BTreeMap::new(), &proof, NOW).unwrap()
}

fn credits(left: i64) -> Observation {
    let mut input = well();
    input.summary.credits = Some((left, ago(0)));
    input.samples =
        [(30, left + 1_000), (0, left)].map(|(minutes, left)| CreditSample { at: ago(minutes), left }).into();
    of(input)
}

fn audited(without_item: u64, malformed: u64) -> Observation {
    let found =
        Conservation { records: 6_481, items: 6_481 - without_item, without_item, without_record: 0, malformed };
    let mut input = well();
    input.summary.audit = Some((found, ago(1)));
    of(input)
}

fn of_site(input: &SiteInput) -> Observation {
    site(input, &rules(), NOW).pop().unwrap()
}

fn rejected(rejected: u64) -> Observation {
    of_site(&a_site(rejected, 511))
}

fn token_in(days: i64) -> Observation {
    tokens(&[token(3, Some("college"), Some(days), None)], &rules(), NOW).pop().unwrap()
}

fn free(mib: u64, total_mib: u64) -> Observation {
    let (free, total) = (mib * 1024 * 1024, total_mib * 1024 * 1024);
    disk(&Ok(Space { folder: "/var/lib/backend-sync".into(), free, total }), &rules()).unwrap()
}

fn no_events(cause: Cause) -> Observation {
    let (start, mut health) = (Instant::now(), WriteHealth::default());
    health.note(Err(cause), start);
    database(&health, &rules(), "process 7 on host a", start + std::time::Duration::from_secs(120)).unwrap()
}

fn not_read(cause: Cause) -> Observation {
    unreadable(&UnreadableRules { rules: &[Rule::Failed, Rule::Parked], cause, evaluations: 3 })
}

fn time(disagreement: Option<Disagreement>, machine_ahead_ms: i64) -> Observation {
    clock(&ClockStatus { disagreement, machine_ahead_ms }).unwrap()
}

fn missed_backup(last: Option<Timestamp>) -> Observation {
    let rules = AlertRules { backup_hours: 24, ..rules() };
    backup(Backups { last, age: Some(std::time::Duration::from_secs(72 * 60 * 60)) }, &rules, NOW).unwrap()
}

fn failing_channel() -> Observation {
    let state = ChannelState {
        name: "ops".to_owned(),
        last_success_at: Some(ago(60)),
        last_failure_at: Some(ago(1)),
        failures: 3,
        error: Some("the webhook answered 500".to_owned()),
    };
    channel(&ChannelSummary { name: "ops".to_owned(), kind: "slack", state: Some(state) }).unwrap()
}

fn of_destinations() -> Vec<Example> {
    let reason = "Zoho refuses the refresh token. Run backend-sync zoho connect.";
    let no_permission =
        "The Zoho user may not create records in the module Grades. Give that user's profile the permission.";
    let down = "Zoho answers 500.";
    vec![
        example(
            "a change waits for more than `oldest_minutes`, counted from when it was queued",
            waiting(3),
            [waiting(30)],
        ),
        example(
            "records wait for others for more than `parked_hours`",
            parked(Kind::Enrolment, 12),
            [parked(Kind::Grade, 12), parked(Kind::Enrolment, 120)],
        ),
        example(
            "`failed` records or more failed",
            failed("email_taken", 1),
            [failed("lead", 1), failed("email_taken", 10)],
        ),
        example(
            "`failed_many` records or more failed",
            failed("INVALID_DATA", 120),
            [failed("mapping", 120), failed("INVALID_DATA", 1_200)],
        ),
        example(
            "the destination refuses the credentials",
            paused("credentials", reason),
            [paused("configuration", reason)],
        ),
        example(
            "the settings do not fit the destination",
            paused("configuration", "Zoho does not know the module LMS_Grades."),
            [paused("credentials", reason)],
        ),
        example(
            "the credentials lead to another organisation than before",
            paused("organisation", "If that is meant: backend-sync sync accept organisation."),
            [paused("credentials", reason)],
        ),
        example(
            "the destination takes no calls before credits come back",
            paused("credits", "They come back by themselves."),
            [paused("credentials", reason)],
        ),
        example(
            "a person's pause lasts more than `paused_hours`",
            paused("operator", ""),
            [paused("credentials", reason)],
        ),
        example(
            "records of one kind are held",
            held("permission", no_permission, &[Kind::Grade]),
            [held("permission", no_permission, &[Kind::Grade, Kind::Course])],
        ),
        example(
            "one operation or module of the destination has failed for two minutes",
            held("outage", down, &[Kind::Grade]),
            [held("outage", down, &[Kind::Grade, Kind::Course]), held("permission", no_permission, &[Kind::Grade])],
        ),
        example("a process has another mapping for two minutes", mappings(1), [mappings(10)]),
        example("`credits_left` or fewer are above the reserve", credits(1_400), [credits(900)]),
        example("the credits last less than `credits_hours` at this rate", credits(5_000), [credits(900)]),
        example("no credits are above the reserve", credits(900), []),
        example(
            "an audit finds that records and sync items do not match",
            audited(2, 0),
            [audited(0, 2), audited(20, 0)],
        ),
    ]
}

fn of_sites() -> Vec<Example> {
    let silent = SiteInput { silent_since: Some(ago(60 * 5)), ..a_site(0, 0) };
    vec![
        example(
            "unusually much that cannot be undone waits for a person",
            effects(&[(Effect::Deletion, 1_940)]),
            [effects(&[(Effect::Deletion, 1_940), (Effect::Erasure, 1)]), effects(&[(Effect::Deletion, 19_400)])],
        ),
        example(
            "Moodle and the backend differ even after what differed was sent again",
            compared(&[(Kind::Grade, 2)]),
            [compared(&[(Kind::Grade, 2), (Kind::User, 1)]), compared(&[(Kind::Grade, 20)])],
        ),
        example(
            "a record in the destination is not as the mapping writes it, and waits for a person",
            differing(&[(FindingSort::Changed, 3)]),
            [
                differing(&[(FindingSort::Changed, 3), (FindingSort::Deleted, 1)]),
                differing(&[(FindingSort::Changed, 30)]),
            ],
        ),
        example(
            "a comparison of all records has not ended for a day, because it fails",
            unproved("Zoho answers 500."),
            [differing(&[(FindingSort::Doubled, 1)])],
        ),
        example("a site is silent for `silent_hours` at a time when it usually sends", of_site(&silent), []),
        example("more than `rejected_events` are rejected in ten minutes", rejected(11), [rejected(110)]),
        example("a token ends within `token_days`, and is not replaced", token_in(5), [token_in(0)]),
        example("a token has ended, and is not replaced", token_in(0), []),
    ]
}

fn of_the_server() -> Vec<Example> {
    let no_folder = disk(&Err(std::io::Error::other("no such folder")), &rules()).unwrap();
    let step = Disagreement::Step { ahead_ms: 3_600_000 };
    vec![
        example("less than `disk_free_percent` is free", free(9_000, 100_000), [free(900, 100_000)]),
        example("less than `disk_free_mib` is free", free(900, 100_000), [no_folder.clone()]),
        example("the free space is not known", no_folder, [free(9_000, 100_000)]),
        example(
            "the database accepts no events for `database_seconds`",
            no_events(Cause::DiskFull),
            [no_events(Cause::ReadOnly)],
        ),
        example("an event that was answered 200 is gone", lost(17, "process 7 on host a"), []),
        example(
            "a rule's data cannot be read three times in a row",
            not_read(Cause::Locked),
            [not_read(Cause::Missing)],
        ),
        example(
            "alerts cannot be stored three times in a row",
            not_stored(3, Cause::Locked, "process 7 on host a"),
            [not_stored(3, Cause::Missing, "process 7 on host a")],
        ),
        example(
            "the last backup is older than `backup_hours`, if these are set",
            missed_backup(Some(ago(60 * 30))),
            [],
        ),
        example("a channel's notifications fail three times in a row", failing_channel(), []),
        example("the time is not agreed", time(Some(step), 3_600_000), []),
        example("a server's clock is wrong", time(None, 90_000), [time(Some(step), 3_600_000)]),
    ]
}

fn examples() -> Vec<Example> {
    of_destinations().into_iter().chain(of_sites()).chain(of_the_server()).collect()
}

/// What is told when `later` is found while `finding` is known and acknowledged, in words.
fn told_again(finding: &Observation, later: &Observation) -> &'static str {
    let known = OpenAlert {
        id: 7,
        rule: finding.rule,
        subject: finding.subject.clone(),
        severity: finding.severity,
        acknowledged: true,
        told: Some(Told::all(finding, NOW)),
        quiet: 0,
        quiet_needed: 3,
        remind_at: None,
    };
    match decide(&[known], vec![later.clone()], &[], NOW).as_slice() {
        [AlertChange::Keep { notify: Some((NotificationEvent::Worsened, _)), .. }] => {}
        other => panic!("{}: {other:?}", finding.code),
    }
    let is_known = |name: &str| finding.causes.iter().any(|cause| cause.name == name);
    match later.causes.iter().all(|cause| is_known(&cause.name)) {
        _ if later.severity > finding.severity => "it becomes critical",
        true => "many more",
        false => "another cause",
    }
}

fn row(Example { when, finding, later }: &Example) -> String {
    let again: BTreeSet<&str> = later.iter().map(|later| told_again(finding, later)).collect();
    let again = if again.is_empty() { "–".to_owned() } else { again.into_iter().collect::<Vec<_>>().join("; ") };
    let link = if finding.link.is_empty() { format!("{}/ID", links::CHANNELS) } else { finding.link.clone() };
    let Observation { rule, code, severity, title, message, .. } = finding;
    let cells = [
        format!("`{rule}`, `{code}`"),
        format!("{severity}: {when}"),
        title.clone(),
        message.clone(),
        format!("`{link}`"),
    ];
    format!("| {} | {again} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

#[test]
fn the_table_in_the_documents_is_true() {
    let rows: String = examples().iter().map(row).collect();
    let document = include_str!("../../../docs/alerts.md");
    let table = document.split_once("|---|---|---|---|---|---|\n").and_then(|(_, rest)| rest.split_once("\n\n"));
    assert!(table.is_some_and(|(table, _)| format!("{table}\n") == rows), "docs/alerts.md should have:\n{rows}");
}

#[test]
fn every_finding_has_a_subject_and_leads_somewhere() {
    let examples = examples();
    for rule in Rule::ALL {
        assert!(examples.iter().any(|example| example.finding.rule == *rule), "{rule} has no example");
    }
    for Example { finding, .. } in &examples {
        let Observation { code, title, message, link, causes, .. } = finding;
        assert!(!causes.is_empty() && causes.iter().all(|cause| cause.count > 0), "{code}: {causes:?}");
        assert!(title.len() > 15 && title.len() < 120 && !title.ends_with('.'), "{code}: {title}");
        assert!(message.len() > title.len() && message.ends_with(['.', '?']), "{code}: {message}");
        assert!(link.is_empty() || link.starts_with('/') && link.len() > 1, "{code}: {link}");
    }
}

#[test]
fn no_code_is_missing_in_the_table() {
    let sources = [
        include_str!("backup.rs"),
        include_str!("braked.rs"),
        include_str!("clock.rs"),
        include_str!("credits.rs"),
        include_str!("database.rs"),
        include_str!("destination.rs"),
        include_str!("mapping.rs"),
        include_str!("mod.rs"),
        include_str!("parity.rs"),
        include_str!("records.rs"),
    ];
    let shown: BTreeSet<&str> = examples().iter().map(|example| example.finding.code).collect();
    let mut count = 0;
    for call in ["warning(", "critical(", "critically(", "of_causes("] {
        for rest in sources.iter().flat_map(|source| source.split(call).skip(1)) {
            let Some(code) = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            assert!(shown.contains(code), "{code} has no example");
            count += 1;
        }
    }
    assert!(count > 20, "the search finds them: {count}");
}
