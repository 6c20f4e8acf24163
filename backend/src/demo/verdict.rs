//! Counts during the term, and at its end whether the result is as expected.

use std::collections::BTreeMap;

use zoho_simulator::Simulator;

use super::term::Term;
use crate::{
    delivery::Destination,
    model::{ItemState, Kind, RecordKey},
    store::{Conservation, ItemFilter, ItemRow, Store, StoreError},
    zoho::{destination::Zoho, mapping::Mapping},
};

/// The number of sync items in each state, and of records in each module of Zoho.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    states: BTreeMap<&'static str, u64>,
    modules: BTreeMap<String, usize>,
}

impl Snapshot {
    /// Counts now.
    pub async fn take(store: &Store, simulator: &Simulator) -> Result<Self, StoreError> {
        let mut states = BTreeMap::new();
        for counts in store.item_counts(Zoho::NAME).await? {
            *states.entry(counts.state.as_str()).or_default() += counts.count;
        }
        Ok(Self { states, modules: simulator.counts() })
    }

    /// Items in a state.
    pub fn items(&self, state: ItemState) -> u64 {
        self.states.get(state.as_str()).copied().unwrap_or_default()
    }

    /// Items that are pending or in flight.
    pub fn waiting(&self) -> u64 {
        self.items(ItemState::Pending) + self.items(ItemState::InFlight)
    }

    /// Records in a module of Zoho.
    pub fn records(&self, module: &str) -> usize {
        self.modules.get(module).copied().unwrap_or_default()
    }
}

/// Records of one kind that are in the same state for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Their state.
    pub state: ItemState,
    /// Their kind.
    pub kind: Kind,
    /// Their reason, as a sentence.
    pub reason: String,
    /// The number of records.
    pub count: usize,
}

/// The result of the term.
#[derive(Debug)]
pub struct DemoVerdict {
    /// Whether each record has one sync item.
    pub conservation: Conservation,
    /// Records that are not in Zoho, by reason.
    pub groups: Vec<Group>,
    /// Unexpected results, as sentences.
    pub problems: Vec<String>,
}

/// Checks every sync item, and the number of records in Zoho.
pub async fn judge(
    store: &Store,
    simulator: &Simulator,
    mapping: &Mapping,
    term: &Term,
) -> Result<DemoVerdict, StoreError> {
    let conservation = store.conservation(Zoho::NAME).await?;
    let items = store.first_items(Zoho::NAME, &ItemFilter::default(), u64::MAX).await?;
    let mut problems = Vec::new();
    if !conservation.holds() {
        problems.push(format!("records and sync items do not match: {conservation:?}"));
    }
    if let Some(pause) = store.destination(Zoho::NAME).await?.and_then(|destination| destination.pause) {
        problems.push(format!("delivery is paused: {}", pause.reason));
    }
    problems.extend(items.iter().filter_map(|item| unexpected(item, term)));
    let counts = simulator.counts();
    for (kind, module) in mapping.modules() {
        // Each of our records once, and the contacts that were there before.
        let ours = items.iter().filter(|item| item.key.kind == kind && item.remote_id.is_some()).count();
        let expected = ours + if kind == Kind::User { term.untouched } else { 0 };
        let found = counts.get(&module.module).copied().unwrap_or_default();
        if found != expected {
            problems.push(format!("{} should hold {expected} records but holds {found}", module.module));
        }
    }
    Ok(DemoVerdict { conservation, groups: groups(&items), problems })
}

/// What is wrong with an item, unless the story plans it: one student fails, and that student's records wait.
fn unexpected(item: &ItemRow, term: &Term) -> Option<String> {
    let is_ambiguous = |key: RecordKey| key.kind == Kind::User && key.moodle_id.0 == term.ambiguous.0;
    let as_planned = match item.state {
        ItemState::Synced => !is_ambiguous(item.key),
        ItemState::Failed => is_ambiguous(item.key),
        ItemState::Parked => item.waits_for.is_some_and(is_ambiguous),
        ItemState::Pending | ItemState::InFlight => false,
    };
    let reason = item.reason.as_deref().unwrap_or("no reason is known");
    (!as_planned).then(|| format!("{} {} is {}: {reason}", item.key.kind, item.key.moodle_id, item.state))
}

fn groups(items: &[ItemRow]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for item in items {
        let Some(reason) = &item.reason else { continue };
        let of_it =
            |group: &&mut Group| (group.state, group.kind) == (item.state, item.key.kind) && group.reason == *reason;
        match groups.iter_mut().find(of_it) {
            Some(group) => group.count += 1,
            None => groups.push(Group { state: item.state, kind: item.key.kind, reason: reason.clone(), count: 1 }),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::{groups, unexpected};
    use crate::{
        clock::Timestamp,
        demo::term::Term,
        model::{Id, ItemState, Kind, RecordKey},
        store::ItemRow,
    };

    fn key(kind: Kind, id: i64) -> RecordKey {
        RecordKey { kind, site_id: 1, moodle_id: Id(id) }
    }

    fn item(key: RecordKey, state: ItemState, waits_for: Option<RecordKey>) -> ItemRow {
        ItemRow {
            key,
            state,
            revision: 1,
            changed_at: Timestamp(0),
            due_at: Timestamp(0),
            attempts: 0,
            remote_id: None,
            linked: false,
            digest: None,
            synced_at: None,
            waits_for,
            code: None,
            reason: waits_for.map(|key| format!("It waits for {}.", key.moodle_id)),
            remarks: Vec::new(),
            remote_modified_at: None,
        }
    }

    #[test]
    fn only_planned_records_may_fail_or_wait() {
        let term = Term { start: 0, events: vec![], imported: vec![], untouched: 0, ambiguous: (7, 0) };
        let (ambiguous, other) = (key(Kind::User, 7), key(Kind::User, 8));
        let grade = |state, waits_for| item(key(Kind::Grade, 7), state, waits_for);
        for planned in [
            item(ambiguous, ItemState::Failed, None),
            item(other, ItemState::Synced, None),
            grade(ItemState::Parked, Some(ambiguous)),
        ] {
            assert_eq!(unexpected(&planned, &term), None);
        }
        for wrong in [
            item(ambiguous, ItemState::Synced, None),
            item(other, ItemState::Failed, None),
            grade(ItemState::Failed, None),
            grade(ItemState::Parked, Some(other)),
            grade(ItemState::Pending, None),
        ] {
            assert!(unexpected(&wrong, &term).is_some_and(|words| words.contains(wrong.state.as_str())));
        }
    }

    #[test]
    fn records_with_the_same_reason_are_counted_together() {
        let parked = |id, on| item(key(Kind::Grade, id), ItemState::Parked, Some(key(Kind::User, on)));
        let items = [parked(1, 7), parked(2, 8), item(key(Kind::User, 7), ItemState::Synced, None), parked(3, 7)];
        let counts: Vec<_> = groups(&items).into_iter().map(|group| (group.reason, group.count)).collect();
        assert_eq!(counts, [("It waits for 7.".to_owned(), 2), ("It waits for 8.".to_owned(), 1)]);
    }
}
