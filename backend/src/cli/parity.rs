//! `backend-sync parity …`

use clap::Subcommand;
use poem_openapi::types::ToJSON;
use serde_json::json;

use super::{CliError, counted, open, print};
use crate::{clock::Clock, config::Config, model::RecordKey, store::Store, views::ParityView};

#[derive(Debug, Subcommand)]
pub(super) enum ParityCommand {
    /// Show the last comparison of each kind of each site; fails if one of them differs
    ///
    /// Moodle's plugin compares every night, after a restore, and when somebody asks for it on its status page.
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
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
        ParityCommand::Show { json } => show(&store, json).await,
        ParityCommand::Audit { json } => audit(&store, json).await,
    };
    store.close().await;
    result
}

async fn show(store: &Store, json: bool) -> Result<(), CliError> {
    let found = ParityView::read(store).await?;
    if json {
        print(found.to_json_string())?;
    } else {
        print_table(&found)?;
    }
    match found.iter().filter(|view| !view.equal).count() {
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
