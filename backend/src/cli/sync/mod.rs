//! `backend-sync sync …`

mod adoptions;
mod brake;
mod explain;
mod plan;
mod remarks;
mod resync;
mod status;

use std::str::FromStr;

use clap::Subcommand;
use poem_openapi::types::ToJSON;

use super::{CliError, counted, open, print};
use crate::{
    clock::Clock,
    config::Config,
    delivery::Destination as _,
    model::{ItemState, Kind, RecordId, RecordKey},
    store::{ItemFilter, Store},
    views::{Accepted, ConservationView, ItemWithAttempts, PauseView, accept, operators_pause},
    zoho::destination::Zoho,
};

#[derive(Debug, Subcommand)]
pub(super) enum SyncCommand {
    /// Show how many records are in each state, how long the oldest has waited, and whether and why delivery is paused or slow
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what would be delivered for pending records: exact differences and cost. Nothing is sent
    Plan(plan::PlanArguments),
    /// Show the records that were synced with remarks: what was left out of them, and why
    Remarks(remarks::RemarksArguments),
    /// Retry records at once; failed ones by default
    Retry(RetryArguments),
    /// Deliver records again, changed or not, and watch the progress
    Resync(resync::ResyncArguments),
    /// Stop delivering until `sync resume`. New records are still received, and wait
    Pause {
        /// Reason to show while it is paused
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// End a pause and all holds, whatever their cause
    Resume,
    /// Answer what the delivery asks about, and resume: that Zoho is another organisation now (organisation), or that records there
    /// with this database's keys are its own (records)
    Accept {
        /// What is accepted
        what: Accepted,
    },
    /// Show what cannot be undone and was done lately, and what waits for a person because it was unusually many; decide about it
    Brake(brake::BrakeArguments),
    /// Contacts in Zoho that accounts ask for, were adopted by, or must not have: list, show, approve, refuse, undo
    #[command(subcommand)]
    Adoptions(adoptions::AdoptionsCommand),
    /// Move a contact in Zoho to another account of the same person. Shows first what would change
    TakeOver(adoptions::TakeOverArguments),
    /// Check that each record has exactly one sync item in exactly one state; fails otherwise
    Audit {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one record's state with its reason, and its attempts with Zoho's answers
    Show {
        /// The record: kind:site:id, as in grade:college:3
        record: RecordArgument,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Explain why one record is where it is: the mapping's rules, what it waits for, what keeps it, and what would be sent
    Explain(explain::ExplainArguments),
}

/// A selection of records by kind and site.
#[derive(Debug, clap::Args)]
struct Scope {
    /// Only this kind: user, course, enrolment, grade or completion
    #[arg(long)]
    kind: Option<Kind>,
    /// Only this site
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct RetryArguments {
    #[command(flatten)]
    scope: Scope,
    /// Only this state: failed, parked or pending [default: failed; all three with --code or --record]
    #[arg(long, value_parser = retry_state)]
    state: Option<ItemState>,
    /// Only this code, as `sync show` prints it
    #[arg(long)]
    code: Option<String>,
    /// Only this record: kind:site:id, as in grade:college:3
    #[arg(long, value_name = "RECORD", conflicts_with_all = ["kind", "site"])]
    record: Option<RecordArgument>,
    /// Print {"items":…}
    #[arg(long)]
    json: bool,
}

/// A record as an argument: `kind:site:id`.
#[derive(Clone, Debug)]
pub(super) struct RecordArgument {
    kind: Kind,
    id: RecordId,
}

/// The argument is not a record.
#[derive(Debug, thiserror::Error)]
#[error("write a record as kind:site:id, as in grade:college:3")]
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
        _ => Err("only failed, parked or pending records can be retried"),
    }
}

pub(super) async fn run(config: Config, command: SyncCommand, clock: &Clock) -> Result<(), CliError> {
    let store = open(&config, clock).await?;
    let result = match command {
        SyncCommand::Status { json } => status::run(&config, &store, json, clock).await,
        SyncCommand::Plan(arguments) => plan::run(&config, &store, arguments, clock).await,
        SyncCommand::Remarks(arguments) => remarks::run(&config, &store, arguments).await,
        SyncCommand::Retry(arguments) => retry(&config, &store, arguments, clock).await,
        SyncCommand::Resync(arguments) => resync::run(&config, &store, arguments, clock).await,
        SyncCommand::Pause { reason } => pause(&config, &store, reason, clock).await,
        SyncCommand::Resume => resume(&config, &store).await,
        SyncCommand::Accept { what } => accept_for_zoho(&config, &store, what, clock).await,
        SyncCommand::Brake(arguments) => brake::run(&config, &store, arguments, clock).await,
        SyncCommand::Adoptions(command) => adoptions::run(&config, &store, command, clock).await,
        SyncCommand::TakeOver(arguments) => adoptions::take_over(&config, &store, arguments, clock).await,
        SyncCommand::Audit { json } => audit(&store, json, clock).await,
        SyncCommand::Explain(arguments) => explain::run(&config, &store, arguments, clock).await,
        SyncCommand::Show { record, json } => print_item(&config, &store, &record, json).await,
    };
    store.close().await;
    result
}

/// What to do without a destination.
fn how_to_begin(config: &Config) -> &'static str {
    match config.zoho {
        Some(_) => "Zoho CRM is configured, but no server has run with it yet; start one: backend-sync serve",
        None => {
            "No destination is configured: records are stored and can be read, but are not delivered. \
             backend-sync zoho connect helps to fill in the section [zoho] of the configuration"
        }
    }
}

/// Fails without a destination, saying what to do.
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
    print(format_args!("{} now pending. See the progress: backend-sync sync status", counted(items, "record")))
}

