//! `backend-sync restore`

use std::{path::PathBuf, time::Instant};

use super::{CliError, confirm, counted, print};
use crate::{
    clock::Clock,
    config::Config,
    store::backup::{BackupError, Occupied, read_manifest, restore_backup, what_is_there},
};

#[derive(Debug, clap::Args)]
pub(super) struct RestoreArguments {
    /// The file that backend-sync backup wrote
    file: PathBuf,
    /// Replace the database that is there, which is then gone for good
    #[arg(long)]
    replace: bool,
    /// Do not ask before a database is replaced
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(config: Config, arguments: RestoreArguments) -> Result<(), CliError> {
    let (RestoreArguments { file, replace, yes }, url) = (arguments, &config.database_url);
    let began = Instant::now();
    let manifest = read_manifest(url, &file)?;
    let made = manifest.made().to_rfc3339();
    if what_is_there(url, &manifest).await? == Occupied::Database {
        if !replace {
            return Err(BackupError::Occupied(url.to_string()).into());
        }
        let question = format!("Replace the database {url} for good by the backup of {made}?");
        if !confirm(yes, "the database that is there would be gone", &question)? {
            return print("Nothing was changed.");
        }
    }
    restore_backup(url, &file, &manifest, Clock::system().now()).await?;
    print(format_args!(
        "Restored the backup of {made}: {} in {}, all checked, in {:.1} s.\n\n\
         What happened since then is missing. Next steps:\n\
         1. Start the server: backend-sync serve. Readers that follow changes are told to begin again.\n\
         2. The plugin in Moodle notices it within minutes and sends what is missing; at once with Compare now on its page Status.\n\
         3. When that is done: backend-sync sync resync, which also replaces what people entered in fields of the mapping. Until \
            then, a record in Zoho is only written when Moodle reports it.",
        counted(manifest.rows(), "row"),
        counted(manifest.tables.len() as u64, "table"),
        began.elapsed().as_secs_f64()
    ))
}
