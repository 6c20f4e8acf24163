//! A dry run of a delivery: what it would do, and what it would cost.

use std::collections::BTreeMap;

use poem_openapi::{
    Object,
    types::{Any, Example},
};
use serde_json::Value;

use super::Renderer;
use crate::{
    delivery::{Destination as _, DestinationFailure},
    limits,
    model::{ItemState, Kind, Remark},
    store::{Counts, ItemFilter, Store, StoreError},
    zoho::{
        destination::{Action, Difference, Plan, Planned, RECORDS_PER_CREDIT, Zoho},
        setup::{ModuleRoom, Room},
    },
};

/// A field that would change.
#[derive(Object)]
#[oai(rename = "FieldDifference")]
pub(crate) struct DifferenceView {
    /// The field's API name at the destination.
    pub(crate) field: String,
    /// The current value.
    pub(crate) before: Any<Value>,
    /// The new value.
    pub(crate) after: Any<Value>,
}

impl From<Difference> for DifferenceView {
    fn from(Difference { field, before, after }: Difference) -> Self {
        Self { field, before: Any(before), after: Any(after) }
    }
}

/// What would be done with one record.
#[derive(Object)]
pub(crate) struct PlannedItem {
    /// The kind of record.
    pub(crate) kind: Kind,
    /// `<site>:<Moodle id>`.
    pub(crate) record: String,
    /// `insert`, `adopt` (a contact that is in Zoho already), `update`, `remove`, `undo` (of an adoption), `nothing`,
    /// `park`, `brake` (it would wait for a person's decision, because unusually many such things happen) or `fail`.
    pub(crate) action: String,
    /// The record's id at the destination, if known.
    #[oai(nullable)]
    pub(crate) remote_id: Option<String>,
    /// Why nothing would be sent, or why it would need a person.
    #[oai(nullable)]
    pub(crate) reason: Option<String>,
    /// The fields that would change.
    pub(crate) differences: Vec<DifferenceView>,
    /// What would be left out, because it does not fit.
    pub(crate) remarks: Vec<Remark>,
}

/// A module's records: those that it has, and those that come.
#[derive(Object)]
pub(crate) struct ModuleRoomView {
    /// The module's API name.
    pub(crate) module: String,
    /// Its records now, without its recycle bin; null if they cannot be counted.
    #[oai(nullable)]
    pub(crate) held: Option<u64>,
    /// Records that are not in it yet, and would be created.
    pub(crate) coming: u64,
}

/// Whether the records that come have room at the destination.
#[derive(Default, Object)]
#[oai(rename = "Room")]
pub(crate) struct RoomView {
    /// The modules of the mapping.
    pub(crate) modules: Vec<ModuleRoomView>,
    /// About how many records of all modules the organisation's edition allows; null if unknown.
    #[oai(nullable)]
    pub(crate) limit: Option<u64>,
    /// What is wrong and what to do, if there is not enough room.
    #[oai(nullable)]
    pub(crate) warning: Option<String>,
}

impl From<Room> for RoomView {
    fn from(room: Room) -> Self {
        let warning = room.warning();
        let modules = room.modules.into_iter();
        let modules = modules.map(|(module, ModuleRoom { held, coming })| ModuleRoomView { module, held, coming });
        Self { modules: modules.collect(), limit: room.limit, warning }
    }
}

/// What a delivery would do, and its cost. Nothing was sent.
#[derive(Default, Object)]
#[oai(rename = "Plan", example)]
pub(crate) struct PlanView {
    /// Pending records in total.
    pub(crate) pending: u64,
    /// Records examined.
    pub(crate) planned: u64,
    /// Examined records by action.
    pub(crate) actions: BTreeMap<String, u64>,
    /// API calls for the examined records.
    pub(crate) calls: u64,
    /// API credits for the examined records.
    pub(crate) credits: u64,
    /// Estimated API calls for all pending records, extrapolated from those examined.
    pub(crate) estimated_calls: u64,
    /// Estimated API credits for all pending records, extrapolated from those examined.
    pub(crate) estimated_credits: u64,
    /// Whether there is room for what would be created.
    pub(crate) room: RoomView,
    /// What would be done with each examined record.
    pub(crate) items: Vec<PlannedItem>,
}

/// Why a plan could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Unavailable(String),
}

/// Selects the items to plan.
#[derive(Clone, Copy)]
pub(crate) struct Subset {
    pub(crate) kind: Option<Kind>,
    pub(crate) site_id: Option<i64>,
    /// None selects any state.
    pub(crate) state: Option<ItemState>,
    /// Maximum items, over all kinds.
    pub(crate) limit: u64,
}

impl Subset {
    /// The kinds of these items, with the number of each.
    async fn kinds(self, store: &Store) -> Result<Vec<(ItemFilter, u64)>, StoreError> {
        let counts = store.item_counts(Zoho::NAME).await?;
        let mut kinds = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| self.kind.is_none_or(|only| only == *kind)) {
            let filter =
                ItemFilter { kind: Some(kind), site_id: self.site_id, state: self.state, ..Default::default() };
            let number = match self.site_id {
                // Only what is counted for all sites is at hand.
                Some(_) => store.count_items(Zoho::NAME, &filter).await?,
                None => {
                    let wanted =
                        |counts: &&Counts| counts.kind == kind && self.state.is_none_or(|state| state == counts.state);
                    counts.iter().filter(wanted).map(|counts| counts.count).sum()
                }
            };
            kinds.extend((number > 0).then_some((filter, number)));
        }
        Ok(kinds)
    }
}

