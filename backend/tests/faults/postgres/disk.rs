//! A small disk that can be filled at will.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::programs::{Programs, is_root, run};
use crate::Failed;

/// A tmpfs of its own. Dropping it unmounts it. Only root may mount.
pub(crate) struct Disk {
    mount: TempDir,
    mib: u32,
}

impl Disk {
    /// An empty one; `None` for who may not mount.
    pub(crate) fn mount(programs: &Programs, mib: u32) -> Result<Option<Self>, Failed> {
        if !is_root() {
            return Ok(None);
        }
        let mount = tempfile::Builder::new().prefix("backend-sync-faults-disk.").tempdir_in("/var/tmp")?;
        let options = format!("size={mib}m,mode=0755");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(mount.path()))?;
        programs.give(mount.path())?;
        Ok(Some(Self { mount, mib }))
    }

    /// A new folder on it.
    pub(crate) fn folder(&self, programs: &Programs, name: &str) -> Result<PathBuf, Failed> {
        let folder = self.mount.path().join(name);
        fs::create_dir(&folder)?;
        programs.give(&folder)?;
        Ok(folder)
    }

    /// Leaves no room.
    pub(crate) fn fill(&self) -> Result<(), Failed> {
        let mut ballast = File::create(self.ballast())?;
        // Pieces of a page: a larger one is refused while there is still room.
        for _ in 0..self.mib * 256 {
            match ballast.write_all(&[1; 4096]) {
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                written => written?,
            }
        }
        Err("the disk did not get full".into())
    }

    /// Makes room again.
    pub(crate) fn make_room(&self) -> Result<(), Failed> {
        Ok(fs::remove_file(self.ballast())?)
    }

    /// Whether [`Disk::fill`] has filled it.
    pub(crate) fn is_filled(&self) -> bool {
        self.ballast().exists()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.mount.path()
    }

    fn ballast(&self) -> PathBuf {
        self.mount.path().join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server that is being killed may still have files open.
        let _ = run(Command::new("umount").arg("--lazy").arg(self.mount.path()));
    }
}
