//! Alerts: what is wrong, who knows of it, and whether notices arrive.

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
    failure::{Failure, Overseeing, Supervising},
    parameters::{Limit, List, ListParameters, list},
    problem::{Code, Problem},
};
use crate::{
    alerts::{ChannelSummary, title},
    clock::Timestamp,
    model::{FieldErrorCode, NotificationEvent, Rule, Severity},
    store,
    views::rfc3339,
};

pub(super) struct Operations;

/// Which alerts are listed.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "AlertChoice", rename_all = "snake_case")]
enum AlertChoice {
    /// Those that are not resolved: the worst first.
    Open,
    /// All: the newest first.
    All,
}

/// Something that is or was wrong. There is at most one open alert of each rule and subject.
#[derive(Clone, Object)]
#[oai(example)]
pub(crate) struct Alert {
    /// Its number; 0 while the process that you ask holds it in memory alone, because the database takes no writes.
    pub(crate) id: i64,
    /// What is watched.
    pub(crate) rule: Rule,
    /// With what it is wrong, as in `destination:zoho`.
    pub(crate) subject: String,
    /// What is wrong, for programs; finer than the rule.
    pub(crate) code: String,
    /// The worst so far.
    pub(crate) severity: Severity,
    /// What is wrong, in a few words.
    pub(crate) title: String,
    /// What is wrong and what to do, as it was last seen.
    pub(crate) message: String,
    /// Since when (RFC 3339).
    pub(crate) raised_at: String,
    /// When it was last seen (RFC 3339).
    pub(crate) last_seen_at: String,
    /// Since when it is well again (RFC 3339); null while it is not.
    #[oai(nullable)]
    pub(crate) resolved_at: Option<String>,
    /// When somebody acknowledged it (RFC 3339).
    #[oai(nullable)]
    pub(crate) acknowledged_at: Option<String>,
    /// The name of the token of whoever did.
    #[oai(nullable)]
    pub(crate) acknowledged_by: Option<String>,
}

/// A notice of an alert to one channel.
#[derive(Object)]
#[oai(rename = "AlertNotice")]
pub(crate) struct Notice {
    /// The channel's name.
    pub(crate) channel: String,
    /// What it tells.
    pub(crate) event: NotificationEvent,
    /// `pending`, `sending`, `sent`, `failed` (given up), or `unknown`: it may have arrived, and is not sent again.
    pub(crate) state: String,
    /// Tries so far.
    pub(crate) attempts: u32,
    /// When that happened of which it tells (RFC 3339).
    pub(crate) created_at: String,
    /// Since when nothing more becomes of it (RFC 3339).
    #[oai(nullable)]
    pub(crate) finished_at: Option<String>,
    /// Why it is not sent.
    #[oai(nullable)]
    pub(crate) error: Option<String>,
}

/// An alert and its notices.
#[derive(Object)]
#[oai(example)]
pub(crate) struct AlertWithNotices {
    #[oai(flatten)]
    pub(crate) alert: Alert,
    /// Who was told, the oldest first.
    pub(crate) notices: Vec<Notice>,
}

/// Where notices go.
#[derive(Object)]
#[oai(rename = "AlertChannel", example)]
pub(crate) struct ChannelView {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// `slack`, `teams`, `json` or `email`.
    pub(crate) kind: String,
    /// Whether several tries in a row failed.
    pub(crate) failing: bool,
    /// Tries in a row that failed.
    pub(crate) failures: u32,
    /// When a notice last arrived (RFC 3339).
    #[oai(nullable)]
    pub(crate) last_success_at: Option<String>,
    /// When one last did not (RFC 3339).
    #[oai(nullable)]
    pub(crate) last_failure_at: Option<String>,
    /// Why the last try failed; null when it did not.
    #[oai(nullable)]
    pub(crate) error: Option<String>,
}

/// All channels.
#[derive(Object)]
struct Channels {
    /// Those of the configuration, webhooks first.
    items: Vec<ChannelView>,
}

/// What became of a test.
#[derive(Object)]
#[oai(rename = "AlertTest", example)]
struct Tested {
    /// The channel's name.
    channel: String,
    /// Why the notice did not arrive; null when it did.
    #[oai(nullable)]
    error: Option<String>,
}

/// What became of the tests.
#[derive(Object)]
struct Tests {
    /// One for each channel; none when none is configured.
    items: Vec<Tested>,
}

