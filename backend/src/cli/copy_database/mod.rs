//! `backend-sync copy-database`

mod progress;

use std::{io::Write, time::Instant};

use self::progress::Progress;
use super::{CliError, print};
use crate::store::{
    DatabaseUrl,
    copy::{CopiedTable, copy_database},
};

/// Rows of one transaction: so many that its commit costs nothing, so few that an interruption costs a second.
const STEP_ROWS: u32 = 20_000;

#[derive(Debug, clap::Args)]
pub(super) struct CopyArguments {
    /// The database that is copied: sqlite://PATH
    #[arg(long, value_name = "URL")]
    from: DatabaseUrl,
    /// The database that becomes the copy: postgres://USER:PASSWORD@HOST:PORT/NAME
    #[arg(long, value_name = "URL")]
    to: DatabaseUrl,
    /// Rows that are written in one transaction; what an interruption costs at most
    #[arg(long, value_name = "NUMBER", default_value_t = STEP_ROWS, value_parser = clap::value_parser!(u32).range(1..))]
    step_rows: u32,
}

pub(super) async fn run(arguments: CopyArguments) -> Result<(), CliError> {
    let CopyArguments { from, to, step_rows } = arguments;
    let began = Instant::now();
    let tables = copy_database(&from, &to, step_rows, &mut Progress::new()).await?;
    print_tables(&tables)?;
    let differing: Vec<String> =
        tables.iter().filter(|table| !table.is_equal()).map(|table| table.name.clone()).collect();
    if !differing.is_empty() {
        let _ = writeln!(
            std::io::stderr(),
            "\nSomething else wrote to the destination while it was copied. No server starts on it. Find out what that was, drop the \
             database, create it again, and start anew."
        );
        return Err(CliError::CopyDiffers(differing));
    }
    let rows: u64 = tables.iter().map(|table| table.source.0).sum();
    print(format_args!(
        "\n{rows} rows in {} tables, all equal, in {:.1} s.\n\n\
         What to do next:\n\
         1. Set database_url to the new database in the configuration file (or BACKEND_SYNC_DATABASE_URL in the environment).\n\
         2. Start the server: backend-sync serve. It goes on where the old one stopped; tokens and addresses stay the same.\n\
         3. Keep {from} until you have a backup of the new database. No server may be started on it again: what is sent\n   \
            to that one is missing in the other.",
        tables.len(),
        began.elapsed().as_secs_f64()
    ))
}

fn print_tables(tables: &[CopiedTable]) -> Result<(), CliError> {
    /// As many digits of a checksum as one can compare.
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
