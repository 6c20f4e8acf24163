//! Alerts: what is wrong, who has been notified, and whether notifications arrive.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Path, Query},
    types::Example,
};

use super::{
    Context, Tag,
    answer::Answer,
    auth::OperatorToken,
    failure::{Failure, OperatorQuery, OperatorRead},
    parameters::{AcknowledgedDays, Limit},
    problem::{Code, Problem},
};
use crate::{
    alerts::{ChannelSummary, page, title},
    clock::Timestamp,
    limits,
    model::{ACKNOWLEDGED_DAYS, FieldErrorCode, NotificationEvent, Rule, Severity, acknowledged_until},
    store::{self, PageRequest},
    views::rfc3339,
};

pub(super) struct Operations;

/// Which alerts are listed.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "AlertChoice", rename_all = "snake_case")]
enum AlertChoice {
    /// Unresolved alerts, the most severe first.
    Open,
    /// All alerts, the newest first.
    All,
}

/// Something that is or was wrong. At most one alert is open for each rule and subject.
#[derive(Clone, Object)]
#[oai(example)]
pub(crate) struct Alert {
    /// The alert's number; 0 while the database accepts no events and the answering process holds the alert in memory
    /// only.
    pub(crate) id: i64,
    /// The rule that raised it.
    pub(crate) rule: Rule,
    /// What the alert is about, such as `destination:zoho`.
    pub(crate) subject: String,
    /// What is wrong, for programs; more specific than the rule.
    pub(crate) code: String,
    /// The highest severity so far.
    pub(crate) severity: Severity,
    /// The finding in one line, as of `last_seen_at`.
    pub(crate) title: String,
    /// What is wrong and what to do about it, as of `last_seen_at`.
    pub(crate) message: String,
    /// The console's page where it is remedied, as a path on this server.
    pub(crate) link: String,
    /// When it was raised (RFC 3339).
    pub(crate) raised_at: String,
    /// When a check last found it (RFC 3339).
    pub(crate) last_seen_at: String,
    /// When it was resolved (RFC 3339); null while it is open.
    #[oai(nullable)]
    pub(crate) resolved_at: Option<String>,
    /// When someone acknowledged it (RFC 3339); null until then.
    #[oai(nullable)]
    pub(crate) acknowledged_at: Option<String>,
    /// The name of the token that acknowledged it.
    #[oai(nullable)]
    pub(crate) acknowledged_by: Option<String>,
    /// Until when nobody is reminded of it (RFC 3339).
    #[oai(nullable)]
    pub(crate) acknowledged_until: Option<String>,
}

/// A page of alerts.
#[derive(Object)]
#[oai(rename = "AlertList")]
struct AlertList {
    /// The page's alerts.
    items: Vec<Alert>,
    /// Send it as `cursor` to get the next page; null on the last page.
    #[oai(nullable)]
    next_cursor: Option<String>,
    /// When all rules were last evaluated (RFC 3339). Null before the first time: then it is not known whether anything
    /// is wrong.
    #[oai(nullable)]
    evaluated_at: Option<String>,
}

/// One message about an alert to one channel.
#[derive(Object)]
#[oai(rename = "AlertNotice")]
pub(crate) struct NotificationView {
    /// The channel's name.
    pub(crate) channel: String,
    /// What it reports.
    pub(crate) event: NotificationEvent,
    /// `pending`, `sending`, `sent`, `failed` (given up), or `unknown` (it may have arrived, and is not sent again).
    pub(crate) state: String,
    /// Attempts so far.
    pub(crate) attempts: u32,
    /// When the reported change happened (RFC 3339).
    pub(crate) created_at: String,
    /// When it was sent or given up (RFC 3339).
    #[oai(nullable)]
    pub(crate) finished_at: Option<String>,
    /// Why it was not sent.
    #[oai(nullable)]
    pub(crate) error: Option<String>,
}

/// An alert and its notifications.
#[derive(Object)]
#[oai(rename = "AlertWithNotices", example)]
pub(crate) struct AlertWithNotifications {
    #[oai(flatten)]
    pub(crate) alert: Alert,
    /// Its notifications, the oldest first.
    pub(crate) notices: Vec<NotificationView>,
}

/// A channel that notifications go to.
#[derive(Object)]
#[oai(rename = "AlertChannel", example)]
pub(crate) struct ChannelView {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// `slack`, `teams`, `json` or `email`.
    pub(crate) kind: String,
    /// Whether several attempts in a row have failed.
    pub(crate) failing: bool,
    /// Consecutive failed attempts.
    pub(crate) failures: u32,
    /// When a notification last arrived (RFC 3339).
    #[oai(nullable)]
    pub(crate) last_success_at: Option<String>,
    /// When an attempt last failed (RFC 3339).
    #[oai(nullable)]
    pub(crate) last_failure_at: Option<String>,
    /// Why the last attempt failed; null if it succeeded.
    #[oai(nullable)]
    pub(crate) error: Option<String>,
}

