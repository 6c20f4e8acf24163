//! Why a database is not copied, in words that say what to do.

use std::path::PathBuf;

use sea_orm::sqlx;

use crate::store::StoreError;

/// A copy that cannot begin, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The databases are not of the kinds that can be copied.
    #[error(
        "it copies from sqlite://… to postgres://… and nothing else; copy SQLite to SQLite as files, and PostgreSQL with pg_dump"
    )]
    Kinds,
    /// There is no such file.
    #[error("there is no database {}", .0.display())]
    NoSource(PathBuf),
    /// Somebody has the source open.
    #[error("{} is in use: stop the server (and whatever else has it open), and start again", .0.display())]
    SourceInUse(PathBuf),
    /// The source's migrations are not ours.
    #[error("the source has not the tables of this version: first run this version's backend-sync migrate on it")]
    SourceOlder,
    /// The source is of a version that we do not know.
    #[error("the source belongs to a newer version of backend-sync: copy it with that")]
    SourceNewer,
    /// There is something in the destination already.
    #[error("the destination is not empty (table {0}): give a new database, or drop this one and create it again")]
    DestinationNotEmpty(String),
    /// Another process copies to the same destination.
    #[error("another backend-sync copy-database is at work on this destination")]
    DestinationBusy,
    /// The copy that was begun in the destination is of something else.
    #[error(
        "the destination holds a part of another database, or of this one before it changed (in {}): \
         drop it, create it again, and start anew", .0.join(", ")
    )]
    OtherSource(Vec<String>),
    /// The copy in the destination was begun by another version.
    #[error(
        "the destination holds a copy begun by another version of backend-sync: drop it, create it again, and start anew"
    )]
    OtherVersion,
    /// A table differs by more than its rows.
    #[error("table {table} cannot be copied: {why}")]
    Table {
        /// Its name.
        table: String,
        /// Why not.
        why: String,
    },
    /// The source.
    #[error("reading the source: {0}")]
    Source(#[source] sqlx::Error),
    /// The destination.
    #[error("the destination: {0}")]
    Destination(#[source] sqlx::Error),
    /// Either, while it is opened or set up.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CopyError {
    pub(super) fn table(table: &str, why: impl Into<String>) -> Self {
        Self::Table { table: table.to_owned(), why: why.into() }
    }
}
