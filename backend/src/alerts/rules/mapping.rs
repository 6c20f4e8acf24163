//! The rule about processes that wait because their mapping is another one.

use std::time::Duration;

use super::critical;
use crate::{
    activity::subject_destination,
    alerts::{
        links,
        words::{capitalised, counted, when},
    },
    clock::Timestamp,
    model::{Observation, Rule},
    store::DeliveryProcess,
};

/// How long processes may have different mappings: while one after the other reads a new one.
const CHANGES: Duration = Duration::from_secs(2 * 60);

/// Judges the living processes of a destination, of which the first one delivers.
pub(in crate::alerts) fn other_mapping(
    destination: &str,
    living: &[DeliveryProcess],
    now: Timestamp,
) -> Option<Observation> {
    let (first, others) = living.split_first()?;
    let waiting: Vec<&DeliveryProcess> = others.iter().filter(|other| other.mapping != first.mapping).collect();
    let since = waiting.iter().map(|other| other.since).min()?;
    if now.since(since) <= CHANGES {
        return None;
    }
    let places: Vec<&str> = waiting.iter().map(|other| other.place.as_str()).collect();
    let verb = if places.len() == 1 { "has" } else { "have" };
    let name = capitalised(destination);
    let deliver = counted(places.len() as u64, "process delivers", "processes deliver");
    let title = format!("{deliver} nothing to {name}: another mapping");
    let message = format!(
        "{} {verb} delivered nothing to {name} since {}, because the mapping there is another one than that of {}, which \
         delivers. Give all processes the same mapping file, and let those that have the wrong one read it again (systemctl \
         reload backend-sync): those that wait, or, if theirs is the new one, the others.",
        places.join(", "),
        when(since),
        first.place
    );
    let found = critical("other_mapping", title, message).counting("other_mapping", places.len() as u64);
    Some(found.at(links::MAPPING).of(Rule::OtherMapping, &subject_destination(destination)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{CHANGES, other_mapping};
    use crate::{clock::Timestamp, store::DeliveryProcess};

    #[test]
    fn processes_that_wait_for_long_are_named() {
        let start = Timestamp(1_000_000);
        let process = |place: &str, mapping: &str| DeliveryProcess {
            id: place.to_owned(),
            place: place.to_owned(),
            mapping: mapping.to_owned(),
            since: start,
        };
        let living = [process("one", "a"), process("two", "a"), process("three", "b")];
        let late = start.after(CHANGES + Duration::from_secs(1));
        let found = other_mapping("zoho", &living, late).unwrap();
        assert!(found.message.starts_with("three has delivered nothing to Zoho since"), "{}", found.message);
        assert!(found.message.contains("that of one, which delivers"), "{}", found.message);
        assert!(other_mapping("zoho", &living, start).is_none(), "they may be reading it");
        assert!(other_mapping("zoho", &living[..2], late).is_none());
        assert!(other_mapping("zoho", &[], late).is_none());
    }
}
