//! Backups of a database while the server runs, and their restore.
//!
//! A backup is one file in the database's own format, so that its own tools read it, too: a SQLite database, or an archive
//! of `pg_dump`. Its manifest says what it holds; a restore checks that before anything is replaced, and begins a new
//! life (see `store::life`).

mod error;
mod libpq;
mod manifest;
mod postgres;
mod sqlite;

use std::{io::Read, path::Path, sync::atomic::AtomicU64};

use tempfile::NamedTempFile;

pub use error::BackupError;
pub use manifest::Manifest;

use super::{
    DatabaseUrl,
    register::{folder_of, sync_folder},
};
use crate::clock::Timestamp;

/// How many bytes are done, and of how many at most; 0 while that is unknown.
#[derive(Debug, Default)]
pub struct BackupProgress {
    /// Bytes that are written.
    pub done: AtomicU64,
    /// About as many as there are.
    pub total: AtomicU64,
}

/// What is at the place of a database that is to be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occupied {
    /// Nothing.
    Nothing,
    /// A database.
    Database,
}

/// Writes a backup to a new file, which is there only once it is complete and on disk.
pub async fn make_backup(
    url: &DatabaseUrl,
    file: &Path,
    now: Timestamp,
    progress: &BackupProgress,
) -> Result<Manifest, BackupError> {
    if file.exists() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let cannot = |error| BackupError::Write(file.to_owned(), error);
    // Readable by its owner alone, as all temporary files of this kind.
    let part = NamedTempFile::new_in(folder_of(file)).map_err(cannot)?;
    let manifest = match url.sqlite_path() {
        Some(path) => sqlite::write(&path, part.path(), now, progress).await?,
        None => postgres::write(url, part.path(), now, progress).await?,
    };
    manifest.append(part.path()).map_err(cannot)?;
    part.as_file().sync_all().map_err(cannot)?;
    part.persist_noclobber(file).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => BackupError::Exists(file.to_owned()),
        _ => cannot(error.error),
    })?;
    sync_folder(file).map_err(cannot)?;
    Ok(manifest)
}

/// Reads a backup's manifest, and whether the backup is for this kind of database and version.
pub fn read_manifest(url: &DatabaseUrl, file: &Path) -> Result<Manifest, BackupError> {
    let mut magic = [0; 6];
    let mut opened = std::fs::File::open(file).map_err(|error| BackupError::Read(file.to_owned(), error))?;
    opened.read_exact(&mut magic).map_err(|_| BackupError::NoBackup(file.to_owned()))?;
    let manifest = match (&magic, url.sqlite_path()) {
        (b"SQLite", Some(_)) | (b"PGDMP\x01", None) => Manifest::read(file)?,
        (b"SQLite", None) => return Err(BackupError::Kind("SQLite")),
        (b"PGDMP\x01", Some(_)) => return Err(BackupError::Kind("PostgreSQL")),
        _ => return Err(BackupError::NoBackup(file.to_owned())),
    };
    manifest.check()?;
    Ok(manifest)
}

/// What is at the place of the database.
pub async fn what_is_there(url: &DatabaseUrl, manifest: &Manifest) -> Result<Occupied, BackupError> {
    match url.sqlite_path() {
        Some(path) => sqlite::what_is_there(&path).await,
        None => postgres::what_is_there(url, manifest).await,
    }
}

/// Restores a backup, in place of what is there, and begins a new life. Until that is complete, nothing is changed.
pub async fn restore_backup(
    url: &DatabaseUrl,
    file: &Path,
    manifest: &Manifest,
    now: Timestamp,
) -> Result<(), BackupError> {
    match url.sqlite_path() {
        Some(path) => sqlite::restore(url, &path, file, manifest, now).await,
        None => postgres::restore(url, file, manifest, now).await,
    }
}
