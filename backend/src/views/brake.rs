//! The brake for what cannot be undone: what was done lately, what waits, and what people decide about it.

use poem_openapi::{Object, types::Example};

use super::{Renderer, rfc3339};
use crate::{
    clock::Timestamp,
    delivery::Destination as _,
    limits,
    model::{Effect, Kind},
    store::{BrakeCount, BrakeDecision, BrakeDone, BrakeLimits, BrakedRecord, Store, StoreError},
    zoho::destination::Zoho,
};

/// A record that waits for a person's decision, or an exception by one.
#[derive(Debug, Object)]
#[oai(rename = "BrakedRecord")]
pub(crate) struct BrakedRecordView {
    /// The kind of record.
    pub(crate) kind: Kind,
    /// `<site>:<Moodle id>`; of an erasure: the person.
    pub(crate) record: String,
    /// Since when (RFC 3339).
    pub(crate) since: String,
    /// Of an exception: by whose decision.
    #[oai(nullable)]
    pub(crate) by: Option<String>,
}

/// One kind of effect at one site.
#[derive(Debug, Object)]
pub(crate) struct BrakeEffect {
    /// The effect.
    pub(crate) effect: Effect,
    /// How many were done within the window, without what a person approved.
    pub(crate) done: u64,
    /// How many are ordinary within the window; null if the brake is off.
    #[oai(nullable)]
    pub(crate) limit: Option<u64>,
    /// How many wait for a person's decision.
    pub(crate) waiting: u64,
    /// Since when the first waits (RFC 3339).
    #[oai(nullable)]
    pub(crate) waiting_since: Option<String>,
    /// Those that have waited longest, at most 20.
    pub(crate) records: Vec<BrakedRecordView>,
    /// How many were refused: they stay at the destination as they are.
    pub(crate) excepted: u64,
    /// The oldest exceptions, at most 20.
    pub(crate) exceptions: Vec<BrakedRecordView>,
}

/// A site's effects.
#[derive(Debug, Object)]
pub(crate) struct BrakeSite {
    /// The site's name.
    pub(crate) site: String,
    /// Each effect.
    pub(crate) effects: Vec<BrakeEffect>,
}

/// What a person approved ahead.
#[derive(Debug, Object)]
#[oai(rename = "BrakeApproval")]
pub(crate) struct BrakeApprovalView {
    /// The site's name.
    pub(crate) site: String,
    /// Only this effect; null for any.
    #[oai(nullable)]
    pub(crate) effect: Option<Effect>,
    /// How many more than the ordinary.
    pub(crate) number: u64,
    /// How many of them were used.
    pub(crate) used: u64,
    /// Until when (RFC 3339).
    pub(crate) until: String,
    /// Who approved.
    pub(crate) by: String,
}

/// The brake: of what cannot be undone, unusually many at once wait for a person's decision.
#[derive(Debug, Object)]
#[oai(rename = "Brake", example)]
pub(crate) struct BrakeView {
    /// This many of each effect are ordinary at any site within the window.
    pub(crate) minimum: u64,
    /// This percentage of a site's people at the destination is, too.
    pub(crate) percent: u64,
    /// The window, in minutes; 0 if the brake is off.
    pub(crate) window_minutes: u64,
    /// The sites.
    pub(crate) sites: Vec<BrakeSite>,
    /// What people approved ahead.
    pub(crate) approvals: Vec<BrakeApprovalView>,
}

impl BrakeView {
    /// Reads what is to be known about all sites, or one.
    pub(crate) async fn read(
        store: &Store,
        brake: BrakeLimits,
        now: Timestamp,
        only: Option<i64>,
    ) -> Result<Self, StoreError> {
        let renderer = Renderer::new(store).await?;
        let all = store.sites().await?.into_iter().filter(|site| only.is_none_or(|only| only == site.id));
        let (mut sites, mut approvals) = (Vec::new(), Vec::new());
        for approval in store.brake_approvals(now).await? {
            if only.is_none_or(|only| only == approval.site_id) {
                approvals.push(BrakeApprovalView {
                    site: renderer.site(approval.site_id),
                    effect: approval.effect,
                    number: approval.number,
                    used: approval.used,
                    until: rfc3339(approval.until),
                    by: approval.by,
                });
            }
        }
        for site in all {
            let mut effects = Vec::new();
            for (effect, count) in store.brake_counts(Zoho::NAME, site.id, brake, now).await? {
                effects.push(BrakeEffect::read(store, &renderer, (site.id, effect), count, brake).await?);
            }
            sites.push(BrakeSite { site: site.name, effects });
        }
        let window_minutes = brake.window.as_secs() / 60;
        Ok(Self { minimum: brake.minimum, percent: brake.percent, window_minutes, sites, approvals })
    }
}

