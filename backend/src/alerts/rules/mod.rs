//! When something is wrong. Each rule judges what was gathered; 0 in the configuration turns it off.

mod clock;
mod database;
mod silence;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(super) use clock::clock;
pub(super) use database::{Blind, blind, database, lost, not_stored};
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
    store::{Attention, CreditSample, DestinationSummary, OPERATOR, Pause, Space, TokenSummary, Undelivered},
};

/// The time in which rejected events are counted: long enough for more than one batch of a sender.
pub(super) const REJECTED_TIME: Duration = Duration::from_secs(10 * 60);

/// The fall of an allowance is not judged by a shorter time than this.
const LEAST_FALL_TIME: Duration = Duration::from_secs(10 * 60);

/// An allowance that was told longer ago says nothing: used credits come back within this time.
const CREDITS_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Reasons that a message lists; the console has all.
const REASONS: usize = 5;

const MIB: u64 = 1024 * 1024;

/// A destination, as the rules need it.
pub(super) struct DestinationSeen {
    pub(super) summary: DestinationSummary,
    /// Credits that are left to others.
    pub(super) reserve: i64,
    /// What was left within the last hour.
    pub(super) samples: Vec<CreditSample>,
    pub(super) undelivered: Undelivered,
    /// What failed, by reason.
    pub(super) failed: Vec<Attention>,
}

/// A site, as the rules need it.
pub(super) struct SiteSeen {
    pub(super) name: String,
    /// Its events in the last days, and, if it may be silent, in the same days of the weeks before.
    pub(super) hours: Hours,
    /// When it was found to be silent, if nothing came since.
    pub(super) silent_since: Option<Timestamp>,
    /// Events that were rejected within [`REJECTED_TIME`].
    pub(super) rejected: u64,
    /// All events of that time.
    pub(super) events: u64,
}

/// A time of the configuration; nothing when it turns its rule off.
fn limit(number: u32, unit_seconds: u64) -> Option<Duration> {
    (number > 0).then(|| Duration::from_secs(u64::from(number) * unit_seconds))
}

/// What is wrong with a destination.
pub(super) fn destination(seen: &DestinationSeen, rules: &AlertRules, now: Timestamp) -> Vec<Observation> {
    let subject = subject_destination(&seen.summary.name);
    let found = [
        (Rule::OldestChange, oldest_change(seen, rules, now)),
        (Rule::Parked, parked(seen, rules, now)),
        (Rule::Failed, failed(seen, rules)),
        (Rule::Paused, seen.summary.pause.as_ref().and_then(|pause| paused(&seen.summary.name, pause, rules, now))),
        (Rule::Credits, credits(seen, rules, now)),
        (Rule::Conservation, conservation(seen)),
    ];
    let finding = |(rule, found): (Rule, Option<Wrong>)| found.map(|found| found.of(rule, &subject));
    found.into_iter().filter_map(finding).collect()
}

/// What a rule found.
struct Wrong {
    code: &'static str,
    severity: Severity,
    message: String,
}

impl Wrong {
    fn of(self, rule: Rule, subject: &str) -> Observation {
        let Self { code, severity, message } = self;
        Observation { rule, subject: subject.to_owned(), code, severity, message }
    }
}

fn warning(code: &'static str, message: String) -> Wrong {
    Wrong { code, severity: Severity::Warning, message }
}

fn critical(code: &'static str, message: String) -> Wrong {
    Wrong { code, severity: Severity::Critical, message }
}

fn oldest_change(seen: &DestinationSeen, rules: &AlertRules, now: Timestamp) -> Option<Wrong> {
    let name = &seen.summary.name;
    let (waiting, since) = seen.undelivered.waiting?;
    // What waits during a pause is told of by the pause.
    if seen.summary.pause.is_some() || now.since(since) <= limit(rules.oldest_minutes, 60)? {
        return None;
    }
    let slow = match (&seen.summary.slow_reason, seen.summary.done_at) {
        (Some(reason), Some(done)) => format!(" {reason} It is expected to have caught up at {}.", when(done)),
        (Some(reason), None) => format!(" {reason}"),
        _ => " See backend-sync sync status: does the destination answer?".to_owned(),
    };
    let records = records(waiting);
    let verb = if waiting == 1 { "waits" } else { "wait" };
    let message =
        format!("{records} {verb} for the delivery to {name}, the oldest change since {}.{slow}", when(since));
    Some(warning("change_waiting", message))
}

