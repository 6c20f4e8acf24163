//! Alarms: what is wrong now, who knows of it, whether notices arrive, and what was wrong before.

use std::sync::Arc;

use askama::Template;
use poem::{
    Response, handler,
    web::{Data, Html, Path, Query},
};
use serde::Deserialize;

use super::{
    done::Done,
    error::PageError,
    frame::Frame,
    lines::capitalised,
    session::{Operator, SignedIn},
    words::Moment,
};
use crate::{
    alerts::{ChannelSummary, title},
    api::Context,
    clock::Timestamp,
    limits,
    model::Severity,
    store::{Alert, Notification, PageRequest},
};

const PATH: &str = "/alarms";

#[derive(Template)]
#[template(path = "alarms.html")]
struct AlarmsPage {
    frame: Frame,
    done: Option<String>,
    open: Vec<Alarm>,
    channels: Vec<Channel>,
    past: Vec<Alarm>,
    /// Before which alarm the next page of past ones begins.
    older: Option<i64>,
}

#[derive(Template)]
#[template(path = "alarm.html")]
struct AlarmPage {
    frame: Frame,
    alarm: Alarm,
    notices: Vec<Told>,
}

struct Alarm {
    id: i64,
    title: String,
    message: String,
    critical: bool,
    raised: Moment,
    last_seen: Moment,
    resolved: Option<Moment>,
    acknowledged: Option<(Moment, String)>,
}

struct Channel {
    name: String,
    kind: &'static str,
    failing: bool,
    last_success: Option<Moment>,
    last_failure: Option<Moment>,
    error: Option<String>,
}

struct Told {
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
    let open = context.alerts.open().await?;
    let page = context.store.alerts(PageRequest { after: before, limit: limits::CONSOLE_ROWS }).await?;
    let past = page.items.into_iter().filter(|alert| alert.resolved_at.is_some());
    let channels = context.alerts.channels().await?;
    let page = AlarmsPage {
        frame: Frame::new("Alarms", PATH, &who),
        done: Done::said(done.as_deref()),
        open: open.into_iter().map(|alert| Alarm::new(alert, now)).collect(),
        channels: channels.into_iter().map(|channel| Channel::new(channel, now)).collect(),
        past: past.map(|alert| Alarm::new(alert, now)).collect(),
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
    let alarm = Alarm::new(alert, now);
    let told = |notice: Notification| Told {
        channel: notice.channel,
        event: notice.event.as_str(),
        state: notice.state,
        at: Moment::new(notice.finished_at.unwrap_or(notice.created_at), now),
        attempts: notice.attempts,
        error: notice.error,
    };
    let notices = context.store.notifications(id).await?.into_iter().map(told).collect();
    let frame = Frame::new(format!("Alarm {id}: {}", alarm.title), PATH, &who);
    Ok(Html(AlarmPage { frame, alarm, notices }.render()?))
}

#[handler]
pub(super) async fn acknowledge(
    who: Operator,
    context: Data<&Arc<Context>>,
    Path(id): Path<i64>,
) -> Result<Response, PageError> {
    match context.store.acknowledge_alert(id, &who.0.name, context.clock.now()).await? {
        true => Ok(Done::Acknowledged.then(PATH)),
        false => Err(PageError::NotFound),
    }
}

#[handler]
pub(super) async fn test(_: Operator, context: Data<&Arc<Context>>) -> Result<Response, PageError> {
    let tried = context.alerts.send_test(None).await?;
    let failed = tried.iter().filter(|tried| tried.error.is_some()).count();
    Ok(Done::Tested(tried.len().saturating_sub(failed) as u64, failed as u64).then(PATH))
}

impl Alarm {
    fn new(alert: Alert, now: Timestamp) -> Self {
        let moment = |time| Moment::new(time, now);
        Self {
            id: alert.id,
            title: capitalised(&title(alert.rule.as_str(), &alert.subject)),
            message: alert.message,
            critical: alert.severity == Severity::Critical,
            raised: moment(alert.raised_at),
            last_seen: moment(alert.last_seen_at),
            resolved: alert.resolved_at.map(moment),
            acknowledged: alert.acknowledged.map(|(at, by)| (moment(at), by)),
        }
    }
}

impl Channel {
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
