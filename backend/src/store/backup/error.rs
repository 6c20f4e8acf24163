//! Why a backup is not made or not restored, and what to do.

use std::path::PathBuf;

use sea_orm::sqlx;

use crate::{secret::hidden, store::StoreError};

/// Why a backup cannot be made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file exists.
    #[error("{} exists; a backup never overwrites a file", .0.display())]
    Exists(PathBuf),
    /// There is no database.
    #[error("there is no database {}", .0.display())]
    NoDatabase(PathBuf),
    /// The file cannot be written.
    #[error("cannot write {}: {}", .0.display(), .1)]
    Write(PathBuf, std::io::Error),
    /// The file cannot be read.
    #[error("cannot read {}: {}", .0.display(), .1)]
    Read(PathBuf, std::io::Error),
    /// The file is no backup, or only a part of one.
    #[error("{} is no backup of backend-sync, or not a complete one", .0.display())]
    NoBackup(PathBuf),
    /// The backup is of the other kind of database.
    #[error("this is a backup of a {0} database, and database_url names one of the other kind")]
    Kind(&'static str),
    /// A later version made it.
    #[error(
        "version {0} of backend-sync made this backup, with tables that this version does not know: restore it with \
         that version"
    )]
    Newer(String),
    /// The file is damaged.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    /// There is a database where it should go.
    #[error("there is a database already at {0}; --replace puts the backup in its place")]
    Occupied(String),
    /// Another process has the database open.
    #[error("{0} is in use: stop the server (and anything else that has it open), then retry")]
    InUse(String),
    /// The place has tables that the backup does not replace.
    #[error("the database has the table {0}, which is not in the backup: restore into a new database")]
    OtherTable(String),
    /// The tables of the backup belong into another schema.
    #[error(
        "the backup's tables are in the schema {backup}, but search_path leads to {here}: create that schema, and set search_path \
         to it"
    )]
    Schema {
        /// Where they were.
        backup: String,
        /// Where they would be.
        here: String,
    },
    /// A program of PostgreSQL is missing.
    #[error(
        "{0} is not found: install PostgreSQL's client programs, of at least the server's version (Debian's package \
         postgresql-client)"
    )]
    NoProgram(&'static str),
    /// A program of PostgreSQL failed.
    #[error("{} failed: {}", .0, hidden(.1))]
    Program(&'static str, String),
    /// Another failure of the operating system.
    #[error("the operating system: {0}")]
    Io(#[from] std::io::Error),
    /// A statement of our own failed.
    #[error("the database: {}", hidden(.0))]
    Sql(#[from] sqlx::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
