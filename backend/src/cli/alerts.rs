//! `backend-sync alerts …`

use clap::Subcommand;
use serde_json::{Value, json};

use super::{CliError, open, print};
use crate::{
    alerts::{ACKNOWLEDGED, Alerts, nothing_open, page, title},
    clock::{Clock, Timestamp},
    config::Config,
    health::Health,
    limits,
    live::LiveError,
    metrics::Metrics,
    model::{ACKNOWLEDGED_DAYS, ACKNOWLEDGED_DAYS_MAX, acknowledged_until},
    random::Random,
    store::{Acknowledgement, Alert, PageRequest, Store},
};

#[derive(Debug, Subcommand)]
pub(super) enum AlertsCommand {
    /// List open alerts, the worst first, and the state of the channels
    List {
        /// Also list resolved alerts: the newest of all
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Acknowledge an alert as it is now, which stops its reminders for a time
    Acknowledge {
        /// Number of the alert, as `alerts list` shows it
        alert: i64,
        /// Days without reminders; another cause, or many more of the same, is told all the same
        #[arg(long, value_name = "DAYS", default_value_t = ACKNOWLEDGED_DAYS,
              value_parser = clap::value_parser!(u16).range(1..=i64::from(ACKNOWLEDGED_DAYS_MAX)))]
        days: u16,
        /// Who acknowledges it
        #[arg(long, value_name = "NAME", default_value = "command line")]
        by: String,
    },
    /// Send a test notification and say whether it was accepted
    Test {
        /// Through this channel only
        #[arg(long, value_name = "NAME")]
        channel: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(config: Config, command: AlertsCommand, clock: Clock) -> Result<(), CliError> {
    let store = open(&config, &clock).await?;
    let result = match command {
        AlertsCommand::List { all, json } => list(&config, &store, clock, all, json).await,
        AlertsCommand::Acknowledge { alert, days, by } => acknowledge(&store, alert, days, &by, &clock).await,
        AlertsCommand::Test { channel, json } => test(&config, &store, clock, channel, json).await,
    };
    store.close().await;
    result
}

fn alerts(config: &Config, store: &Store, clock: Clock) -> Result<Alerts, CliError> {
    Ok(Alerts::new(config, store.clone(), Health::default(), Metrics::new(clock.now()), clock, Random::system())
        .map_err(LiveError::from)?)
}

fn to_json(alert: &Alert) -> Value {
    json!({
        "id": alert.id,
        "rule": alert.rule.as_str(),
        "subject": alert.subject,
        "code": alert.code,
        "severity": alert.severity.as_str(),
        "title": title(alert),
        "message": alert.message,
        "link": page(alert),
        "raised_at": alert.raised_at.to_rfc3339(),
        "last_seen_at": alert.last_seen_at.to_rfc3339(),
        "resolved_at": alert.resolved_at.map(Timestamp::to_rfc3339),
        "acknowledged_at": alert.acknowledged.as_ref().map(|acknowledged| acknowledged.at.to_rfc3339()),
        "acknowledged_by": alert.acknowledged.as_ref().map(|acknowledged| &acknowledged.by),
        "acknowledged_until": until(alert).map(Timestamp::to_rfc3339),
    })
}

async fn list(config: &Config, store: &Store, clock: Clock, all: bool, json: bool) -> Result<(), CliError> {
    let found = match all {
        true => store.alerts(PageRequest { after: None, limit: limits::PAGE_ROWS_DEFAULT.into() }).await?.items,
        false => store.open_alerts().await?,
    };
    let now = clock.now();
    let alerts = alerts(config, store, clock)?;
    let channels = alerts.channels().await?;
    if json {
        return print(Value::Array(found.iter().map(to_json).collect()));
    }
    if found.is_empty() {
        match all {
            true => print("No alerts are stored.")?,
            false => print(nothing_open(store.alerts_evaluated_at().await?, alerts.interval(), now))?,
        }
    }
    for alert in found {
        let state = match (alert.resolved_at, &alert.acknowledged) {
            (Some(time), _) => format!("resolved {}", time.to_rfc3339()),
            (None, Some(Acknowledgement { by, until: Some(until), .. })) => {
                format!("acknowledged by {by} until {}", until.to_rfc3339())
            }
            (None, Some(Acknowledgement { by, .. })) => format!("acknowledged by {by}"),
            (None, None) => "open".to_owned(),
        };
        let (title, since) = (title(&alert), alert.raised_at.to_rfc3339());
        print(format_args!("{:<4} {:<8}  {title}  since {since}  {state}", alert.id, alert.severity))?;
        print(format_args!("     {}", alert.message))?;
        print(format_args!(
            "     In the console: {}{}",
            config.alerts.console_url.trim_end_matches('/'),
            page(&alert)
        ))?;
    }
    if channels.is_empty() {
        return print(
            "No channel is configured, so no notifications are sent: see the section [alerts] of backend-sync config.",
        );
    }
    for channel in channels {
        let (name, kind) = (&channel.name, channel.kind);
        let state = match channel.state {
            None => "not used yet".to_owned(),
            Some(state) if state.failures > 0 => {
                let error = state.error.unwrap_or_default();
                format!("FAILED ({} in a row): {error}", super::counted(u64::from(state.failures), "failure"))
            }
            Some(state) => format!("works; last notification sent {}", super::or_never(state.last_success_at)),
        };
        print(format_args!("channel {name} ({kind}): {state}"))?;
    }
    Ok(())
}

async fn acknowledge(store: &Store, id: i64, days: u16, by: &str, clock: &Clock) -> Result<(), CliError> {
    let now = clock.now();
    let is_open = store.acknowledge_alert(id, by, acknowledged_until(days, now), now).await?;
    let alert = store.alert(id).await?.filter(|_| is_open);
    let alert =
        alert.ok_or_else(|| CliError::Usage(format!("there is no open alert {id}; see backend-sync alerts list")))?;
    print(format_args!(
        "Alert {id} is acknowledged until {}: {}. {ACKNOWLEDGED}",
        until(&alert).map_or_else(|| "it is resolved".to_owned(), Timestamp::to_rfc3339),
        title(&alert)
    ))
}

fn until(alert: &Alert) -> Option<Timestamp> {
    alert.acknowledged.as_ref().and_then(|acknowledged| acknowledged.until)
}

async fn test(
    config: &Config,
    store: &Store,
    clock: Clock,
    channel: Option<String>,
    json: bool,
) -> Result<(), CliError> {
    let results = alerts(config, store, clock)?.send_test(channel.as_deref()).await?;
    if json {
        let results = results.iter();
        let results =
            results.map(|result| json!({"channel": result.channel, "kind": result.kind, "error": result.error}));
        return print(Value::Array(results.collect()));
    }
    if results.is_empty() {
        return Err(CliError::Usage(match channel {
            Some(name) => format!("there is no channel {name} in the section [alerts] of the configuration"),
            None => "no channel is configured; see the section [alerts] of backend-sync config".to_owned(),
        }));
    }
    let mut failed = Vec::new();
    for result in results {
        let (name, kind) = (result.channel, result.kind);
        match result.error {
            None => print(format_args!("{name} ({kind}): the notification was accepted"))?,
            Some(error) => failed.push(format!("{name} ({kind}): {error}")),
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(CliError::Delivery(failed.join("\n"))) }
}
