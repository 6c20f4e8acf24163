//! The overview: whether all is well, as a sentence and a colour; destinations, sites, charts.

mod charts;
mod verdict;

use std::{collections::HashMap, sync::Arc, time::Duration};

use askama::Template;
use poem::{
    handler,
    web::{Data, Html, Query},
};
use serde::Deserialize;

use self::{
    charts::{Chart, Range},
    verdict::{Colour, OverviewVerdict},
};
use super::{
    error::PageError,
    frame::Frame,
    lines::display,
    session::SignedIn,
    words::{Moment, counted, number, span},
};
use crate::{
    activity::{self, ActivityKind},
    alerts::is_looked_at,
    api::Context,
    clock::Timestamp,
    store::{Activity, Conservation, Counts, DestinationSummary},
    views::{DestinationParityView, FirstDayStep, StateCounts, first_day},
};

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    range: Range,
    verdict: OverviewVerdict,
    /// When the alert rules were last evaluated.
    evaluated: Option<Moment>,
    sites: Vec<SiteCard>,
    destinations: Vec<DestinationCard>,
    charts: Vec<Chart>,
    /// What is still to be done on the first day.
    first_day: Vec<FirstDayStep>,
}

struct SiteCard {
    name: String,
    wwwroot: Option<String>,
    last: Option<Moment>,
    /// Events of the last hour, as in `12 events`.
    hour: String,
    /// Rejected events of the last hour.
    rejected: u64,
    /// How long the oldest undelivered change of this site has waited.
    oldest: Option<Moment>,
}

struct DestinationCard {
    name: String,
    counts: StateCounts,
    pause: Option<(String, Moment)>,
    holds: Vec<(String, Moment)>,
    slow: Option<(String, Option<Moment>)>,
    credits: Option<(String, Moment)>,
    audit: Option<(Conservation, Moment)>,
    /// Whether it has what the mapping writes, in a sentence.
    parity: String,
}

#[derive(Deserialize)]
pub(super) struct OverviewQuery {
    #[serde(default)]
    range: Range,
}

#[handler]
pub(super) async fn page(
    who: SignedIn,
    context: Data<&Arc<Context>>,
    Query(OverviewQuery { range }): Query<OverviewQuery>,
) -> Result<Html<String>, PageError> {
    let (store, now) = (&context.store, context.clock.now());
    let (mut destinations, mut oldest, mut verdict) = (Vec::new(), HashMap::new(), OverviewVerdict::new());
    for summary in store.destinations().await? {
        let counts = store.item_counts(&summary.name).await?;
        for (site_id, since) in store.oldest_waiting(&summary.name).await? {
            let earliest = oldest.entry(site_id).or_insert(since);
            *earliest = since.min(*earliest);
        }
        verdict.add_destination(&summary, &counts, now);
        verdict.add_findings(&summary.name, store.open_findings(&summary.name).await?.values().sum());
        let parity = DestinationParityView::read(store, &summary.name).await?.sentence;
        destinations.push(DestinationCard::new(summary, &counts, parity, now));
    }
    verdict.add_write_health(&context.health.write_health());
    for alert in context.alerts().open().await? {
        verdict.add_alert(&alert);
    }
    let sites = sites(&context, &oldest, now).await?;
    let evaluated = store.alerts_evaluated_at().await?;
    let is_looked_at = is_looked_at(evaluated, context.alerts().interval(), now);
    verdict.conclude(!destinations.is_empty(), sites.iter().any(|site| site.last.is_some()), is_looked_at);
    let evaluated = evaluated.map(|at| Moment::new(at, now));
    let (since, step) = range.steps(now);
    let charts = charts::all(&store.activity(since, now.after(Duration::from_secs(60)), step).await?, since, now, step);
    let frame = Frame::new("Overview", "/", &who);
    let mut first_day = first_day(&context.live().first_day, store, now).await?;
    first_day.retain(|step| !step.done);
    Ok(Html(OverviewPage { frame, range, verdict, evaluated, sites, destinations, charts, first_day }.render()?))
}

async fn sites(
    context: &Context,
    oldest: &HashMap<i64, Timestamp>,
    now: Timestamp,
) -> Result<Vec<SiteCard>, PageError> {
    let (store, since) = (&context.store, Timestamp(now.0 - 60_000 * 60));
    let hour = store.activity(since, now.after(Duration::from_secs(60)), 60).await?;
    let mut cards = Vec::new();
    for site in store.sites().await? {
        let subject = activity::subject_site(&site.name);
        let own = |counted: &&Activity| counted.subject == subject;
        let events: u64 = hour.iter().filter(own).map(|counted| counted.count).sum();
        let name = ActivityKind::Event("rejected").name();
        let rejected =
            hour.iter().filter(own).filter(|counted| counted.name == name).map(|counted| counted.count).sum();
        let last = store.last_activity(&subject).await?.map(|minute| Moment::new(minute, now));
        let oldest = oldest.get(&site.id).map(|since| Moment::new(*since, now));
        let (name, wwwroot) = (site.name, site.wwwroot);
        cards.push(SiteCard { name, wwwroot, last, hour: counted(events, "event"), rejected, oldest });
    }
    Ok(cards)
}

impl DestinationCard {
    fn new(summary: DestinationSummary, counts: &[Counts], parity: String, now: Timestamp) -> Self {
        let mut all = StateCounts::default();
        for counts in counts {
            all.add(counts);
        }
        let moment = |time| Moment::new(time, now);
        Self {
            name: display(&summary.name),
            counts: all,
            pause: summary.pause.map(|pause| (pause.reason, moment(pause.since))),
            holds: summary.holds.into_iter().map(|hold| (hold.reason, moment(hold.since))).collect(),
            slow: summary.slow_reason.map(|reason| (reason, summary.done_at.map(moment))),
            credits: summary.credits.map(|(left, told_at)| (number(left), moment(told_at))),
            audit: summary.audit.map(|(audit, at)| (audit, moment(at))),
            parity,
        }
    }

    /// Each state: its label, CSS class, count and value for the filter.
    fn states(&self) -> [(&'static str, &'static str, u64, &'static str); 5] {
        let StateCounts { pending, in_flight, synced, parked, failed, .. } = self.counts;
        [
            ("Synced", "good", synced, "synced"),
            ("Pending", "", pending, "pending"),
            ("In flight", "", in_flight, "in_flight"),
            ("Parked", "warn", parked, "parked"),
            ("Failed", "bad", failed, "failed"),
        ]
    }
}

/// A change that waits longer than this turns the overview red.
pub(super) const LONG_WAIT: Duration = Duration::from_secs(10 * 60);
