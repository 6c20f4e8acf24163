//! The rule about what Moodle and the backend hold.

use super::warning;
use crate::{
    activity::subject_site,
    model::{Observation, Rule},
    store::Comparison,
};

/// Judges the last comparisons of a site.
pub(in crate::alerts) fn parity(name: &str, comparisons: &[Comparison]) -> Option<Observation> {
    let broken: Vec<String> = comparisons
        .iter()
        .filter(|comparison| !comparison.is_equal())
        .map(|found| format!("{} ({} differ of {})", found.kind, found.differing, found.moodle_records))
        .collect();
    if broken.is_empty() {
        return None;
    }
    let message = format!(
        "Moodle's site {name} and the backend do not hold the same, although what differed was sent again: {}. See \
         backend-sync parity show, and the plugin's status page: refused changes, or deletions that wait for permission?",
        broken.join(", ")
    );
    Some(warning("parity_broken", message).of(Rule::ParityBroken, &subject_site(name)))
}

#[cfg(test)]
mod tests {
    use super::parity;
    use crate::{
        clock::Timestamp,
        model::{Digest, Kind},
        store::Comparison,
    };

    #[test]
    fn only_what_differs_is_told() {
        let equal = Comparison {
            site_id: 1,
            kind: Kind::User,
            compared_at: Timestamp(0),
            moodle_records: 998,
            backend_records: 998,
            digest: Digest::UNKNOWN,
            repaired: 3,
            differing: 0,
            unprovable: 1,
        };
        assert!(parity("college", std::slice::from_ref(&equal)).is_none());
        let broken = Comparison { kind: Kind::Grade, differing: 2, ..equal.clone() };
        let found = parity("college", &[equal, broken]).unwrap();
        assert!(
            found.message.contains("grade (2 differ of 998)") && !found.message.contains("user ("),
            "{}",
            found.message
        );
        assert_eq!(found.subject, "site:college");
    }
}
