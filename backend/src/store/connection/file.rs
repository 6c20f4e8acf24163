//! The file of a SQLite database: whether the open file is still the one at its path.
//!
//! SQLite keeps writing to a file that was deleted, moved or replaced, and what it writes would be lost.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::store::fault::Fault;

/// The identities of a database's file and its write-ahead log when they were opened.
pub(in crate::store) struct File {
    database: FileIdentity,
    /// Set once the log exists.
    log: OnceLock<FileIdentity>,
}

/// A path, and the device and inode that it led to.
struct FileIdentity {
    path: PathBuf,
    identity: (u64, u64),
}

impl FileIdentity {
    fn of(path: PathBuf) -> Result<Self, std::io::Error> {
        let identity = identity(&path)?;
        Ok(Self { path, identity })
    }

    fn check(&self) -> Result<(), Fault> {
        match identity(&self.path) {
            Ok(found) if found == self.identity => Ok(()),
            _ => Err(Fault::FileGone(self.path.clone())),
        }
    }
}

fn identity(path: &Path) -> Result<(u64, u64), std::io::Error> {
    let found = std::fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}

impl File {
    /// The file that is at this path now.
    pub(in crate::store) fn new(path: &Path) -> Result<Self, std::io::Error> {
        Ok(Self { database: FileIdentity::of(path.to_owned())?, log: OnceLock::new() })
    }

    /// Call when the database is open: from then on its write-ahead log stays until the last connection is closed.
    pub(in crate::store) fn is_open(&self) -> Result<(), std::io::Error> {
        let log = FileIdentity::of(beside(&self.database.path, "-wal"))?;
        self.log.get_or_init(|| log);
        Ok(())
    }

    /// Whether both are still the files that were opened. Takes microseconds: every transaction checks it.
    pub(in crate::store) fn check(&self) -> Result<(), Fault> {
        self.database.check()?;
        self.log.get().map_or(Ok(()), FileIdentity::check)
    }
}

/// The path of a file beside the database, such as its log.
pub(in crate::store) fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
