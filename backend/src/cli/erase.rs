//! `backend-sync erase` and `backend-sync erasures …`

use std::time::Duration;

use clap::Subcommand;
use poem_openapi::types::ToJSON;

use super::{CliError, confirm, open, or_never, print};
use crate::{
    clock::Clock,
    config::Config,
    erasure::{self, Certificate, CheckError},
    live,
    model::{ErasurePolicy, Id, SiteName},
    store::{Erasure, ErasureRequest, Store, UserFilter},
};

/// Between two checks whether a server has erased the person in Zoho.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Checks before the command prints an unfinished certificate: ten seconds. A running server needs two or three.
const CHECKS: u32 = 20;

/// The newest erasures to list.
const LISTED: u64 = 100;

#[derive(Debug, clap::Args)]
pub(super) struct EraseArguments {
    /// Name of the site
    #[arg(long, value_name = "NAME")]
    site: SiteName,
    /// The person's Moodle id
    #[arg(long, value_name = "MOODLE ID")]
    user: i64,
    /// Only show what would be erased
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// Do not wait for the erasure in Zoho
    #[arg(long)]
    no_wait: bool,
    /// Print the certificate as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ErasuresCommand {
    /// List erasures, newest first, including those that are not due yet
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the certificate of an erasure
    Show {
        /// Number of the erasure
        id: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Search for the person's data now, here and in Zoho; fails if any is found
    Check {
        /// Number of the erasure
        id: i64,
        /// Print the certificate as JSON
        #[arg(long)]
        json: bool,
    },
    /// Cancel a waiting erasure; after a finished one, accept the person's data again
    Lift {
        /// Number of the erasure
        id: i64,
    },
}

pub(super) async fn run(config: Config, arguments: EraseArguments, clock: &Clock) -> Result<(), CliError> {
    let store = open(&config, clock).await?;
    let result = erase(&config, &store, &arguments, clock).await;
    store.close().await;
    result
}

async fn erase(config: &Config, store: &Store, arguments: &EraseArguments, clock: &Clock) -> Result<(), CliError> {
    let name = arguments.site.as_str();
    let unknown = || CliError::Usage(format!("there is no site called {name}; see backend-sync site list"));
    let site = store.site(name).await?.ok_or_else(unknown)?;
    let user = UserFilter { site_id: site.id, userid: Id(arguments.user) };
    let policy = config.erasure.zoho;
    let remains = store.remains_of(user).await?;
    let is_erased = store.erased_people(&[(user.site_id, user.userid)]).await?.len() == 1;
    if remains.is_empty() && !is_erased {
        return Err(CliError::Usage(format!("nothing is stored about the user {name}:{}", arguments.user)));
    }
    if !arguments.json || arguments.dry_run {
        for finding in &remains {
            print(format_args!("{:>8} {} of {}", finding.count, rows(finding.count), finding.place))?;
        }
        show_remote(config, store, user, policy).await?;
    }
    if arguments.dry_run {
        return print("Nothing was changed.");
    }
    let question = format!("Erase the user {name}:{} for good?", arguments.user);
    if !confirm(arguments.yes, "this cannot be undone", &question)? {
        return print("Nothing was changed.");
    }
    let now = clock.now();
    let request = ErasureRequest { user, policy, requested_by: "cli", due_at: now };
    let id = store.request_erasure(&request, now).await?;
    let here = erasure::erase_here(store, id, config.brake.limits(), clock).await?;
    if here && !arguments.no_wait {
        wait(store, id).await?;
    }
    print_certificate(store, id, arguments.json).await
}

fn rows(count: u64) -> &'static str {
    if count == 1 { "row" } else { "rows" }
}

/// Prints the person's records at destinations, and what will happen to them.
async fn show_remote(config: &Config, store: &Store, user: UserFilter, policy: ErasurePolicy) -> Result<(), CliError> {
    let remote = store.remote_records_of(user).await?;
    let mapping = config.zoho.as_ref().map(live::read_mapping).transpose()?;
    for (kind, module) in mapping.iter().flat_map(|mapping| mapping.modules()) {
        let count = remote.iter().filter(|record| record.kind == kind.as_str()).count();
        if count > 0 {
            let records = if count == 1 { "record" } else { "records" };
            print(format_args!("{count:>8} {records} in Zoho's module {}", module.module))?;
        }
    }
    print(format_args!("         In Zoho, by policy {policy}: {}", in_words(policy)))
}

fn in_words(policy: ErasurePolicy) -> &'static str {
    match policy {
        ErasurePolicy::Anonymise => {
            "the contact stays without the fields we wrote; other records are emptied and deleted."
        }
        ErasurePolicy::Delete => "all records are emptied and deleted.",
        ErasurePolicy::Purge => "all records are emptied, deleted, and removed from the recycle bin.",
        ErasurePolicy::Keep => "nothing is changed; erase the records in Zoho yourself.",
    }
}

