//! `backend-sync zoho …`

mod check;
mod connect;
pub(super) mod setup;
mod suggest;

use std::path::PathBuf;

use clap::Subcommand;

use super::{CliError, print};
use crate::{
    clock::Clock,
    config::{self, Config, ConfigError},
    http::Http,
    live::LiveError,
    zoho::{client::Client, mapping::Mapping},
};

#[derive(Debug, Subcommand)]
pub(super) enum ZohoCommand {
    /// Get credentials for Zoho CRM, step by step, and print the section [zoho] of the configuration
    Connect(connect::ConnectArguments),
    /// Check credentials, scopes, permissions, modules, and each field of the mapping against the organisation
    Check {
        /// Also write a made-up record to each module, read it back, change, find and delete it, and compare each field
        #[arg(long)]
        deep: bool,
    },
    /// Show the modules and fields that Zoho lacks for the mapping, and create them
    Setup {
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Print the default mapping, as a file to start from
    Mapping {
        /// Check this file instead
        #[arg(long, value_name = "FILE")]
        check: Option<PathBuf>,
        /// Print lines for the custom fields that have arrived from Moodle, by comparing their names and values with the
        /// organisation's fields
        #[arg(long, conflicts_with = "check")]
        suggest: bool,
    },
}

pub(super) async fn run(
    load: impl FnOnce() -> Result<Config, ConfigError>,
    command: ZohoCommand,
    clock: &Clock,
) -> Result<(), CliError> {
    match command {
        ZohoCommand::Connect(arguments) => {
            // Without a usable configuration too: this command makes one.
            let authorities = load().map(|config| config.authorities).unwrap_or_default();
            connect::run(arguments, authorities, clock).await
        }
        ZohoCommand::Check { deep } => {
            let config = load()?;
            check::run(&config, &section(&config)?, deep, clock).await
        }
        ZohoCommand::Setup { yes } => {
            let config = load()?;
            setup::run(&config, &section(&config)?, yes, clock).await
        }
        ZohoCommand::Mapping { suggest: true, .. } => {
            let config = load()?;
            suggest::run(&config, &section(&config)?, clock).await
        }
        ZohoCommand::Mapping { check: None, .. } => print(Mapping::DEFAULT.trim_end()),
        ZohoCommand::Mapping { check: Some(file), .. } => check_mapping(&file),
    }
}

fn section(config: &Config) -> Result<config::Zoho, CliError> {
    config.zoho.clone().ok_or_else(|| {
        CliError::Usage(
            "the configuration has no section [zoho]; backend-sync zoho connect helps to fill it in".to_owned(),
        )
    })
}

/// A client for one command. It needs no database, so it works before the first start of the server.
pub(super) fn client(config: &config::Zoho, clock: &Clock) -> Result<Client, CliError> {
    Ok(Client::new(
        config,
        Http::new(&config.authorities).map_err(LiveError::from)?,
        None,
        clock.clone(),
        getrandom::fill,
    ))
}

fn check_mapping(path: &std::path::Path) -> Result<(), CliError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| LiveError::MappingFile { file: file.clone(), error })?;
    Mapping::parse(&text).map_err(|error| LiveError::Mapping { file: file.clone(), error })?;
    print(format_args!("{file} is valid. backend-sync zoho check compares it with your organisation."))
}
