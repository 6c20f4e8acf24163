//! The rules. Each one judges data that was read before; a limit of 0 in the configuration turns it off.

mod backup;
mod braked;
mod clock;
mod database;
mod mapping;
mod parity;
mod silence;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(super) use backup::{Backups, backup};
pub(super) use braked::{BrakedSite, braked};
pub(super) use clock::clock;
pub(super) use database::{UnreadableRules, database, lost, not_stored, unreadable};
pub(super) use mapping::other_mapping;
pub(super) use parity::parity;
pub(super) use silence::{Hours, LONGEST_SILENCE, WEEK, WEEKS, hour, is_quiet};

use super::{
    ChannelSummary,
    words::{count, records, when},
};
use crate::{
    activity::{subject_destination, subject_site},
    clock::Timestamp,
    config::AlertRules,
    model::{Observation, Rule, Severity},
    store::{Attention, CreditSample, DestinationSummary, Hold, OPERATOR, OUTAGE, Space, TokenSummary, Undelivered},
};

/// The window in which rejected events are counted: long enough for several batches of a sender.
pub(super) const REJECTED_TIME: Duration = Duration::from_secs(10 * 60);

/// The shortest time over which the use of credits is extrapolated.
const LEAST_FALL_TIME: Duration = Duration::from_secs(10 * 60);

/// A reported allowance older than this says nothing: used credits come back within this time.
const CREDITS_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Reasons listed in a message; the console shows all.
const REASONS: usize = 5;

const MIB: u64 = 1024 * 1024;

/// What the rules need to know about a destination.
pub(super) struct DestinationInput {
    pub(super) summary: DestinationSummary,
    /// Credits reserved for others.
    pub(super) reserve: i64,
    /// Credits left, over the last hour.
    pub(super) samples: Vec<CreditSample>,
    pub(super) undelivered: Undelivered,
    /// Failed items by reason.
    pub(super) failed: Vec<Attention>,
}

/// What the rules need to know about a site.
pub(super) struct SiteInput {
    pub(super) name: String,
    /// Its events of the last days and, if it may be silent, of the same days in the weeks before.
    pub(super) hours: Hours,
    /// When its open alert was raised, if it has sent nothing since.
    pub(super) silent_since: Option<Timestamp>,
    /// Events rejected within [`REJECTED_TIME`].
    pub(super) rejected: u64,
    /// All events within that time.
    pub(super) events: u64,
}

/// A configured time; `None` when 0 turns the rule off.
fn limit(number: u32, unit_seconds: u64) -> Option<Duration> {
    (number > 0).then(|| Duration::from_secs(u64::from(number) * unit_seconds))
}

/// Judges a destination.
pub(super) fn destination(input: &DestinationInput, rules: &AlertRules, now: Timestamp) -> Vec<Observation> {
    let subject = subject_destination(&input.summary.name);
    let found = [
        (Rule::OldestChange, oldest_change(input, rules, now)),
        (Rule::Parked, parked(input, rules, now)),
        (Rule::Failed, failed(input, rules)),
        (Rule::Paused, paused(&input.summary, rules, now)),
        (Rule::Credits, credits(input, rules, now)),
        (Rule::Conservation, conservation(input)),
    ];
    let finding = |(rule, found): (Rule, Option<Violation>)| found.map(|found| found.of(rule, &subject));
    found.into_iter().filter_map(finding).collect()
}

/// What a rule found, before it has a subject.
struct Violation {
    code: &'static str,
    severity: Severity,
    message: String,
}

impl Violation {
    fn of(self, rule: Rule, subject: &str) -> Observation {
        let Self { code, severity, message } = self;
        Observation { rule, subject: subject.to_owned(), code, severity, message }
    }
}

fn warning(code: &'static str, message: String) -> Violation {
    Violation { code, severity: Severity::Warning, message }
}

fn critical(code: &'static str, message: String) -> Violation {
    Violation { code, severity: Severity::Critical, message }
}

