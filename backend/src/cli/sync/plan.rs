//! `backend-sync sync plan`

use poem_openapi::types::{Any, ToJSON};
use serde_json::Value;

use super::{Scope, need_destination};
use crate::{
    cli::{CliError, counted, print},
    clock::Clock,
    config::Config,
    limits, live,
    model::ItemState,
    store::Store,
    views::{PlanError, PlanView, PlannedItem, Subset},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PlanArguments {
    #[command(flatten)]
    scope: Scope,
    /// Compare at most this many records; the cost of the rest is estimated
    #[arg(long, value_name = "N", default_value_t = limits::PAGE_ROWS_DEFAULT)]
    limit: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    config: &Config,
    store: &Store,
    arguments: PlanArguments,
    clock: &Clock,
) -> Result<(), CliError> {
    let settings = config.zoho.as_ref().ok_or_else(|| CliError::Usage(super::how_to_begin(config).to_owned()))?;
    need_destination(config, store).await?;
    let zoho = live::zoho(config, settings, store, clock)?;
    let filter = arguments.scope.filter(store).await?;
    let (kind, site_id, state) = (filter.kind, filter.site_id, Some(ItemState::Pending));
    let subset = Subset { kind, site_id, state, limit: arguments.limit.into() };
    let plan = PlanView::make(&zoho, store, subset).await.map_err(failed)?;
    let plan = plan.with_room(&zoho).await.map_err(failed)?;
    if arguments.json {
        return print(plan.to_json_string());
    }
    print_plan(plan)
}

/// The error of a command whose plan could not be made.
pub(super) fn failed(error: PlanError) -> CliError {
    match error {
        PlanError::Store(error) => error.into(),
        PlanError::Unavailable(reason) => CliError::Delivery(reason),
    }
}

fn print_plan(plan: PlanView) -> Result<(), CliError> {
    if plan.pending == 0 {
        return print("Nothing is pending.");
    }
    for item in &plan.items {
        show_item(item)?;
    }
    let actions: Vec<_> = plan.actions.iter().map(|(action, count)| format!("{count} {action}")).collect();
    let (planned, actions) = (plan.planned, actions.join(", "));
    let planned = counted(planned, "record");
    print(format_args!("\n{planned}: {actions}. Calls: {}, API credits: {}.", plan.calls, plan.credits))?;
    if plan.pending > plan.planned {
        print(format_args!(
            "All {} pending records: about {} and {}, if the rest is like these.",
            plan.pending,
            counted(plan.estimated_calls, "call"),
            counted(plan.estimated_credits, "API credit")
        ))?;
    }
    for module in &plan.room.modules {
        let held =
            module.held.map_or_else(|| "an unknown number of records".to_owned(), |held| counted(held, "record"));
        print(format_args!("{}: {held} in Zoho, {} come.", module.module, module.coming))?;
    }
    if let Some(warning) = &plan.room.warning {
        print(format_args!("Not enough room. {warning}"))?;
    }
    print("Nothing was sent.")
}

pub(super) fn show_item(item: &PlannedItem) -> Result<(), CliError> {
    let id = item.remote_id.as_ref().map(|id| format!("  Zoho id {id}")).unwrap_or_default();
    let reason = item.reason.as_ref().map(|reason| format!("  {reason}")).unwrap_or_default();
    print(format_args!("{:<8} {} {}{id}{reason}", item.action, item.kind, item.record))?;
    for difference in &item.differences {
        let (Any(before), Any(after)) = (&difference.before, &difference.after);
        match before {
            Value::Null => print(format_args!("    {}: {after}", difference.field))?,
            before => print(format_args!("    {}: {before} -> {after}", difference.field))?,
        }
    }
    for remark in &item.remarks {
        print(format_args!("    {}: {}", remark.field, remark.message))?;
    }
    Ok(())
}
