//! The file of a SQLite database: whether what we write into is still what lies there.
//!
//! SQLite goes on writing into a file that was deleted, moved or replaced, and nobody would ever find what it wrote.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::store::fault::Fault;

/// A database's file and its write-ahead log, as they were when they were opened.
pub(in crate::store) struct File {
    database: Known,
    /// Known once it is there.
    log: OnceLock<Known>,
}

/// A file by its name, and which one it was: device and inode.
struct Known {
    path: PathBuf,
    identity: (u64, u64),
}

impl Known {
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
    /// The file that lies there now.
    pub(in crate::store) fn new(path: &Path) -> Result<Self, std::io::Error> {
        Ok(Self { database: Known::of(path.to_owned())?, log: OnceLock::new() })
    }

    /// The database is open now, and its write-ahead log will stay until the last connection is closed.
    pub(in crate::store) fn is_open(&self) -> Result<(), std::io::Error> {
        let log = Known::of(beside(&self.database.path, "-wal"))?;
        self.log.get_or_init(|| log);
        Ok(())
    }

    /// Whether both are still those that were opened. Some microseconds: it is asked with each transaction.
    pub(in crate::store) fn check(&self) -> Result<(), Fault> {
        self.database.check()?;
        self.log.get().map_or(Ok(()), Known::check)
    }
}

/// The name of a file that belongs to the database and lies beside it.
pub(in crate::store) fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
