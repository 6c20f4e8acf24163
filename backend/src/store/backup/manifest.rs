//! What a backup holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use backend_sync_migration::{Migrator, MigratorTrait};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::BackupError;
use crate::clock::Timestamp;

/// What stands before the manifest.
const MARK: &str = "\nbackend-sync-backup ";

/// Bytes at the end of a backup among which its manifest begins: a hundred times what it has.
const MANIFEST_BYTES: u64 = 256 * 1024;

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version that made it.
    pub version: String,
    /// When, in Unix milliseconds.
    pub made_at: i64,
    /// The life of the database.
    pub incarnation: String,
    /// Its event counter.
    pub position: i64,
    /// The migrations that were applied.
    pub migrations: BTreeSet<String>,
    /// The rows of each table.
    pub tables: BTreeMap<String, u64>,
    /// The schema of the tables, on PostgreSQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// SHA-256 of all that stands before the manifest in the file.
    pub sha256: String,
    /// The bytes of that.
    #[serde(skip)]
    pub bytes: u64,
}

impl Manifest {
    /// The time at which it was made.
    pub fn made(&self) -> Timestamp {
        Timestamp(self.made_at)
    }

    /// The rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.values().sum()
    }

    /// Fails if this version does not know all migrations.
    pub(super) fn check(&self) -> Result<(), BackupError> {
        let ours: BTreeSet<String> = Migrator::migrations().iter().map(|found| found.name().to_owned()).collect();
        if self.migrations.is_subset(&ours) { Ok(()) } else { Err(BackupError::Newer(self.version.clone())) }
    }

    /// Writes it behind the end of a file.
    pub(super) fn append(&self, path: &Path) -> Result<(), std::io::Error> {
        let mut file = File::options().append(true).open(path)?;
        file.write_all(format!("{MARK}{}\n", serde_json::to_string(self)?).as_bytes())
    }

    /// Reads that of a backup, and whether what stands before is what was written.
    pub(super) fn read(path: &Path) -> Result<Self, BackupError> {
        let cannot = |error| BackupError::Read(path.to_owned(), error);
        let no_backup = || BackupError::NoBackup(path.to_owned());
        let mut file = File::open(path).map_err(cannot)?;
        let from = file.metadata().map_err(cannot)?.len().saturating_sub(MANIFEST_BYTES);
        let mut ending = Vec::new();
        file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut ending)).map_err(cannot)?;
        let place = ending.windows(MARK.len()).rposition(|bytes| bytes == MARK.as_bytes()).ok_or_else(no_backup)?;
        let text = ending.get(place + MARK.len()..).unwrap_or_default();
        let manifest: Self = serde_json::from_slice(text).map_err(|_| no_backup())?;
        file.seek(SeekFrom::Start(0)).map_err(cannot)?;
        let bytes = from + place as u64;
        if checksum_of(file.take(bytes)).map_err(cannot)? != manifest.sha256 {
            return Err(BackupError::Damaged("its checksum is another one".to_owned()));
        }
        Ok(Self { bytes, ..manifest })
    }
}

/// The SHA-256 of a file.
pub(super) fn checksum(path: &Path) -> Result<String, std::io::Error> {
    checksum_of(File::open(path)?)
}

fn checksum_of(from: impl Read) -> Result<String, std::io::Error> {
    let mut hash = Sha256::new();
    pump(from, |bytes| {
        hash.update(bytes);
        Ok(())
    })?;
    Ok(hex::encode(hash.finalize()))
}

/// Hands over all that can be read, in pieces.
pub(super) fn pump(
    mut from: impl Read,
    mut to: impl FnMut(&[u8]) -> Result<(), std::io::Error>,
) -> Result<(), std::io::Error> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk)? {
            0 => return Ok(()),
            count => to(chunk.get(..count).unwrap_or_default())?,
        }
    }
}
