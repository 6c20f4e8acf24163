//! The rule about what the brake holds back.

use super::{Violation, list};
use crate::{
    activity::subject_site,
    alerts::{
        links,
        words::{number, when},
    },
    clock::Timestamp,
    model::{AlertCause, Effect, Observation, Rule, Severity},
    store::BrakeCount,
};

/// What waits for a person at one site.
pub(in crate::alerts) struct BrakedSite {
    pub(in crate::alerts) name: String,
    /// Only what waits.
    pub(in crate::alerts) waiting: Vec<(Effect, BrakeCount)>,
}

/// Judges what waits at a site.
pub(in crate::alerts) fn braked(site: &BrakedSite) -> Option<Observation> {
    let since = site.waiting.iter().filter_map(|(_, count)| count.since).min()?;
    let name = &site.name;
    let causes = site.waiting.iter().map(|(effect, count)| cause(name, *effect, count.waiting, since)).collect();
    let together = |causes: &[AlertCause]| {
        let all = causes.iter().map(|cause| cause.count).sum();
        let title = format!("{} effects that cannot be undone wait for a decision at site {name}", number(all));
        (title, format!("{} {}", list(causes), advice(name, since)))
    };
    let found = Violation::of_causes("effects_braked", Severity::Critical, causes, together, links::BRAKE.to_owned())?;
    Some(found.of(Rule::Braked, &subject_site(name)))
}

fn cause(site: &str, effect: Effect, count: u64, since: Timestamp) -> AlertCause {
    let wait = if count == 1 { "waits" } else { "wait" };
    let title = format!("{} {} {wait} for a decision at site {site}", number(count), effect.in_words(count));
    AlertCause {
        name: effect.to_string(),
        count,
        message: format!("{title}. {}", advice(site, since)),
        title,
        link: links::BRAKE.to_owned(),
    }
}

fn advice(site: &str, since: Timestamp) -> String {
    format!(
        "That is unusually much, and cannot be undone. Nothing of it has been done since {}, and everything else is delivered. \
         Find out whether it is meant: a wrong bulk deletion, a lost user directory, a wrong mapping? Then approve or refuse: \
         backend-sync sync brake --site {site}, or the console's page Brake.",
        when(since)
    )
}

#[cfg(test)]
mod tests {
    use super::{BrakedSite, braked};
    use crate::{clock::Timestamp, model::Effect, store::BrakeCount};

    #[test]
    fn the_alert_says_how_many_and_what_to_do() {
        let count = |waiting| BrakeCount { waiting, since: Some(Timestamp(0)), ..BrakeCount::default() };
        let waiting = vec![(Effect::Deletion, count(1_940)), (Effect::Erasure, count(1))];
        let found = braked(&BrakedSite { name: "college".to_owned(), waiting }).unwrap();
        let words = &found.message;
        assert!(
            words
                .contains("1,940 deletions of people wait for a decision at site college. 1 erasure of a person waits"),
            "{words}"
        );
        assert_eq!(found.title, "1,941 effects that cannot be undone wait for a decision at site college");
        assert!(words.contains("sync brake --site college") && found.subject == "site:college", "{words}");
        assert!(braked(&BrakedSite { name: "college".to_owned(), waiting: Vec::new() }).is_none());
    }
}
