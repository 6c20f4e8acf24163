//! The free space on the database's disk.

use std::path::{Path, PathBuf};

use crate::store::DatabaseUrl;

/// The space of the database's file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// The database's folder, or its nearest existing ancestor.
    pub folder: PathBuf,
    /// Bytes that this process may still write.
    pub free: u64,
    /// Its size in bytes.
    pub total: u64,
}

impl DatabaseUrl {
    /// The space for the database; `None` for PostgreSQL, whose disk we cannot see.
    pub fn space(&self) -> Option<Result<Space, std::io::Error>> {
        let path = self.sqlite_path()?;
        let folder = path.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(Path::new("."));
        let space = rustix::fs::statvfs(folder).map(|found| Space {
            folder: folder.to_owned(),
            free: found.f_bavail.saturating_mul(found.f_frsize),
            total: found.f_blocks.saturating_mul(found.f_frsize),
        });
        Some(space.map_err(std::io::Error::from))
    }
}
