//! `backend-sync zoho setup`

use super::client;
use crate::{
    app::read_mapping,
    cli::{CliError, ask, print},
    clock::Clock,
    config,
    zoho::{
        client::{Client, RecordAnswer},
        destination::read_modules,
        setup::{SetupStep, plan},
    },
};

pub(super) async fn run(config: &config::Zoho, yes: bool, clock: &Clock) -> Result<(), CliError> {
    let (mapping, client) = (read_mapping(config)?, client(config, clock)?);
    let steps = plan(&mapping, &read_modules(&client, &mapping).await?);
    if steps.is_empty() {
        return print("Zoho has all modules and fields that the mapping needs. For details: backend-sync zoho check");
    }
    print("This is missing in Zoho:")?;
    for step in &steps {
        print(format_args!("  {step}"))?;
    }
    if !yes && !matches!(ask("\nCreate it? [y/N]")?.trim(), "y" | "Y" | "yes") {
        return print("Nothing was changed.");
    }
    let profiles = profiles(&client).await?;
    for (number, step) in steps.iter().enumerate() {
        let entries = create(&client, step, &profiles).await?;
        let refused = entries.iter().filter(|entry| matches!(entry, RecordAnswer::Refused(_))).count();
        let (created, progress) = (entries.len() - refused, format_args!("[{}/{}]", number + 1, steps.len()));
        print(format_args!("{progress} {}: {created} created, {refused} refused", step.module()))?;
        for entry in entries {
            if let RecordAnswer::Refused(refusal) = entry {
                print(format_args!("        refused: {}. {}", refusal.message, refusal.advice))?;
            }
        }
    }
    // What counts is what exists now, even if somebody else created it.
    let missing = plan(&mapping, &read_modules(&client, &mapping).await?);
    if missing.is_empty() {
        return print("Done. backend-sync zoho check compares each field with the mapping.");
    }
    print("Still missing:")?;
    for step in &missing {
        print(format_args!("  {step}"))?;
    }
    Err(CliError::Usage("some of it was not created; fix the reasons above and run the command again".to_owned()))
}

/// The profiles for new modules: those that see contacts.
pub(in crate::cli) async fn profiles(client: &Client) -> Result<Vec<String>, CliError> {
    let modules = client.modules().await?;
    let contacts = modules.iter().find(|module| module.api_name == "Contacts");
    let profiles = contacts.into_iter().chain(&modules).map(|module| &module.profiles).find(|ids| !ids.is_empty());
    profiles
        .cloned()
        .ok_or_else(|| CliError::Usage("Zoho lists no profile for a new module; create the modules by hand".to_owned()))
}

/// Takes one step; returns Zoho's answer for each module or field.
pub(in crate::cli) async fn create(
    client: &Client,
    step: &SetupStep,
    profiles: &[String],
) -> Result<Vec<RecordAnswer>, CliError> {
    let body = step.request_body(profiles);
    Ok(match step {
        SetupStep::CreateModule { .. } => client.create_module(body).await?,
        SetupStep::CreateFields { module, .. } => client.create_fields(module, body).await?,
    })
}
