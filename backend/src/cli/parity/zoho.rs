//! The half of `backend-sync parity …` that compares with Zoho.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use indicatif::ProgressBar;
use poem_openapi::types::ToJSON;
use serde_json::Value;

use crate::{
    cli::{CliError, confirm, counted, print},
    clock::Clock,
    config::Config,
    delivery::Destination as _,
    limits, live,
    model::{FindingSort, FindingState, Kind},
    store::{FindingDecision, FindingFilter, Store, WatchState},
    views::{DestinationParityView, FindingView, Renderer, decide_all},
    zoho::destination::{Parity, ParityError, ParitySettings, Zoho},
};

/// Who decided.
const BY: &str = "An operator at the command line";

#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Selection {
    /// Only records of this kind: user, course, enrolment, grade or completion
    #[arg(long)]
    kind: Option<Kind>,
    /// Only what differs so: changed, deleted, converted, doubled or surplus
    #[arg(long)]
    sort: Option<FindingSort>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct FindingsArguments {
    #[command(flatten)]
    selection: Selection,
    /// Only this state: open, restoring, left or closed; without it, all but closed ones
    #[arg(long)]
    state: Option<FindingState>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DecisionArguments {
    /// Numbers of the findings
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    numbers: Vec<i64>,
    /// All open findings, or those of a kind or sort
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    selection: Selection,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
}

fn build(config: &Config, store: &Store, clock: &Clock) -> Result<Zoho, CliError> {
    let without = || CliError::Usage("there is no destination: the section [zoho] is missing".to_owned());
    let settings = config.zoho.as_ref().ok_or_else(without)?;
    Ok(live::zoho(config, settings, store, clock)?)
}

fn failed(error: ParityError) -> CliError {
    match error {
        ParityError::Store(error) => error.into(),
        ParityError::Zoho(failure) => CliError::Delivery(failure.to_string()),
    }
}

/// Looks at what others changed since the last look.
pub(super) async fn watch(config: &Config, store: &Store, clock: &Clock) -> Result<(), CliError> {
    let zoho = build(config, store, clock)?;
    let mut state: WatchState = store.watch_state(Zoho::NAME).await?;
    let outcome = zoho.watch(&mut state).await;
    state.ended_at = Some(clock.now().0);
    state.failure = outcome.as_ref().err().map(ToString::to_string);
    store.save_watch(Zoho::NAME, &state).await?;
    outcome.map_err(failed)?;
    let (read, credits) = (counted(state.read, "record"), counted(state.credits, "API credit"));
    print(format_args!("Looked at what others changed in Zoho: {read} read, {credits}."))?;
    print(DestinationParityView::read(store, Zoho::NAME).await?.sentence)
}

/// Compares all records, beside a server or without one.
pub(super) async fn prove(config: &Config, store: &Store, yes: bool, clock: &Clock) -> Result<(), CliError> {
    let zoho = Arc::new(build(config, store, clock)?);
    let credits = zoho.proof_cost().await.map_err(failed)?;
    print(format_args!("Comparing all records costs about {}.", counted(credits, "API credit")))?;
    if !confirm(yes, "this costs API credits", "Compare now?")? {
        return print("Nothing was compared.");
    }
    let since = clock.now();
    store.want_proof(Zoho::NAME, since).await?;
    let settings = ParitySettings { watch: None, proof_hour: None };
    let parity = Parity { zoho, store: store.clone(), settings, clock: clock.clone() };
    let bar = ProgressBar::new(credits);
    loop {
        parity.round().await?;
        let state = store.proof_state(Zoho::NAME).await?;
        bar.set_position(state.credits.min(credits));
        if let (true, Some(failure)) = (state.runs(), &state.failure) {
            bar.abandon();
            return Err(CliError::Delivery(format!("{failure} The comparison goes on when that is over.")));
        }
        if state.ended_at.is_some_and(|at| at >= since.0) {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    bar.finish_and_clear();
    let view = DestinationParityView::read(store, Zoho::NAME).await?;
    table(&view)?;
    let differing: u64 = view.kinds.iter().map(|kind| kind.differing).sum();
    if differing == 0 { Ok(()) } else { Err(CliError::Differs(counted(differing, "record"))) }
}

/// How often to see how far a comparison has come that another process makes.
const POLL: Duration = Duration::from_millis(500);

/// Prints what Zoho has, by kind.
pub(super) fn table(view: &DestinationParityView) -> Result<(), CliError> {
    for kind in view.kinds.iter().filter(|kind| kind.equal + kind.differing + kind.left + kind.passed_over > 0) {
        print(format_args!(
            "{:<16} {:<11} equal {:>9}, differing {:>6}, left {:>6}, not compared {:>6}",
            view.destination,
            kind.kind.as_str(),
            kind.equal,
            kind.differing,
            kind.left,
            kind.passed_over
        ))?;
    }
    print(format_args!("    {}", view.sentence))?;
    view.failure.as_ref().map_or(Ok(()), |failure| print(format_args!("    {failure}")))
}

pub(super) async fn list(store: &Store, arguments: FindingsArguments, clock: &Clock) -> Result<(), CliError> {
    let renderer = Renderer::new(store).await?;
    let FindingsArguments { selection, state, json } = arguments;
    let filter = FindingFilter { state, sort: selection.sort, kind: selection.kind, ..Default::default() };
    let (mut before, mut found) = (None, 0);
    loop {
        let limit = u64::from(limits::PAGE_ROWS_DEFAULT);
        let rows = store.findings(Zoho::NAME, filter, before, limit).await?;
        found += rows.len() as u64;
        for finding in &rows {
            let view = FindingView::new(&renderer, finding, clock.now());
            if json { print(view.to_json_string())? } else { show(&view)? }
        }
        before = rows.last().map(|finding| finding.id);
        if (rows.len() as u64) < limit {
            break;
        }
    }
    if json { Ok(()) } else { print(format_args!("{}.", counted(found, "finding"))) }
}

fn show(view: &FindingView) -> Result<(), CliError> {
    let record = view.record.as_deref().unwrap_or("(none)");
    let FindingView { number, sort, state, kind, remote_id, sentence, .. } = view;
    let (sort, state) = (sort.as_str(), state.as_str());
    print(format_args!("{number:>6}  {sort:<9} {state:<9}  {kind} {record}, Zoho id {remote_id}  {sentence}"))?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for field in &view.fields {
        print(format_args!(
            "            {}: {} in Zoho, {} by the mapping",
            field.field,
            text(&field.there.0),
            text(&field.here.0)
        ))?;
    }
    Ok(())
}

pub(super) async fn decide(
    store: &Store,
    decision: FindingDecision,
    arguments: DecisionArguments,
    clock: &Clock,
) -> Result<(), CliError> {
    let consequence = match decision {
        FindingDecision::Restore => "this changes records in Zoho",
        FindingDecision::Leave => "this leaves records in Zoho as they are",
        FindingDecision::Withdraw => "what was left as it is in Zoho waits for a decision again",
    };
    if !confirm(arguments.yes, consequence, "Go ahead?")? {
        return print("Nothing was changed.");
    }
    let (mut decided, mut refusals) = (0, BTreeSet::new());
    if arguments.all {
        let Selection { kind, sort } = arguments.selection;
        let filter = FindingFilter { kind, sort, ..Default::default() };
        decided = decide_all(store, Zoho::NAME, filter, None, (decision, BY), clock).await?;
    }
    for number in arguments.numbers {
        match store.decide_finding(Zoho::NAME, number, (decision, BY), clock.now()).await? {
            Ok(_) => decided += 1,
            Err(refusal) => _ = refusals.insert(format!("finding {number}: {refusal}")),
        }
    }
    print(format_args!("{} decided.", counted(decided, "finding")))?;
    if refusals.is_empty() { Ok(()) } else { Err(CliError::Usage(refusals.into_iter().collect::<Vec<_>>().join("; "))) }
}
