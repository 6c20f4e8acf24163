//! Copying a whole database from SQLite to PostgreSQL: every table, in steps that survive a `kill -9`, with a proof.
//!
//! First the source is locked, and its rows are counted and summed; the sums also identify the source. Then the tables
//! are copied, those first that others reference. Then the destination is read back and must have the same sums: each
//! row is compared as a line of PostgreSQL's COPY.
//!
//! Tables and columns are read from the databases, so a migration that adds some needs no change here.

mod destination;
mod error;
mod line;
mod source;
mod sum;

pub use error::CopyError;
pub(in crate::store) use source::{CopySource, quoted};

use self::{
    destination::{CopyDestination, CopyProgress},
    line::Type,
    source::SourceTable,
    sum::Sum,
};
use super::DatabaseUrl;

/// The stage of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Counting and summing the source.
    Reading,
    /// Writing to the destination.
    Copying,
    /// Reading the destination back.
    Verifying,
}

/// Observes a copy's progress.
pub trait Watch {
    /// A stage of `rows` rows begins; `done` of them were done earlier.
    fn begin(&mut self, stage: Stage, rows: u64, done: u64);
    /// Another `rows` rows of a table are done.
    fn advance(&mut self, table: &str, rows: u64);
    /// The stage has ended.
    fn end(&mut self);
}

/// A table in both databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedTable {
    /// The table's name.
    pub name: String,
    /// Rows and checksum in the source.
    pub source: (u64, String),
    /// Rows and checksum in the destination.
    pub destination: (u64, String),
}

impl CopiedTable {
    /// Whether the destination holds the same rows as the source.
    pub fn is_equal(&self) -> bool {
        self.source == self.destination
    }
}

/// Copies all tables, or resumes an interrupted copy, `step_rows` rows per transaction. Then compares both databases
/// and returns the result. Unless everything is equal, the destination stays marked as unfinished.
pub async fn copy_database(
    from: &DatabaseUrl,
    to: &DatabaseUrl,
    step_rows: u32,
    watch: &mut impl Watch,
) -> Result<Vec<CopiedTable>, CopyError> {
    let (Some(path), None) = (from.sqlite_path(), to.sqlite_path()) else { return Err(CopyError::Kinds) };
    let mut source = CopySource::open(&path).await?;
    source.check_version().await?;
    let mut destination = CopyDestination::open(to).await?;
    let copied = copy(&mut source, &mut destination, step_rows, watch).await;
    destination.close().await;
    source.close().await?;
    copied
}

async fn copy(
    source: &mut CopySource,
    destination: &mut CopyDestination,
    step_rows: u32,
    watch: &mut impl Watch,
) -> Result<Vec<CopiedTable>, CopyError> {
    let tables = source.tables().await?;
    let resumed = destination.is_begun().await?;
    if !resumed {
        destination.prepare(&tables).await?;
    }
    let mut types = Vec::new();
    for table in &tables {
        types.push(destination.types(table).await?);
    }
    let sums = sum_up(source, &tables, &types, watch).await?;
    if !resumed {
        destination.begin(&sums).await?;
    }
    let places = destination.places(&sums).await?;
    let (total, done) = (total(&sums), places.iter().map(|place| place.copied).sum());
    watch.begin(Stage::Copying, total, done);
    for ((table, sum), (types, place)) in sums.iter().zip(types.iter().zip(places)) {
        copy_table(source, destination, (table, sum, types), place, step_rows, watch).await?;
    }
    watch.end();
    let compared = compare(destination, &sums, watch).await?;
    if compared.iter().all(CopiedTable::is_equal) {
        destination.finish(&tables).await?;
    }
    Ok(compared)
}

async fn sum_up(
    source: &mut CopySource,
    tables: &[SourceTable],
    types: &[Vec<Type>],
    watch: &mut impl Watch,
) -> Result<Vec<(SourceTable, Sum)>, CopyError> {
    let mut rows = 0;
    for table in tables {
        rows += source.count(table).await?;
    }
    watch.begin(Stage::Reading, rows, 0);
    let mut sums = Vec::new();
    for (table, types) in tables.iter().zip(types) {
        let sum = source.sum(table, types, |rows| watch.advance(&table.name, rows)).await?;
        sums.push((table.clone(), sum));
    }
    watch.end();
    Ok(sums)
}

async fn copy_table(
    source: &mut CopySource,
    destination: &mut CopyDestination,
    (table, sum, types): (&SourceTable, &Sum, &[Type]),
    place: CopyProgress,
    step_rows: u32,
    watch: &mut impl Watch,
) -> Result<(), CopyError> {
    let mut copied = place.copied;
    let mut rows = source.rows(table, place.after);
    while copied < sum.rows {
        let step = destination.copy(table, types, &mut rows, step_rows).await?;
        if step == 0 {
            break;
        }
        copied += step;
        watch.advance(&table.name, step);
    }
    drop(rows);
    let highest = source.highest_id(table).await?;
    destination.complete(table, highest).await
}

async fn compare(
    destination: &mut CopyDestination,
    sums: &[(SourceTable, Sum)],
    watch: &mut impl Watch,
) -> Result<Vec<CopiedTable>, CopyError> {
    watch.begin(Stage::Verifying, total(sums), 0);
    let mut compared = Vec::new();
    for (table, expected) in sums {
        let found = destination.sum(table, |rows| watch.advance(&table.name, rows)).await?;
        compared.push(CopiedTable {
            name: table.name.clone(),
            source: (expected.rows, expected.checksum()),
            destination: (found.rows, found.checksum()),
        });
    }
    watch.end();
    Ok(compared)
}

fn total(sums: &[(SourceTable, Sum)]) -> u64 {
    sums.iter().map(|(_, sum)| sum.rows).sum()
}
