//! How much room the disk of the database has.

use std::path::{Path, PathBuf};

use crate::store::DatabaseUrl;

/// The room of the file system in which the database lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// The folder of the database, or the nearest above it that exists.
    pub folder: PathBuf,
    /// Bytes that this process may still write.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

impl DatabaseUrl {
    /// The room for the database; nothing when that is on another server.
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