fn parked(seen: &DestinationSeen, rules: &AlertRules, now: Timestamp) -> Option<Wrong> {
    let (parked, since) = seen.undelivered.parked?;
    if now.since(since) <= limit(rules.parked_hours, 60 * 60)? {
        return None;
    }
    let message = format!(
        "{} cannot reach {} before other records do, the oldest since {}. The console lists what they wait for: is that in \
         Moodle, and did it fail?",
        records(parked),
        seen.summary.name,
        when(since)
    );
    Some(warning("records_parked", message))
}

fn failed(seen: &DestinationSeen, rules: &AlertRules) -> Option<Wrong> {
    let failed: u64 = seen.failed.iter().map(|reason| reason.count).sum();
    if rules.failed == 0 || failed < u64::from(rules.failed) {
        return None;
    }
    let mut reasons: Vec<&Attention> = seen.failed.iter().collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
    let list: Vec<String> = reasons
        .iter()
        .take(REASONS)
        .map(|reason| format!("{} {} {}", reason.count, reason.kind, reason.code))
        .collect();
    let more = if reasons.len() > REASONS { ", and more" } else { "" };
    let message = format!(
        "{} failed at {} and will not be tried again before somebody acts: {}{more}. The console says what to change.",
        records(failed),
        seen.summary.name,
        list.join(", ")
    );
    Some(match rules.failed_many > 0 && failed >= u64::from(rules.failed_many) {
        true => critical("many_records_failed", message),
        false => warning("records_failed", message),
    })
}

fn paused(name: &str, pause: &Pause, rules: &AlertRules, now: Timestamp) -> Option<Wrong> {
    let since = when(pause.since);
    if pause.cause == OPERATOR {
        let long = now.since(pause.since) > limit(rules.paused_hours, 60 * 60)?;
        // Without the operator's own words, which may say anything.
        let message =
            format!("An operator paused the delivery to {name} at {since}. It goes on when somebody resumes it.");
        return long.then(|| warning("paused_by_operator", message));
    }
    let message = format!("The delivery to {name} is paused since {since}; nothing is lost. {}", pause.reason);
    Some(match pause.cause.as_str() {
        "credentials" => critical("paused_credentials", message),
        "configuration" => critical("paused_configuration", message),
        _ => warning("paused_credits", message),
    })
}

/// How many credits an hour are used, by what was left within the last hour.
fn fall(samples: &[CreditSample]) -> Option<i64> {
    let (first, last) = (samples.first()?, samples.last()?);
    let (used, time) = (first.left - last.left, last.at.since(first.at));
    if used <= 0 || time < LEAST_FALL_TIME {
        return None;
    }
    let seconds = i64::try_from(time.as_secs()).ok()?;
    Some((used.saturating_mul(60 * 60) / seconds).max(1))
}

