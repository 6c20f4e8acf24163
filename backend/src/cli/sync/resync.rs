//! `backend-sync sync resync`

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{Scope, need_destination, pause_lines};
use crate::{
    cli::{CliError, ask, print},
    clock::Clock,
    config::Config,
    delivery::Destination as _,
    model::ItemState,
    store::{DestinationSummary, ItemFilter, Store},
    views::PauseView,
    zoho::destination::Zoho,
};

/// Between two looks at what is still pending: smooth for the eye, and nothing for the database.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Looks without any progress until there seems to be no server: half a minute, longer than a server's usual rest after an
/// error.
const LOOKS_IN_VAIN: u32 = 60;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ResyncArguments {
    #[command(flatten)]
    scope: Scope,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Only make the records pending; the server delivers them anyway
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
    let filter = arguments.scope.filter(store).await?;
    let total = store.count_items(Zoho::NAME, &filter).await?;
    if total == 0 {
        return print("There is no such record.");
    }
    let must_ask = !arguments.yes && std::io::stdin().is_terminal();
    let question = format!("{total} records are delivered again, changed or not. Go on? [y/N]");
    if must_ask && !matches!(ask(&question)?.trim(), "y" | "Y" | "yes") {
        return print("Nothing was changed.");
    }
    let marked = mark(store, &filter, total, clock).await?;
    print(format_args!("{marked} records made pending."))?;
    if arguments.no_wait {
        return Ok(());
    }
    follow(store, &filter).await
}

async fn mark(store: &Store, filter: &ItemFilter, total: u64, clock: &Clock) -> Result<u64, CliError> {
    let bar = progress_bar(total, "made pending");
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

/// Watches until nothing of it is pending, or nothing moves.
async fn follow(store: &Store, filter: &ItemFilter) -> Result<(), CliError> {
    let total = undelivered(store, filter).await?;
    let bar = progress_bar(total, "delivered");
    let (mut left, mut in_vain) = (total, 0);
    let end = loop {
        if left == 0 {
            break "All of it was delivered, or has its reason why not; see backend-sync sync status.".to_owned();
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
            _ = tokio::signal::ctrl_c() => {
                break format!("{left} records are still pending. The server goes on delivering them.");
            }
        }
        let now_left = undelivered(store, filter).await?;
        in_vain = if now_left == left { in_vain + 1 } else { 0 };
        left = now_left;
        // What changes meanwhile is pending as well.
        bar.set_length(total.max(left));
        bar.set_position(total.saturating_sub(left));
        let Some(summary) = store.destination(Zoho::NAME).await? else { break String::new() };
        if let Some(pause) = &summary.pause {
            let lines = pause_lines(&PauseView::from(pause.clone()));
            break format!("{left} records are still pending. {lines}");
        }
        if in_vain >= LOOKS_IN_VAIN && summary.slow_reason.is_none() {
            break format!(
                "{left} records are still pending, and none was delivered for half a minute. Does a server run \
                 (backend-sync serve), and what does its log say?"
            );
        }
        bar.set_message(message(&summary));
    };
    bar.finish_and_clear();
    print(end)
}

fn message(summary: &DestinationSummary) -> String {
    let done = summary.done_at.map(|time| format!(" It is expected to have caught up at {}.", time.to_rfc3339()));
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

/// Hidden when nobody watches.
fn progress_bar(total: u64, what: &'static str) -> ProgressBar {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(total), target);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {rate} {eta} {msg}");
    if let Ok(style) = style {
        // The library would show four decimals.
        let rate = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let _ = write!(text, "{:.0}/s", state.per_sec());
        };
        bar.set_style(style.with_key("rate", rate));
    }
    bar.set_message(what);
    let _ = std::io::stdout().flush();
    bar
}
