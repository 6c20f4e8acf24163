//! Why a database is not copied, and what to do.

use std::path::PathBuf;

use sea_orm::sqlx;

use crate::{secret::hidden, store::StoreError};

/// Why a copy cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The databases are not of the kinds that can be copied.
    #[error(
        "it only copies from sqlite://… to postgres://…; copy SQLite to SQLite as files, and PostgreSQL with pg_dump"
    )]
    Kinds,
    /// The source file does not exist.
    #[error("there is no database {}", .0.display())]
    NoSource(PathBuf),
    /// Another process has the source open.
    #[error("{} is in use: stop the server (and anything else that has it open), then retry", .0.display())]
    SourceInUse(PathBuf),
    /// The source lacks migrations of this version.
    #[error("the source does not have this version's tables: first run this version's backend-sync migrate on it")]
    SourceOlder,
    /// The source has migrations that this version does not know.
    #[error("the source belongs to a newer version of backend-sync: use that version to copy it")]
    SourceNewer,
    /// The destination already holds data.
    #[error("the destination is not empty (table {0}): use a new database, or drop this one and create it again")]
    DestinationNotEmpty(String),
    /// Another process is copying to the same destination.
    #[error("another backend-sync copy-database is running on this destination")]
    DestinationBusy,
    /// The destination holds an unfinished copy of a different source.
    #[error(
        "the destination holds a part of another database, or of this one before it changed (in {}): \
         drop it, create it again, and start over", .0.join(", ")
    )]
    OtherSource(Vec<String>),
    /// Another version began the copy in the destination.
    #[error(
        "the destination holds a copy begun by another version of backend-sync: drop it, create it again, and start over"
    )]
    OtherVersion,
    /// A table cannot be copied.
    #[error("table {table} cannot be copied: {why}")]
    Table {
        /// The table's name.
        table: String,
        /// The reason.
        why: String,
    },
    /// Reading the source failed.
    #[error("reading the source: {}", hidden(.0))]
    Source(#[source] sqlx::Error),
    /// The destination failed.
    #[error("the destination: {}", hidden(.0))]
    Destination(#[source] sqlx::Error),
    /// Opening or setting up either database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CopyError {
    pub(super) fn table(table: &str, why: impl Into<String>) -> Self {
        Self::Table { table: table.to_owned(), why: why.into() }
    }
}
