//! `backend-sync sync status`

use poem_openapi::types::ToJSON;

use super::{how_to_begin, pause_lines};
use crate::{
    cli::{CliError, counted, print},
    clock::{Clock, Timestamp},
    config::Config,
    delivery::Destination as _,
    store::Store,
    views::{AttentionView, DestinationView, StateCounts, WaitingProcess},
    zoho::destination::Zoho,
};

pub(super) async fn run(config: &Config, store: &Store, json: bool, clock: &Clock) -> Result<(), CliError> {
    let found = DestinationView::read(store, Zoho::NAME, config.zoho.is_some(), clock.now()).await?;
    match found {
        None if json => print("null"),
        None => {
            print(format_args!("{}.", how_to_begin(config)))?;
            print_backup(store.life().await?.backup_at.map(Timestamp::to_rfc3339))
        }
        Some(found) if json => print(found.to_json_string()),
        Some(found) => print_status(&found),
    }
}

fn print_status(found: &DestinationView) -> Result<(), CliError> {
    print(format_args!(
        "{:<12} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        found.name, "records", "synced", "pending", "in flight", "parked", "failed"
    ))?;
    for kind in &found.kinds {
        print(row(kind.kind.as_str(), &kind.counts))?;
    }
    print(row("all", &found.records))?;
    print("")?;
    if let Some(since) = &found.undelivered_since {
        print(format_args!("The oldest undelivered change has waited since {since}."))?;
    }
    if !found.configured {
        print("This configuration has no section [zoho]: a server with it does not deliver.")?;
    }
    if let Some(pause) = &found.pause {
        print(pause_lines(pause))?;
    }
    for hold in &found.holds {
        print(format_args!(
            "HELD since {} ({} {}, {}): {}",
            hold.since, hold.records, hold.kind, hold.cause, hold.reason
        ))?;
    }
    for WaitingProcess { place, since } in &found.waiting_processes {
        print(format_args!(
            "WAITING since {since}: {place} has another mapping file than the one that delivers. Give all processes the same \
             file, and let those with the wrong one read it again: systemctl reload backend-sync."
        ))?;
    }
    if let Some(slow) = &found.slow {
        let done = slow.done_at.as_ref().map(|time| format!(" It should catch up by {time}."));
        print(format_args!("SLOW: {}{}", slow.reason, done.unwrap_or_default()))?;
    }
    if let Some(credits) = &found.credits {
        print(format_args!("API credits left: {}, as of {}.", credits.left, credits.told_at))?;
    }
    if !found.attention.is_empty() {
        print("\nNot delivered, and why:")?;
    }
    for AttentionView { state, kind, code, count, example } in &found.attention {
        print(format_args!(
            "  {count} {kind} {state} ({code}). {}{example}",
            if *count > 1 { "Example: " } else { "" }
        ))?;
    }
    if found.records.with_remarks > 0 {
        print(format_args!(
            "{} synced with remarks: an optional value does not fit and was left out. See backend-sync sync remarks.",
            counted(found.records.with_remarks, "record")
        ))?;
    }
    if found.records.failed > 0 {
        print("Failed records need a person. After fixing the cause: backend-sync sync retry")?;
    }
    print_audit(found)?;
    print_backup(found.last_backup_at.clone())
}

fn print_backup(at: Option<String>) -> Result<(), CliError> {
    match at {
        Some(at) => print(format_args!("The last backup was made at {at}.")),
        None => print("backend-sync backup has made no backup yet."),
    }
}

fn print_audit(found: &DestinationView) -> Result<(), CliError> {
    match &found.conservation {
        Some(audit) if audit.holds => print(format_args!(
            "The sum is right: each record has one sync item, in one state (audit of {}).",
            audit.audited_at
        )),
        Some(audit) => {
            print(format_args!("THE SUM IS WRONG (audit of {}): see backend-sync sync audit.", audit.audited_at))
        }
        None => print("Not audited yet: backend-sync sync audit does it now."),
    }
}

fn row(name: &str, counts: &StateCounts) -> String {
    let StateCounts { total, pending, in_flight, synced, parked, failed, .. } = counts;
    format!("{name:<12} {total:>9} {synced:>9} {pending:>9} {in_flight:>9} {parked:>9} {failed:>9}")
}
