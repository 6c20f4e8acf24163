//! What differs at the destination, and whether it has what the mapping writes.

use poem_openapi::{
    Object,
    types::{Any, Example},
};
use serde_json::{Value, json};

use super::{Renderer, rfc3339};
use crate::{
    clock::{Clock, Timestamp},
    limits,
    model::{FindingSort, FindingState, FoundBy, Kind},
    store::{
        Finding, FindingCount, FindingDecision, FindingFilter, ProofOfKind, ProofState, Store, StoreError, WatchState,
    },
};

/// A remote record that is not as the mapping writes it.
#[derive(Clone, Object)]
#[oai(rename = "Finding", example)]
pub(crate) struct FindingView {
    /// Its number.
    pub(crate) number: i64,
    /// The kind of record.
    pub(crate) kind: Kind,
    /// The record here, `<site>:<Moodle id>`; of a double, the one whose key it has; null if no record has its key.
    #[oai(nullable)]
    pub(crate) record: Option<String>,
    /// The remote record's id.
    pub(crate) remote_id: String,
    /// How it differs.
    pub(crate) sort: FindingSort,
    /// What becomes of it.
    pub(crate) state: FindingState,
    /// What differs, and what can be done, in one sentence.
    pub(crate) sentence: String,
    /// The fields that differ.
    pub(crate) fields: Vec<FindingFieldView>,
    /// When it was changed at the destination (RFC 3339), if that is known.
    #[oai(nullable)]
    pub(crate) modified_at: Option<String>,
    /// By whom, as far as the destination says.
    #[oai(nullable)]
    pub(crate) modified_by: Option<String>,
    /// When it was found (RFC 3339).
    pub(crate) found_at: String,
    /// What found it.
    pub(crate) found_by: FoundBy,
    /// The person who decided about it; null if nobody did.
    #[oai(nullable)]
    pub(crate) decided_by: Option<String>,
}

/// A field that differs.
#[derive(Clone, Object)]
#[oai(rename = "FindingField")]
pub(crate) struct FindingFieldView {
    /// The field's name at the destination.
    pub(crate) field: String,
    /// What the mapping writes.
    pub(crate) here: Any<Value>,
    /// What the destination has.
    pub(crate) there: Any<Value>,
    /// What becomes of it.
    pub(crate) state: FindingState,
    /// Whether something else writes the field as well: it was written again by policy, and differs once more.
    pub(crate) contended: bool,
}

impl Example for FindingView {
    fn example() -> Self {
        let field = FindingFieldView {
            field: "Phone".to_owned(),
            here: Any(json!("+441134960000")),
            there: Any(json!("+441134960099")),
            state: FindingState::Open,
            contended: false,
        };
        Self {
            number: 7,
            kind: Kind::User,
            record: Some("college:3".to_owned()),
            remote_id: "5200000000000000123".to_owned(),
            sort: FindingSort::Changed,
            state: FindingState::Open,
            sentence: "Phone was changed in Zoho.".to_owned(),
            fields: vec![field],
            modified_at: Some("2026-11-22T07:46:47.000Z".to_owned()),
            modified_by: Some("Kim Admin".to_owned()),
            found_at: "2026-11-22T08:00:00.000Z".to_owned(),
            found_by: FoundBy::Watch,
            decided_by: None,
        }
    }
}

impl FindingView {
    pub(crate) fn new(renderer: &Renderer, finding: &Finding, now: Timestamp) -> Self {
        let since = now.before(limits::RESTORES_TIME).0;
        let fields = finding.fields.iter().filter(|field| field.state != FindingState::Closed);
        let fields: Vec<FindingFieldView> = fields
            .map(|field| FindingFieldView {
                field: field.field.clone(),
                here: Any(field.here.clone()),
                there: Any(field.there.clone()),
                state: field.state,
                contended: field.restored.iter().any(|at| *at >= since) && field.state == FindingState::Open,
            })
            .collect();
        Self {
            number: finding.id,
            kind: finding.kind,
            record: finding.key.map(|key| renderer.id(key.site_id, key.moodle_id)),
            remote_id: finding.remote_id.clone(),
            sort: finding.sort,
            state: finding.state,
            sentence: sentence(finding, &fields),
            fields,
            modified_at: finding.modified_at.map(rfc3339),
            modified_by: finding.modified_by.clone(),
            found_at: rfc3339(finding.found_at),
            found_by: finding.found_by,
            decided_by: finding.decided_by.clone(),
        }
    }
}

