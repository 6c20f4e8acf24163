//! The brake for what cannot be undone: what waits for a person's decision, which records, and the decision.

use std::{sync::Arc, time::Duration};

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
    lines::{address, capitalised},
    session::{Operator, SignedIn},
    subjects::Subjects,
    words::{Moment, number},
};
use crate::{
    api::Context,
    clock::Timestamp,
    delivery::Destination as _,
    limits,
    model::Effect,
    store::{BrakeApproval, BrakeDecision, BrakedRecord},
    views::{Renderer, approve_effects, check_approval, refuse_effects, withdraw_exceptions},
    zoho::destination::Zoho,
};

const PATH: &str = "/brake";

#[derive(Template)]
#[template(path = "brake.html")]
struct BrakePage {
    frame: Frame,
    done: Option<String>,
    off: bool,
    minutes: u64,
    minimum: u64,
    percent: u64,
    sites: Vec<SiteBrake>,
    approvals: Vec<Approval>,
    effects: &'static [Effect],
}

struct SiteBrake {
    name: String,
    effects: Vec<EffectBrake>,
}

struct EffectBrake {
    effect: Effect,
    /// As in `Deletions of people`.
    title: String,
    done: String,
    limit: String,
    waiting: u64,
    /// As in `1,940 deletions of people`.
    waits: String,
    since: Option<Moment>,
    records: Vec<RecordLine>,
    /// How many wait besides those shown.
    more: String,
    excepted: u64,
    exceptions: Vec<RecordLine>,
    /// How many exceptions there are besides those shown.
    more_excepted: String,
}

struct RecordLine {
    label: String,
    address: String,
    since: Moment,
    by: String,
}

struct Approval {
    site: String,
    effect: &'static str,
    number: String,
    used: String,
    until: Moment,
    by: String,
}

#[derive(Deserialize)]
pub(super) struct BrakeQuery {
    done: Option<String>,
}

#[handler]
pub(super) async fn page(
    who: SignedIn,
    context: Data<&Arc<Context>>,
    Query(BrakeQuery { done }): Query<BrakeQuery>,
) -> Result<Html<String>, PageError> {
    let (store, brake, now) = (&context.store, context.live().brake, context.clock.now());
    let renderer = Renderer::new(store).await?;
    let mut sites = Vec::new();
    for site in store.sites().await? {
        let mut effects = Vec::new();
        for (effect, count) in store.brake_counts(Zoho::NAME, site.id, brake, now).await? {
            let of = (site.id, effect);
            let (mut records, mut exceptions) = (Vec::new(), Vec::new());
            if count.waiting > 0 {
                records = read_lines(&context, &renderer, of, false, now).await?;
            }
            if count.excepted > 0 {
                exceptions = read_lines(&context, &renderer, of, true, now).await?;
            }
            let more = |count: u64, shown: &[RecordLine]| match count.saturating_sub(shown.len() as u64) {
                0 => String::new(),
                more => number(more),
            };
            effects.push(EffectBrake {
                effect,
                title: capitalised(effect.in_words(2)),
                done: number(count.done),
                limit: if brake.is_off() { "no limit".to_owned() } else { number(count.limit) },
                waiting: count.waiting,
                waits: format!("{} {}", number(count.waiting), effect.in_words(count.waiting)),
                since: count.since.map(|since| Moment::new(since, now)),
                more: more(count.waiting, &records),
                records,
                excepted: count.excepted,
                more_excepted: more(count.excepted, &exceptions),
                exceptions,
            });
        }
        sites.push(SiteBrake { name: site.name, effects });
    }
    let approval = |BrakeApproval { site_id, effect, number: of, used, until, by }| Approval {
        site: renderer.site(site_id),
        effect: effect.map_or("anything", |effect| effect.in_words(2)),
        number: number(of),
        used: number(used),
        until: Moment::new(until, now),
        by,
    };
    let page = BrakePage {
        frame: Frame::new("Brake", PATH, &who),
        done: Done::message(done.as_deref()),
        off: brake.is_off(),
        minutes: brake.window.as_secs() / 60,
        minimum: brake.minimum,
        percent: brake.percent,
        approvals: store.brake_approvals(now).await?.into_iter().map(approval).collect(),
        sites,
        effects: Effect::ALL,
    };
    Ok(Html(page.render()?))
}

async fn read_lines(
    context: &Context,
    renderer: &Renderer,
    of: (i64, Effect),
    excepted: bool,
    now: Timestamp,
) -> Result<Vec<RecordLine>, PageError> {
    let records = context.store.braked_records(Zoho::NAME, of, excepted, limits::BRAKE_EXAMPLES).await?;
    let keys: Vec<_> = records.iter().map(|record| record.key).collect();
    let subjects = Subjects::read(&context.store, &keys).await?;
    let line = |BrakedRecord { key, at, by, .. }| RecordLine {
        label: subjects.label(key),
        address: address(key.kind, &renderer.id(key.site_id, key.moodle_id)),
        since: Moment::new(at, now),
        by: by.unwrap_or_default(),
    };
    Ok(records.into_iter().map(line).collect())
}

#[derive(Deserialize)]
pub(super) struct DecisionForm {
    site: String,
    effect: String,
    number: Option<String>,
    hours: Option<String>,
}

impl DecisionForm {
    async fn decision<'a>(&self, context: &Context, by: &'a str) -> Result<BrakeDecision<'a>, PageError> {
        let unknown = || PageError::Bad("There is no such site or effect.".to_owned());
        if self.site.contains('\0') {
            return Err(unknown());
        }
        let site_id = context.store.site(&self.site).await?.ok_or_else(unknown)?.id;
        let effect = Some(self.effect.parse().map_err(|_| unknown())?);
        let number = whole(self.number.as_deref())?;
        Ok(BrakeDecision { site_id, effect, record: None, number, by })
    }
}

fn whole(text: Option<&str>) -> Result<Option<u64>, PageError> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(|_| PageError::Bad("Write a whole number.".to_owned()))).transpose()
}

#[handler]
pub(super) async fn approve(
    who: Operator,
    context: Data<&Arc<Context>>,
    Form(form): Form<DecisionForm>,
) -> Result<Response, PageError> {
    let (decision, now) = (form.decision(&context, &who.0.name).await?, context.clock.now());
    let hours = whole(form.hours.as_deref())?;
    let until = hours.map(|hours| now.after(Duration::from_secs(hours.saturating_mul(60 * 60))));
    check_approval(&decision, until, now).map_err(|error| PageError::Bad(capitalised(&format!("{error}."))))?;
    let (done, ahead) = approve_effects(&context.store, &decision, until, now).await?;
    context.due.notify_one();
    Ok(Done::Approved(done.sum(), ahead).then(PATH))
}

#[handler]
pub(super) async fn refuse(
    who: Operator,
    context: Data<&Arc<Context>>,
    Form(form): Form<DecisionForm>,
) -> Result<Response, PageError> {
    let decision = form.decision(&context, &who.0.name).await?;
    let done = refuse_effects(&context.store, &decision, context.clock.now()).await?;
    context.due.notify_one();
    Ok(Done::Refused(done.sum()).then(PATH))
}

#[handler]
pub(super) async fn withdraw(
    who: Operator,
    context: Data<&Arc<Context>>,
    Form(form): Form<DecisionForm>,
) -> Result<Response, PageError> {
    let decision = form.decision(&context, &who.0.name).await?;
    let done = withdraw_exceptions(&context.store, &decision, context.clock.now()).await?;
    context.due.notify_one();
    Ok(Done::Withdrawn(done.sum()).then(PATH))
}
