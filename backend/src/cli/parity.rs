//! `backend-sync parity …`

use clap::Subcommand;
use poem_openapi::types::ToJSON;

use super::{CliError, counted, open, print};
use crate::{clock::Clock, config::Config, store::Store, views::ParityView};

#[derive(Debug, Subcommand)]
pub(super) enum ParityCommand {
    /// Show the last comparison of each kind of each site; fails if one of them differs
    ///
    /// Moodle's plugin compares every night, after a restore, and when somebody asks for it on its status page.
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(config: Config, command: ParityCommand, clock: &Clock) -> Result<(), CliError> {
    let store = open(&config, clock).await?;
    let result = match command {
        ParityCommand::Show { json } => show(&store, json).await,
    };
    store.close().await;
    result
}

async fn show(store: &Store, json: bool) -> Result<(), CliError> {
    let found = ParityView::read(store).await?;
    if json {
        print(found.to_json_string())?;
    } else {
        print_table(&found)?;
    }
    match found.iter().filter(|view| !view.equal).count() {
        0 => Ok(()),
        broken => Err(CliError::Differs(counted(broken as u64, "comparison"))),
    }
}

fn print_table(found: &[ParityView]) -> Result<(), CliError> {
    if found.is_empty() {
        return print(
            "Nothing was compared yet. Moodle's plugin does it every night; a button on its status page, now.",
        );
    }
    for view in found {
        print(format_args!(
            "{:<16} {:<11} Moodle {:>9}, backend {:>9}, digest {}",
            view.site,
            view.kind.as_str(),
            view.moodle_records,
            view.backend_records,
            view.digest
        ))?;
        print(format_args!("    {}", view.sentence))?;
    }
    Ok(())
}