/// All channels.
#[derive(Object)]
struct Channels {
    /// The configured channels, webhooks first.
    items: Vec<ChannelView>,
}

/// The result of testing one channel.
#[derive(Object)]
#[oai(rename = "AlertTest", example)]
struct ChannelTest {
    /// The channel's name.
    channel: String,
    /// Why the test notification did not arrive; null if it did.
    #[oai(nullable)]
    error: Option<String>,
}

/// The result of a test.
#[derive(Object)]
#[oai(rename = "Tests")]
struct ChannelTests {
    /// One for each channel; empty when none is configured.
    items: Vec<ChannelTest>,
}

impl From<store::Alert> for Alert {
    fn from(alert: store::Alert) -> Self {
        let (title, link) = (title(&alert), page(&alert));
        let acknowledged = alert.acknowledged;
        Self {
            id: alert.id,
            title,
            link,
            rule: alert.rule,
            subject: alert.subject,
            code: alert.code,
            severity: alert.severity,
            message: alert.message,
            raised_at: rfc3339(alert.raised_at),
            last_seen_at: rfc3339(alert.last_seen_at),
            resolved_at: alert.resolved_at.map(rfc3339),
            acknowledged_at: acknowledged.as_ref().map(|acknowledged| rfc3339(acknowledged.at)),
            acknowledged_until: acknowledged.as_ref().and_then(|acknowledged| acknowledged.until).map(rfc3339),
            acknowledged_by: acknowledged.map(|acknowledged| acknowledged.by),
        }
    }
}

impl From<store::Notification> for NotificationView {
    fn from(notice: store::Notification) -> Self {
        let store::Notification { channel, event, state, attempts, created_at, finished_at, error, .. } = notice;
        let (created_at, finished_at) = (rfc3339(created_at), finished_at.map(rfc3339));
        Self { channel, event, state, attempts, created_at, finished_at, error }
    }
}

impl From<ChannelSummary> for ChannelView {
    fn from(channel: ChannelSummary) -> Self {
        let failing = channel.is_failing();
        let state = channel.state.as_ref();
        Self {
            failing,
            failures: state.map_or(0, |state| state.failures),
            last_success_at: state.and_then(|state| state.last_success_at).map(rfc3339),
            last_failure_at: state.and_then(|state| state.last_failure_at).map(rfc3339),
            error: state.and_then(|state| state.error.clone()),
            name: channel.name,
            kind: channel.kind.to_owned(),
        }
    }
}

const EXAMPLE_TIME: Timestamp = Timestamp(1_795_335_000_000);

impl Example for Alert {
    fn example() -> Self {
        store::Alert {
            id: 7,
            rule: Rule::Paused,
            subject: "destination:zoho".to_owned(),
            code: "paused_credentials".to_owned(),
            severity: Severity::Critical,
            title: "Nothing is delivered to Zoho: the credentials are refused".to_owned(),
            message:
                "Nothing is delivered to Zoho: the credentials are refused. So it has been since 2026-11-22 08:10 UTC; \
                      nothing is lost. Zoho refuses the refresh token. Run backend-sync zoho connect."
                    .to_owned(),
            link: "/attention?destination=zoho".to_owned(),
            raised_at: EXAMPLE_TIME,
            last_seen_at: EXAMPLE_TIME,
            resolved_at: None,
            acknowledged: Some(store::Acknowledgement {
                at: EXAMPLE_TIME,
                by: "first".to_owned(),
                until: Some(acknowledged_until(ACKNOWLEDGED_DAYS, EXAMPLE_TIME)),
            }),
        }
        .into()
    }
}

impl Example for AlertWithNotifications {
    fn example() -> Self {
        let notice = store::Notification {
            id: 1,
            channel: "ops".to_owned(),
            event: NotificationEvent::Raised,
            state: "sent".to_owned(),
            attempts: 1,
            created_at: EXAMPLE_TIME,
            finished_at: Some(EXAMPLE_TIME),
            error: None,
        };
        Self { alert: Alert::example(), notices: vec![notice.into()] }
    }
}

impl Example for ChannelView {
    fn example() -> Self {
        Self {
            name: "ops".to_owned(),
            kind: "slack".to_owned(),
            failing: false,
            failures: 1,
            last_success_at: Some(rfc3339(EXAMPLE_TIME)),
            last_failure_at: Some(rfc3339(EXAMPLE_TIME)),
            error: Some("the webhook answered 500".to_owned()),
        }
    }
}

