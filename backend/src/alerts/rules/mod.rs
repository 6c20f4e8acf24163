//! The rules. Each one judges data that was read before; a limit of 0 in the configuration turns it off.

mod backup;
mod braked;
mod clock;
mod credits;
mod database;
mod destination;
mod input;
mod mapping;
mod parity;
mod records;
mod silence;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(super) use backup::{Backups, backup};
pub(super) use braked::{BrakedSite, braked};
pub(super) use clock::clock;
pub(super) use database::{UnreadableRules, database, lost, not_stored, unreadable};
pub(super) use destination::destination;
pub(super) use input::DestinationInput;
pub(super) use mapping::other_mapping;
pub(super) use parity::{destination_parity, parity};
pub(super) use silence::{Hours, LONGEST_SILENCE, WEEK, WEEKS, hour, is_quiet};

use super::{
    ChannelSummary, links,
    words::{counted, number, when},
};
use crate::{
    activity::subject_site,
    clock::Timestamp,
    config::AlertRules,
    model::{AlertCause, Observation, Rule, Severity},
    store::{Space, TokenSummary},
};

/// The window in which rejected events are counted: long enough for several batches of a sender.
pub(super) const REJECTED_TIME: Duration = Duration::from_secs(10 * 60);

/// Causes listed in a message; the console shows all.
const CAUSES: usize = 5;

const MIB: u64 = 1024 * 1024;

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

/// What a rule found, before it has a subject.
struct Violation {
    code: &'static str,
    severity: Severity,
    title: String,
    message: String,
    link: String,
    causes: Vec<AlertCause>,
}

impl Violation {
    /// Of one cause, which the code names.
    fn new(code: &'static str, severity: Severity, title: String, message: String) -> Self {
        let (name, link) = (code.to_owned(), String::new());
        let cause = AlertCause { name, count: 1, title: title.clone(), message: message.clone(), link: link.clone() };
        Self { code, severity, title, message, link, causes: vec![cause] }
    }

    /// Of several causes; a single one speaks for itself.
    fn of_causes(
        code: &'static str,
        severity: Severity,
        mut causes: Vec<AlertCause>,
        together: impl FnOnce(&[AlertCause]) -> (String, String),
        link: String,
    ) -> Option<Self> {
        // What is said first concerns the most.
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
        let (title, message, link) = match causes.as_slice() {
            [] => return None,
            [one] => (one.title.clone(), one.message.clone(), one.link.clone()),
            several => {
                let (title, message) = together(several);
                (title, message, link)
            }
        };
        Some(Self { code, severity, title, message, link, causes })
    }

    /// Where it is remedied.
    fn at(mut self, link: &str) -> Self {
        link.clone_into(&mut self.link);
        for cause in &mut self.causes {
            link.clone_into(&mut cause.link);
        }
        self
    }

    /// How many it concerns, of a cause that the code does not name.
    fn counting(mut self, name: &str, count: u64) -> Self {
        for cause in &mut self.causes {
            (cause.name, cause.count) = (name.to_owned(), count);
        }
        self
    }

    fn of(self, rule: Rule, subject: &str) -> Observation {
        let Self { code, severity, title, message, link, causes } = self;
        Observation { rule, subject: subject.to_owned(), code, severity, title, message, link, causes }
    }
}

fn warning(code: &'static str, title: String, message: String) -> Violation {
    Violation::new(code, Severity::Warning, title, message)
}

fn critical(code: &'static str, title: String, message: String) -> Violation {
    Violation::new(code, Severity::Critical, title, message)
}

