//! Adoptions: the inbox of contacts that accounts ask for, what was adopted, and what an answer would write.

use std::sync::Arc;

use askama::Template;
use poem::{
    Response, handler,
    web::{Data, Form, Html, Path, Query},
};
use serde::Deserialize;

use super::{
    done::Done,
    error::PageError,
    frame::Frame,
    mapping::value_text,
    session::{Operator, SignedIn},
    subjects::Subjects,
    words::Moment,
};
use crate::{
    api::Context,
    delivery::Destination as _,
    limits,
    model::AdoptionState,
    store::{Adoption, AdoptionDecision, AdoptionFilter, Scope},
    views::{AdoptionPreview, DifferenceView, PlanError, Renderer},
    zoho::destination::Zoho,
};

const PATH: &str = "/adoptions";

#[derive(Template)]
#[template(path = "adoptions.html")]
struct AdoptionsPage {
    frame: Frame,
    done: Option<String>,
    waiting: Vec<AdoptionLine>,
    /// Whether more wait than are shown.
    more_wait: bool,
    all: Vec<AdoptionLine>,
    older: Option<i64>,
}

#[derive(Template)]
#[template(path = "adoption.html")]
struct AdoptionPage {
    frame: Frame,
    line: AdoptionLine,
    /// The values that were replaced: field, before, after; none when they are not kept.
    replaced: Option<Vec<(String, String, String)>>,
    preview: Option<Preview>,
    may: Vec<(&'static str, &'static str)>,
}

/// One adoption in a list.
struct AdoptionLine {
    number: i64,
    state: AdoptionState,
    /// `user:<site>:<Moodle id>`.
    record: String,
    name: String,
    contact: String,
    link: Option<String>,
    changed: Moment,
    by: Option<String>,
    writes: bool,
}

/// What a decision would write.
enum Preview {
    /// Zoho did not answer: why.
    Unavailable(String),
    Read {
        undo: bool,
        changes: Vec<(String, String, String)>,
        kept: Vec<String>,
        note: Option<String>,
    },
}

#[derive(Deserialize)]
pub(super) struct AdoptionsQuery {
    done: Option<String>,
    before: Option<i64>,
}

/// Field, before and after, as people see them.
pub(super) fn shown(changes: Vec<DifferenceView>) -> Vec<(String, String, String)> {
    let text = |change: DifferenceView| (change.field, value_text(&change.before.0), value_text(&change.after.0));
    changes.into_iter().map(text).collect()
}

async fn lines(context: &Context, rows: Vec<Adoption>) -> Result<Vec<AdoptionLine>, PageError> {
    let keys: Vec<_> = rows.iter().map(|row| row.key).collect();
    let subjects = Subjects::read(&context.store, &keys).await?;
    let (renderer, now) = (Renderer::new(&context.store).await?, context.clock.now());
    let line = |row: Adoption| AdoptionLine {
        number: row.id,
        state: row.state,
        record: format!("user:{}", renderer.id(row.key.site_id, row.key.moodle_id)),
        name: subjects.label(row.key),
        link: context.zoho().and_then(|zoho| zoho.page(row.key.kind, &row.remote_id)),
        contact: row.remote_id,
        changed: Moment::new(row.changed_at, now),
        by: row.decided_by,
        writes: row.writes,
    };
    Ok(rows.into_iter().map(line).collect())
}

#[handler]
pub(super) async fn page(
    who: SignedIn,
    context: Data<&Arc<Context>>,
    Query(AdoptionsQuery { done, before }): Query<AdoptionsQuery>,
) -> Result<Html<String>, PageError> {
    let waits = AdoptionFilter { state: Some(AdoptionState::Waiting), ..Default::default() };
    let limit = limits::CONSOLE_ROWS;
    let mut waiting = context.store.adoptions(Zoho::NAME, waits, None, limit + 1).await?;
    let more_wait = waiting.len() as u64 > limit;
    waiting.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let all = context.store.adoptions(Zoho::NAME, AdoptionFilter::default(), before, limit).await?;
    let older = all.last().filter(|_| all.len() as u64 == limit).map(|last| last.id);
    let all = all.into_iter().filter(|row| row.state != AdoptionState::Waiting).collect();
    let page = AdoptionsPage {
        frame: Frame::new("Adoptions", PATH, &who),
        done: Done::message(done.as_deref()),
        waiting: lines(&context, waiting).await?,
        more_wait,
        all: lines(&context, all).await?,
        older,
    };
    Ok(Html(page.render()?))
}

#[handler]
pub(super) async fn one(
    who: SignedIn,
    context: Data<&Arc<Context>>,
    Path(number): Path<i64>,
) -> Result<Html<String>, PageError> {
    let adoption = context.store.adoption(Zoho::NAME, number).await?.ok_or(PageError::NotFound)?;
    // Only for operators, because it costs an API credit.
    let preview = match &context.zoho() {
        Some(zoho) if who.0.scope == Scope::Operate => {
            match AdoptionPreview::read(zoho, &context.store, &adoption).await {
                Ok(preview) => Some(Preview::Read {
                    undo: preview.decision == AdoptionDecision::Undo,
                    changes: shown(preview.changes),
                    kept: preview.kept,
                    note: preview.note,
                }),
                Err(PlanError::Unavailable(reason)) => Some(Preview::Unavailable(reason)),
                Err(PlanError::Store(error)) => return Err(error.into()),
            }
        }
        _ => None,
    };
    let renderer = Renderer::new(&context.store).await?;
    let replaced = crate::views::AdoptionView::new(&renderer, &adoption).replaced.map(shown);
    let may: &[_] = match adoption.state {
        AdoptionState::Waiting => &[("approve", "Adopt the contact"), ("refuse", "Refuse")],
        AdoptionState::Approved => &[("refuse", "Refuse after all")],
        AdoptionState::Refused => &[("approve", "Adopt it after all")],
        AdoptionState::Undone => &[("approve", "Adopt it again")],
        AdoptionState::Adopted => &[("undo", "Undo the adoption")],
    };
    let may = may.to_vec();
    let line = lines(&context, vec![adoption]).await?.pop().ok_or(PageError::NotFound)?;
    let frame = Frame::new(format!("Adoption {number}"), PATH, &who);
    Ok(Html(AdoptionPage { frame, line, replaced, preview, may }.render()?))
}

/// Decides about each of the chosen adoptions.
#[handler]
pub(super) async fn decide(
    who: Operator,
    context: Data<&Arc<Context>>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let of = |name: &'static str| form.iter().filter(move |(field, _)| field == name).map(|(_, value)| value);
    let unknown = || PageError::Bad("There is no such decision.".to_owned());
    let decision: AdoptionDecision = of("decision").next().and_then(|word| word.parse().ok()).ok_or_else(unknown)?;
    let numbers = of("number").map(|number| number.parse().map_err(|_| unknown()));
    let numbers: Vec<i64> = numbers.take(limits::PAGE_ROWS_MAX as usize).collect::<Result<_, _>>()?;
    let (mut decided, mut refused) = (0, None);
    for number in numbers {
        let by = (decision, who.0.name.as_str());
        match context.store.decide_adoption(Zoho::NAME, number, by, context.clock.now()).await? {
            Ok(_) => decided += 1,
            Err(refusal) => refused = Some(format!("Adoption {number}: {refusal}.")),
        }
    }
    tracing::info!(token = who.0.token_id, %decision, adoptions = decided, "an operator decided about adoptions");
    context.due.notify_one();
    match refused {
        Some(words) => Err(PageError::Bad(words)),
        None => Ok(Done::Decided(decided).then(PATH)),
    }
}