impl BrakeEffect {
    async fn read(
        store: &Store,
        renderer: &Renderer,
        (site_id, effect): (i64, Effect),
        count: BrakeCount,
        brake: BrakeLimits,
    ) -> Result<Self, StoreError> {
        let (mut records, mut exceptions) = (Vec::new(), Vec::new());
        let of = (site_id, effect);
        if count.waiting > 0 {
            records = store.braked_records(Zoho::NAME, of, false, limits::BRAKE_EXAMPLES).await?;
        }
        if count.excepted > 0 {
            exceptions = store.braked_records(Zoho::NAME, of, true, limits::BRAKE_EXAMPLES).await?;
        }
        let view = |BrakedRecord { key, at, by, .. }| BrakedRecordView {
            kind: key.kind,
            record: renderer.id(key.site_id, key.moodle_id),
            since: rfc3339(at),
            by,
        };
        Ok(Self {
            effect,
            done: count.done,
            limit: (!brake.is_off()).then_some(count.limit),
            waiting: count.waiting,
            waiting_since: count.since.map(rfc3339),
            records: records.into_iter().map(view).collect(),
            excepted: count.excepted,
            exceptions: exceptions.into_iter().map(view).collect(),
        })
    }
}

/// An approval that is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidApproval {
    #[error("an approval ahead needs a number: how many more than the ordinary are expected")]
    Unnumbered,
    #[error("one record cannot be approved ahead")]
    OneRecord,
    #[error("an approval ahead ends later than now, and within 31 days")]
    End,
    #[error("the number must be between 1 and 10,000,000")]
    Number,
}

/// More than this many at once is no number that a person expects, but a mistake.
const LARGEST_NUMBER: u64 = 10_000_000;

/// Checks what a person approves; `until` is the end of an approval ahead.
pub(crate) fn check_approval(
    decision: &BrakeDecision<'_>,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), InvalidApproval> {
    if decision.number.is_some_and(|number| !(1..=LARGEST_NUMBER).contains(&number)) {
        return Err(InvalidApproval::Number);
    }
    let Some(until) = until else { return Ok(()) };
    match decision {
        BrakeDecision { record: Some(_), .. } => Err(InvalidApproval::OneRecord),
        BrakeDecision { number: None, .. } => Err(InvalidApproval::Unnumbered),
        _ if until <= now || until > now.after(limits::BRAKE_LONGEST_APPROVAL) => Err(InvalidApproval::End),
        _ => Ok(()),
    }
}

/// Approves what waits and, with an end, what comes until then. Returns what is released, and how many are approved
/// ahead.
pub(crate) async fn approve_effects(
    store: &Store,
    decision: &BrakeDecision<'_>,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<(BrakeDone, u64), StoreError> {
    let done = store.approve_braked(Zoho::NAME, decision, now).await?;
    let ahead = match until.zip(decision.number) {
        Some((until, number)) if number > done.sum() => {
            let ahead = number - done.sum();
            store.approve_ahead(decision, (ahead, until), now).await?;
            ahead
        }
        _ => 0,
    };
    log(decision, "approved", done, ahead);
    Ok((done, ahead))
}

/// Refuses what waits. A refusal of all of it ends what was approved ahead, too.
pub(crate) async fn refuse_effects(
    store: &Store,
    decision: &BrakeDecision<'_>,
    now: Timestamp,
) -> Result<BrakeDone, StoreError> {
    if decision.record.is_none() && decision.number.is_none() {
        store.end_approvals(decision.site_id, decision.effect, now).await?;
    }
    let done = store.refuse_braked(Zoho::NAME, decision, now).await?;
    log(decision, "refused", done, 0);
    Ok(done)
}

/// Takes refusals back: what they are about waits again.
pub(crate) async fn withdraw_exceptions(
    store: &Store,
    decision: &BrakeDecision<'_>,
    now: Timestamp,
) -> Result<BrakeDone, StoreError> {
    let done = store.withdraw_exceptions(Zoho::NAME, decision, now).await?;
    log(decision, "withdrawn", done, 0);
    Ok(done)
}

fn log(decision: &BrakeDecision<'_>, what: &str, done: BrakeDone, ahead: u64) {
    let BrakeDecision { site_id, effect, by, .. } = decision;
    let (effect, BrakeDone { records, erasures }) = (effect.map(Effect::as_str), done);
    tracing::info!(site_id, effect, by, records, erasures, ahead, what, "a person decided about what the brake holds");
}

impl Example for BrakeView {
    fn example() -> Self {
        let record = |record: &str, by: Option<&str>| BrakedRecordView {
            kind: Kind::User,
            record: record.to_owned(),
            since: "2026-11-22T08:00:00.000Z".to_owned(),
            by: by.map(str::to_owned),
        };
        let effect = BrakeEffect {
            effect: Effect::Deletion,
            done: 60,
            limit: Some(60),
            waiting: 1_940,
            waiting_since: Some("2026-11-22T08:00:00.000Z".to_owned()),
            records: vec![record("college:64", None)],
            excepted: 1,
            exceptions: vec![record("college:3", Some("operations"))],
        };
        let approval = BrakeApprovalView {
            site: "college".to_owned(),
            effect: Some(Effect::Adoption),
            number: 1_200,
            used: 0,
            until: "2026-11-23T08:00:00.000Z".to_owned(),
            by: "operations".to_owned(),
        };
        let sites = vec![BrakeSite { site: "college".to_owned(), effects: vec![effect] }];
        Self { minimum: 50, percent: 5, window_minutes: 60, sites, approvals: vec![approval] }
    }
}