impl From<store::Alert> for Alert {
    fn from(alert: store::Alert) -> Self {
        let (acknowledged_at, acknowledged_by) = alert.acknowledged.unzip();
        Self {
            id: alert.id,
            title: title(alert.rule.as_str(), &alert.subject),
            rule: alert.rule,
            subject: alert.subject,
            code: alert.code,
            severity: alert.severity,
            message: alert.message,
            raised_at: rfc3339(alert.raised_at),
            last_seen_at: rfc3339(alert.last_seen_at),
            resolved_at: alert.resolved_at.map(rfc3339),
            acknowledged_at: acknowledged_at.map(rfc3339),
            acknowledged_by,
        }
    }
}

impl From<store::Notification> for Notice {
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
            message:
                "The delivery to zoho is paused since 2026-11-22 08:10 UTC; nothing is lost. Zoho refuses the refresh \
                      token. Run backend-sync zoho connect."
                    .to_owned(),
            raised_at: EXAMPLE_TIME,
            last_seen_at: EXAMPLE_TIME,
            resolved_at: None,
            acknowledged: Some((EXAMPLE_TIME, "first".to_owned())),
        }
        .into()
    }
}

impl Example for AlertWithNotices {
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

impl Example for Tested {
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
    /// What is wrong now, or with `state=all` also what was.
    #[oai(path = "/", method = "get", operation_id = "list_alerts")]
    async fn list(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// Only those that are not resolved (`open`, the default), or `all`.
        state: Query<Option<AlertChoice>>,
        /// Items of a page at most. Open ones come on one page.
        limit: Query<Option<Limit>>,
        /// The `next_cursor` of the previous page.
        cursor: Query<Option<String>>,
    ) -> Result<Answer<List<Alert>>, Failure<Overseeing>> {
        let parameters = ListParameters { limit: limit.0, cursor: cursor.0, ..Default::default() };
        let page = parameters.check::<i64>(&context.store).await?.page;
        let page = match state.0.unwrap_or(AlertChoice::Open) {
            AlertChoice::Open => store::Page { items: context.alerts.open().await?, next: None },
            AlertChoice::All => context.store.alerts(page).await?,
        };
        Ok(list(page, Alert::from))
    }

    /// List channels
    ///
    /// Where notices go, and whether they arrive.
    #[oai(path = "/channels", method = "get", operation_id = "list_alert_channels")]
    async fn channels(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
    ) -> Result<Answer<Channels>, Failure<Supervising>> {
        let items = context.alerts.channels().await?.into_iter().map(ChannelView::from).collect();
        Ok(Answer(Channels { items }))
    }

    /// Send a test
    ///
    /// Sends a notice that says that it is a test, and answers whether it arrived. That may take some seconds.
    #[oai(path = "/test", method = "post", operation_id = "test_alert_channels")]
    async fn test(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// By this channel alone.
        channel: Query<Option<String>>,
    ) -> Result<Answer<Tests>, Failure<Overseeing>> {
        let tried = context.alerts.send_test(channel.0.as_deref()).await?;
        if tried.is_empty() && channel.0.is_some() {
            let detail = "There is no channel of this name in the configuration.";
            return Err(Problem::parameter("channel", FieldErrorCode::UnknownValue, detail).into());
        }
        let items = tried.into_iter().map(|tried| Tested { channel: tried.channel, error: tried.error }).collect();
        Ok(Answer(Tests { items }))
    }

    /// Get an alert
    ///
    /// With the notices of it.
    #[oai(path = "/:id", method = "get", operation_id = "get_alert")]
    async fn get(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// Its number.
        id: Path<i64>,
    ) -> Result<Answer<AlertWithNotices>, Failure<Overseeing>> {
        let alert = context.store.alert(id.0).await?.ok_or_else(not_found)?;
        let notices = context.store.notifications(id.0).await?.into_iter().map(Notice::from).collect();
        Ok(Answer(AlertWithNotices { alert: alert.into(), notices }))
    }

    /// Acknowledge an alert
    ///
    /// Nobody is reminded of it any more, unless it becomes worse. Whoever acknowledges first stays; a resolved alert stays as it is.
    #[oai(path = "/:id/acknowledge", method = "post", operation_id = "acknowledge_alert")]
    async fn acknowledge(
        &self,
        token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// Its number.
        id: Path<i64>,
    ) -> Result<Answer<Alert>, Failure<Overseeing>> {
        let OperatorToken(operator) = token;
        context.store.acknowledge_alert(id.0, &operator.name, context.clock.now()).await?;
        let alert = context.store.alert(id.0).await?.ok_or_else(not_found)?;
        Ok(Answer(alert.into()))
    }
}
