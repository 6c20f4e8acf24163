//! `backend-sync copy-database`

mod progress;

use std::{io::Write, time::Instant};

use self::progress::Progress;
use super::{CliError, counted, print};
use crate::{
    config::Config,
    store::{
        DatabaseUrl,
        copy::{CopiedTable, copy_database},
    },
};

/// Rows per transaction: enough that the commit costs nothing, and few enough that an interruption costs a second.
const STEP_ROWS: u32 = 20_000;

#[derive(Debug, clap::Args)]
pub(super) struct CopyArguments {
    /// The source database: sqlite://PATH
    #[arg(long, value_name = "URL")]
    from: DatabaseUrl,
    /// The destination database, which must be empty: postgres://USER:PASSWORD@HOST:PORT/NAME
    #[arg(long, value_name = "URL")]
    to: DatabaseUrl,
    /// Rows per transaction, which is also the most that an interruption costs
    #[arg(long, value_name = "NUMBER", default_value_t = STEP_ROWS, value_parser = clap::value_parser!(u32).range(1..))]
    step_rows: u32,
}

pub(super) async fn run(config: Config, arguments: CopyArguments) -> Result<(), CliError> {
    let CopyArguments { from, to, step_rows } = arguments;
    let to = to.trusting(&config.authorities);
    let began = Instant::now();
    let tables = copy_database(&from, &to, step_rows, &mut Progress::new()).await?;
    print_tables(&tables)?;
    let differing: Vec<String> =
        tables.iter().filter(|table| !table.is_equal()).map(|table| table.name.clone()).collect();
    if !differing.is_empty() {
        let _ = writeln!(
            std::io::stderr(),
            "\nSomething else wrote to the destination during the copy, so no server starts on it. Find out what it was, drop and \
             recreate the database, and run the command again."
        );
        return Err(CliError::CopyDiffers(differing));
    }
    let rows: u64 = tables.iter().map(|table| table.source.0).sum();
    print(format_args!(
        "\n{} in {}, all equal, in {:.1} s.\n\n\
         Next steps:\n\
         1. Set database_url to the new database in the configuration file (or BACKEND_SYNC_DATABASE_URL in the environment).\n\
         2. Start the server: backend-sync serve. It continues where the old one stopped; tokens and addresses stay the same.\n\
         3. Keep {from} until you have a backup of the new database. Never start a server on it again: events that it\n   \
            receives would be missing from the new database.",
        counted(rows, "row"),
        counted(tables.len() as u64, "table"),
        began.elapsed().as_secs_f64()
    ))
}

fn print_tables(tables: &[CopiedTable]) -> Result<(), CliError> {
    /// Digits of a checksum to show: as many as a person can compare.
    const DIGITS: usize = 16;
    let short = |checksum: &str| checksum.get(..DIGITS).unwrap_or_default().to_owned();
    let width = tables.iter().map(|table| table.name.len()).max().unwrap_or(0);
    print(format_args!("{:<width$}  {:>12}  {:<DIGITS$}", "table", "rows", "checksum"))?;
    for CopiedTable { name, source, destination } in tables {
        let (rows, checksum) = (source.0, short(&source.1));
        if source == destination {
            print(format_args!("{name:<width$}  {rows:>12}  {checksum}  equal"))?;
            continue;
        }
        print(format_args!("{name:<width$}  {rows:>12}  {checksum}  in the source"))?;
        let (rows, checksum) = (destination.0, short(&destination.1));
        print(format_args!("{name:<width$}  {rows:>12}  {checksum}  in the destination: DIFFERENT"))?;
    }
    Ok(())
}
