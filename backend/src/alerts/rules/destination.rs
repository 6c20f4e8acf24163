//! The rules about a destination as a whole.

use std::time::Duration;

use super::{
    Violation, credits, critical,
    input::DestinationInput,
    limit, list,
    records::{failed, oldest_change, parked},
    warning,
};
use crate::{
    activity::subject_destination,
    alerts::{
        links,
        words::{capitalised, number, of_kind, when},
    },
    clock::Timestamp,
    config::AlertRules,
    model::{AlertCause, Observation, Records, Rule, Severity},
    store::{DestinationSummary, Hold, OPERATOR, OUTAGE},
};

/// Judges a destination.
pub(in crate::alerts) fn destination(input: &DestinationInput, rules: &AlertRules, now: Timestamp) -> Vec<Observation> {
    let subject = subject_destination(&input.summary.name);
    let found = [
        (Rule::OldestChange, oldest_change(input, rules, now)),
        (Rule::Parked, parked(input, rules)),
        (Rule::Failed, failed(input, rules)),
        (Rule::Paused, paused(&input.summary, rules, now)),
        (Rule::Credits, credits::credits(input, rules, now)),
        (Rule::Conservation, conservation(input)),
    ];
    let finding = |(rule, found): (Rule, Option<Violation>)| found.map(|found| found.of(rule, &subject));
    found.into_iter().filter_map(finding).collect()
}

/// Shorter outages are common, and end before anybody could look.
const SHORT_OUTAGE: Duration = Duration::from_secs(2 * 60);

/// Judges records of single kinds that are held.
fn held(destination: &str, holds: &[Hold], now: Timestamp) -> Option<Violation> {
    let lasts = |hold: &&Hold| hold.cause != OUTAGE || now.since(hold.since) >= SHORT_OUTAGE;
    let holds: Vec<&Hold> = holds.iter().filter(lasts).collect();
    let (code, severity) = match holds.iter().all(|hold| hold.cause == OUTAGE) {
        true => ("outage", Severity::Warning),
        false => ("records_held", Severity::Critical),
    };
    let name = capitalised(destination);
    let link = links::attention(destination);
    let causes = holds.iter().map(|hold| hold_cause(hold, &name, &link)).collect();
    let together = |causes: &[AlertCause]| {
        let title = format!("{} kinds of records are not delivered to {name}", causes.len());
        let reasons: Vec<&str> = holds.iter().map(|hold| hold.reason.as_str()).collect();
        let message = format!("{title}; the others are, and nothing is lost. {} {}", list(causes), reasons.join(" "));
        (title, message)
    };
    Violation::of_causes(code, severity, causes, together, link.clone())
}

fn hold_cause(hold: &Hold, name: &str, link: &str) -> AlertCause {
    let Hold { kind, records, cause, reason, since, .. } = hold;
    let which = match records {
        Records::All => "records",
        Records::New => "new records",
        Records::Known => "changed records",
    };
    let why = match cause.as_str() {
        "configuration" => format!("the mapping does not fit {name}"),
        "permission" => "a permission is missing there".to_owned(),
        "room" => format!("{name} takes no more of them"),
        "other_writer" => "records with their keys are there already".to_owned(),
        OUTAGE => format!("{name} fails, or does not answer"),
        other => other.to_owned(),
    };
    // As in `12 enrolments`, without the number.
    let kind = of_kind(*kind, 2).replacen("2 ", "", 1);
    let title = format!("No {which} of {kind} are delivered to {name}: {why}");
    let end = match cause == OUTAGE {
        true => format!(" This ends by itself when {name} works again."),
        false => String::new(),
    };
    let message = format!(
        "{title}. So it has been since {}; everything else is delivered, and nothing is lost. {reason}{end}",
        when(*since)
    );
    AlertCause { name: format!("{cause} {kind} {records}"), count: 1, title, message, link: link.to_owned() }
}

/// Judges a pause.
fn paused(summary: &DestinationSummary, rules: &AlertRules, now: Timestamp) -> Option<Violation> {
    let Some(pause) = &summary.pause else { return held(&summary.name, &summary.holds, now) };
    let (name, since) = (capitalised(&summary.name), when(pause.since));
    let title = |why: &str| format!("Nothing is delivered to {name}: {why}");
    let link = links::attention(&summary.name);
    if pause.cause == OPERATOR {
        let is_long = now.since(pause.since) > limit(rules.paused_hours, 60 * 60)?;
        let title = title("a person paused it, and nobody has resumed it");
        // Without the operator's own text, which may say anything.
        let message = format!("{title}. It was paused at {since}, and stays so until somebody resumes it.");
        return is_long.then(|| warning("paused_by_operator", title, message).at(&link));
    }
    let told = |why: &str| {
        let title = title(why);
        let message = format!("{title}. So it has been since {since}; nothing is lost. {}", pause.reason);
        (title, message)
    };
    let critically = |code, why: &str| {
        let (title, message) = told(why);
        critical(code, title, message)
    };
    let found = match pause.cause.as_str() {
        "credentials" => critically("paused_credentials", "the credentials are refused"),
        "configuration" => critically("paused_configuration", "the configuration does not fit"),
        "organisation" => critically("paused_organisation", "the credentials belong to another organisation"),
        _ => {
            let (title, message) = told("no API credits are left");
            warning("paused_credits", title, message)
        }
    };
    Some(found.at(&link))
}

/// Judges whether records and sync items match.
fn conservation(input: &DestinationInput) -> Option<Violation> {
    let (found, at) = input.summary.audit?;
    if found.holds() {
        return None;
    }
    let wrong = [
        ("without_item", found.without_item, "records have no sync item"),
        ("without_record", found.without_record, "sync items have no record"),
        ("malformed", found.malformed, "sync items are in an impossible state"),
    ];
    let parts: Vec<_> = wrong.into_iter().filter(|(_, count, _)| *count > 0).collect();
    let words: Vec<String> = parts.iter().map(|(_, count, what)| format!("{} {what}", number(*count))).collect();
    let title = format!("The sum for {} is wrong: {}", input.name(), words.join(", "));
    let message = format!(
        "{title}. There are {} records, but {} sync items at {}. Something else changed the database, or Backend Sync has a bug: \
         keep a copy of the database and report it. See backend-sync sync audit.",
        number(found.records),
        number(found.items),
        when(at)
    );
    let mut violation = critical("conservation_broken", title, message);
    if let Some(cause) = violation.causes.pop() {
        let one = |(name, count, _): &(&str, u64, &str)| AlertCause {
            name: (*name).to_owned(),
            count: *count,
            ..cause.clone()
        };
        violation.causes = parts.iter().map(one).collect();
        if violation.causes.is_empty() {
            violation.causes.push(cause);
        }
    }
    Some(violation)
}
