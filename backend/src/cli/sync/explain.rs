//! `backend-sync sync explain`

use poem_openapi::types::{Any, ToJSON};
use serde_json::Value;

use super::{RecordArgument, need_destination, plan};
use crate::{
    cli::{CliError, print},
    clock::Clock,
    config::Config,
    live,
    model::ItemState,
    store::Store,
    views::{EdgeView, Explanation, FieldOutcome, FieldView, RecordExplanation, Relation, Renderer, StepView},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ExplainArguments {
    /// The record: kind:site:id, as in grade:college:3
    record: RecordArgument,
    /// Ask Zoho too, which costs a few API credits: what fits its fields, and what the record there would change to
    #[arg(long)]
    live: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    config: &Config,
    store: &Store,
    arguments: ExplainArguments,
    clock: &Clock,
) -> Result<(), CliError> {
    let settings = config.zoho.as_ref().ok_or_else(|| CliError::Usage(super::how_to_begin(config).to_owned()))?;
    need_destination(config, store).await?;
    let zoho = live::zoho(config, settings, store, clock)?;
    let ExplainArguments { record, live, json } = arguments;
    let key = record.key(store).await?;
    let found = RecordExplanation::read(&zoho, store, key, clock.now(), live).await.map_err(plan::failed)?;
    let RecordArgument { kind, id } = record;
    let found = found.ok_or_else(|| CliError::Usage(format!("there is no {kind} {id}")))?;
    let explanation = Explanation::new(&Renderer::new(store).await?, found);
    match json {
        true => print(explanation.to_json_string()),
        false => print_explanation(&explanation),
    }
}

fn print_explanation(found: &Explanation) -> Result<(), CliError> {
    let item = &found.item;
    print(format_args!("{} {}: {}", item.kind, item.record, item.state))?;
    print(&found.sentence)?;
    for obstacle in found.obstacles.iter().skip(1) {
        print(format_args!("And: {}", obstacle.words))?;
    }
    print("\nThe decision, as a delivery makes it now:")?;
    for StepView { rule, verdict, words } in &found.steps {
        print(format_args!("    {verdict:<9} {rule:<15} {words}"))?;
    }
    let action = match &found.action {
        Some(action) => action.clone(),
        None if item.state == ItemState::Synced => "nothing, unless the mapping has changed since".to_owned(),
        None => "update, unless Zoho has the same already".to_owned(),
    };
    let reason = found.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    print(format_args!("    => {action}{reason}"))?;
    print_edges(found)?;
    print_held(found)?;
    print_fields(found)?;
    if let Some(planned) = &found.live {
        print("\nAsked of Zoho just now:")?;
        plan::show_item(planned)?;
    }
    print("Nothing was sent.")
}

fn print_edges(found: &Explanation) -> Result<(), CliError> {
    if found.edges.is_empty() && found.waiting.is_empty() && found.judged_at.is_none() {
        return Ok(());
    }
    print("\nWhat it depends on, and what depends on it:")?;
    for edge in &found.edges {
        print_edge(edge)?;
    }
    if let Some(at) = &found.judged_at {
        print(format_args!("    at {at}: what is written changes by itself then"))?;
    }
    for edge in &found.waiting {
        print_edge(edge)?;
    }
    match found.more_waiting {
        true => print("    More records wait for it."),
        false => Ok(()),
    }
}

fn print_edge(edge: &EdgeView) -> Result<(), CliError> {
    let relation = match (edge.relation, edge.awaited) {
        (Relation::WaitsForThis, _) => "waiting for it:",
        (_, true) => "waits for",
        (Relation::Needs, false) => "needs",
        (Relation::Reads, false) => "reads",
        (Relation::Awaits, false) => "waited for",
    };
    let indent = " ".repeat(4 * edge.depth as usize);
    let state = edge.state.map_or("not reported by Moodle yet", |state| state.as_str());
    let id = edge.remote_id.as_ref().map(|id| format!(", Zoho id {id}")).unwrap_or_default();
    let tried = edge.tried_at.as_ref().map(|at| format!(", last tried at {at}")).unwrap_or_default();
    // What waits for this record says nothing else.
    let reason = edge.reason.as_ref().filter(|_| edge.relation != Relation::WaitsForThis);
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    print(format_args!("{indent}{relation} {} {} ({state}{id}{tried}){reason}", edge.kind, edge.record))
}

fn print_held(found: &Explanation) -> Result<(), CliError> {
    let (item, attempt) = (&found.item, found.last_attempt.as_ref());
    let tried = attempt.map(|attempt| {
        let code = attempt.code.as_ref().map(|code| format!(", {code}")).unwrap_or_default();
        format!("{} {}{code}", attempt.started_at, attempt.outcome)
    });
    print("\nIn Zoho, as far as is known here:")?;
    let lines = [
        ("Zoho id", item.remote_id.clone()),
        ("digest", found.digest.clone()),
        ("last synced", item.synced_at.clone()),
        ("last attempt", tried),
    ];
    if lines.iter().all(|(_, value)| value.is_none()) {
        print("    nothing")?;
    }
    for (name, value) in lines {
        if let Some(value) = value {
            print(format_args!("    {name:<15} {value}"))?;
        }
    }
    Ok(())
}

fn print_fields(found: &Explanation) -> Result<(), CliError> {
    if found.fields.is_empty() {
        return Ok(());
    }
    print("\nThe values, field by field:")?;
    for FieldView { field, source, outcome, value: Any(value), remark } in &found.fields {
        let source = source.as_ref().map(|source| format!("  <- {source}")).unwrap_or_default();
        let value = match (outcome, value) {
            (FieldOutcome::Written | FieldOutcome::Unfitted, Value::Null) => "empty".to_owned(),
            (FieldOutcome::Written | FieldOutcome::Unfitted, value) => value.to_string(),
            (FieldOutcome::Waits, _) => "waits for that record".to_owned(),
            (outcome, _) => outcome.as_str().replace('_', " "),
        };
        print(format_args!("    {field}: {value}{source}"))?;
        if let Some(remark) = remark {
            print(format_args!("        {remark}"))?;
        }
    }
    match found.fitted {
        true => Ok(()),
        false => print("    What fits Zoho's fields is not known here: --live asks Zoho."),
    }
}
