//! The database accepts no events, or cannot be read.

use std::time::{Duration, Instant};

use super::{Violation, critical, limit, warning};
use crate::{
    alerts::{links, words::counted},
    config::AlertRules,
    health::{HealthProblem, WriteHealth},
    model::{Observation, Rule},
    store::Cause,
};

/// Rules whose data could not be read.
pub(in crate::alerts) struct UnreadableRules<'a> {
    /// The rules that share the failed read.
    pub(in crate::alerts) rules: &'a [Rule],
    pub(in crate::alerts) cause: Cause,
    /// Evaluations in a row that failed.
    pub(in crate::alerts) evaluations: u32,
}

/// Whether the database has accepted no events for too long. `place` names the process that saw it.
pub(in crate::alerts) fn database(
    health: &WriteHealth,
    rules: &AlertRules,
    place: &str,
    now: Instant,
) -> Option<Observation> {
    let (why, time) = health.failing_for(limit(rules.database_seconds, 1)?, now)?;
    let (code, cause, advice) = why.in_words();
    let title = format!("The database accepts no events: {cause}");
    let message = format!(
        "The database has accepted no events for {}: {cause}. Until it does, events are answered 503 and nothing is delivered. \
         {advice} Seen by {place}.",
        span(time)
    );
    Some(critical(code, title, message).at(links::CHANNELS).of(Rule::Database, "database"))
}

/// An alert about rules whose data could not be read several times in a row.
pub(in crate::alerts) fn unreadable(unreadable: &UnreadableRules<'_>) -> Observation {
    let UnreadableRules { rules, cause: why, evaluations } = unreadable;
    let names: Vec<&str> = rules.iter().map(|rule| rule.as_str()).collect();
    let (code, cause, advice) = why.in_words();
    let title = format!("Nobody is alerted by {}: the database cannot be read, because {cause}", names.join(" and "));
    let message = format!(
        "The alert {} {} could not be evaluated {} in a row: the database cannot be read, because {cause}. Until it can, \
         nobody is alerted to what {} would find. {advice} The log has the database's own message.",
        if names.len() == 1 { "rule" } else { "rules" },
        names.join(" and "),
        counted((*evaluations).into(), "time", "times"),
        if names.len() == 1 { "it" } else { "they" },
    );
    let first = names.first().copied().unwrap_or("none");
    warning("rule_not_judged", title, message).counting(code, 1).of(Rule::LookFailed, &format!("rule:{first}"))
}

/// Alerts cannot be stored, though the database accepts events.
pub(in crate::alerts) fn not_stored(evaluations: u32, why: Cause, place: &str) -> Observation {
    let (code, cause, advice) = why.in_words();
    let title = format!("Alerts cannot be stored: {cause}");
    let message = format!(
        "The alert rules could not be evaluated, or their alerts not stored, {} in a row: {cause}. Until they can, no other \
         alert is sent. {advice} The log has the database's own message. Seen by {place}.",
        counted(evaluations.into(), "time", "times")
    );
    let wrong: Violation = critical("alerts_not_stored", title, message);
    wrong.counting(code, 1).at(links::CHANNELS).of(Rule::LookFailed, "alerts")
}

/// An event that was answered 200 is missing: the database is older than it was.
pub(in crate::alerts) fn lost(id: i64, place: &str) -> Observation {
    let message =
        format!("{} Seen by {place}, which repeats this until it is restarted.", HealthProblem::Lost(id).sentence());
    let title = "An event that was answered 200 is missing: the database is older than it was".to_owned();
    critical("acknowledged_event_lost", title, message).at(links::CHANNELS).of(Rule::Database, "acknowledged event")
}

/// As in `90 seconds` and `2 minutes`.
fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => counted(seconds, "second", "seconds"),
        seconds => counted(seconds / 60, "minute", "minutes"),
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
    fn a_database_that_accepts_no_events_for_a_minute() {
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
        assert!(
            found.message.contains("3 times in a row") && found.message.contains("pg_blocking_pids"),
            "{}",
            found.message
        );
    }
}