async fn pause(config: &Config, store: &Store, reason: Option<String>, clock: &Clock) -> Result<(), CliError> {
    need_destination(config, store).await?;
    match store.pause_destination(Zoho::NAME, &operators_pause(reason, clock.now())).await? {
        true => print("Paused. Deliveries in flight finish; the rest waits for backend-sync sync resume."),
        false => print("An operator had already paused it."),
    }
}

async fn resume(config: &Config, store: &Store) -> Result<(), CliError> {
    need_destination(config, store).await?;
    match store.resume(Zoho::NAME).await? {
        true => print("Delivery is running again."),
        false => print("It was not paused."),
    }
}

async fn accept_for_zoho(config: &Config, store: &Store, what: Accepted, clock: &Clock) -> Result<(), CliError> {
    need_destination(config, store).await?;
    let anew = accept(store, Zoho::NAME, what, clock.now()).await?;
    match what {
        Accepted::Organisation => print(format_args!(
            "{} are delivered anew to the organisation of the credentials.",
            counted(anew, "record")
        )),
        Accepted::Records => print("Records in Zoho with this database's keys are updated from now on."),
    }
}

/// A pause in two lines: why, and how it ends.
fn pause_lines(pause: &PauseView) -> String {
    let next = match &pause.check_at {
        Some(time) => format!("The next check is at {time}; delivery resumes automatically once the cause is fixed."),
        None => "Resume it with backend-sync sync resume.".to_owned(),
    };
    format!("PAUSED since {} ({}): {}\n{next}", pause.since, pause.cause, pause.reason)
}

async fn audit(store: &Store, json: bool, clock: &Clock) -> Result<(), CliError> {
    if store.destination(Zoho::NAME).await?.is_none() {
        return print(if json { "null" } else { "There is no destination, so there is nothing to check." });
    }
    let found = store.conservation(Zoho::NAME).await?;
    let now = clock.now();
    store.save_audit(Zoho::NAME, &found, now).await?;
    let found = ConservationView::from((found, now));
    if json {
        print(found.to_json_string())?;
    }
    let ConservationView { holds, records, items, without_item, without_record, malformed, .. } = found;
    if holds {
        return match json {
            true => Ok(()),
            false => print(format_args!(
                "{}, {}: each record has one, in one state.",
                counted(records, "record"),
                counted(items, "sync item")
            )),
        };
    }
    Err(CliError::Delivery(format!(
        "the sum is wrong: {}, {}; records without an item: {without_item}, items without a record: {without_record}, items in an \
         impossible state: {malformed}. Something else changed the database, or backend-sync has a bug: keep a copy of the database and \
         report it",
        counted(records, "record"),
        counted(items, "sync item")
    )))
}

async fn print_item(config: &Config, store: &Store, record: &RecordArgument, json: bool) -> Result<(), CliError> {
    need_destination(config, store).await?;
    let found = ItemWithAttempts::read(store, Zoho::NAME, record.key(store).await?).await?;
    let RecordArgument { kind, id } = record;
    let found = found.ok_or_else(|| CliError::Usage(format!("there is no {kind} {id}")))?;
    if json {
        return print(found.to_json_string());
    }
    let ItemWithAttempts { item, held, tries } = found;
    print(format_args!("{} {}: {}", item.kind, item.record, item.state))?;
    let lines = [
        ("held", held),
        ("reason", item.reason.clone()),
        ("code", item.code.clone()),
        ("waits for", item.waits_for.map(|other| format!("{}:{}", other.kind, other.record))),
        ("due", item.due_at.clone()),
        ("Zoho id", item.remote_id.clone()),
        ("last synced", item.synced_at.clone()),
        ("undelivered since", Some(item.changed_at.clone()).filter(|_| item.state != ItemState::Synced)),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            print(format_args!("    {name:<18} {value}"))?;
        }
    }
    for remark in item.remarks {
        print(format_args!("    {:<18} {}: {} ({})", "remark", remark.field, remark.message, remark.code))?;
    }
    print(if tries.is_empty() { "No attempts are stored." } else { "Attempts, newest first:" })?;
    for attempt in tries {
        let code = attempt.code.map(|code| format!("  {code}")).unwrap_or_default();
        let (at, outcome, milliseconds) = (attempt.started_at, attempt.outcome, attempt.duration_ms);
        let message = attempt.message.map(|message| format!("  {message}")).unwrap_or_default();
        print(format_args!("    {at}  {outcome:<8} {milliseconds} ms{code}{message}"))?;
    }
    Ok(())
}
