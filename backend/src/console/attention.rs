//! Records that failed or are parked, grouped by reason, and what to do about them.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use poem::{
    Response, handler,
    web::{Data, Form, Html, Query},
};
use serde::Deserialize;

use super::{
    done::Done,
    error::PageError,
    frame::Frame,
    lines::{self, Line, StateTag, display},
    session::{Operator, SignedIn},
    subjects::Subjects,
    words::{self, Moment, counted, number},
};
use crate::{
    alerts::advice::{self, Meaning},
    api::Context,
    clock::Timestamp,
    model::{FindingSort, ItemState, Kind},
    store::{Attention, DestinationSummary, Hold, ItemFilter, ItemRow, OPERATOR, PageRequest},
    views::{HoldView, ORGANISATION, OTHER_WRITER, Renderer, accept, operators_pause},
};

const PATH: &str = "/attention";

/// Records shown of each group: enough to see what they have in common.
const EXAMPLES: u64 = 3;

/// Characters of an operator's reason for a pause.
const REASON_CHARACTERS: usize = 300;

#[derive(Template)]
#[template(path = "attention.html")]
struct AttentionPage {
    frame: Frame,
    done: Option<String>,
    /// Only a part is shown, which an alert leads to.
    only_part: bool,
    destinations: Vec<DestinationAttention>,
}

struct DestinationAttention {
    name: String,
    display: String,
    pause: Option<Paused>,
    holds: Vec<Held>,
    slow: Option<String>,
    /// What differs there and waits for a person, as in `3 changed, 1 deleted`.
    findings: String,
    groups: Vec<Group>,
}

struct Paused {
    by_operator: bool,
    cause: String,
    reason: String,
    since: Moment,
    check: Option<Moment>,
    /// The credentials are for another organisation.
    elsewhere: bool,
}

/// Records of one kind that are held.
struct Held {
    /// As in `new grade records`.
    records: String,
    reason: String,
    since: Moment,
    check: Option<Moment>,
    /// Records in Zoho have our keys, and a person may say that they are ours.
    may_take_over: bool,
}

/// Records in one state for one reason.
struct Group {
    state: ItemState,
    tag: StateTag,
    kind: Kind,
    code: String,
    count: String,
    /// As in `2 grade records`.
    records: String,
    one: bool,
    meaning: Meaning,
    lines: Vec<Line>,
    more: bool,
    list: String,
    /// Where it is decided, if that is elsewhere: to retry would only ask again.
    decide: Option<String>,
}

