//! The parts of a record's page that explain why it is where it is: a sentence, a drawing of its edges, the decision step
//! by step, and what would be written.

use std::sync::Arc;

use askama::Template;
use poem::{
    handler,
    web::{Data, Html, Path},
};
use poem_openapi::types::Any;
use serde_json::Value;

use super::{
    error::PageError,
    lines::{self, StateTag},
    person::text,
    session::SignedIn,
    subjects::Subjects,
    words::Moment,
};
use crate::{
    api::Context,
    clock::Timestamp,
    model::{ItemState, RecordKey},
    views::{
        Edge, Explanation, FieldOutcome, FieldView, ObstacleKind, PlanError, RecordExplanation, Relation, Renderer,
    },
};

/// Why a record is where it is.
pub(super) struct Why {
    pub(super) now: WhyPart,
    pub(super) steps: Vec<Step>,
    pub(super) fields: Vec<Field>,
    /// Whether it is known what fits Zoho's fields.
    pub(super) fitted: bool,
}

/// The part that refreshes itself.
#[derive(Template)]
#[template(path = "record_why.html")]
pub(super) struct WhyPart {
    id: String,
    /// Whether a delivery is pending or in flight.
    moving: bool,
    class: &'static str,
    sentence: String,
    /// What else keeps it.
    also: Vec<String>,
    /// Its own place in the drawing.
    tag: StateTag,
    /// What it waits for and reads.
    to: Vec<Chain>,
    /// When what is written changes by itself.
    moment: Option<Moment>,
    /// What waits for it.
    from: Vec<Node>,
    more: bool,
}

/// An edge of the record, and what the record at its end waits for.
struct Chain {
    first: Node,
    rest: Vec<Node>,
}

/// A record in the drawing.
struct Node {
    /// What it is for the record before it.
    relation: &'static str,
    is_awaited: bool,
    tag: StateTag,
    address: String,
    label: String,
    reason: Option<String>,
    tried: Option<Moment>,
}

/// One question of the decision.
pub(super) struct Step {
    pub(super) word: String,
    pub(super) class: &'static str,
    pub(super) words: String,
}

/// What becomes of one field.
pub(super) struct Field {
    pub(super) field: String,
    pub(super) value: String,
    pub(super) source: String,
    pub(super) remark: String,
}

/// Explains a record; none if it is at no destination of this server.
pub(super) async fn read(context: &Context, key: RecordKey, id: &str) -> Result<Option<Why>, PageError> {
    let Some(zoho) = context.zoho() else { return Ok(None) };
    let (store, now) = (&context.store, context.clock.now());
    let found = match RecordExplanation::read(&zoho, store, key, now, false).await {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(None),
        Err(PlanError::Store(error)) => return Err(error.into()),
        // Only a plan asks Zoho.
        Err(PlanError::Unavailable(_)) => return Err(PageError::Internal),
    };
    let renderer = Renderer::new(store).await?;
    let edges = &found.edges;
    let keys: Vec<RecordKey> = edges.to.iter().chain(&edges.from).map(|edge| edge.key).collect();
    let subjects = Subjects::read(store, &keys).await?;
    let node = |edge: &Edge| Node::new(&renderer, &subjects, edge, now);
    let mut to: Vec<Chain> = Vec::new();
    for edge in &edges.to {
        match to.last_mut().filter(|_| edge.depth > 1) {
            Some(chain) => chain.rest.push(node(edge)),
            None => to.push(Chain { first: node(edge), rest: Vec::new() }),
        }
    }
    let from = edges.from.iter().map(node).collect();
    let (tag, moment) = (StateTag::of(found.row()), found.moment().map(|at| Moment::new(at, now)));
    let explanation = Explanation::new(&renderer, found);
    let now = WhyPart {
        id: id.to_owned(),
        moving: is_moving(&explanation),
        class: note_class(&explanation),
        sentence: explanation.sentence,
        also: explanation.obstacles.into_iter().skip(1).map(|obstacle| obstacle.words).collect(),
        tag,
        to,
        moment,
        from,
        more: explanation.more_waiting,
    };
    let steps = explanation.steps.into_iter().map(|step| Step {
        class: if step.verdict == "passes" { "good" } else { "warn" },
        word: step.verdict.replace('_', " "),
        words: step.words,
    });
    let fields = explanation.fields.into_iter().map(Field::from);
    Ok(Some(Why { now, steps: steps.collect(), fields: fields.collect(), fitted: explanation.fitted }))
}

/// The refreshing part alone.
#[handler]
pub(super) async fn why_now(
    _who: SignedIn,
    context: Data<&Arc<Context>>,
    Path(id): Path<String>,
) -> Result<Html<String>, PageError> {
    let (_, key) = lines::find_record(&context, &id).await?;
    let why = read(&context, key, &id).await?.ok_or(PageError::NotFound)?;
    Ok(Html(why.now.render()?))
}

fn is_moving(explanation: &Explanation) -> bool {
    let kind = explanation.obstacles.first().map(|obstacle| obstacle.kind);
    matches!(kind, Some(ObstacleKind::InFlight | ObstacleKind::Queued | ObstacleKind::BackingOff))
}

fn note_class(explanation: &Explanation) -> &'static str {
    match explanation.item.state {
        ItemState::Synced if explanation.obstacles.is_empty() => "good",
        ItemState::Synced | ItemState::InFlight => "",
        ItemState::Pending | ItemState::Parked => "warn",
        ItemState::Failed => "bad",
    }
}

impl Node {
    fn new(renderer: &Renderer, subjects: &Subjects, edge: &Edge, now: Timestamp) -> Self {
        let relation = match (edge.relation, edge.is_awaited) {
            (Relation::WaitsForThis, _) => "waits for this record",
            (_, true) if edge.depth > 1 => "which waits for",
            (_, true) => "waits for",
            (Relation::Needs, false) => "needs",
            (Relation::Reads, false) => "reads",
            (Relation::Awaits, false) => "is judged again with",
        };
        let (row, is_waiting) = (edge.row.as_ref(), edge.relation == Relation::WaitsForThis);
        let is_there = row.is_some_and(|row| row.state == ItemState::Synced && row.code.is_none());
        Self {
            relation,
            is_awaited: edge.is_awaited,
            tag: row.map_or(StateTag { word: "not reported yet", class: "warn" }, StateTag::of),
            address: lines::address(edge.key.kind, &renderer.id(edge.key.site_id, edge.key.moodle_id)),
            label: subjects.label(edge.key),
            reason: row.filter(|_| !is_there && !is_waiting).and_then(|row| row.reason.clone()),
            tried: edge.tried_at.map(|at| Moment::new(at, now)),
        }
    }
}

impl From<FieldView> for Field {
    fn from(view: FieldView) -> Self {
        let FieldView { field, source, outcome, value: Any(value), remark } = view;
        let value = match (outcome, &value) {
            (FieldOutcome::Written | FieldOutcome::Unfitted, Value::Null) => "empty".to_owned(),
            // A lookup.
            (FieldOutcome::Written, value) => text(value.get("id").unwrap_or(value)),
            (FieldOutcome::Unfitted, value) => text(value),
            (FieldOutcome::Waits, _) => "waits for that record".to_owned(),
            (outcome, _) => outcome.as_str().replace('_', " "),
        };
        Self { field, value, source: source.unwrap_or_default(), remark: remark.unwrap_or_default() }
    }
}
