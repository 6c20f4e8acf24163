//! The harness's own file systems, in memory. `scripts/faults` runs it in its own namespace, so that they end with it.

use std::{
    ffi::CString,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};

use crate::Failed;

/// The size of an ample file system in memory, in bytes. Only the used part takes memory.
const ROOM: u64 = 1 << 30;

/// Whether this process may mount.
pub(crate) fn possible(folder: &Path) -> bool {
    let place = folder.join("mount");
    std::fs::create_dir(&place).is_ok() && Mount::memory(&place).is_ok()
}

/// A mounted file system. Dropping it unmounts it.
pub(crate) struct Mount {
    place: PathBuf,
    state: Mutex<State>,
}

/// The state that two faults may change at the same time.
struct State {
    size: u64,
    read_only: bool,
}

impl Mount {
    /// An ample one in memory.
    pub(crate) fn memory(place: &Path) -> Result<Self, Failed> {
        let options = CString::new(format!("size={ROOM}"))?;
        mount("backend-sync-faults", place, "tmpfs", MountFlags::empty(), options.as_c_str())?;
        Ok(Self { place: place.to_owned(), state: Mutex::new(State { size: ROOM, read_only: false }) })
    }

    /// Leaves only `free` bytes.
    pub(crate) fn fill(&self, free: u64) -> Result<(), Failed> {
        let used = rustix::fs::statvfs(&self.place)?;
        let used = (used.f_blocks - used.f_bfree) * used.f_frsize;
        self.change(|state| state.size = (used + free).max(1))
    }

    /// Makes it ample again.
    pub(crate) fn make_room(&self) -> Result<(), Failed> {
        self.change(|state| state.size = ROOM)
    }

    /// Free bytes.
    pub(crate) fn free(&self) -> Result<u64, Failed> {
        let state = rustix::fs::statvfs(&self.place)?;
        Ok(state.f_bavail * state.f_frsize)
    }

    /// Makes it read-only. Fails while a file is open for writing.
    pub(crate) fn set_read_only(&self, on: bool) -> Result<(), Failed> {
        self.change(|state| state.read_only = on)
    }

    fn change(&self, change: impl Fn(&mut State)) -> Result<(), Failed> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = State { ..*state };
        change(&mut new);
        let flags = if new.read_only { MountFlags::RDONLY } else { MountFlags::empty() };
        mount_remount(&self.place, flags, format!("size={}", new.size))?;
        *state = new;
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: it disappears when the last file is closed.
        let _ = unmount(&self.place, UnmountFlags::DETACH);
    }
}
