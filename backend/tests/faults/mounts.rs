//! File systems of the harness's own, in memory. `scripts/faults` runs it in a namespace of its own, so that they end with it.

use std::{ffi::CString, path::Path};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};

use crate::Failed;

/// Bytes of a file system in memory that has room. Only what is used takes memory.
const ROOM: u64 = 1 << 30;

/// Whether this process may mount.
pub(crate) fn possible(folder: &Path) -> bool {
    let place = folder.join("mount");
    std::fs::create_dir(&place).is_ok() && Mount::memory(&place).is_ok()
}

/// A mounted file system. Dropping it unmounts it.
pub(crate) struct Mount {
    place: std::path::PathBuf,
}

impl Mount {
    /// One in memory, with room.
    pub(crate) fn memory(place: &Path) -> Result<Self, Failed> {
        let options = CString::new(format!("size={ROOM}"))?;
        mount("backend-sync-faults", place, "tmpfs", MountFlags::empty(), options.as_c_str())?;
        Ok(Self { place: place.to_owned() })
    }

    /// Leaves it `free` bytes and no more.
    pub(crate) fn fill(&self, free: u64) -> Result<(), Failed> {
        let used = rustix::fs::statvfs(&self.place)?;
        let used = (used.f_blocks - used.f_bfree) * used.f_frsize;
        self.resize((used + free).max(1))
    }

    /// Gives it room again.
    pub(crate) fn make_room(&self) -> Result<(), Failed> {
        self.resize(ROOM)
    }

    /// Free bytes.
    pub(crate) fn free(&self) -> Result<u64, Failed> {
        let state = rustix::fs::statvfs(&self.place)?;
        Ok(state.f_bavail * state.f_frsize)
    }

    /// Lets nothing be written. Fails while a file is open for writing.
    pub(crate) fn set_read_only(&self, on: bool) -> Result<(), Failed> {
        let flags = if on { MountFlags::RDONLY } else { MountFlags::empty() };
        Ok(mount_remount(&self.place, flags, format!("size={ROOM}"))?)
    }

    fn resize(&self, size: u64) -> Result<(), Failed> {
        Ok(mount_remount(&self.place, MountFlags::empty(), format!("size={size}"))?)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: it goes when the last file is closed.
        let _ = unmount(&self.place, UnmountFlags::DETACH);
    }
}