fn oldest_change(input: &DestinationInput, rules: &AlertRules, now: Timestamp) -> Option<Violation> {
    let name = &input.summary.name;
    let (waiting, since) = input.undelivered.waiting?;
    // During a pause, the alert about the pause is enough.
    if input.summary.pause.is_some() || now.since(since) <= limit(rules.oldest_minutes, 60)? {
        return None;
    }
    let slow = match (&input.summary.slow_reason, input.summary.done_at) {
        (Some(reason), Some(done)) => format!(" {reason} It is expected to have caught up at {}.", when(done)),
        (Some(reason), None) => format!(" {reason}"),
        _ => " See backend-sync sync status: does the destination answer?".to_owned(),
    };
    let records = records(waiting);
    let verb = if waiting == 1 { "waits" } else { "wait" };
    let message = format!("{records} {verb} to be delivered to {name}, the oldest change since {}.{slow}", when(since));
    Some(warning("change_waiting", message))
}

fn parked(input: &DestinationInput, rules: &AlertRules, now: Timestamp) -> Option<Violation> {
    let (parked, since) = input.undelivered.parked?;
    if now.since(since) <= limit(rules.parked_hours, 60 * 60)? {
        return None;
    }
    let message = format!(
        "{} {} for other records to reach {} first, the oldest since {}. The console lists which: are they in Moodle, and did \
         they fail?",
        records(parked),
        if parked == 1 { "waits" } else { "wait" },
        input.summary.name,
        when(since)
    );
    Some(warning("records_parked", message))
}

fn failed(input: &DestinationInput, rules: &AlertRules) -> Option<Violation> {
    let failed: u64 = input.failed.iter().map(|reason| reason.count).sum();
    if rules.failed == 0 || failed < u64::from(rules.failed) {
        return None;
    }
    let mut reasons: Vec<&Attention> = input.failed.iter().collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
    let list: Vec<String> = reasons
        .iter()
        .take(REASONS)
        .map(|reason| format!("{} {} {}", reason.count, reason.kind, reason.code))
        .collect();
    let more = if reasons.len() > REASONS { ", and more" } else { "" };
    let message = format!(
        "{} failed at {} and will not be retried until somebody acts: {}{more}. The console says what to change.",
        records(failed),
        input.summary.name,
        list.join(", ")
    );
    Some(match rules.failed_many > 0 && failed >= u64::from(rules.failed_many) {
        true => critical("many_records_failed", message),
        false => warning("records_failed", message),
    })
}

/// Shorter outages are common, and end before anybody could look.
const SHORT_OUTAGE: Duration = Duration::from_secs(2 * 60);

fn held(name: &str, holds: &[Hold], now: Timestamp) -> Option<Violation> {
    let lasts = |hold: &&Hold| hold.cause != OUTAGE || now.since(hold.since) >= SHORT_OUTAGE;
    let holds: Vec<&Hold> = holds.iter().filter(lasts).collect();
    let first = holds.first()?;
    let reasons: Vec<&str> = holds.iter().map(|hold| hold.reason.as_str()).collect();
    let message = format!(
        "Some records have not been delivered to {name} since {}; the others are, and nothing is lost. {}",
        when(first.since),
        reasons.join(" ")
    );
    Some(match holds.iter().all(|hold| hold.cause == OUTAGE) {
        true => warning("outage", format!("{message} This ends by itself when {name} works again.")),
        false => critical("records_held", message),
    })
}

fn paused(summary: &DestinationSummary, rules: &AlertRules, now: Timestamp) -> Option<Violation> {
    let name = &summary.name;
    let Some(pause) = &summary.pause else { return held(name, &summary.holds, now) };
    let since = when(pause.since);
    if pause.cause == OPERATOR {
        let long = now.since(pause.since) > limit(rules.paused_hours, 60 * 60)?;
        // Without the operator's own text, which may say anything.
        let message =
            format!("An operator paused the delivery to {name} at {since}. It stays paused until somebody resumes it.");
        return long.then(|| warning("paused_by_operator", message));
    }
    let message = format!("The delivery to {name} has been paused since {since}; nothing is lost. {}", pause.reason);
    Some(match pause.cause.as_str() {
        "credentials" => critical("paused_credentials", message),
        "configuration" => critical("paused_configuration", message),
        "organisation" => critical("paused_organisation", message),
        _ => warning("paused_credits", message),
    })
}

