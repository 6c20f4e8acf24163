//! `backend-sync sync …`

mod plan;
mod resync;
mod status;

use std::str::FromStr;

use clap::Subcommand;
use poem_openapi::types::ToJSON;

use super::{CliError, open, print};
use crate::{
    clock::Clock,
    config::Config,
    delivery::Destination as _,
    model::{ItemState, Kind, RecordId, RecordKey},
    store::{ItemFilter, Store},
    views::{ConservationView, ItemWithAttempts, PauseView, operators_pause},
    zoho::destination::Zoho,
};

#[derive(Debug, Subcommand)]
pub(super) enum SyncCommand {
    /// Show how many records are in which state, since when the oldest waits, and whether and why the delivery is paused or slow
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what would be done about pending records: the exact differences, and the cost. Nothing is sent
    Plan(plan::PlanArguments),
    /// Try records again, at once; those that failed, unless something else is named
    Retry(RetryArguments),
    /// Deliver records again, changed or not, and watch it
    Resync(resync::ResyncArguments),
    /// Stop delivering until `sync resume`. Records go on to be received, and wait
    Pause {
        /// For whoever wonders later
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// End a pause, whatever its cause
    Resume,
    /// Check that each record has exactly one sync item in exactly one state; fails when that is not so
    Audit {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one record's state, its reason, and what Zoho answered
    Show {
        /// The record: kind:site:id, as in grade:college:3
        record: RecordArgument,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Which records, as far as kind and site say it.
#[derive(Debug, clap::Args)]
struct Scope {
    /// Only of this kind: user, course, enrolment, grade or completion
    #[arg(long)]
    kind: Option<Kind>,
    /// Only of the site of this name
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct RetryArguments {
    #[command(flatten)]
    scope: Scope,
    /// Only in this state: failed, parked or pending [default: failed; all three with --code or --record]
    #[arg(long, value_parser = retry_state)]
    state: Option<ItemState>,
    /// Only with this reason's code, as `sync show` tells it
    #[arg(long)]
    code: Option<String>,
    /// Only this record: kind:site:id, as in grade:college:3
    #[arg(long, value_name = "RECORD", conflicts_with_all = ["kind", "site"])]
    record: Option<RecordArgument>,
    /// Print {"items":…}
    #[arg(long)]
    json: bool,
}

/// A record on the command line.
#[derive(Clone, Debug)]
pub(super) struct RecordArgument {
    kind: Kind,
    id: RecordId,
}

/// The text names no record.
#[derive(Debug, thiserror::Error)]
#[error("a record is written kind:site:id, as in grade:college:3")]
pub(super) struct InvalidRecord;

impl FromStr for RecordArgument {
    type Err = InvalidRecord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, id) = text.split_once(':').ok_or(InvalidRecord)?;
        let id = id.parse().map_err(|_| InvalidRecord)?;
        Ok(Self { kind: kind.parse().map_err(|_| InvalidRecord)?, id })
    }
}

fn retry_state(word: &str) -> Result<ItemState, &'static str> {
    match word.parse() {
        Ok(state @ (ItemState::Failed | ItemState::Parked | ItemState::Pending)) => Ok(state),
        _ => Err("failed, parked or pending can be tried again"),
    }
}

pub(super) async fn run(config: Config, command: SyncCommand, clock: &Clock) -> Result<(), CliError> {
    let store = open(&config, clock).await?;
    let result = match command {
        SyncCommand::Status { json } => status::run(&config, &store, json).await,
        SyncCommand::Plan(arguments) => plan::run(&config, &store, arguments, clock).await,
        SyncCommand::Retry(arguments) => retry(&config, &store, arguments, clock).await,
        SyncCommand::Resync(arguments) => resync::run(&config, &store, arguments, clock).await,
        SyncCommand::Pause { reason } => pause(&config, &store, reason, clock).await,
        SyncCommand::Resume => resume(&config, &store).await,
        SyncCommand::Audit { json } => audit(&store, json, clock).await,
        SyncCommand::Show { record, json } => print_item(&config, &store, &record, json).await,
    };
    store.close().await;
    result
}

/// What to do when there is no destination yet.
fn how_to_begin(config: &Config) -> &'static str {
    match config.zoho {
        Some(_) => "Zoho CRM is configured, but no server has started with it yet; start it: backend-sync serve",
        None => {
            "No destination is configured: records are kept and can be read, and delivered to nobody. \
             backend-sync zoho connect helps to fill in the section [zoho] of the configuration"
        }
    }
}

/// Fails with what to do when there is no destination yet.
async fn need_destination(config: &Config, store: &Store) -> Result<(), CliError> {
    match store.destination(Zoho::NAME).await? {
        Some(_) => Ok(()),
        None => Err(CliError::Usage(how_to_begin(config).to_owned())),
    }
}

async fn site_id(store: &Store, name: &str) -> Result<i64, CliError> {
    let unknown = || CliError::Usage(format!("there is no site called {name}; see backend-sync site list"));
    Ok(store.site(name).await?.ok_or_else(unknown)?.id)
}

impl Scope {
    async fn filter(&self, store: &Store) -> Result<ItemFilter, CliError> {
        let site_id = match &self.site {
            Some(name) => Some(site_id(store, name).await?),
            None => None,
        };
        Ok(ItemFilter { kind: self.kind, site_id, ..Default::default() })
    }
}

impl RecordArgument {
    async fn key(&self, store: &Store) -> Result<RecordKey, CliError> {
        let site_id = site_id(store, self.id.site.as_str()).await?;
        Ok(RecordKey { kind: self.kind, site_id, moodle_id: self.id.moodle_id })
    }
}

async fn retry(config: &Config, store: &Store, arguments: RetryArguments, clock: &Clock) -> Result<(), CliError> {
    need_destination(config, store).await?;
    let RetryArguments { scope, state, code, record, json } = arguments;
    let record = match record {
        Some(record) => Some(record.key(store).await?),
        None => None,
    };
    let filter = ItemFilter { state, code, record, ..scope.filter(store).await? }.for_retry();
    let items = store.retry(Zoho::NAME, &filter, clock.now()).await?;
    if json {
        return print(serde_json::json!({ "items": items }));
    }
    print(format_args!("{items} made pending. backend-sync sync status shows how they fare."))
}

async fn pause(config: &Config, store: &Store, reason: Option<String>, clock: &Clock) -> Result<(), CliError> {
    need_destination(config, store).await?;
    match store.pause_destination(Zoho::NAME, &operators_pause(reason, clock.now())).await? {
        true => print("Paused. What is under way is finished; the rest waits for backend-sync sync resume."),
        false => print("It was paused by an operator already."),
    }
}

async fn resume(config: &Config, store: &Store) -> Result<(), CliError> {
    need_destination(config, store).await?;
    match store.resume_destination(Zoho::NAME, None).await? {
        true => print("The delivery goes on."),
        false => print("It was not paused."),
    }
}

/// The lines that tell of a pause.
fn pause_lines(pause: &PauseView) -> String {
    let next = match &pause.check_at {
        Some(time) => format!("It is checked again at {time}, and goes on by itself when that is repaired."),
        None => "It goes on with backend-sync sync resume.".to_owned(),
    };
    format!("PAUSED since {} ({}): {}\n{next}", pause.since, pause.cause, pause.reason)
}

async fn audit(store: &Store, json: bool, clock: &Clock) -> Result<(), CliError> {
    if store.destination(Zoho::NAME).await?.is_none() {
        return print(if json { "null" } else { "There is no destination, so there is nothing to check." });
    }
    let found = store.conservation(Zoho::NAME).await?;
    store.save_audit(Zoho::NAME, &found, clock.now()).await?;
    let found = ConservationView::from(found);
    if json {
        print(found.to_json_string())?;
    }
    let ConservationView { holds, records, items, without_item, without_record, malformed } = found;
    if holds {
        return match json {
            true => Ok(()),
            false => print(format_args!("{records} records, {items} sync items: each record has one, in one state.")),
        };
    }
    Err(CliError::Delivery(format!(
        "the sum is wrong: {records} records, {items} sync items; {without_item} records have no item, {without_record} items \
         have no record, {malformed} items are in a state that cannot be. Something else changed the database, or backend-sync \
         has a fault: keep a copy of the database and report it"
    )))
}

async fn print_item(config: &Config, store: &Store, record: &RecordArgument, json: bool) -> Result<(), CliError> {
    need_destination(config, store).await?;
    let found = ItemWithAttempts::read(store, Zoho::NAME, record.key(store).await?).await?;
    let RecordArgument { kind, id } = record;
    let ItemWithAttempts { item, tries } = found.ok_or_else(|| CliError::Usage(format!("there is no {kind} {id}")))?;
    if json {
        return print(ItemWithAttempts { item, tries }.to_json_string());
    }
    print(format_args!("{} {}: {}", item.kind, item.record, item.state))?;
    let lines = [
        ("why", item.reason.clone()),
        ("code", item.code.clone()),
        ("waits for", item.waits_for.map(|other| format!("{}:{}", other.kind, other.record))),
        ("tried again", item.due_at.clone()),
        ("Zoho id", item.remote_id.clone()),
        ("last synced", item.synced_at.clone()),
        ("undelivered since", Some(item.changed_at.clone()).filter(|_| item.state != ItemState::Synced)),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            print(format_args!("    {name:<18} {value}"))?;
        }
    }
    print(if tries.is_empty() { "No attempts are known." } else { "Attempts, the newest first:" })?;
    for attempt in tries {
        let code = attempt.code.map(|code| format!("  {code}")).unwrap_or_default();
        let (at, outcome, milliseconds) = (attempt.started_at, attempt.outcome, attempt.duration_ms);
        let message = attempt.message.map(|message| format!("  {message}")).unwrap_or_default();
        print(format_args!("    {at}  {outcome:<8} {milliseconds} ms{code}{message}"))?;
    }
    Ok(())
}
