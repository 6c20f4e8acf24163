//! `backend-sync zoho setup`

use super::client;
use crate::{
    cli::{CliError, confirm, counted, print},
    clock::Clock,
    config::{self, Config},
    live::read_mapping,
    model::Kind,
    store::Store,
    zoho::{
        NAME,
        client::{Client, Creation, MODULE_CREDITS},
        destination::read_modules,
        mapping::Mapping,
        setup::{Obstacle, Room, SetupStep, Survey, obstacles, plan},
    },
};

pub(super) async fn run(config: &Config, zoho: &config::Zoho, yes: bool, clock: &Clock) -> Result<(), CliError> {
    let (mapping, client) = (read_mapping(zoho)?, client(zoho, clock)?);
    let survey = survey(&client, &mapping).await?;
    show_organisation(&survey)?;
    let absent = absent(config).await;
    show_room(&Room::read(&client, &mapping, absent.as_deref().unwrap_or_default()).await?, absent.is_some())?;
    // Everything that cannot be is said here, before the first write.
    let credits = client.limiter().credits().map(|(left, _)| left);
    refuse(&obstacles(&mapping, &survey, credits))?;
    let steps = plan(&mapping, &survey.modules);
    if steps.is_empty() {
        return print("Zoho has all modules and fields that the mapping needs. For details: backend-sync zoho check");
    }
    print("This is missing in Zoho:")?;
    for step in &steps {
        print(format_args!("  {step}"))?;
    }
    let modules = steps.iter().filter(|step| matches!(step, SetupStep::CreateModule { .. })).count();
    if modules > 0 {
        let (credits, profiles) = (modules as u64 * u64::from(MODULE_CREDITS), survey.profiles.len() as u64);
        let credits = counted(credits, "API credit");
        print(format_args!("The modules cost {credits}, and {} can use them.", counted(profiles, "profile")))?;
    }
    if !confirm(yes, "this changes the organisation in Zoho", "\nCreate it?")? {
        return print("Nothing was changed.");
    }
    take(&client, &steps, &survey.profiles).await?;
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

/// Looks at the organisation.
pub(in crate::cli) async fn survey(client: &Client, mapping: &Mapping) -> Result<Survey, CliError> {
    Ok(Survey::read(client, mapping, read_modules(client, mapping).await?).await?)
}

fn show_organisation(survey: &Survey) -> Result<(), CliError> {
    let edition = survey.organisation.edition.as_deref().unwrap_or("unknown");
    print(format_args!("Organisation: {}, edition {edition}.", survey.organisation.name))?;
    for unknown in &survey.unknown {
        print(format_args!("Unknown: {unknown}."))?;
    }
    Ok(())
}

/// Shows the records of each module, and if it is `known`, how many come.
fn show_room(room: &Room, known: bool) -> Result<(), CliError> {
    for (module, records) in &room.modules {
        let coming = if known { format!(", {} come", records.coming) } else { String::new() };
        match records.held {
            Some(held) => print(format_args!("{module}: {} in Zoho{coming}.", counted(held, "record")))?,
            None if known => print(format_args!("{module}: {} come.", counted(records.coming, "record")))?,
            None => {}
        }
    }
    room.warning().map_or(Ok(()), |warning| print(format_args!("Not enough room. {warning}")))
}

/// The records that would be created; `None` if there is no database yet.
async fn absent(config: &Config) -> Option<Vec<(Kind, u64)>> {
    // Connecting would create a missing file.
    if config.database_url.sqlite_path().is_some_and(|path| !path.exists()) {
        return None;
    }
    let store = Store::connect(&config.database_url).await.ok()?;
    let absent = match store.missing_migrations().await {
        Ok(0) => store.absent(NAME).await.ok(),
        _ => None,
    };
    store.close().await;
    absent
}

fn refuse(obstacles: &[Obstacle]) -> Result<(), CliError> {
    if obstacles.is_empty() {
        return Ok(());
    }
    print("\nThe organisation cannot have what the mapping needs:")?;
    for Obstacle { place, problem, advice } in obstacles {
        print(format_args!("  {place}: {problem}\n      {advice}"))?;
    }
    Err(CliError::Usage("nothing was changed in Zoho; see above what to do, then run the command again".to_owned()))
}

/// Takes the steps. A module that is refused ends it: modules come first, so that nothing was created then.
async fn take(client: &Client, steps: &[SetupStep], profiles: &[String]) -> Result<(), CliError> {
    for (number, step) in steps.iter().enumerate() {
        let progress = format!("[{}/{}] {}", number + 1, steps.len(), step.module());
        let entries = match create(client, step, profiles).await {
            Ok(entries) => entries,
            Err(error) => {
                print(format_args!("{progress}: failed. Run the command again: it goes on from what is there then."))?;
                return Err(error);
            }
        };
        let refused = entries.iter().filter(|entry| matches!(entry, Creation::Refused(_))).count();
        print(format_args!("{progress}: {} created, {refused} refused", entries.len() - refused))?;
        for entry in &entries {
            if let Creation::Refused(refusal) = entry {
                print(format_args!("        Zoho says {refusal}\n        {}", advice(step, refusal)))?;
            }
        }
        if refused > 0 && matches!(step, SetupStep::CreateModule { .. }) {
            break;
        }
    }
    Ok(())
}

fn advice(step: &SetupStep, refusal: &crate::zoho::client::SettingsRefusal) -> String {
    let plain: String = step.module().chars().filter(char::is_ascii_alphanumeric).collect();
    match step {
        SetupStep::CreateModule { module, .. } if refusal.concerns("api_name") && plain != *module => format!(
            "Some organisations take letters and digits only: write module = \"{plain}\" instead of \"{module}\" in the mapping file."
        ),
        _ => refusal.advice().to_owned(),
    }
}

/// Takes one step; returns Zoho's answer for each module or field. A module whose labels are refused is tried again with
/// plainer ones.
pub(in crate::cli) async fn create(
    client: &Client,
    step: &SetupStep,
    profiles: &[String],
) -> Result<Vec<Creation>, CliError> {
    let body = step.request_body(profiles);
    let SetupStep::CreateModule { .. } = step else { return Ok(client.create_fields(step.module(), body).await?) };
    let first = client.create_module(body).await?;
    let of_labels = matches!(&first, Creation::Refused(refusal) if refusal.concerns("_label"));
    match step.narrow().filter(|_| of_labels) {
        Some(narrow) => Ok(vec![client.create_module(narrow.request_body(profiles)).await?]),
        None => Ok(vec![first]),
    }
}