impl Example for ChannelTest {
    fn example() -> Self {
        Self { channel: "ops".to_owned(), error: None }
    }
}

fn not_found() -> Problem {
    Problem::with_detail(Code::NotFound, "There is no alert with this number.")
}

#[OpenApi(prefix_path = "/api/v1/alerts", tag = "Tag::Alerts")]
impl Operations {
    /// List alerts
    ///
    /// What is wrong now, or with `state=all` also what was wrong before.
    #[oai(path = "/", method = "get", operation_id = "list_alerts")]
    async fn list(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// `open` (the default) for unresolved alerts, or `all`.
        state: Query<Option<AlertChoice>>,
        /// Maximum items per page. Open alerts always come on one page.
        limit: Query<Option<Limit>>,
        /// The `next_cursor` of the previous page.
        cursor: Query<Option<String>>,
    ) -> Result<Answer<AlertList>, Failure<OperatorQuery>> {
        let wrong = |_| {
            let detail = "Send the next_cursor of the previous answer, unchanged.";
            Problem::parameter("cursor", FieldErrorCode::UnknownValue, detail)
        };
        let after = cursor.0.map(|cursor| cursor.parse().map_err(wrong)).transpose()?;
        let limit = limit.0.map_or(limits::PAGE_ROWS_DEFAULT, |limit| limit.0);
        let page = PageRequest { after, limit: limit.into() };
        let page = match state.0.unwrap_or(AlertChoice::Open) {
            AlertChoice::Open => store::Page { items: context.alerts().open().await?, next: None },
            AlertChoice::All => context.store.alerts(page).await?,
        };
        let evaluated_at = context.store.alerts_evaluated_at().await?.map(rfc3339);
        let next_cursor = page.next.map(|next: i64| next.to_string());
        let items = page.items.into_iter().map(Alert::from).collect();
        Ok(Answer(AlertList { items, next_cursor, evaluated_at }))
    }

    /// List channels
    ///
    /// Where notifications go, and whether they arrive.
    #[oai(path = "/channels", method = "get", operation_id = "list_alert_channels")]
    async fn channels(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
    ) -> Result<Answer<Channels>, Failure<OperatorRead>> {
        let items = context.alerts().channels().await?.into_iter().map(ChannelView::from).collect();
        Ok(Answer(Channels { items }))
    }

    /// Send a test
    ///
    /// Sends a test notification and answers whether it arrived. This may take some seconds.
    #[oai(path = "/test", method = "post", operation_id = "test_alert_channels")]
    async fn test(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// Only to this channel.
        channel: Query<Option<String>>,
    ) -> Result<Answer<ChannelTests>, Failure<OperatorQuery>> {
        let tried = context.alerts().send_test(channel.0.as_deref()).await?;
        if tried.is_empty() && channel.0.is_some() {
            let detail = "No channel with this name is configured.";
            return Err(Problem::parameter("channel", FieldErrorCode::UnknownValue, detail).into());
        }
        let items = tried.into_iter().map(|tried| ChannelTest { channel: tried.channel, error: tried.error }).collect();
        Ok(Answer(ChannelTests { items }))
    }

    /// Get an alert
    ///
    /// Includes its notifications.
    #[oai(path = "/:id", method = "get", operation_id = "get_alert")]
    async fn get(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The alert's number.
        id: Path<i64>,
    ) -> Result<Answer<AlertWithNotifications>, Failure<OperatorQuery>> {
        let alert = context.store.alert(id.0).await?.ok_or_else(not_found)?;
        let notices = context.store.notifications(id.0).await?.into_iter().map(NotificationView::from).collect();
        Ok(Answer(AlertWithNotifications { alert: alert.into(), notices }))
    }

    /// Acknowledge an alert
    ///
    /// Stops reminders for some days. It holds for the alert as it is now: another cause, or many more of the same (ten
    /// times as many at once, twice as many after an hour), is told all the same, and ends it. The first name stays, and so
    /// does the latest end; a resolved alert stays unchanged.
    #[oai(path = "/:id/acknowledge", method = "post", operation_id = "acknowledge_alert")]
    async fn acknowledge(
        &self,
        token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The alert's number.
        id: Path<i64>,
        /// For how many days nobody is reminded.
        days: Query<Option<AcknowledgedDays>>,
    ) -> Result<Answer<Alert>, Failure<OperatorQuery>> {
        let (OperatorToken(operator), now) = (token, context.clock.now());
        let until = acknowledged_until(days.0.map_or(ACKNOWLEDGED_DAYS, |days| days.0), now);
        context.store.acknowledge_alert(id.0, &operator.name, until, now).await?;
        let alert = context.store.alert(id.0).await?.ok_or_else(not_found)?;
        Ok(Answer(alert.into()))
    }
}