impl PlanView {
    /// Plans items against what Zoho holds. Examines the same number of each kind, so that the estimate holds for all
    /// kinds.
    pub(crate) async fn make(zoho: &Zoho, store: &Store, subset: Subset) -> Result<Self, PlanError> {
        let renderer = Renderer::new(store).await?;
        let mut view = Self::default();
        let mut kinds = subset.kinds(store).await?;
        // Smallest first: kinds with few items leave their share to the others.
        kinds.sort_by_key(|(_, pending)| *pending);
        let mut left = subset.limit;
        for (place, (filter, pending)) in kinds.iter().enumerate() {
            let share = left.div_ceil((kinds.len() - place) as u64);
            let rows = store.first_items(Zoho::NAME, filter, share).await?;
            left = left.saturating_sub(rows.len() as u64);
            let plan = zoho.plan(rows).await.map_err(unavailable)?;
            view.add(&renderer, plan, *pending);
        }
        Ok(view)
    }

    /// Adds whether there is room for what would be created: a call for each module.
    pub(crate) async fn with_room(mut self, zoho: &Zoho) -> Result<Self, PlanError> {
        if self.pending > 0 {
            self.room = zoho.room().await.map_err(unavailable)?.into();
        }
        Ok(self)
    }

    /// Adds the plan of one kind, of which `pending` items are pending in total.
    fn add(&mut self, renderer: &Renderer, plan: Plan, pending: u64) {
        let planned = plan.items.len() as u64;
        let count = |action| plan.items.iter().filter(|item| item.action == action).count() as u64;
        let inserts = count(Action::Insert);
        let adoptions = count(Action::Adopt);
        let updates = count(Action::Update) + count(Action::Remove) + count(Action::Undo);
        let all = |some: u64| some.saturating_mul(pending.max(planned)).div_ceil(planned.max(1));
        let calls = |records: u64| records.div_ceil(limits::DELIVERY_RECORDS.into());
        let credits = |records: u64| records.div_ceil(RECORDS_PER_CREDIT);
        // All calls beyond the writes are searches, whose number grows with the records.
        let searches = plan.calls.saturating_sub(calls(inserts) + calls(adoptions) + calls(updates));
        self.pending += pending;
        self.planned += planned;
        self.calls += plan.calls;
        self.credits += plan.credits;
        let writes = [inserts, adoptions, updates].map(all);
        self.estimated_calls += writes.map(calls).iter().sum::<u64>() + all(searches);
        self.estimated_credits += writes.map(credits).iter().sum::<u64>() + all(searches);
        for item in &plan.items {
            *self.actions.entry(item.action.as_str().to_owned()).or_default() += 1;
        }
        self.items.extend(plan.items.into_iter().map(|item| PlannedItem::new(renderer, item)));
    }
}

impl PlannedItem {
    pub(super) fn new(renderer: &Renderer, planned: Planned) -> Self {
        let Planned { key, action, remote_id, reason, differences, remarks } = planned;
        Self {
            kind: key.kind,
            record: renderer.id(key.site_id, key.moodle_id),
            action: action.as_str().to_owned(),
            remote_id,
            reason,
            differences: differences.into_iter().map(DifferenceView::from).collect(),
            remarks,
        }
    }
}

pub(super) fn unavailable(failure: DestinationFailure) -> PlanError {
    PlanError::Unavailable(failure_in_words(failure))
}

/// Why Zoho does not answer, and what to do.
pub(crate) fn failure_in_words(failure: DestinationFailure) -> String {
    match failure {
        DestinationFailure::Pause { reason, .. }
        | DestinationFailure::Hold { reason, .. }
        | DestinationFailure::Outage { reason, .. } => reason,
        DestinationFailure::Throttled => "Zoho asks for fewer calls at a time. Retry in a minute.".to_owned(),
    }
}

impl Example for PlanView {
    fn example() -> Self {
        let difference = DifferenceView {
            field: "Final_Grade".to_owned(),
            before: Any(Value::from(62.5)),
            after: Any(Value::from(85)),
        };
        let item = PlannedItem {
            kind: Kind::Grade,
            record: "college:1".to_owned(),
            action: "update".to_owned(),
            remote_id: Some("5540000000000123456".to_owned()),
            reason: None,
            differences: vec![difference],
            remarks: Vec::new(),
        };
        let actions = BTreeMap::from([("update".to_owned(), 1)]);
        Self {
            pending: 40,
            planned: 1,
            actions,
            calls: 1,
            credits: 1,
            estimated_calls: 1,
            estimated_credits: 4,
            room: RoomView {
                modules: vec![ModuleRoomView { module: "Moodle_Grades".to_owned(), held: Some(1_200), coming: 0 }],
                limit: Some(100_000),
                warning: None,
            },
            items: vec![item],
        }
    }
}
