//! The database takes nothing, or does not let itself be looked at.

use std::time::{Duration, Instant};

use super::{Wrong, critical, limit, warning};
use crate::{
    alerts::words::count,
    config::AlertRules,
    health::{HealthProblem, WriteHealth},
    model::{Observation, Rule},
    store::Cause,
};

/// Rules that could not be judged.
pub(in crate::alerts) struct Blind<'a> {
    /// Those that read the same.
    pub(in crate::alerts) rules: &'a [Rule],
    pub(in crate::alerts) cause: Cause,
    /// At how many looks in a row.
    pub(in crate::alerts) looks: u32,
}

/// Whether the database has taken no write for too long. `place` is where that was seen.
pub(in crate::alerts) fn database(
    health: &WriteHealth,
    rules: &AlertRules,
    place: &str,
    now: Instant,
) -> Option<Observation> {
    let (why, time) = health.failing_for(limit(rules.database_seconds, 1)?, now)?;
    let (code, cause, advice) = why.in_words();
    let message = format!(
        "The database has taken no writes for {}: {cause}. Events are answered 503 meanwhile, and delivery stands still. \
         {advice} Seen by {place}.",
        span(time)
    );
    Some(critical(code, message).of(Rule::Database, "database"))
}

/// Rules that could not be judged at many looks in a row.
pub(in crate::alerts) fn blind(blind: &Blind<'_>) -> Observation {
    let Blind { rules, cause: why, looks } = blind;
    let names: Vec<&str> = rules.iter().map(|rule| rule.as_str()).collect();
    let (_, cause, advice) = why.in_words();
    let message = format!(
        "Whether something is wrong by {} {} could not be found out at {} in a row: the database cannot be read, because {cause}. \
         Nobody is told of it meanwhile. {advice} The log has the database's own words.",
        if names.len() == 1 { "the rule" } else { "the rules" },
        names.join(" and "),
        count((*looks).into(), "look", "looks"),
    );
    let first = names.first().copied().unwrap_or("none");
    warning("rule_not_judged", message).of(Rule::LookFailed, &format!("rule:{first}"))
}

/// No alert can be stored, though the database takes other writes.
pub(in crate::alerts) fn not_stored(looks: u32, why: Cause, place: &str) -> Observation {
    let (_, cause, advice) = why.in_words();
    let message = format!(
        "At {} in a row, what is wrong could not be looked at or written down: {cause}. Nobody is told of other alerts meanwhile. \
         {advice} The log has the database's own words. Seen by {place}.",
        count(looks.into(), "look", "looks")
    );
    let wrong: Wrong = critical("alerts_not_stored", message);
    wrong.of(Rule::LookFailed, "alerts")
}

/// An event that was answered 200 is gone: the database is an older one than it was.
pub(in crate::alerts) fn lost(id: i64, place: &str) -> Observation {
    let message =
        format!("{} Seen by {place}, which says so until it is started anew.", HealthProblem::Lost(id).sentence());
    critical("acknowledged_event_lost", message).of(Rule::Database, "acknowledged event")
}

/// As in `90 seconds` and `2 minutes`.
fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => count(seconds, "second", "seconds"),
        seconds => count(seconds / 60, "minute", "minutes"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{database, not_stored};
    use crate::{
        config::{Config, Overrides},
        health::WriteHealth,
        model::{Rule, Severity},
        store::Cause,
    };

    #[test]
    fn a_database_that_takes_nothing_for_a_minute() {
        let mut rules = Config::load(&Overrides::default(), std::iter::empty()).unwrap().alerts.rules;
        let (start, mut health) = (Instant::now(), WriteHealth::default());
        assert_eq!(database(&health, &rules, "here", start), None);
        health.note(Err(Cause::DiskFull), start);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(database(&health, &rules, "here", after(59)), None, "a restart is no alert");
        let found = database(&health, &rules, "process 7 on host a", after(60)).unwrap();
        assert_eq!(
            (found.rule, found.code, found.severity),
            (Rule::Database, "database_disk_full", Severity::Critical)
        );
        for words in ["for 60 seconds", "its disk is full", "Make room", "Seen by process 7 on host a."] {
            assert!(found.message.contains(words), "{words}: {}", found.message);
        }
        rules.database_seconds = 0;
        assert_eq!(database(&health, &rules, "here", after(600)), None, "off");
    }

    #[test]
    fn alerts_that_cannot_be_stored() {
        let found = not_stored(3, Cause::Locked, "process 7 on host a");
        assert!(found.message.contains("3 looks") && found.message.contains("pg_blocking_pids"), "{}", found.message);
    }
}
