//! Why one record is where it is: the decision with its reasons, its edges, what keeps it, and what would be written.

mod edges;
mod obstacles;
mod view;

pub(crate) use self::{
    edges::{Edge, Relation},
    obstacles::ObstacleKind,
    view::{EdgeView, Explanation, FieldOutcome, FieldView, StepView},
};
use self::{
    edges::{Edges, read_edges},
    obstacles::Obstacle,
};
use super::{PlanError, PlannedItem, Renderer, plan::unavailable};
use crate::{
    clock::Timestamp,
    delivery::Destination as _,
    model::{AdoptionState, ItemState, Kind, RecordKey},
    store::{AdoptionFilter, AttemptRow, ItemRow, Store, StoreError},
    zoho::destination::{Action, Explained, Zoho},
};

/// How far others that are ahead in the lane are counted: beyond it, only that they are many matters.
const COUNTED_AHEAD: u64 = 10_000;

/// Everything about one record, as it is stored.
pub(crate) struct RecordExplanation {
    pub(crate) edges: Edges,
    row: ItemRow,
    explained: Explained,
    obstacles: Vec<Obstacle>,
    last_attempt: Option<AttemptRow>,
    live: Option<PlannedItem>,
}

impl RecordExplanation {
    /// Explains one record; none if there is no such record. With `live`, Zoho is asked too: what a plan of this record
    /// says, or how the record there differs from what was written.
    pub(crate) async fn read(
        zoho: &Zoho,
        store: &Store,
        key: RecordKey,
        now: Timestamp,
        live: bool,
    ) -> Result<Option<Self>, PlanError> {
        let Some(row) = store.item(Zoho::NAME, key).await? else { return Ok(None) };
        // The plan reads what is known of Zoho's fields, so it goes first.
        let planned = match live {
            true => zoho.plan(vec![row.clone()]).await.map_err(unavailable)?.items.pop(),
            false => None,
        };
        let explained = zoho.explain(&row).await?;
        let live = match (planned, &row.remote_id) {
            (Some(mut planned), Some(id)) if planned.action == Action::Nothing && explained.is_current => {
                planned.differences = zoho.preview(&row, id).await.map_err(unavailable)?.differences;
                Some(planned)
            }
            (planned, _) => planned,
        };
        let renderer = Renderer::new(store).await?;
        let edges = read_edges(store, &explained, &row).await?;
        let last_attempt = last_attempt(store, key).await?;
        let obstacles = read_obstacles(store, &renderer, (&row, &edges, last_attempt.as_ref()), now).await?;
        let live = live.map(|planned| PlannedItem::new(&renderer, planned));
        Ok(Some(Self { edges, row, explained, obstacles, last_attempt, live }))
    }
}

impl RecordExplanation {
    /// The item.
    pub(crate) fn row(&self) -> &ItemRow {
        &self.row
    }

    /// When what is written changes by itself.
    pub(crate) fn moment(&self) -> Option<Timestamp> {
        self.explained.moment
    }
}

/// The last attempt to deliver a record.
async fn last_attempt(store: &Store, key: RecordKey) -> Result<Option<AttemptRow>, StoreError> {
    Ok(store.attempts(Zoho::NAME, key, None, 1).await?.pop())
}

async fn read_obstacles(
    store: &Store,
    renderer: &Renderer,
    (row, edges, last): (&ItemRow, &Edges, Option<&AttemptRow>),
    now: Timestamp,
) -> Result<Vec<Obstacle>, StoreError> {
    let summary = store.destination(Zoho::NAME).await?;
    let asks = match (row.state, row.key.kind) {
        (ItemState::Failed, Kind::User) => {
            let filter = AdoptionFilter { state: Some(AdoptionState::Waiting), account: Some(row.key) };
            store.adoptions(Zoho::NAME, filter, None, 1).await?.pop().map(|adoption| adoption.id)
        }
        _ => None,
    };
    let ahead = match row.state {
        ItemState::Pending => store.ahead_of(Zoho::NAME, row, now, COUNTED_AHEAD).await?,
        _ => 0,
    };
    let facts = obstacles::Facts { summary: summary.as_ref(), asks, ahead, edges, last, now };
    Ok(facts.obstacles(renderer, row))
}
