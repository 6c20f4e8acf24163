//! An explanation, as readers see it.

use poem_openapi::{
    Enum, Object,
    types::{Any, Example},
};
use serde_json::Value;

use super::{
    RecordExplanation, Relation,
    edges::Edge,
    obstacles::{Obstacle, ObstacleKind},
};
use crate::{
    clock::Timestamp,
    model::{ItemState, Kind},
    views::{PlannedItem, Renderer, SyncAttempt, SyncItem, rfc3339},
    zoho::destination::{Action, DecisionStep, ExplainedField, ExplainedOutcome},
};

/// What keeps a record from being delivered.
#[derive(Object)]
#[oai(rename = "Obstacle")]
pub(crate) struct ObstacleView {
    /// What it is.
    pub(crate) kind: ObstacleKind,
    /// The same in words, and what to do.
    pub(crate) words: String,
    /// When it ends, or is looked at again (RFC 3339); null if nothing but a change or a person ends it.
    #[oai(nullable)]
    pub(crate) until: Option<String>,
}

/// One question of the decision about a record, and its answer.
#[derive(Object)]
#[oai(rename = "DecisionStep")]
pub(crate) struct StepView {
    /// What was asked: `stored`, `representative`, `erasure`, `adoption`, `excluded`, `confirmed`, `filter`, `deleted`
    /// or `needs`.
    pub(crate) rule: String,
    /// What the answer means: `passes`, `left_out`, `waits`, `removed` or `fails`.
    pub(crate) verdict: String,
    /// The answer in words.
    pub(crate) words: String,
}

/// Another record that this one depends on, or that depends on it.
#[derive(Object)]
#[oai(rename = "Edge")]
pub(crate) struct EdgeView {
    /// What it is for this record.
    pub(crate) relation: Relation,
    /// 1 for an edge of the record itself; 2 for what the record at its end waits for; and so on.
    pub(crate) depth: u32,
    /// Whether it is waited for now.
    pub(crate) awaited: bool,
    /// Its kind.
    pub(crate) kind: Kind,
    /// `<site>:<Moodle id>`.
    pub(crate) record: String,
    /// Its delivery state; null while Moodle has not reported it.
    #[oai(nullable)]
    pub(crate) state: Option<ItemState>,
    /// Its id at the destination.
    #[oai(nullable)]
    pub(crate) remote_id: Option<String>,
    /// Why it is not synced, or why nothing had to be delivered.
    #[oai(nullable)]
    pub(crate) reason: Option<String>,
    /// When it was last tried, if it is not delivered (RFC 3339).
    #[oai(nullable)]
    pub(crate) tried_at: Option<String>,
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, strum::IntoStaticStr)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum FieldOutcome {
    /// `value` is written.
    Written,
    /// Its value does not fit and is left out; the destination keeps what it has.
    LeftOut,
    /// It is not written; the destination keeps what it has.
    Kept,
    /// It names a record that is not at the destination yet.
    Waits,
    /// Its value does not fit, so the record fails.
    Fails,
    /// `value` is what the mapping makes of it; what fits the field is not known yet.
    Unfitted,
}