fn sentence(finding: &Finding, fields: &[FindingFieldView]) -> String {
    let names: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
    let names = names.join(", ");
    let by = finding.modified_by.as_deref().unwrap_or("Somebody");
    match (finding.sort, finding.state) {
        (_, FindingState::Closed) => "It no longer differs.".to_owned(),
        (FindingSort::Changed, FindingState::Restoring) => format!("{names}: the next delivery writes it again."),
        (FindingSort::Changed, FindingState::Left) => {
            format!("{names}: left as it is in Zoho until Moodle changes it.")
        }
        (FindingSort::Changed, FindingState::Open) if fields.iter().any(|field| field.contended) => {
            format!(
                "{names}: somebody else writes this field as well. Agree who does, and change the mapping or the other."
            )
        }
        (FindingSort::Changed, FindingState::Open) => format!("{by} changed it in Zoho: {names}."),
        (FindingSort::Deleted, FindingState::Restoring) => "The next delivery creates it again.".to_owned(),
        (FindingSort::Deleted, FindingState::Left) => "It was deleted in Zoho, and stays so.".to_owned(),
        (FindingSort::Deleted, FindingState::Open) => format!("{by} deleted it in Zoho."),
        (FindingSort::Converted, _) => {
            "Its lead was converted in Zoho, and cannot be changed any more. Map people to contacts, or leave it."
                .to_owned()
        }
        (FindingSort::Doubled, _) => {
            "Another record in Zoho has the same key, or a person's address. Merge the two there, and keep the key."
                .to_owned()
        }
        (FindingSort::Surplus, _) => {
            "It has a key of ours in Zoho, and no record here has that key. Delete it there, or clear the key."
                .to_owned()
        }
    }
}

/// Stores a decision about all open findings that a filter selects, in steps, up to the number `newest`. Returns how many
/// there were.
pub(crate) async fn decide_all(
    store: &Store,
    destination: &str,
    filter: FindingFilter,
    newest: Option<i64>,
    by: (FindingDecision, &str),
    clock: &Clock,
) -> Result<u64, StoreError> {
    let (mut decided, mut before) = (0, newest.map(|newest| newest.saturating_add(1)));
    loop {
        let limit = limits::PAGE_ROWS_DEFAULT.into();
        let step = store.decide_findings(destination, filter, before, by, clock.now(), limit).await?;
        decided += step.0;
        match step.1 {
            Some(last) => before = Some(last),
            None => return Ok(decided),
        }
    }
}

/// Whether the destination has what the mapping writes, as of the last comparison.
#[derive(Clone, Object)]
#[oai(rename = "DestinationParity", example)]
pub(crate) struct DestinationParityView {
    /// The name of the destination.
    pub(crate) destination: String,
    /// Whether both sides agree, but for named exceptions.
    pub(crate) agrees: bool,
    /// The result in one sentence.
    pub(crate) sentence: String,
    /// When all records were last compared (RFC 3339); null if they never were.
    #[oai(nullable)]
    pub(crate) proved_at: Option<String>,
    /// When changes by others were last looked at (RFC 3339); null if they never were.
    #[oai(nullable)]
    pub(crate) watched_at: Option<String>,
    /// Whether a comparison of all records is running.
    pub(crate) proving: bool,
    /// API credits of the last comparison of all records.
    pub(crate) proof_credits: u64,
    /// API credits of the last look at what others changed.
    pub(crate) watch_credits: u64,
    /// Why the destination cannot be compared now; null if it can.
    #[oai(nullable)]
    pub(crate) failure: Option<String>,
    /// By kind of record.
    pub(crate) kinds: Vec<KindParityView>,
}

/// Whether the destination has the records of one kind.
#[derive(Clone, Object)]
#[oai(rename = "KindParity")]
pub(crate) struct KindParityView {
    /// The kind.
    pub(crate) kind: Kind,
    /// Records that the destination has as the mapping writes them, by the last comparison of all.
    pub(crate) equal: u64,
    /// Findings that wait for a person, or are being restored.
    pub(crate) differing: u64,
    /// Findings that a person left as they are.
    pub(crate) left: u64,
    /// Records that could not be compared, because they are to be delivered, or need a person.
    pub(crate) passed_over: u64,
}

impl Example for DestinationParityView {
    fn example() -> Self {
        let kind = KindParityView { kind: Kind::User, equal: 998, differing: 1, left: 1, passed_over: 0 };
        Self {
            destination: "zoho".to_owned(),
            agrees: false,
            sentence: "Zoho does not have what the mapping writes, as of 2026-11-22T02:01:00.000Z: 1 record differs."
                .to_owned(),
            proved_at: Some("2026-11-22T02:01:00.000Z".to_owned()),
            watched_at: Some("2026-11-22T07:46:47.000Z".to_owned()),
            proving: false,
            proof_credits: 9,
            watch_credits: 11,
            failure: None,
            kinds: vec![kind],
        }
    }
}

impl DestinationParityView {
    /// The last comparisons with a destination, and what differs now.
    pub(crate) async fn read(store: &Store, destination: &str) -> Result<Self, StoreError> {
        let (watch, proof) = (store.watch_state(destination).await?, store.proof_state(destination).await?);
        let counts = store.finding_counts(destination).await?;
        Ok(Self::of(destination, &watch, &proof, &counts))
    }

