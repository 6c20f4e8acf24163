//! `backend-sync parity …`

mod zoho;

use clap::Subcommand;
use poem_openapi::types::ToJSON;
use serde_json::json;

use self::zoho::{DecisionArguments, FindingsArguments};
use super::{CliError, counted, open, print};
use crate::{
    clock::Clock,
    config::Config,
    delivery::Destination as _,
    model::RecordKey,
    store::{FindingDecision, Store},
    views::{AgreementView, ParityView},
    zoho::destination::Zoho,
};

#[derive(Debug, Subcommand)]
pub(super) enum ParityCommand {
    /// Show whether Moodle, the backend and Zoho agree, by the last comparisons; fails if not
    ///
    /// Moodle's plugin compares every night, after a restore, and when somebody asks for it on its status page. Zoho is
    /// compared by this server: see watch and prove.
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Look at what others changed and deleted in Zoho since the last look
    ///
    /// The server does so every hour, unless the setting zoho.watch_minutes says otherwise. It costs two API credits for each
    /// module.
    Watch,
    /// Compare all records in Zoho with what the mapping writes; fails if some differ
    ///
    /// The server does so every night, unless the setting zoho.proof_hour says otherwise. It costs an API credit for 200
    /// records.
    Prove {
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// List what differs in Zoho, newest first
    Findings(FindingsArguments),
    /// Write again what differs in Zoho; what was deleted there is created again
    Restore(DecisionArguments),
    /// Leave what differs in Zoho: fields until Moodle changes them, deleted records until they are restored
    Leave(DecisionArguments),
    /// Take back that findings were left: they wait for a decision again
    Withdraw(DecisionArguments),
    /// Check the digests of records against the events that they were made of; fails if one is wrong
    ///
    /// Reads the whole event log, while the server goes on. Digests that are unknown, because an older version stored
    /// the records, are filled in.
    Audit {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(config: Config, command: ParityCommand, clock: &Clock) -> Result<(), CliError> {
    let store = open(&config, clock).await?;
    let result = match command {
        ParityCommand::Show { json } => show(&config, &store, json).await,
        ParityCommand::Watch => zoho::watch(&config, &store, clock).await,
        ParityCommand::Prove { yes } => zoho::prove(&config, &store, yes, clock).await,
        ParityCommand::Findings(arguments) => zoho::list(&store, arguments, clock).await,
        ParityCommand::Restore(arguments) => zoho::decide(&store, FindingDecision::Restore, arguments, clock).await,
        ParityCommand::Leave(arguments) => zoho::decide(&store, FindingDecision::Leave, arguments, clock).await,
        ParityCommand::Withdraw(arguments) => zoho::decide(&store, FindingDecision::Withdraw, arguments, clock).await,
        ParityCommand::Audit { json } => audit(&store, json).await,
    };
    store.close().await;
    result
}

async fn show(config: &Config, store: &Store, json: bool) -> Result<(), CliError> {
    let found = AgreementView::read(store, config.zoho.as_ref().map(|_| Zoho::NAME)).await?;
    if json {
        print(found.to_json_string())?;
    } else {
        print_table(&found.sites)?;
        found.destination.as_ref().map_or(Ok(()), zoho::table)?;
    }
    let differs = found.destination.is_some_and(|there| there.differing() > 0);
    match found.sites.iter().filter(|view| !view.equal).count() + usize::from(differs) {
        0 => Ok(()),
        broken => Err(CliError::Differs(counted(broken as u64, "comparison"))),
    }
}

fn print_table(found: &[ParityView]) -> Result<(), CliError> {
    if found.is_empty() {
        return print(
            "Nothing was compared yet. Moodle's plugin does it every night; a button on its status page, now.",
        );
    }
    for view in found {
        print(format_args!(
            "{:<16} {:<11} Moodle {:>9}, backend {:>9}, digest {}",
            view.site,
            view.kind.as_str(),
            view.moodle_records,
            view.backend_records,
            view.digest
        ))?;
        print(format_args!("    {}", view.sentence))?;
    }
    Ok(())
}

/// Wrong records that are named.
const NAMED: usize = 20;

async fn audit(store: &Store, json: bool) -> Result<(), CliError> {
    let (mut right, mut filled, mut wrong, mut after) = (0, 0, Vec::new(), 0);
    while let Some(step) = store.audit_digests(after).await? {
        (right, filled, after) = (right + step.right, filled + step.filled, step.last_event);
        wrong.extend(step.wrong);
    }
    let (living, unknown) = store.count_digests().await?;
    let names = store.site_names().await?;
    let name = |key: &RecordKey| {
        let site = names.get(&key.site_id).map_or("", String::as_str);
        format!("{}:{site}:{}", key.kind, key.moodle_id)
    };
    let named: Vec<String> = wrong.iter().take(NAMED).map(name).collect();
    let without_event = living.saturating_sub(right + filled + wrong.len() as u64);
    if json {
        print(json!({
            "living": living, "right": right, "filled": filled, "wrong": wrong.len(), "wrong_records": named,
            "without_event": without_event, "unknown": unknown,
        }))?;
    } else {
        print(format_args!(
            "Of {} in Moodle, {right} have the digest of their event, and of {filled} it was unknown and is known now. \
             {without_event} have no event left to compare with. The digest of {unknown} is unknown: the next comparison \
             sends them again.",
            counted(living, "living record")
        ))?;
        for name in &named {
            print(format_args!("WRONG: {name}"))?;
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(CliError::Differs(counted(wrong.len() as u64, "digest"))) }
}