impl FieldOutcome {
    /// The name in the API.
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What becomes of one field.
#[derive(Object)]
#[oai(rename = "ExplainedField")]
pub(crate) struct FieldView {
    /// The field's API name at the destination.
    pub(crate) field: String,
    /// Where its value comes from, in words; null for what marks a record as gone.
    #[oai(nullable)]
    pub(crate) source: Option<String>,
    /// What becomes of it.
    pub(crate) outcome: FieldOutcome,
    /// The value that is written; null clears the field.
    pub(crate) value: Any<Value>,
    /// Why it, or part of it, is not written.
    #[oai(nullable)]
    pub(crate) remark: Option<String>,
}

/// Why a record is where it is on its way to the destination: the decision made again, with its reasons. Nothing was
/// sent.
#[derive(Object)]
#[oai(rename = "Explanation", example)]
pub(crate) struct Explanation {
    /// The answer in one sentence.
    pub(crate) sentence: String,
    /// What is stored about its delivery.
    pub(crate) item: SyncItem,
    /// The digest of what was last written; null if nothing was, or if it is to be written again whatever it is.
    #[oai(nullable)]
    pub(crate) digest: Option<String>,
    /// The last attempt; null if none is stored.
    #[oai(nullable)]
    pub(crate) last_attempt: Option<SyncAttempt>,
    /// What keeps it from being delivered; empty if nothing does.
    pub(crate) obstacles: Vec<ObstacleView>,
    /// What the decision asked, in its order. The last one decides.
    pub(crate) steps: Vec<StepView>,
    /// What a delivery would do now by this decision: `insert`, `update`, `remove`, `undo`, `nothing`, `park` or `fail`;
    /// null if only the destination's fields show whether anything would be sent. With `live`, see `live`, which also
    /// looks for people and at the brake.
    #[oai(nullable)]
    pub(crate) action: Option<String>,
    /// Why nothing would be sent, if so.
    #[oai(nullable)]
    pub(crate) reason: Option<String>,
    /// What it waits for and what it reads; after each, what that waits for.
    pub(crate) edges: Vec<EdgeView>,
    /// When what is written changes by itself, so that it is judged again (RFC 3339).
    #[oai(nullable)]
    pub(crate) judged_at: Option<String>,
    /// The first records that wait for it.
    pub(crate) waiting: Vec<EdgeView>,
    /// Whether more records wait for it.
    pub(crate) more_waiting: bool,
    /// Each field that would be written, or is there already; empty if none would.
    pub(crate) fields: Vec<FieldView>,
    /// Whether the server knows the destination's fields, so that `fields` says what fits.
    pub(crate) fitted: bool,
    /// What the destination holds and would get, if that was asked for.
    #[oai(nullable)]
    pub(crate) live: Option<PlannedItem>,
}

impl Explanation {
    pub(crate) fn new(renderer: &Renderer, found: RecordExplanation) -> Self {
        let sentence = sentence(&found);
        let RecordExplanation { edges, row, explained, obstacles, last_attempt, live } = found;
        let edge = |edge: &Edge| EdgeView::new(renderer, edge);
        Self {
            sentence,
            item: SyncItem::new(renderer, &row),
            digest: row.digest,
            last_attempt: last_attempt.map(SyncAttempt::from),
            obstacles: obstacles.into_iter().map(ObstacleView::from).collect(),
            steps: explained.steps.into_iter().map(StepView::from).collect(),
            action: explained.action.map(|action| action.as_str().to_owned()),
            reason: explained.reason,
            edges: edges.to.iter().map(edge).collect(),
            judged_at: explained.moment.map(rfc3339),
            waiting: edges.from.iter().map(edge).collect(),
            more_waiting: edges.more,
            fields: explained.fields.into_iter().map(FieldView::from).collect(),
            fitted: explained.fitted,
            live,
        }
    }
}

/// The answer in one sentence.
fn sentence(found: &RecordExplanation) -> String {
    if let Some(obstacle) = found.obstacles.first() {
        return obstacle.words.clone();
    }
    let since = found.row.synced_at.map(|at| format!(" since {}", at.to_rfc3339())).unwrap_or_default();
    let id = found.row.remote_id.as_deref().unwrap_or_default();
    let but = if found.row.remarks.is_empty() { "" } else { ", but for what does not fit" };
    let moment = found.explained.moment.map(|at| format!(" It changes by itself at {}.", at.to_rfc3339()));
    let now = match found.explained.action {
        Some(Action::Update | Action::Remove) => {
            " By the mapping as it is now, something else would be written; backend-sync sync resync does so."
        }
        _ => "",
    };
    format!("Zoho has it as {id}{since}{but}.{}{now}", moment.unwrap_or_default())
}

impl From<Obstacle> for ObstacleView {
    fn from(obstacle: Obstacle) -> Self {
        let Obstacle { kind, words, until } = obstacle;
        Self { kind, words, until: until.map(rfc3339) }
    }
}

impl From<DecisionStep> for StepView {
    fn from(step: DecisionStep) -> Self {
        let DecisionStep { rule, verdict, words } = step;
        Self { rule: rule.as_str().to_owned(), verdict: verdict.as_str().to_owned(), words }
    }
}

impl EdgeView {
    fn new(renderer: &Renderer, edge: &Edge) -> Self {
        let row = edge.row.as_ref();
        Self {
            relation: edge.relation,
            depth: edge.depth,
            awaited: edge.is_awaited,
            kind: edge.key.kind,
            record: renderer.id(edge.key.site_id, edge.key.moodle_id),
            state: row.map(|row| row.state),
            remote_id: row.and_then(|row| row.remote_id.clone()),
            reason: row.and_then(|row| row.reason.clone()),
            tried_at: edge.tried_at.map(rfc3339),
        }
    }
}

impl From<ExplainedField> for FieldView {
    fn from(field: ExplainedField) -> Self {
        let ExplainedField { field, source, outcome } = field;
        let (outcome, value, remark) = match outcome {
            ExplainedOutcome::Written(value, remark) => (FieldOutcome::Written, value, remark),
            ExplainedOutcome::LeftOut(remark) => (FieldOutcome::LeftOut, Value::Null, Some(remark)),
            ExplainedOutcome::Kept(remark) => (FieldOutcome::Kept, Value::Null, Some(remark.to_owned())),
            ExplainedOutcome::Waits => (FieldOutcome::Waits, Value::Null, None),
            ExplainedOutcome::Fails(remark) => (FieldOutcome::Fails, Value::Null, Some(remark)),
            ExplainedOutcome::Unfitted(value) => (FieldOutcome::Unfitted, value.into(), None),
        };
        Self { field, source, outcome, value: Any(value), remark }
    }
}

impl Example for Explanation {
    fn example() -> Self {
        let tried_at = rfc3339(Timestamp(1_795_334_000_000));
        let reason = "Zoho refuses the value for Last_Name. Correct it in Moodle.";
        let person = EdgeView {
            relation: Relation::Needs,
            depth: 1,
            awaited: true,
            kind: Kind::User,
            record: "college:3".to_owned(),
            state: Some(ItemState::Failed),
            remote_id: None,
            reason: Some(reason.to_owned()),
            tried_at: Some(tried_at.clone()),
        };
        let sentence = format!("It waits for user college:3, which failed; last tried at {tried_at}: {reason}");
        let parked = "It waits for user college:3, which failed and needs a person.";
        let step = |rule: &str, verdict: &str, words: &str| StepView {
            rule: rule.to_owned(),
            verdict: verdict.to_owned(),
            words: words.to_owned(),
        };
        let field = |field: &str, source: &str, outcome, value| FieldView {
            field: field.to_owned(),
            source: Some(source.to_owned()),
            outcome,
            value: Any(value),
            remark: None,
        };
        Self {
            item: SyncItem { reason: Some(parked.to_owned()), ..SyncItem::example() },
            digest: None,
            last_attempt: None,
            obstacles: vec![ObstacleView { kind: ObstacleKind::Parked, words: sentence.clone(), until: None }],
            sentence,
            steps: vec![step("deleted", "passes", "It exists in Moodle."), step("needs", "waits", parked)],
            action: Some("park".to_owned()),
            reason: Some(parked.to_owned()),
            edges: vec![person],
            judged_at: None,
            waiting: Vec::new(),
            more_waiting: false,
            fields: vec![
                field("Contact", "the person's record in Zoho", FieldOutcome::Waits, Value::Null),
                field("Final_Grade", "finalgrade", FieldOutcome::Written, Value::from(85)),
            ],
            fitted: true,
            live: None,
        }
    }
}