    /// The name, as people write it.
    pub(crate) fn display(&self) -> String {
        let mut characters = self.destination.chars();
        characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
    }

    /// Findings that wait for a person, or are being restored.
    pub(crate) fn differing(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.differing).sum()
    }

    /// Findings that people left as they are.
    pub(crate) fn left(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.left).sum()
    }

    /// When the destination was last compared or looked at (RFC 3339).
    pub(crate) fn as_of(&self) -> Option<&str> {
        [&self.proved_at, &self.watched_at].into_iter().flatten().map(String::as_str).max()
    }

    fn of(destination: &str, watch: &WatchState, proof: &ProofState, counts: &[FindingCount]) -> Self {
        let of_kind = |kind: Kind| {
            let count = |left: bool| {
                let counted = counts.iter().filter(|count| count.kind == kind);
                counted.filter(|count| (count.state == FindingState::Left) == left).map(|count| count.count).sum()
            };
            let ProofOfKind { equal, passed_over, .. } = proof.of(kind).cloned().unwrap_or_default();
            KindParityView { kind, equal, differing: count(false), left: count(true), passed_over }
        };
        let kinds: Vec<KindParityView> = Kind::ALL.into_iter().map(of_kind).collect();
        let sum = |of: fn(&KindParityView) -> u64| kinds.iter().map(of).sum::<u64>();
        let (differing, left, passed_over) =
            (sum(|kind| kind.differing), sum(|kind| kind.left), sum(|kind| kind.passed_over));
        let at = |at: Option<i64>| at.map(|at| rfc3339(Timestamp(at)));
        let (proved_at, watched_at) = (at(proof.ended_at), at(watch.ended_at.filter(|_| watch.failure.is_none())));
        let as_of = [proof.ended_at, watch.ended_at.filter(|_| watch.failure.is_none())].into_iter().flatten().max();
        let agrees = differing == 0 && proved_at.is_some();
        Self {
            destination: destination.to_owned(),
            agrees,
            sentence: agreement(at(as_of), proof, (differing, left, passed_over)),
            proved_at,
            watched_at,
            proving: proof.runs(),
            proof_credits: proof.credits,
            watch_credits: watch.credits,
            failure: proof.failure.clone().or_else(|| watch.failure.clone()),
            kinds,
        }
    }
}

/// As in `2 records differ`.
pub(super) fn differ(count: u64) -> String {
    if count == 1 { "1 record differs".to_owned() } else { format!("{count} records differ") }
}

fn agreement(as_of: Option<String>, proof: &ProofState, (differing, left, passed_over): (u64, u64, u64)) -> String {
    let records = |count: u64| if count == 1 { "1 record".to_owned() } else { format!("{count} records") };
    let mut sentence = match as_of {
        None if proof.runs() => "All records are being compared with Zoho for the first time".to_owned(),
        None => "Nothing was compared with Zoho yet".to_owned(),
        Some(time) if differing > 0 => {
            format!("Zoho does not have what the mapping writes, as of {time}: {}", differ(differing))
        }
        Some(time) if proof.ended_at.is_none() => {
            format!("Nothing that others changed in Zoho differs, as of {time}; not all records were compared yet")
        }
        Some(time) => format!("Zoho has what the mapping writes, as of {time}"),
    };
    if left > 0 {
        sentence += &format!("; {} left as in Zoho by a person", records(left));
    }
    if passed_over > 0 {
        sentence +=
            &format!("; {} could not be compared, because a delivery or a person comes first", records(passed_over));
    }
    sentence + "."
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(ended: bool, counts: &[(FindingState, u64)]) -> DestinationParityView {
        let watch = WatchState { ended_at: Some(1_795_333_607_000), ..Default::default() };
        let ended_at = ended.then_some(1_795_330_000_000);
        let proof = ProofState { began_at: Some(1), ended_at, ..Default::default() };
        let count = |(state, count): &(FindingState, u64)| FindingCount {
            kind: Kind::User,
            sort: FindingSort::Changed,
            state: *state,
            count: *count,
        };
        DestinationParityView::of("zoho", &watch, &proof, &counts.iter().map(count).collect::<Vec<_>>())
    }

    #[test]
    fn one_sentence_says_it() {
        let time = "2026-11-22T07:46:47.000Z";
        assert_eq!(view(true, &[]).sentence, format!("Zoho has what the mapping writes, as of {time}."));
        let differs = view(true, &[(FindingState::Open, 1), (FindingState::Left, 2)]);
        assert!(!differs.agrees);
        let words = format!(
            "Zoho does not have what the mapping writes, as of {time}: 1 record differs; 2 records left as in Zoho by a person."
        );
        assert_eq!(differs.sentence, words);
        let watched = view(false, &[]);
        assert!(!watched.agrees && watched.sentence.contains("not all records were compared yet"));
    }
}
