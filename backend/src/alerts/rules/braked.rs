//! The rule about what the brake holds back.

use super::critical;
use crate::{
    activity::subject_site,
    alerts::words::when,
    model::{Effect, Observation, Rule},
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
    let list: Vec<String> = site
        .waiting
        .iter()
        .map(|(effect, count)| format!("{} {}", count.waiting, effect.in_words(count.waiting)))
        .collect();
    let message = format!(
        "Unusually much that cannot be undone was about to happen at the site {name}: {} have waited for a person's decision since {}. \
         Nothing of it is done, and everything else is delivered. Find out whether it is meant: a wrong bulk deletion, a lost user \
         directory, a wrong mapping? Then approve or refuse: backend-sync sync brake --site {name}, or the console's page Brake.",
        list.join(", "),
        when(since)
    );
    Some(critical("effects_braked", message).of(Rule::Braked, &subject_site(name)))
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
        assert!(words.contains("1940 deletions of people, 1 erasure of a person have waited"), "{words}");
        assert!(words.contains("sync brake --site college") && found.subject == "site:college", "{words}");
        assert!(braked(&BrakedSite { name: "college".to_owned(), waiting: Vec::new() }).is_none());
    }
}
