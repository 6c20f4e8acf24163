//! `backend-sync sync adoptions …` and `backend-sync sync take-over`

use clap::Subcommand;
use poem_openapi::types::ToJSON;
use serde_json::Value;

use super::{RecordArgument, how_to_begin, need_destination};
use crate::{
    cli::{CliError, confirm, counted, print},
    clock::Clock,
    config::Config,
    delivery::Destination as _,
    limits, live,
    model::{AdoptionState, Kind, RecordId},
    store::{Adoption, AdoptionDecision, AdoptionFilter, Store, TakeOverRefusal},
    views::{AdoptionPreview, AdoptionView, DifferenceView, PlanError, Renderer, TakeOverView},
    zoho::destination::Zoho,
};

/// What a person agrees to.
const CONSEQUENCE: &str = "this changes contacts in Zoho";

/// Who decided, in the reasons of items.
const BY: &str = "An operator at the command line";

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AdoptionsCommand {
    /// List adoptions, newest first: contacts that accounts ask for, and those that were adopted
    List {
        /// Only this state: waiting, approved, refused, adopted or undone
        #[arg(long)]
        state: Option<AdoptionState>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show an adoption, and what a decision would write into the contact, field by field
    Show {
        /// Number of the adoption
        number: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let accounts adopt these contacts, also if this was refused or undone before
    Approve(DecisionArguments),
    /// Say that accounts must not have these contacts
    Refuse(DecisionArguments),
    /// Give contacts the values back that adoptions replaced; their accounts do not get them again
    Undo(DecisionArguments),
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DecisionArguments {
    /// Numbers of the adoptions
    #[arg(required = true)]
    numbers: Vec<i64>,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct TakeOverArguments {
    /// The account that has the contact: site:id, as in college:3
    #[arg(long, value_name = "USER")]
    from: RecordId,
    /// The account of the same person that gets it
    #[arg(long, value_name = "USER")]
    to: RecordId,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
}

fn failed(error: PlanError) -> CliError {
    match error {
        PlanError::Store(error) => error.into(),
        PlanError::Unavailable(reason) => CliError::Delivery(reason),
    }
}

fn zoho(config: &Config, store: &Store, clock: &Clock) -> Result<Zoho, CliError> {
    let settings = config.zoho.as_ref().ok_or_else(|| CliError::Usage(how_to_begin(config).to_owned()))?;
    Ok(live::zoho(config, settings, store, clock)?)
}

pub(super) async fn run(
    config: &Config,
    store: &Store,
    command: AdoptionsCommand,
    clock: &Clock,
) -> Result<(), CliError> {
    need_destination(config, store).await?;
    match command {
        AdoptionsCommand::List { state, json } => list_all(store, state, json).await,
        AdoptionsCommand::Show { number, json } => {
            let preview = preview(config, store, number, clock).await?;
            if json { print(preview.to_json_string()) } else { show(&preview) }
        }
        AdoptionsCommand::Approve(arguments) => {
            decide(config, store, AdoptionDecision::Approve, arguments, clock).await
        }
        AdoptionsCommand::Refuse(arguments) => decide(config, store, AdoptionDecision::Refuse, arguments, clock).await,
        AdoptionsCommand::Undo(arguments) => decide(config, store, AdoptionDecision::Undo, arguments, clock).await,
    }
}

async fn list_all(store: &Store, state: Option<AdoptionState>, json: bool) -> Result<(), CliError> {
    let renderer = Renderer::new(store).await?;
    let filter = AdoptionFilter { state, ..Default::default() };
    let (mut before, mut found) = (None, 0);
    loop {
        let limit = u64::from(limits::PAGE_ROWS_DEFAULT);
        let rows = store.adoptions(Zoho::NAME, filter, before, limit).await?;
        found += rows.len() as u64;
        for adoption in &rows {
            let view = AdoptionView::new(&renderer, adoption);
            if json {
                print(view.to_json_string())?;
            } else {
                print(line(&view))?;
            }
        }
        before = rows.last().map(|adoption| adoption.id);
        if (rows.len() as u64) < limit {
            break;
        }
    }
    if json { Ok(()) } else { print(format_args!("{}.", counted(found, "adoption"))) }
}

fn line(view: &AdoptionView) -> String {
    let by = view.decided_by.as_ref().map(|by| format!(", by {by}")).unwrap_or_default();
    let AdoptionView { number, state, record, remote_id, changed_at, .. } = view;
    format!("{number:>6}  {state:<8}  user {record}, contact {remote_id}, since {changed_at}{by}")
}

async fn find(store: &Store, number: i64) -> Result<Adoption, CliError> {
    let unknown = || CliError::Usage(format!("there is no adoption {number}; see backend-sync sync adoptions list"));
    store.adoption(Zoho::NAME, number).await?.ok_or_else(unknown)
}

async fn preview(config: &Config, store: &Store, number: i64, clock: &Clock) -> Result<AdoptionPreview, CliError> {
    let adoption = find(store, number).await?;
    AdoptionPreview::read(&zoho(config, store, clock)?, store, &adoption).await.map_err(failed)
}

fn show(preview: &AdoptionPreview) -> Result<(), CliError> {
    print(line(&preview.adoption))?;
    let what = match preview.decision {
        AdoptionDecision::Undo => "Undone, the contact would change:",
        _ => "Adopted, the contact would change:",
    };
    show_changes(what, &preview.changes)?;
    for field in &preview.kept {
        print(format_args!("    {field} stays: somebody changed it in Zoho since"))?;
    }
    preview.note.as_ref().map_or(Ok(()), |note| print(format_args!("    {note}")))
}

fn show_changes(what: &str, changes: &[DifferenceView]) -> Result<(), CliError> {
    print(if changes.is_empty() { "Nothing would change in the contact." } else { what })?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for DifferenceView { field, before, after } in changes {
        print(format_args!("    {field}: {} -> {}", text(&before.0), text(&after.0)))?;
    }
    Ok(())
}

async fn decide(
    config: &Config,
    store: &Store,
    decision: AdoptionDecision,
    DecisionArguments { numbers, yes }: DecisionArguments,
    clock: &Clock,
) -> Result<(), CliError> {
    if decision != AdoptionDecision::Refuse && !yes {
        for number in &numbers {
            show(&preview(config, store, *number, clock).await?)?;
        }
        if !confirm(yes, CONSEQUENCE, "Go ahead?")? {
            return print("Nothing was changed.");
        }
    }
    let (mut decided, mut refusals) = (0, Vec::new());
    for number in numbers {
        match store.decide_adoption(Zoho::NAME, number, (decision, BY), clock.now()).await? {
            Ok(_) => decided += 1,
            Err(refusal) => refusals.push(format!("adoption {number}: {refusal}")),
        }
    }
    print(format_args!("{} decided. The next delivery carries it out.", counted(decided, "adoption")))?;
    if refusals.is_empty() { Ok(()) } else { Err(CliError::Usage(refusals.join("; "))) }
}

pub(super) async fn take_over(
    config: &Config,
    store: &Store,
    TakeOverArguments { from, to, yes }: TakeOverArguments,
    clock: &Clock,
) -> Result<(), CliError> {
    need_destination(config, store).await?;
    let old = RecordArgument { kind: Kind::User, id: from }.key(store).await?;
    let new = RecordArgument { kind: Kind::User, id: to }.key(store).await?;
    let refused = |refusal: TakeOverRefusal| CliError::Usage(refusal.to_string());
    let contact = store.may_move_contact(Zoho::NAME, old, new).await?.map_err(refused)?;
    if !yes {
        let zoho = zoho(config, store, clock)?;
        let view = TakeOverView::read(&zoho, store, (old, new), contact).await.map_err(failed)?;
        print(format_args!("The contact {} goes from user {} to user {}.", view.remote_id, view.from, view.to))?;
        show_changes("It would change:", &view.changes)?;
        if let Some(note) = view.note {
            print(format_args!("    {note}"))?;
        }
    }
    if !confirm(yes, CONSEQUENCE, "Take it over?")? {
        return print("Nothing was changed.");
    }
    let contact = store.move_contact(Zoho::NAME, old, new, clock.now()).await?.map_err(refused)?;
    print(format_args!(
        "The next delivery writes the contact {contact}. The same in the other direction takes it back."
    ))
}
