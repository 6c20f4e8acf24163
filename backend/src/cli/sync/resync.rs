//! `backend-sync sync resync`

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{Scope, need_destination, pause_lines};
use crate::{
    cli::{CliError, confirm, counted, print},
    clock::Clock,
    config::Config,
    delivery::Destination as _,
    model::ItemState,
    store::{DestinationSummary, ItemFilter, Store},
    views::PauseView,
    zoho::destination::Zoho,
};

/// Between two counts of pending records.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Checks without progress after which there seems to be no server: half a minute, longer than a server's usual backoff.
const CHECKS_WITHOUT_PROGRESS: u32 = 60;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ResyncArguments {
    #[command(flatten)]
    scope: Scope,
    /// Only records that were synced with remarks, for example after Zoho was made to accept the values
    #[arg(long)]
    remarks: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// Only mark the records as pending; do not wait while the server delivers them
    #[arg(long)]
    no_wait: bool,
}

pub(super) async fn run(
    config: &Config,
    store: &Store,
    arguments: ResyncArguments,
    clock: &Clock,
) -> Result<(), CliError> {
    need_destination(config, store).await?;
    let filter = ItemFilter { remarks: arguments.remarks, ..arguments.scope.filter(store).await? };
    let total = store.count_items(Zoho::NAME, &filter).await?;
    if total == 0 {
        return print("No records match.");
    }
    let records = counted(total, "record");
    let question = format!("Deliver {records} again, changed or not?");
    if !confirm(arguments.yes, &format!("{records} would be delivered again, which costs API credits"), &question)? {
        return print("Nothing was changed.");
    }
    let marked = mark(store, &filter, total, clock).await?;
    print(format_args!("{} now pending.", counted(marked, "record")))?;
    if arguments.no_wait {
        return Ok(());
    }
    follow(store, &ItemFilter { remarks: false, ..filter }).await
}

async fn mark(store: &Store, filter: &ItemFilter, total: u64, clock: &Clock) -> Result<u64, CliError> {
    let bar = progress_bar(total, "marked as pending");
    let (mut marked, mut after) = (0, None);
    loop {
        let keys = store.resync(Zoho::NAME, filter, after, clock.now()).await?;
        let Some(last) = keys.last() else { break };
        after = Some(*last);
        marked += keys.len() as u64;
        bar.set_position(marked);
    }
    bar.finish_and_clear();
    Ok(marked)
}

/// Watches until none of the records is pending, or none makes progress.
async fn follow(store: &Store, filter: &ItemFilter) -> Result<(), CliError> {
    let total = undelivered(store, filter).await?;
    let bar = progress_bar(total, "delivered");
    let (mut left, mut without_progress) = (total, 0);
    let end = loop {
        if left == 0 {
            break "Every record is delivered or has a reason why not; see backend-sync sync status.".to_owned();
        }
        let still_pending = format!("{} still pending", counted(left, "record"));
        tokio::select! {
            () = tokio::time::sleep(CHECK_INTERVAL) => {}
            _ = tokio::signal::ctrl_c() => break format!("{still_pending}. The server continues to deliver."),
        }
        let now_left = undelivered(store, filter).await?;
        without_progress = if now_left == left { without_progress + 1 } else { 0 };
        left = now_left;
        let still_pending = format!("{} still pending", counted(left, "record"));
        // Records that change in the meantime are pending as well.
        bar.set_length(total.max(left));
        bar.set_position(total.saturating_sub(left));
        let Some(summary) = store.destination(Zoho::NAME).await? else { break String::new() };
        if let Some(pause) = &summary.pause {
            let lines = pause_lines(&PauseView::from(pause.clone()));
            break format!("{still_pending}. {lines}");
        }
        if without_progress >= CHECKS_WITHOUT_PROGRESS && summary.slow_reason.is_none() {
            break format!(
                "{still_pending}, and none was delivered for half a minute. Is a server running (backend-sync serve)? \
                 If so, look into its log."
            );
        }
        bar.set_message(message(&summary));
    };
    bar.finish_and_clear();
    print(end)
}

fn message(summary: &DestinationSummary) -> String {
    let done = summary.done_at.map(|time| format!(" It should catch up by {}.", time.to_rfc3339()));
    match &summary.slow_reason {
        Some(reason) => format!("SLOW: {reason}{}", done.unwrap_or_default()),
        None => "delivered".to_owned(),
    }
}

async fn undelivered(store: &Store, filter: &ItemFilter) -> Result<u64, CliError> {
    let mut count = 0;
    for state in [ItemState::Pending, ItemState::InFlight] {
        count += store.count_items(Zoho::NAME, &ItemFilter { state: Some(state), ..filter.clone() }).await?;
    }
    Ok(count)
}

/// Hidden unless standard error is a terminal.
fn progress_bar(total: u64, what: &'static str) -> ProgressBar {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(total), target);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {rate} {eta} {msg}");
    if let Ok(style) = style {
        // The default shows four decimals.
        let rate = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let _ = write!(text, "{:.0}/s", state.per_sec());
        };
        bar.set_style(style.with_key("rate", rate));
    }
    bar.set_message(what);
    let _ = std::io::stdout().flush();
    bar
}