/// Waits a moment for a running server to erase the person in Zoho.
async fn wait(store: &Store, id: i64) -> Result<(), CliError> {
    for _ in 0..CHECKS {
        if store.erasure(id).await?.is_none_or(|erasure| !erasure.checks.is_empty()) {
            break;
        }
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
    Ok(())
}

pub(super) async fn erasures(config: Config, command: ErasuresCommand, clock: &Clock) -> Result<(), CliError> {
    let store = open(&config, clock).await?;
    let result = match command {
        ErasuresCommand::List { json } => list(&store, json).await,
        ErasuresCommand::Show { id, json } => print_certificate(&store, id, json).await,
        ErasuresCommand::Check { id, json } => check(&config, &store, id, json, clock).await,
        ErasuresCommand::Lift { id } => lift(&store, id, clock).await,
    };
    store.close().await;
    result
}

fn no_such(id: i64) -> CliError {
    CliError::Usage(format!("there is no erasure {id}; see backend-sync erasures list"))
}

async fn find(store: &Store, id: i64) -> Result<(Erasure, Certificate), CliError> {
    let erasure = store.erasure(id).await?.ok_or_else(|| no_such(id))?;
    let sites = store.site_names().await?;
    let certificate = Certificate::new(&erasure, sites.get(&erasure.user.site_id).map_or("", String::as_str));
    Ok((erasure, certificate))
}

async fn list(store: &Store, json: bool) -> Result<(), CliError> {
    let sites = store.site_names().await?;
    let site = |erasure: &Erasure| sites.get(&erasure.user.site_id).cloned().unwrap_or_default();
    let found = store.erasures(None, LISTED).await?;
    let found: Vec<Certificate> = found.iter().map(|erasure| Certificate::new(erasure, &site(erasure))).collect();
    if json {
        return print(found.to_json_string());
    }
    if found.is_empty() {
        return print("No erasures.");
    }
    for Certificate { id, user, state, requested_by, due_at, waits, .. } in found {
        let waits = if waits.is_some() { "; WAITS for a person's decision" } else { "" };
        print(format_args!("{id:>6}  {user:<24} {state:<12} by {requested_by}, due {due_at}{waits}"))?;
    }
    Ok(())
}

async fn print_certificate(store: &Store, id: i64, json: bool) -> Result<(), CliError> {
    let (erasure, certificate) = find(store, id).await?;
    if json {
        return print(certificate.to_json_string());
    }
    let Certificate { user, state, policy, requested_by, waits, rows: erased, remote, checks, sha256, .. } =
        certificate;
    print(format_args!("Erasure {id} of the user {user}: {state}"))?;
    if let Some(waits) = waits {
        print(format_args!("    WAITS: {waits}"))?;
    }
    let moments = [
        ("requested", Some(erasure.requested_at)),
        ("due", Some(erasure.due_at)),
        ("started", erasure.begun_at),
        ("erased here", erasure.local_at),
        ("erased in Zoho", erasure.remote_at),
        ("verified", erasure.verified_at),
        ("next check", erasure.check_at.filter(|_| erasure.state.is_done())),
        ("lifted", erasure.lifted_at),
    ];
    for (what, moment) in moments.into_iter().filter_map(|(what, moment)| Some((what, moment?))) {
        print(format_args!("    {what:<16} {}", or_never(Some(moment))))?;
    }
    print(format_args!("    requested by {requested_by}; policy for Zoho: {policy}"))?;
    for row in erased.iter().filter(|row| row.rows > 0) {
        print(format_args!("    {:>8} {} of {}", row.rows, rows(row.rows), row.table))?;
    }
    for record in remote {
        print(format_args!(
            "    {} {} was {} in {}",
            record.kind, record.record, record.remote_id, record.destination
        ))?;
    }
    for check in checks {
        let found: Vec<String> = check.findings.iter().map(|f| format!("{} ({})", f.place, f.count)).collect();
        let found =
            if found.is_empty() { "nothing was found".to_owned() } else { format!("FOUND {}", found.join(", ")) };
        print(format_args!("    searched at {}: {found}", check.at))?;
        for shown in &check.still_shown {
            print(format_args!(
                "        by this policy, Zoho still shows earlier values: {} ({})",
                shown.place, shown.count
            ))?;
        }
    }
    print(format_args!("    SHA-256 of the JSON certificate: {sha256}"))?;
    if !erasure.state.is_done() && erasure.local_at.is_some() {
        print(format_args!(
            "The server erases the records in Zoho; see its progress: backend-sync erasures show {id}"
        ))?;
    }
    Ok(())
}

async fn check(config: &Config, store: &Store, id: i64, json: bool, clock: &Clock) -> Result<(), CliError> {
    let (erasure, _) = find(store, id).await?;
    if !erasure.state.is_done() {
        return Err(CliError::Usage(format!("erasure {id} is not finished: {}", erasure.state)));
    }
    let zoho = config.zoho.as_ref().map(|zoho| live::zoho(config, zoho, store, clock)).transpose()?;
    match erasure::check(store, zoho.as_ref(), &erasure, clock).await {
        Ok(()) => {}
        Err(CheckError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(CliError::Delivery(error.to_string())),
    }
    print_certificate(store, id, json).await?;
    let (erasure, _) = find(store, id).await?;
    match erasure.checks.last() {
        Some(check) if !check.findings.is_empty() => {
            Err(CliError::Delivery("data was found that should be gone; did somebody enter it again?".to_owned()))
        }
        _ => Ok(()),
    }
}

async fn lift(store: &Store, id: i64, clock: &Clock) -> Result<(), CliError> {
    let (erasure, _) = find(store, id).await?;
    if !store.lift_erasure(id, clock.now()).await? {
        return Err(CliError::Usage(format!("erasure {id} cannot be lifted now: {}", erasure.state)));
    }
    match erasure.begun_at {
        None => print("The erasure is cancelled."),
        Some(_) => print(
            "Erased data stays erased, but new data about the person is accepted again. Moodle sends only changes; to have everything \
             sent, press \"Synchronise everything\" there, with \"Also send what the backend already holds\".",
        ),
    }
}
