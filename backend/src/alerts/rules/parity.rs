//! The rule about what Moodle and the backend hold.

use super::{Violation, list};
use crate::{
    activity::subject_site,
    alerts::{
        links,
        words::{number, of_kind},
    },
    model::{AlertCause, Observation, Rule, Severity},
    store::Comparison,
};

/// Judges the last comparisons of a site.
pub(in crate::alerts) fn parity(name: &str, comparisons: &[Comparison]) -> Option<Observation> {
    let broken = comparisons.iter().filter(|comparison| !comparison.is_equal());
    let causes: Vec<AlertCause> = broken.map(|found| cause(name, found)).collect();
    let together = |causes: &[AlertCause]| {
        let title = format!("{} kinds of records differ between Moodle and the backend at site {name}", causes.len());
        (title, format!("{} {}", list(causes), advice()))
    };
    let found = Violation::of_causes("parity_broken", Severity::Warning, causes, together, links::SITES.to_owned())?;
    Some(found.of(Rule::ParityBroken, &subject_site(name)))
}

fn cause(site: &str, found: &Comparison) -> AlertCause {
    // Records that only one side has need not differ.
    let count = found.differing.unsigned_abs().max(found.moodle_records.abs_diff(found.backend_records));
    let differ = if count == 1 { "differs" } else { "differ" };
    let title = format!("{} of site {site} {differ} between Moodle and the backend", of_kind(found.kind, count));
    AlertCause {
        name: found.kind.to_string(),
        count,
        message: format!("{title}, of {}. {}", number(found.moodle_records.unsigned_abs()), advice()),
        title,
        link: links::SITES.to_owned(),
    }
}

fn advice() -> &'static str {
    "What differed was sent again, without success. See backend-sync parity show, and the plugin's Status page: refused changes, or \
     deletions that wait for permission?"
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
            found.message.contains("2 grades of site college differ") && !found.message.contains("people"),
            "{}",
            found.message
        );
        assert_eq!(found.subject, "site:college");
    }
}