/// Credits used per hour, extrapolated from the samples of the last hour.
fn fall(samples: &[CreditSample]) -> Option<i64> {
    let (first, last) = (samples.first()?, samples.last()?);
    let (used, time) = (first.left - last.left, last.at.since(first.at));
    if used <= 0 || time < LEAST_FALL_TIME {
        return None;
    }
    let seconds = i64::try_from(time.as_secs()).ok()?;
    Some((used.saturating_mul(60 * 60) / seconds).max(1))
}

fn credits(input: &DestinationInput, rules: &AlertRules, now: Timestamp) -> Option<Violation> {
    let (left, told_at) = input.summary.credits.filter(|(_, at)| now.since(*at) < CREDITS_TIME)?;
    let usable = left.saturating_sub(input.reserve);
    let name = &input.summary.name;
    let known =
        format!("{name} had {left} API credits left at {}; {} are reserved for others", when(told_at), input.reserve);
    let advice = "Credits come back 24 hours after their use. Postpone what is not urgent, or buy more.";
    if rules.credits_left > 0 && usable <= 0 {
        return Some(critical("credits_used_up", format!("{known}, so none are left for the delivery. {advice}")));
    }
    let hourly = fall(&input.samples);
    let end = hourly.map(|hourly| {
        let seconds = usable.saturating_mul(60 * 60) / hourly;
        told_at.after(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    });
    let pace = match hourly.zip(end) {
        Some((hourly, end)) => {
            format!(". At the rate of the last hour, {hourly} an hour, the rest is used up at {}", when(end))
        }
        None => String::new(),
    };
    if rules.credits_left > 0 && usable < i64::from(rules.credits_left) {
        return Some(warning("credits_low", format!("{known}{pace}. {advice}")));
    }
    let soon = end? <= now.after(limit(rules.credits_hours, 60 * 60)?);
    soon.then(|| warning("credits_running_out", format!("{known}{pace}. {advice}")))
}

fn conservation(input: &DestinationInput) -> Option<Violation> {
    let (found, at) = input.summary.audit?;
    if found.holds() {
        return None;
    }
    let message = format!(
        "Records and sync items do not match: {} records, but {} sync items for {} at {}. Records without an item: {}; items \
         without a record: {}; items in an impossible state: {}. Something else changed the database, or Backend Sync has a bug: \
         keep a copy of the database and report it. See backend-sync sync audit.",
        found.records,
        found.items,
        input.summary.name,
        when(at),
        found.without_item,
        found.without_record,
        found.malformed
    );
    Some(critical("conservation_broken", message))
}

/// Judges a site.
pub(super) fn site(input: &SiteInput, rules: &AlertRules, now: Timestamp) -> Vec<Observation> {
    let subject = subject_site(&input.name);
    let found = [(Rule::SiteSilent, silent(input, rules, now)), (Rule::IngestRejecting, rejecting(input, rules))];
    found.into_iter().filter_map(|(rule, found)| found.map(|found| found.of(rule, &subject))).collect()
}

fn silent(input: &SiteInput, rules: &AlertRules, now: Timestamp) -> Option<Violation> {
    if rules.silent_hours == 0 {
        return None;
    }
    let name = &input.name;
    let advice = "See the plugin's Status page in Moodle: does cron run, and is the token valid?";
    let known = input
        .silent_since
        .map(|since| format!("Site {name} has sent nothing since {} or longer. {advice}", when(since)));
    let message = known.or_else(|| {
        let silence = silence::usual_but_missing(&input.hours, rules.silent_hours, now)?;
        let (hours, usual) = (silence.hours, silence.least);
        Some(format!(
            "Site {name} has sent nothing for {hours} hours. In each of the last {WEEKS} weeks it sent at least {usual} events \
             in the same hours. {advice}"
        ))
    })?;
    Some(warning("site_silent", message))
}

fn rejecting(input: &SiteInput, rules: &AlertRules) -> Option<Violation> {
    let many = rules.rejected_events > 0 && input.rejected > u64::from(rules.rejected_events);
    if !many || input.rejected * 100 <= input.events * u64::from(rules.rejected_percent) {
        return None;
    }
    let message = format!(
        "{} of {} events of site {} were rejected in the last {} minutes, and are not stored. The log names the fields; the \
         plugin's Status page in Moodle lists the rejected changes.",
        input.rejected,
        input.events,
        input.name,
        REJECTED_TIME.as_secs() / 60
    );
    Some(warning("events_rejected", message))
}

/// Judges tokens: those that expire soon, or have expired, and are not replaced.
pub(super) fn tokens(tokens: &[TokenSummary], rules: &AlertRules, now: Timestamp) -> Vec<Observation> {
    let Some(ahead) = limit(rules.token_days, 24 * 60 * 60) else { return Vec::new() };
    let horizon = now.after(ahead);
    let ends = |token: &TokenSummary| token.expires_at.is_some_and(|end| end <= horizon);
    // The site already uses another one that lasts.
    let is_replaced = |token: &TokenSummary| {
        tokens.iter().any(|other| {
            let same_site = token.site.is_some() && other.site == token.site;
            same_site && !ends(other) && other.last_used_at.is_some() && other.last_used_at >= token.last_used_at
        })
    };
    let ending = tokens.iter().filter(|token| ends(token) && !is_replaced(token));
    ending.filter_map(|token| Some(token_ends(token, token.expires_at?, now))).collect()
}

fn token_ends(token: &TokenSummary, end: Timestamp, now: Timestamp) -> Observation {
    let number = token.id;
    let (whose, advice) = match &token.site {
        Some(site) => (
            format!("Site token {number} of {site}"),
            format!(
                "Create another with backend-sync site rotate-token {site}, paste it into Moodle, and revoke this one."
            ),
        ),
        None => (
            format!("API token {number}"),
            format!(
                "Create another with backend-sync token add, and revoke this one: backend-sync token revoke {number}."
            ),
        ),
    };
    let wrong = match end <= now {
        true => critical("token_ended", format!("{whose} expired at {} and is refused. {advice}", when(end))),
        false => warning("token_ends", format!("{whose} expires at {}. {advice}", when(end))),
    };
    wrong.of(Rule::TokenExpiring, &format!("token:{number}"))
}

/// Judges the free space on the database's disk.
pub(super) fn disk(space: &Result<Space, std::io::Error>, rules: &AlertRules) -> Option<Observation> {
    let wrong = match space {
        Err(error) => Some(warning(
            "disk_unknown",
            format!("The free space on the database's disk cannot be determined: {error}."),
        )),
        Ok(space) => disk_fills(space, rules),
    };
    wrong.map(|wrong| wrong.of(Rule::Disk, "disk"))
}

fn disk_fills(space: &Space, rules: &AlertRules) -> Option<Violation> {
    let (free, percent) = (space.free / MIB, u128::from(space.free) * 100 / u128::from(space.total.max(1)));
    let message = format!(
        "Only {free} MiB ({percent} %) are free in {}, where the database is. When the disk is full, events are refused. Free some space.",
        space.folder.display()
    );
    if free < rules.disk_free_mib {
        return Some(critical("disk_nearly_full", message));
    }
    let little = percent < u128::from(rules.disk_free_percent);
    little.then(|| warning("disk_filling", message))
}

/// Judges whether a channel's notifications fail.
pub(super) fn channel(channel: &ChannelSummary) -> Option<Observation> {
    let state = channel.state.as_ref().filter(|_| channel.is_failing())?;
    let last = match state.last_success_at {
        Some(time) => format!("the last success was at {}", when(time)),
        None => "none has ever succeeded".to_owned(),
    };
    let message = format!(
        "Notifications by {} have failed {} in a row; {last}. The reason: {}. Test it with backend-sync alerts test.",
        channel.name,
        count(state.failures.into(), "time", "times"),
        state.error.as_deref().unwrap_or("unknown")
    );
    Some(warning("channel_failing", message).of(Rule::ChannelFailing, &format!("channel:{}", channel.name)))
}
