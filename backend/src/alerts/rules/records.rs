//! The rules about records that are not at a destination: those that failed, and those that wait for others.

use super::{Violation, input::DestinationInput, limit, list};
use crate::{
    alerts::{
        advice::{DELETED_THERE, meaning},
        links,
        words::{capitalised, counted, of_kind, records, when},
    },
    clock::Timestamp,
    config::AlertRules,
    model::{AlertCause, Effect, ItemState, RecordKey, Severity},
    store::Reason,
};

/// Judges records that failed. What the brake holds back has a rule of its own, and so has what people deleted.
pub(super) fn failed(input: &DestinationInput, rules: &AlertRules) -> Option<Violation> {
    let is_failed = |reason: &&Reason| {
        let elsewhere = Effect::is_braked(&reason.code) || reason.code == DELETED_THERE;
        reason.state == ItemState::Failed && !elsewhere
    };
    let reasons: Vec<&Reason> = input.reasons.iter().filter(is_failed).collect();
    let failed: u64 = reasons.iter().map(|reason| reason.count).sum();
    if rules.failed == 0 || failed < u64::from(rules.failed) {
        return None;
    }
    let (code, severity) = match rules.failed_many > 0 && failed >= u64::from(rules.failed_many) {
        true => ("many_records_failed", Severity::Critical),
        false => ("records_failed", Severity::Warning),
    };
    let causes = reasons.iter().map(|reason| cause(input, reason, reason.count)).collect();
    let together = |causes: &[AlertCause]| {
        let there = place(failed, reasons.iter().map(|reason| reason.there).sum(), &input.name());
        let title = format!("{} {there}, for {} reasons", records(failed), causes.len());
        let message = format!("{title}, and somebody must act. {} The page says what to do about each.", list(causes));
        (title, message)
    };
    Violation::of_causes(code, severity, causes, together, links::attention(&input.summary.name))
}

/// Judges records that have waited too long for others.
pub(super) fn parked(input: &DestinationInput, rules: &AlertRules) -> Option<Violation> {
    limit(rules.parked_hours, 60 * 60)?;
    let is_late = |reason: &&Reason| reason.state == ItemState::Parked && reason.late > 0;
    let reasons: Vec<&Reason> = input.reasons.iter().filter(is_late).collect();
    let oldest = reasons.iter().map(|reason| reason.since).min()?;
    let late: u64 = reasons.iter().map(|reason| reason.late).sum();
    let causes = reasons.iter().map(|reason| cause(input, reason, reason.late)).collect();
    let together = |causes: &[AlertCause]| {
        let title =
            format!("{} wait for others to reach {}, the oldest since {}", records(late), input.name(), when(oldest));
        let message = format!("{title}. {} Are these in Moodle, and did they fail?", list(causes));
        (title, message)
    };
    let code = "records_parked";
    Violation::of_causes(code, Severity::Warning, causes, together, links::attention(&input.summary.name))
}

/// A group of records of one kind with one reason: how many of it are meant, why, and what to do.
fn cause(input: &DestinationInput, reason: &Reason, count: u64) -> AlertCause {
    let Reason { state, kind, code, .. } = reason;
    let meaning = meaning(*state, code);
    let there = place(reason.count, reason.there, &input.name());
    let title = format!("{} {there}: {}", of_kind(*kind, count), meaning.as_clause());
    let since = match state {
        ItemState::Parked => format!(", since {}", when(reason.since)),
        _ => String::new(),
    };
    let link = reason.only.and_then(|key| record_link(input, key));
    AlertCause {
        name: format!("{kind} {code}"),
        count,
        message: format!("{title}{since}. What to do: {}", meaning.advice),
        link: link.unwrap_or_else(|| links::group(&input.summary.name, *state, *kind, code)),
        title,
    }
}

/// Whether these records are not at the destination, or are there as they were.
fn place(count: u64, there: u64, name: &str) -> String {
    let are = if count == 1 { "is" } else { "are" };
    match there {
        0 => format!("{are} not in {name}"),
        there if there >= count => format!("{are} out of date in {name}"),
        _ => format!("{are} not in {name}, or out of date there"),
    }
}

/// The page of a record.
pub(super) fn record_link(input: &DestinationInput, key: RecordKey) -> Option<String> {
    Some(links::record(key.kind, input.sites.get(&key.site_id)?, key.moodle_id.0))
}

/// Judges how long the oldest change has waited.
pub(super) fn oldest_change(input: &DestinationInput, rules: &AlertRules, now: Timestamp) -> Option<Violation> {
    let waiting = input.waiting.as_ref()?;
    // During a pause, the alert about the pause is enough.
    if input.summary.pause.is_some() || now.since(waiting.since) <= limit(rules.oldest_minutes, 60)? {
        return None;
    }
    let name = &input.summary.name;
    let why = match (&input.summary.slow_reason, input.summary.done_at) {
        (Some(reason), Some(done)) => format!("{reason} It is expected to have caught up at {}.", when(done)),
        (Some(reason), None) => reason.clone(),
        _ => format!(
            "Does {} answer? The list says when each is tried next; backend-sync sync status says more.",
            input.name()
        ),
    };
    let changes = counted(waiting.count, "change has", "changes have");
    let title = format!("{changes} not reached {}, the oldest since {}", input.name(), when(waiting.since));
    let link = waiting.only.and_then(|key| record_link(input, key)).unwrap_or_else(|| links::waiting(name));
    let found = super::warning("change_waiting", title.clone(), format!("{title}. {}", capitalised(&why)));
    Some(found.counting("change_waiting", waiting.count).at(&link))
}