impl Held {
    fn new(hold: Hold, now: Timestamp) -> Self {
        Self {
            records: HoldView::records(&hold),
            may_take_over: hold.cause == OTHER_WRITER,
            since: Moment::new(hold.since, now),
            check: hold.check_at.map(|at| Moment::new(at, now)),
            reason: hold.reason,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct AttentionQuery {
    done: Option<String>,
    destination: Option<String>,
    /// With `kind` and `code`: one group alone.
    state: Option<String>,
    kind: Option<String>,
    code: Option<String>,
}

impl AttentionQuery {
    fn is_part(&self) -> bool {
        self.destination.is_some() || self.is_group()
    }

    fn is_group(&self) -> bool {
        self.state.is_some() || self.kind.is_some() || self.code.is_some()
    }

    fn shows(&self, group: &Attention) -> bool {
        let is = |wanted: &Option<String>, word: &str| wanted.as_deref().is_none_or(|wanted| wanted == word);
        is(&self.state, group.state.as_str()) && is(&self.kind, group.kind.as_str()) && is(&self.code, &group.code)
    }
}

#[handler]
pub(super) async fn page(
    who: SignedIn,
    context: Data<&Arc<Context>>,
    Query(wanted): Query<AttentionQuery>,
) -> Result<Html<String>, PageError> {
    let mut destinations = Vec::new();
    for summary in context.store.destinations().await? {
        if wanted.destination.as_ref().is_none_or(|name| *name == summary.name) {
            destinations.push(read_destination(&context, summary, &wanted).await?);
        }
    }
    let frame = Frame::new("Needs attention", PATH, &who);
    let (done, only_part) = (Done::message(wanted.done.as_deref()), wanted.is_part());
    Ok(Html(AttentionPage { frame, done, only_part, destinations }.render()?))
}

async fn read_destination(
    context: &Context,
    summary: DestinationSummary,
    wanted: &AttentionQuery,
) -> Result<DestinationAttention, PageError> {
    let now = context.clock.now();
    let mut found: Vec<(Attention, Vec<ItemRow>)> = Vec::new();
    for attention in context.store.attention(&summary.name).await?.into_iter().filter(|group| wanted.shows(group)) {
        let Attention { state, kind, ref code, .. } = attention;
        let filter =
            ItemFilter { state: Some(state), kind: Some(kind), code: Some(code.clone()), ..Default::default() };
        let first = PageRequest { after: None, limit: EXAMPLES };
        let rows = context.store.items(&summary.name, &filter, first).await?.items;
        found.push((attention, rows));
    }
    // Failed before parked, then the largest group first.
    found.sort_by_key(|(group, _)| (group.state != ItemState::Failed, std::cmp::Reverse(group.count)));
    let keys: Vec<_> = found.iter().flat_map(|(_, rows)| rows).map(|row| row.key).collect();
    let subjects = Subjects::read(&context.store, &keys).await?;
    let renderer = Renderer::new(&context.store).await?;
    let line = |row: &ItemRow| Line::new(context, &renderer, &subjects, &summary.name, row, now);
    let group = |(found, rows): (Attention, Vec<ItemRow>)| {
        let Attention { state, kind, code, count, .. } = found;
        let query = [
            ("destination", summary.name.as_str()),
            ("state", state.as_str()),
            ("kind", kind.as_str()),
            ("code", code.as_str()),
        ];
        Group {
            tag: StateTag::of_state(state),
            meaning: advice::meaning(state, &code),
            lines: rows.iter().map(line).collect(),
            more: count > EXAMPLES,
            list: format!("/records?{}", words::query(&query)),
            decide: (code == advice::DELETED_THERE)
                .then(|| format!("/parity?{}", words::query(&[("sort", "deleted"), ("kind", kind.as_str())]))),
            count: number(count),
            records: counted(count, &format!("{kind} record")),
            one: count == 1,
            state,
            kind,
            code,
        }
    };
    let groups = found.into_iter().map(group).collect();
    let findings = match wanted.is_group() {
        true => String::new(),
        false => in_words(&context.store.open_findings(&summary.name).await?),
    };
    let pause = summary.pause.map(|pause| Paused {
        by_operator: pause.cause == OPERATOR,
        elsewhere: pause.cause == ORGANISATION,
        cause: pause.cause,
        reason: pause.reason,
        since: Moment::new(pause.since, now),
        check: pause.check_at.map(|at| Moment::new(at, now)),
    });
    Ok(DestinationAttention {
        display: display(&summary.name),
        name: summary.name,
        pause,
        holds: summary.holds.into_iter().map(|hold| Held::new(hold, now)).collect(),
        slow: summary.slow_reason,
        findings,
        groups,
    })
}

/// As in `3 changed, 1 deleted`.
fn in_words(open: &BTreeMap<FindingSort, u64>) -> String {
    open.iter().map(|(sort, count)| format!("{} {sort}", number(count))).collect::<Vec<_>>().join(", ")
}

#[derive(Deserialize)]
pub(super) struct RetryForm {
    destination: String,
    state: String,
    kind: String,
    code: String,
}

#[handler]
pub(super) async fn retry_group(
    who: Operator,
    context: Data<&Arc<Context>>,
    Form(form): Form<RetryForm>,
) -> Result<Response, PageError> {
    let destination = lines::destination(&context, &form.destination).await?.name;
    let unknown = || PageError::Bad("There is no such group of records.".to_owned());
    let state = form.state.parse().ok().filter(|state| [ItemState::Failed, ItemState::Parked].contains(state));
    let (state, kind) = state.zip(form.kind.parse().ok()).ok_or_else(unknown)?;
    if form.code.contains('\0') {
        return Err(unknown());
    }
    let filter = ItemFilter { state: Some(state), kind: Some(kind), code: Some(form.code), ..Default::default() };
    let items = context.store.retry(&destination, &filter, context.clock.now()).await?;
    tracing::info!(token = who.0.token_id, destination, items, "an operator retried items");
    context.due.notify_one();
    Ok(Done::Retried(items).then(PATH))
}

#[derive(Deserialize)]
pub(super) struct PauseForm {
    destination: String,
    reason: Option<String>,
}

#[handler]
pub(super) async fn pause_delivery(
    who: Operator,
    context: Data<&Arc<Context>>,
    Form(PauseForm { destination, reason }): Form<PauseForm>,
) -> Result<Response, PageError> {
    let destination = lines::destination(&context, &destination).await?.name;
    let fits = |reason: String| reason.chars().filter(|c| !c.is_control()).take(REASON_CHARACTERS).collect();
    let pause = operators_pause(reason.map(fits), context.clock.now());
    if context.store.pause_destination(&destination, &pause).await? {
        tracing::info!(token = who.0.token_id, destination, "⏸ an operator paused the delivery");
    }
    Ok(Done::Paused.then(PATH))
}

#[handler]
pub(super) async fn resume_delivery(
    who: Operator,
    context: Data<&Arc<Context>>,
    Form(PauseForm { destination, .. }): Form<PauseForm>,
) -> Result<Response, PageError> {
    let destination = lines::destination(&context, &destination).await?.name;
    if context.store.resume(&destination).await? {
        tracing::info!(token = who.0.token_id, destination, "▶ an operator resumed the delivery");
    }
    context.due.notify_one();
    Ok(Done::Resumed.then(PATH))
}

#[derive(Deserialize)]
pub(super) struct AcceptForm {
    destination: String,
    what: String,
}

#[handler]
pub(super) async fn accept_question(
    who: Operator,
    context: Data<&Arc<Context>>,
    Form(AcceptForm { destination, what }): Form<AcceptForm>,
) -> Result<Response, PageError> {
    let destination = lines::destination(&context, &destination).await?.name;
    let what = what.parse().map_err(|_| PageError::Bad("There is no such question.".to_owned()))?;
    accept(&context.store, &destination, what, context.clock.now()).await?;
    tracing::info!(token = who.0.token_id, destination, "▶ an operator answered what the delivery asked");
    context.due.notify_one();
    Ok(Done::Resumed.then(PATH))
}