fn credits(seen: &DestinationSeen, rules: &AlertRules, now: Timestamp) -> Option<Wrong> {
    let (left, told_at) = seen.summary.credits.filter(|(_, at)| now.since(*at) < CREDITS_TIME)?;
    let usable = left.saturating_sub(seen.reserve);
    let name = &seen.summary.name;
    let told =
        format!("{left} API credits of {name} were left at {}, {} of them for others", when(told_at), seen.reserve);
    let advice = "Credits come back 24 hours after their use. Put off what is not urgent, or buy more.";
    if rules.credits_left > 0 && usable <= 0 {
        return Some(critical("credits_used_up", format!("{told}: the delivery has none. {advice}")));
    }
    let hourly = fall(&seen.samples);
    let end = hourly.map(|hourly| {
        let seconds = usable.saturating_mul(60 * 60) / hourly;
        told_at.after(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    });
    let pace = match hourly.zip(end) {
        Some((hourly, end)) => format!("; at {hourly} an hour, as in the last hour, they are used up at {}", when(end)),
        None => String::new(),
    };
    if rules.credits_left > 0 && usable < i64::from(rules.credits_left) {
        return Some(warning("credits_low", format!("{told}{pace}. {advice}")));
    }
    let soon = end? <= now.after(limit(rules.credits_hours, 60 * 60)?);
    soon.then(|| warning("credits_running_out", format!("{told}{pace}. {advice}")))
}

fn conservation(seen: &DestinationSeen) -> Option<Wrong> {
    let (found, at) = seen.summary.audit?;
    if found.holds() {
        return None;
    }
    let message = format!(
        "{} records, but {} sync items for {} at {}: {} records have no item, {} items have no record, {} are in a state that cannot \
         be. Something else changed the database, or Backend Sync has a fault: keep a copy of the database and report it. See \
         backend-sync sync audit.",
        found.records,
        found.items,
        seen.summary.name,
        when(at),
        found.without_item,
        found.without_record,
        found.malformed
    );
    Some(critical("conservation_broken", message))
}

/// What is wrong with a site.
pub(super) fn site(seen: &SiteSeen, rules: &AlertRules, now: Timestamp) -> Vec<Observation> {
    let subject = subject_site(&seen.name);
    let found = [(Rule::SiteSilent, silent(seen, rules, now)), (Rule::IngestRejecting, rejecting(seen, rules))];
    found.into_iter().filter_map(|(rule, found)| found.map(|found| found.of(rule, &subject))).collect()
}

fn silent(seen: &SiteSeen, rules: &AlertRules, now: Timestamp) -> Option<Wrong> {
    if rules.silent_hours == 0 {
        return None;
    }
    let name = &seen.name;
    let advice = "See the plugin's Status page in Moodle: does cron run, and is the token valid?";
    let known =
        seen.silent_since.map(|since| format!("Site {name} sends nothing since {} or longer. {advice}", when(since)));
    let message = known.or_else(|| {
        let silence = silence::usual_but_missing(&seen.hours, rules.silent_hours, now)?;
        let (hours, usual) = (silence.hours, silence.least);
        Some(format!(
            "Site {name} has sent nothing for {hours} hours. In these hours of the last {WEEKS} weeks it sent at least {usual} \
             events each. {advice}"
        ))
    })?;
    Some(warning("site_silent", message))
}

fn rejecting(seen: &SiteSeen, rules: &AlertRules) -> Option<Wrong> {
    let many = rules.rejected_events > 0 && seen.rejected > u64::from(rules.rejected_events);
    if !many || seen.rejected * 100 <= seen.events * u64::from(rules.rejected_percent) {
        return None;
    }
    let message = format!(
        "{} of {} events of site {} were rejected in the last {} minutes: they are not stored. The log names the fields; the plugin's \
         Status page in Moodle lists what was refused.",
        seen.rejected,
        seen.events,
        seen.name,
        REJECTED_TIME.as_secs() / 60
    );
    Some(warning("events_rejected", message))
}

/// Tokens that end soon, or have ended, and are not replaced.
pub(super) fn tokens(tokens: &[TokenSummary], rules: &AlertRules, now: Timestamp) -> Vec<Observation> {
    let Some(ahead) = limit(rules.token_days, 24 * 60 * 60) else { return Vec::new() };
    let horizon = now.after(ahead);
    let ends = |token: &TokenSummary| token.expires_at.is_some_and(|end| end <= horizon);
    // The site sends with a better one already.
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
            format!("Token {number} of site {site}"),
            format!(
                "Make another with backend-sync site rotate-token {site}, paste it into Moodle, and revoke this one."
            ),
        ),
        None => (
            format!("API token {number}"),
            format!(
                "Make another with backend-sync token add, and revoke this one: backend-sync token revoke {number}."
            ),
        ),
    };
    let wrong = match end <= now {
        true => critical("token_ended", format!("{whose} has ended at {} and is refused. {advice}", when(end))),
        false => warning("token_ends", format!("{whose} ends at {}. {advice}", when(end))),
    };
    wrong.of(Rule::TokenExpiring, &format!("token:{number}"))
}

/// Whether the disk of the database fills.
pub(super) fn disk(space: &Result<Space, std::io::Error>, rules: &AlertRules) -> Option<Observation> {
    let wrong = match space {
        Err(error) => {
            Some(warning("disk_unknown", format!("How full the database's disk is cannot be found out: {error}.")))
        }
        Ok(space) => disk_fills(space, rules),
    };
    wrong.map(|wrong| wrong.of(Rule::Disk, "disk"))
}

fn disk_fills(space: &Space, rules: &AlertRules) -> Option<Wrong> {
    let (free, percent) = (space.free / MIB, u128::from(space.free) * 100 / u128::from(space.total.max(1)));
    let message = format!(
        "{free} MiB ({percent} %) are free in {}, where the database lies. When it is full, events are refused. Make room.",
        space.folder.display()
    );
    if free < rules.disk_free_mib {
        return Some(critical("disk_nearly_full", message));
    }
    let little = percent < u128::from(rules.disk_free_percent);
    little.then(|| warning("disk_filling", message))
}

/// Whether notices do not arrive.
pub(super) fn channel(channel: &ChannelSummary) -> Option<Observation> {
    let state = channel.state.as_ref().filter(|_| channel.is_failing())?;
    let since = state.last_success_at.map_or_else(|| "never".to_owned(), |time| format!("at {}", when(time)));
    let message = format!(
        "Notices by {} fail, {} in a row; the last arrived {since}. The reason: {}. Try it: backend-sync alerts test.",
        channel.name,
        count(state.failures.into(), "try", "tries"),
        state.error.as_deref().unwrap_or("unknown")
    );
    Some(warning("channel_failing", message).of(Rule::ChannelFailing, &format!("channel:{}", channel.name)))
}
