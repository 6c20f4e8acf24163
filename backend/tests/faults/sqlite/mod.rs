//! Faults of a SQLite database: its disk, its files, its locks.

mod disk;
mod files;
mod io;
mod lock;

use crate::fault::Kind;

pub(crate) fn kinds() -> Vec<Kind> {
    [disk::kinds(), io::kinds(), files::kinds(), lock::kinds()].into_iter().flatten().collect()
}

/// The suffixes of a database's files.
pub(crate) const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];
