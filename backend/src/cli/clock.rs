//! `backend-sync clock …`

use clap::Subcommand;
use serde_json::json;

use super::{CliError, confirm, open, print};
use crate::{
    clock::{
        Clock, Timestamp,
        judge::{ClockStart, duration_in_words, offset_in_words},
    },
    config::Config,
    store::{Extent, Longest, Store},
    timekeeper,
};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ClockArguments {
    #[command(subcommand)]
    command: Option<ClockCommand>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ClockCommand {
    /// Confirm that the clock is right: the database's on PostgreSQL, otherwise this machine's
    ///
    /// From then on the server follows that clock, even if its time goes back, and resumes retention and erasure by it. Deletions cannot
    /// be undone.
    Accept {
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Set stored times that lie in the future to now, after a clock was wrong
    ///
    /// The server itself repairs times that something waits for, within a minute; this command also repairs times at which something
    /// happened.
    Repair,
}

pub(super) async fn run(config: Config, arguments: ClockArguments, clock: &Clock) -> Result<(), CliError> {
    let store = open(&config, clock).await?;
    let result = match arguments.command {
        None => print_clock(&store, arguments.json).await,
        Some(ClockCommand::Accept { yes }) => accept(&store, yes).await,
        Some(ClockCommand::Repair) => repair(&config, &store, clock).await,
    };
    store.close().await;
    result
}

/// The times of all clocks.
struct Clocks {
    start: ClockStart,
    newest_event: Option<Timestamp>,
}

impl Clocks {
    async fn read(store: &Store) -> Result<Self, CliError> {
        let (_, start) = timekeeper::read_clocks(store).await?;
        Ok(Self { start, newest_event: store.newest_event_at().await? })
    }

    /// The name of the clock that the server follows, and its time.
    fn followed(&self) -> (&'static str, Timestamp) {
        match self.start.database {
            Some(time) => ("the database's", time),
            None => ("this machine's", self.start.machine),
        }
    }
}

async fn print_clock(store: &Store, json: bool) -> Result<(), CliError> {
    let clocks = Clocks::read(store).await?;
    let Clocks { start, newest_event } = &clocks;
    let doubt = start.disagreement().map(|doubt| doubt.to_string());
    let (name, followed) = clocks.followed();
    if json {
        let text = |time: Option<Timestamp>| time.map(Timestamp::to_rfc3339);
        return print(json!({
            "machine": start.machine.to_rfc3339(), "database": text(start.database), "last_seen": text(start.last_seen),
            "newest_event": text(*newest_event), "agreed": doubt.is_none(), "reason": doubt,
        }));
    }
    let line = |what: &str, time: Option<Timestamp>| {
        let Some(time) = time else { return print(format_args!("{what:<14}never")) };
        let (by, side) = offset_in_words(time.0.saturating_sub(start.machine.0));
        print(format_args!("{what:<14}{}  {by} {side}", time.to_rfc3339()))
    };
    print(format_args!("{:<14}{}", "this machine", start.machine.to_rfc3339()))?;
    if start.database.is_some() {
        line("database", start.database)?;
    }
    line("last seen", start.last_seen)?;
    line("newest event", *newest_event)?;
    let Some(doubt) = doubt else { return print("\nThe time is agreed.") };
    print(format_args!(
        "\nThe time is not agreed: {doubt}. Until it is, nothing is deleted or erased because of its age. It becomes agreed automatically \
         when the times from Moodle or Zoho confirm it for a quarter of an hour. If {name} clock ({}) is right: backend-sync clock accept",
        followed.to_rfc3339()
    ))
}

async fn accept(store: &Store, yes: bool) -> Result<(), CliError> {
    let clocks = Clocks::read(store).await?;
    let (name, time) = clocks.followed();
    let question = format!("By {name} clock it is {}. Is that right?", time.to_rfc3339());
    if !confirm(yes, "data that is old by this clock will be deleted, which cannot be undone", &question)? {
        return print("Nothing was changed.");
    }
    store.accept_time(time).await?;
    print(format_args!("The agreed time is {}. A running server follows within seconds.", time.to_rfc3339()))
}

async fn repair(config: &Config, store: &Store, clock: &Clock) -> Result<(), CliError> {
    if let Some(doubt) = clock.status().disagreement {
        return Err(CliError::Usage(format!("the time is not agreed: {doubt}; see backend-sync clock")));
    }
    let now = clock.now();
    let repaired = store.repair_future_times(now, &Longest::from(config), Extent::All).await?;
    if repaired.is_empty() {
        return print("No stored time lies in the future.");
    }
    for found in repaired {
        let ahead = duration_in_words(found.furthest.since(now));
        print(format_args!("{:>8} {} ({}), up to {ahead} ahead", found.count, found.what, found.place))?;
    }
    print("These times were set to now.")
}
