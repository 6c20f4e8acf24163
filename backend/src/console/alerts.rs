//! Alerts: open ones, who acknowledged them, whether notifications arrive, and past ones.

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
    session::{Operator, SignedIn},
    words::Moment,
};
use crate::{
    alerts::{ACKNOWLEDGED, ChannelSummary, nothing_open, page as page_of, title},
    api::Context,
    clock::Timestamp,
    limits,
    model::{ACKNOWLEDGED_DAYS, ACKNOWLEDGED_DAYS_MAX, Severity, acknowledged_until},
    store::{Alert, Notification, PageRequest},
};

const PATH: &str = "/alerts";

/// The choices of days for which an alert is acknowledged.
const DAYS: [u16; 4] = [1, ACKNOWLEDGED_DAYS, 30, ACKNOWLEDGED_DAYS_MAX];

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    frame: Frame,
    done: Option<String>,
    open: Vec<AlertCard>,
    /// What it means that none is open.
    nothing_open: String,
    /// When the rules were last evaluated.
    evaluated: Option<Moment>,
    channels: Vec<ChannelRow>,
    past: Vec<AlertCard>,
    /// The cursor of the next page of past alerts.
    older: Option<i64>,
}

#[derive(Template)]
#[template(path = "alert.html")]
struct AlertPage {
    frame: Frame,
    alert: AlertCard,
    notifications: Vec<NotificationRow>,
}

struct AlertCard {
    /// 0 for an alert that the database could not store.
    id: i64,
    title: String,
    message: String,
    /// Where it is remedied; none if that is its own page.
    link: Option<String>,
    critical: bool,
    raised: Moment,
    last_seen: Moment,
    resolved: Option<Moment>,
    acknowledged: Option<Acknowledged>,
}

/// That somebody sees to it.
struct Acknowledged {
    by: String,
    at: Moment,
    /// The exact time, and the day.
    until: Option<(String, String)>,
}

struct ChannelRow {
    name: String,
    kind: &'static str,
    failing: bool,
    last_success: Option<Moment>,
    last_failure: Option<Moment>,
    error: Option<String>,
}

struct NotificationRow {
    channel: String,
    event: &'static str,
    state: String,
    at: Moment,
    attempts: u32,
    error: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct AlertsQuery {
    done: Option<String>,
    before: Option<i64>,
}

#[handler]
pub(super) async fn page(
    who: SignedIn,
    context: Data<&Arc<Context>>,
    Query(AlertsQuery { done, before }): Query<AlertsQuery>,
) -> Result<Html<String>, PageError> {
    let now = context.clock.now();
    let open = context.alerts().open().await?;
    let page = context.store.alerts(PageRequest { after: before, limit: limits::CONSOLE_ROWS }).await?;
    let past = page.items.into_iter().filter(|alert| alert.resolved_at.is_some());
    let channels = context.alerts().channels().await?;
    let evaluated = context.store.alerts_evaluated_at().await?;
    let page = AlertsPage {
        frame: Frame::new("Alerts", PATH, &who),
        done: Done::message(done.as_deref()),
        nothing_open: nothing_open(evaluated, context.alerts().interval(), now),
        evaluated: evaluated.map(|at| Moment::new(at, now)),
        open: open.into_iter().map(|alert| AlertCard::new(alert, now)).collect(),
        channels: channels.into_iter().map(|channel| ChannelRow::new(channel, now)).collect(),
        past: past.map(|alert| AlertCard::new(alert, now)).collect(),
        older: page.next,
    };
    Ok(Html(page.render()?))
}

#[handler]
pub(super) async fn one(
    who: SignedIn,
    context: Data<&Arc<Context>>,
    Path(id): Path<i64>,
) -> Result<Html<String>, PageError> {
    let now = context.clock.now();
    let alert = context.store.alert(id).await?.ok_or(PageError::NotFound)?;
    let alert = AlertCard::new(alert, now);
    let row = |notification: Notification| NotificationRow {
        channel: notification.channel,
        event: notification.event.as_str(),
        state: notification.state,
        at: Moment::new(notification.finished_at.unwrap_or(notification.created_at), now),
        attempts: notification.attempts,
        error: notification.error,
    };
    let notifications = context.store.notifications(id).await?.into_iter().map(row).collect();
    let frame = Frame::new(format!("Alert {id}: {}", alert.title), PATH, &who);
    Ok(Html(AlertPage { frame, alert, notifications }.render()?))
}

#[derive(Deserialize)]
pub(super) struct AcknowledgeForm {
    days: u16,
}

#[handler]
pub(super) async fn acknowledge(
    who: Operator,
    context: Data<&Arc<Context>>,
    Path(id): Path<i64>,
    Form(AcknowledgeForm { days }): Form<AcknowledgeForm>,
) -> Result<Response, PageError> {
    if !(1..=ACKNOWLEDGED_DAYS_MAX).contains(&days) {
        return Err(PageError::Bad(format!("An alert is acknowledged for 1 to {ACKNOWLEDGED_DAYS_MAX} days.")));
    }
    let now = context.clock.now();
    match context.store.acknowledge_alert(id, &who.0.name, acknowledged_until(days, now), now).await? {
        true => Ok(Done::Acknowledged(days).then(PATH)),
        false => Err(PageError::NotFound),
    }
}

#[handler]
pub(super) async fn test(_: Operator, context: Data<&Arc<Context>>) -> Result<Response, PageError> {
    let results = context.alerts().send_test(None).await?;
    let failed = results.iter().filter(|result| result.error.is_some()).count();
    Ok(Done::Tested(results.len().saturating_sub(failed) as u64, failed as u64).then(PATH))
}

impl AlertCard {
    fn new(alert: Alert, now: Timestamp) -> Self {
        let moment = |time| Moment::new(time, now);
        let title = title(&alert);
        // The title stands above it.
        let message = alert.message.strip_prefix(&title).and_then(|rest| rest.strip_prefix(". "));
        let message = message.unwrap_or(&alert.message).to_owned();
        Self {
            id: alert.id,
            title,
            link: Some(page_of(&alert)).filter(|_| !alert.link.is_empty() && alert.resolved_at.is_none()),
            message,
            critical: alert.severity == Severity::Critical,
            raised: moment(alert.raised_at),
            last_seen: moment(alert.last_seen_at),
            resolved: alert.resolved_at.map(moment),
            acknowledged: alert.acknowledged.map(|acknowledged| Acknowledged {
                by: acknowledged.by,
                at: moment(acknowledged.at),
                until: acknowledged.until.map(|until| day(until.to_rfc3339())),
            }),
        }
    }
}

/// A time in RFC 3339, and its day.
fn day(exact: String) -> (String, String) {
    let day = exact.get(..10).unwrap_or(&exact).to_owned();
    (exact, day)
}

impl ChannelRow {
    fn new(channel: ChannelSummary, now: Timestamp) -> Self {
        let failing = channel.is_failing();
        let ChannelSummary { name, kind, state } = channel;
        let moment = |time| Moment::new(time, now);
        let (success, failure) =
            state.as_ref().map_or((None, None), |state| (state.last_success_at, state.last_failure_at));
        let error = state.filter(|state| state.failures > 0).and_then(|state| state.error);
        let (last_success, last_failure) = (success.map(moment), failure.map(moment));
        Self { name, kind, failing, last_success, last_failure, error }
    }
}
