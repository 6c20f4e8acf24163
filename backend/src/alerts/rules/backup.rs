//! The rule about backups.

use std::time::Duration;

use super::{limit, warning};
use crate::{
    alerts::words::{counted, when},
    clock::Timestamp,
    config::AlertRules,
    model::{Observation, Rule},
};

/// What the rule needs to know.
#[derive(Clone, Copy)]
pub(in crate::alerts) struct Backups {
    /// When the last backup was made.
    pub(in crate::alerts) last: Option<Timestamp>,
    /// For how long there has been something to lose.
    pub(in crate::alerts) age: Option<Duration>,
}

/// Judges the age of the last backup, or of the database if there is none.
pub(in crate::alerts) fn backup(
    Backups { last, age }: Backups,
    rules: &AlertRules,
    now: Timestamp,
) -> Option<Observation> {
    let most = limit(rules.backup_hours, 60 * 60)?;
    if last.map_or(age?, |last| now.since(last)) <= most {
        return None;
    }
    let hours = counted(rules.backup_hours.into(), "hour", "hours");
    let (title, known) = match last {
        Some(last) => {
            (format!("No backup was made for more than {hours}"), format!("The last one is of {}", when(last)))
        }
        None => ("No backup has ever been made".to_owned(), "There is none".to_owned()),
    };
    let message = format!(
        "{known}, and there should be one every {hours}. See whether the timer ran that runs backend-sync backup FILE, and what it said."
    );
    Some(warning("backup_missed", title, message).of(Rule::BackupMissed, "backup"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backups, backup};
    use crate::{
        clock::Timestamp,
        config::{AlertRules, Config, Overrides},
    };

    const NOW: Timestamp = Timestamp(1_795_335_000_000);

    #[test]
    fn a_backup_is_missed_only_where_somebody_asks_for_one() {
        let rules = Config::load(&Overrides::default(), std::iter::empty()).unwrap().alerts.rules;
        let hours = |hours: u64| Duration::from_secs(hours * 60 * 60);
        let judge = |last: Option<u64>, age: u64, rules: &AlertRules| {
            let backups = Backups { last: last.map(|age| NOW.before(hours(age))), age: Some(hours(age)) };
            backup(backups, rules, NOW).map(|found| found.message)
        };
        assert_eq!(judge(None, 10_000, &rules), None);
        let rules = AlertRules { backup_hours: 24, ..rules };
        assert_eq!((judge(Some(24), 900, &rules), judge(None, 24, &rules)), (None, None));
        assert!(judge(Some(25), 900, &rules).unwrap().contains("one every 24 hours"));
        assert!(judge(None, 25, &rules).unwrap().contains("There is none"));
        assert_eq!(backup(Backups { last: None, age: None }, &rules, NOW), None, "there is nothing to lose");
    }
}
