//! The rule about a destination's API credits.

use std::time::Duration;

use super::{Violation, critical, input::DestinationInput, limit, warning};
use crate::{alerts::words::when, clock::Timestamp, config::AlertRules, store::CreditSample};

/// The shortest time over which the use of credits is extrapolated.
const LEAST_FALL_TIME: Duration = Duration::from_secs(10 * 60);

/// A reported allowance older than this says nothing: used credits come back within this time.
const CREDITS_TIME: Duration = Duration::from_secs(24 * 60 * 60);

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

/// Judges whether the credits last.
pub(super) fn credits(input: &DestinationInput, rules: &AlertRules, now: Timestamp) -> Option<Violation> {
    let (left, told_at) = input.summary.credits.filter(|(_, at)| now.since(*at) < CREDITS_TIME)?;
    let usable = left.saturating_sub(input.reserve);
    let name = input.name();
    let known =
        format!("{name} had {left} API credits left at {}; {} are reserved for others", when(told_at), input.reserve);
    let advice = "Credits come back 24 hours after their use. Postpone what is not urgent, or buy more.";
    if rules.credits_left > 0 && usable <= 0 {
        let title = format!("No API credits of {name} are left for the delivery");
        return Some(found(critical(
            "credits_used_up",
            title,
            format!("{known}, so none are left for the delivery. {advice}"),
        )));
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
    let message = format!("{known}{pace}. {advice}");
    if rules.credits_left > 0 && usable < i64::from(rules.credits_left) {
        let title = format!("Only {usable} API credits of {name} are left for the delivery");
        return Some(found(warning("credits_low", title, message)));
    }
    let end = end.filter(|end| limit(rules.credits_hours, 60 * 60).is_some_and(|time| *end <= now.after(time)))?;
    let title = format!("The API credits of {name} are used up at {}", when(end));
    Some(found(warning("credits_running_out", title, message)))
}

/// Few, and soon none, are one cause: what changes is how urgent it is.
fn found(found: Violation) -> Violation {
    found.counting("credits", 1)
}
