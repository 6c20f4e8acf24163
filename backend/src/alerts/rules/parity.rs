//! The rules about what Moodle, the backend and a destination hold.

use std::{collections::BTreeMap, time::Duration};

use super::{Violation, list};
use crate::{
    activity::{subject_destination, subject_site},
    alerts::{
        links,
        words::{capitalised, counted, number, of_kind, records, when},
    },
    clock::Timestamp,
    model::{AlertCause, FindingSort, Observation, Rule, Severity},
    store::{Comparison, ProofState},
};

/// A comparison that has not come further for so long needs a person.
const LONG_PROOF: Duration = Duration::from_secs(24 * 60 * 60);

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

/// Judges what differs at a destination, and whether it can be compared.
pub(in crate::alerts) fn destination_parity(
    destination: &str,
    open: &BTreeMap<FindingSort, u64>,
    proof: &ProofState,
    now: Timestamp,
) -> Option<Observation> {
    let name = capitalised(destination);
    let mut causes: Vec<AlertCause> = open.iter().map(|(sort, count)| finding_cause(&name, *sort, *count)).collect();
    let code = if causes.is_empty() { "proof_failed" } else { "findings_open" };
    causes.extend(failed_proof(&name, proof, now));
    let together = |causes: &[AlertCause]| {
        let all = causes.iter().map(|cause| cause.count).sum();
        let title = format!("{} things in {name} wait for a decision", number(all));
        (title, format!("{} {}", list(causes), decide()))
    };
    let found = Violation::of_causes(code, Severity::Warning, causes, together, links::PARITY.to_owned())?;
    Some(found.of(Rule::ParityBroken, &subject_destination(destination)))
}

fn finding_cause(destination: &str, sort: FindingSort, count: u64) -> AlertCause {
    let (is, has) = if count == 1 { ("was", "has") } else { ("were", "have") };
    let title = match sort {
        FindingSort::Changed => format!("{} {is} changed in {destination}", records(count)),
        FindingSort::Deleted => format!("{} {is} deleted in {destination}", records(count)),
        FindingSort::Converted => format!("{} {is} converted in {destination}", counted(count, "lead", "leads")),
        FindingSort::Doubled => format!("{} in {destination} {has} the key of another one", records(count)),
        FindingSort::Surplus => format!("{} in {destination} {has} a key that no record here has", records(count)),
    };
    AlertCause {
        name: sort.as_str().to_owned(),
        count,
        message: format!("{title}. {}", decide()),
        title,
        link: links::findings(sort),
    }
}

fn decide() -> &'static str {
    "Until somebody decides, it stays as it is there. The console's page Parity shows both sides, to restore what the mapping writes \
     or to leave it, one by one or all; so does backend-sync parity findings."
}

fn failed_proof(destination: &str, proof: &ProofState, now: Timestamp) -> Option<AlertCause> {
    let began = Timestamp(proof.began_at.filter(|_| proof.runs())?);
    let failure = proof.failure.as_ref().filter(|_| now.is_past(began, LONG_PROOF))?;
    let title = format!("Not all records could be compared with {destination} for a day or more");
    Some(AlertCause {
        name: "proof".to_owned(),
        count: 1,
        message: format!("{title}. The comparison began at {}, and goes on when this is over: {failure}", when(began)),
        title,
        link: links::PARITY.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{destination_parity, parity};
    use crate::{
        clock::Timestamp,
        model::{Digest, FindingSort, Kind},
        store::{Comparison, ProofState},
    };

    #[test]
    fn what_differs_at_the_destination_is_told_by_how_it_differs() {
        let now = Timestamp(100 * 86_400_000);
        let judge = |open: &[(FindingSort, u64)], proof: &ProofState| {
            destination_parity("zoho", &open.iter().copied().collect::<BTreeMap<_, _>>(), proof, now)
        };
        let began_at = Some(now.0 - 2 * 86_400_000);
        let failing = ProofState { began_at, failure: Some("Zoho answers 500.".to_owned()), ..ProofState::default() };
        assert_eq!(judge(&[], &ProofState::default()), None);
        let ended = ProofState { ended_at: Some(now.0), ..failing.clone() };
        assert_eq!(judge(&[], &ended), None, "it ended after all");
        let today = ProofState { began_at: Some(now.0 - 3_600_000), ..failing.clone() };
        assert_eq!(judge(&[], &today), None, "it may still end");
        let found = judge(&[], &failing).unwrap();
        assert!(found.code == "proof_failed" && found.message.ends_with("Zoho answers 500."), "{found:?}");
        let found = judge(&[(FindingSort::Changed, 3), (FindingSort::Deleted, 1)], &failing).unwrap();
        assert_eq!(found.title, "5 things in Zoho wait for a decision");
        assert!(found.message.contains("3 records were changed in Zoho. 1 record was deleted in Zoho."), "{found:?}");
        assert_eq!((found.code, found.link.as_str(), found.causes.len()), ("findings_open", "/parity", 3));
    }

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