/// The titles of the most important causes, as one sentence each.
fn list(causes: &[AlertCause]) -> String {
    let more = if causes.len() > CAUSES { " And more." } else { "" };
    let titles: Vec<String> = causes.iter().take(CAUSES).map(|cause| format!("{}.", cause.title)).collect();
    format!("{}{more}", titles.join(" "))
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
    let (title, usual) = match input.silent_since {
        Some(since) => (format!("Site {name} has sent nothing since {} or longer", when(since)), String::new()),
        None => {
            let silence = silence::usual_but_missing(&input.hours, rules.silent_hours, now)?;
            let (hours, least) = (silence.hours, number(silence.least));
            let usual =
                format!(" In each of the last {WEEKS} weeks it sent at least {least} events in the same hours.");
            (format!("Site {name} has sent nothing for {hours} hours"), usual)
        }
    };
    let message = format!("{title}.{usual} {advice}");
    Some(warning("site_silent", title, message).at(&links::events(name)))
}

fn rejecting(input: &SiteInput, rules: &AlertRules) -> Option<Violation> {
    let many = rules.rejected_events > 0 && input.rejected > u64::from(rules.rejected_events);
    if !many || input.rejected * 100 <= input.events * u64::from(rules.rejected_percent) {
        return None;
    }
    let title = format!(
        "{} of {} events of site {} were rejected in {} minutes",
        number(input.rejected),
        number(input.events),
        input.name,
        REJECTED_TIME.as_secs() / 60
    );
    let message = format!(
        "{title}, and are not stored. The plugin's Status page in Moodle lists the rejected changes with what to correct; the \
         log names the fields."
    );
    Some(warning("events_rejected", title, message).counting("events_rejected", input.rejected))
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
        true => {
            let title = format!("{whose} expired at {} and is refused", when(end));
            let message = format!("{title}. {advice}");
            critical("token_ended", title, message)
        }
        false => {
            let title = format!("{whose} expires at {}", when(end));
            let message = format!("{title}. {advice}");
            warning("token_ends", title, message)
        }
    };
    wrong.at(links::SITES).of(Rule::TokenExpiring, &format!("token:{number}"))
}

/// Judges the free space on the database's disk.
pub(super) fn disk(space: &Result<Space, std::io::Error>, rules: &AlertRules) -> Option<Observation> {
    let wrong = match space {
        Err(error) => {
            let title = "The free space on the database's disk cannot be determined".to_owned();
            let message = format!("{title}: {error}. Is the folder of the database still there and readable?");
            Some(warning("disk_unknown", title, message))
        }
        Ok(space) => disk_fills(space, rules),
    };
    wrong.map(|wrong| wrong.of(Rule::Disk, "disk"))
}

fn disk_fills(space: &Space, rules: &AlertRules) -> Option<Violation> {
    let (free, percent) = (space.free / MIB, u128::from(space.free) * 100 / u128::from(space.total.max(1)));
    let title = format!("Only {} MiB ({percent} %) are free on the database's disk", number(free));
    let message =
        format!("{title}, in {}. When the disk is full, events are refused. Free some space.", space.folder.display());
    let is_little = percent < u128::from(rules.disk_free_percent);
    let found = match free < rules.disk_free_mib {
        true => critical("disk_nearly_full", title, message),
        false if is_little => warning("disk_filling", title, message),
        false => return None,
    };
    Some(found.counting("space", 1))
}

/// Judges whether a channel's notifications fail.
pub(super) fn channel(channel: &ChannelSummary) -> Option<Observation> {
    let state = channel.state.as_ref().filter(|_| channel.is_failing())?;
    let last = match state.last_success_at {
        Some(time) => format!("the last success was at {}", when(time)),
        None => "none has ever succeeded".to_owned(),
    };
    let why = state.error.as_deref().unwrap_or("the reason is unknown");
    let title = format!("Notifications by {} fail: {why}", channel.name);
    let message = format!(
        "{title}. They failed {} in a row; {last}. Correct the channel in the section [alerts] of the configuration, and test it \
         with backend-sync alerts test.",
        counted(state.failures.into(), "time", "times"),
    );
    let found = warning("channel_failing", title, message).at(links::CHANNELS);
    Some(found.of(Rule::ChannelFailing, &format!("channel:{}", channel.name)))
}
