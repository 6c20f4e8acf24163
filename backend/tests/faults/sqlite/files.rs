//! The database's files disappear or become read-only.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use super::SUFFIXES;
use crate::{
    Failed,
    fault::{Fault, Group, Kind, Need, StepFuture},
    world::World,
};

pub(super) fn kinds() -> Vec<Kind> {
    let kind = |name, needs, make| Kind {
        name,
        group: Group::Files,
        needs,
        alone: Duration::from_secs(20),
        combined: 1_000..=5_000,
        make,
    };
    vec![
        kind("database deleted", &[], |_| gone(Way::Deleted(&SUFFIXES))),
        kind("write-ahead log deleted", &[], |_| gone(Way::Deleted(&["-wal"]))),
        kind("database moved", &[], |_| gone(Way::Moved)),
        kind("folder moved", &[], |_| gone(Way::FolderMoved)),
        kind("database replaced by another", &[], |_| gone(Way::Replaced)),
        kind("read-only files at start", &[Need::Unprivileged], |_| gone(Way::Permissions)),
        kind("read-only mount at start", &[Need::OwnDisk], |_| gone(Way::Mount)),
    ]
}

/// How long to retry what other faults prevent.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Clone, Copy)]
enum Way {
    Deleted(&'static [&'static str]),
    Moved,
    FolderMoved,
    Replaced,
    Permissions,
    Mount,
}

struct Gone {
    way: Way,
    /// Deleted files, kept by open handles: an operator would recover them from there.
    kept: Vec<(&'static str, File)>,
    since: Option<Instant>,
}

fn gone(way: Way) -> Box<dyn Fault> {
    Box::new(Gone { way, kept: Vec::new(), since: None })
}

impl Fault for Gone {
    fn begin<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            match self.way {
                Way::Deleted(suffixes) => {
                    for &suffix in suffixes {
                        self.kept.push((suffix, File::open(world.database(suffix))?));
                    }
                    for suffix in suffixes {
                        fs::remove_file(world.database(suffix))?;
                    }
                }
                Way::Moved => move_away(world)?,
                Way::FolderMoved => fs::rename(world.data(), away(world))?,
                Way::Replaced => {
                    // A server started on it does not know our token.
                    world.book.excuse(401);
                    let other = make_another(world)?;
                    move_away(world)?;
                    fs::rename(other, world.database(""))?;
                }
                Way::Permissions => restart_on(world, || set_writable(world, false)).await?,
                Way::Mount => restart_on(world, || world.own_disk()?.set_read_only(true)).await?,
            }
            self.since = Some(Instant::now());
            Ok(())
        })
    }

    fn end<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            match self.way {
                Way::Deleted(_) => restart_on(world, || self.put_back(world)).await,
                // Nothing was moved, because there was no room for another database.
                Way::Moved | Way::Replaced | Way::FolderMoved if self.since.is_none() => Ok(()),
                Way::Moved | Way::Replaced => move_back(world),
                Way::FolderMoved => {
                    // One that was created meanwhile.
                    if world.data().exists() {
                        fs::remove_dir_all(world.data())?;
                    }
                    Ok(fs::rename(away(world), world.data())?)
                }
                Way::Permissions => set_writable(world, true),
                Way::Mount => world.own_disk()?.set_read_only(false),
            }
        })
    }

    fn seen<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, Option<String>> {
        Box::pin(async {
            let broken = match self.way {
                Way::Deleted(suffixes) => format!("{} gone", suffixes.len()),
                Way::Moved | Way::FolderMoved => "nothing there".to_owned(),
                Way::Replaced => "another file there".to_owned(),
                Way::Permissions | Way::Mount => "started without the right to write".to_owned(),
            };
            let refused = self.since.and_then(|since| world.observed_since(since));
            Ok(refused.map(|refused| format!("{broken}; {refused}")))
        })
    }

    fn stores_nothing(&self) -> bool {
        true
    }
}

impl Gone {
    fn put_back(&self, world: &World) -> Result<(), Failed> {
        // The shared-memory file is rebuilt from the log.
        for suffix in self.kept.iter().map(|(suffix, _)| *suffix).chain(["-shm"]) {
            remove(world.database(suffix))?;
        }
        for (suffix, kept) in self.kept.iter().filter(|(suffix, _)| *suffix != "-shm") {
            let mut kept = kept;
            io::Seek::rewind(&mut kept)?;
            io::copy(&mut kept, &mut File::create(world.database(suffix))?)?;
            world.give(&world.database(suffix))?;
        }
        Ok(())
    }
}

/// Stops the server, makes a change, and lets it restart.
async fn restart_on(world: &World, mut change: impl FnMut() -> Result<(), Failed>) -> Result<(), Failed> {
    world.server.hold();
    let killed = world.server.kill().await;
    let deadline = Instant::now() + PATIENCE;
    let changed = loop {
        match change() {
            // Such as a full disk.
            Err(_) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(100)).await,
            changed => break changed,
        }
    };
    world.server.release();
    killed.and(changed)
}

fn away(world: &World) -> PathBuf {
    world.file("disk/away")
}

fn move_away(world: &World) -> Result<(), Failed> {
    fs::create_dir_all(away(world))?;
    for suffix in SUFFIXES {
        let file = world.database(suffix);
        if file.exists() {
            fs::rename(file, away(world).join(format!("database{suffix}")))?;
        }
    }
    Ok(())
}

fn move_back(world: &World) -> Result<(), Failed> {
    for suffix in SUFFIXES {
        remove(world.database(suffix))?;
    }
    // The database itself last, so that nobody opens it without its log.
    for suffix in SUFFIXES.into_iter().rev() {
        let file = away(world).join(format!("database{suffix}"));
        if file.exists() {
            fs::rename(file, world.database(suffix))?;
        }
    }
    Ok(())
}

fn remove(file: PathBuf) -> Result<(), Failed> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => Ok(result?),
    }
}

/// Another installation's database, with its own tokens.
fn make_another(world: &World) -> Result<PathBuf, Failed> {
    let file = world.file("disk/other.sqlite");
    let mut command = Command::new(world.server.program());
    command.arg("migrate").env("BACKEND_SYNC_DATABASE_URL", format!("sqlite://{}", file.display()));
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("migrate: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    world.give(&file)?;
    Ok(file)
}

fn set_writable(world: &World, on: bool) -> Result<(), Failed> {
    let set = |path: PathBuf, mode| fs::set_permissions(path, Permissions::from_mode(mode));
    for suffix in SUFFIXES {
        if world.database(suffix).exists() {
            set(world.database(suffix), if on { 0o600 } else { 0o400 })?;
        }
    }
    Ok(set(world.data(), if on { 0o755 } else { 0o555 })?)
}
