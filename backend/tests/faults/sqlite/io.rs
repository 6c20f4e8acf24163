//! The disk answers with errors (libfiu makes the C library's calls fail).

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    Failed,
    fault::{Fault, Group, Kind, Need, StepFuture},
    programs::unprivileged,
    world::World,
};

pub(super) fn kinds() -> Vec<Kind> {
    let kind = |name, make| Kind {
        name,
        group: Group::Disk,
        needs: &[Need::Fiu],
        alone: Duration::from_secs(20),
        combined: 500..=5_000,
        make,
    };
    vec![
        kind("I/O errors: write", |_| calls(&["posix/io/rw/pwrite"], EIO, 1.0)),
        kind("I/O errors: some writes", |_| calls(&["posix/io/rw/pwrite"], EIO, 0.05)),
        kind("I/O errors: sync", |_| calls(&["posix/io/sync/fsync", "posix/io/sync/fdatasync"], EIO, 1.0)),
        kind("I/O errors: some syncs", |_| calls(&["posix/io/sync/fsync", "posix/io/sync/fdatasync"], EIO, 0.3)),
        kind("I/O errors: read", |_| calls(&["posix/io/rw/pread"], EIO, 1.0)),
        kind("I/O errors: some of all", |random| calls(ALL, [EIO, ENOSPC, EROFS][random.below(3) as usize], 0.1)),
        kind("read-only file system", |_| calls(&["posix/io/rw/pwrite", "posix/io/dir/truncate"], EROFS, 1.0)),
    ]
}

const ALL: &[&str] =
    &["posix/io/rw/pwrite", "posix/io/rw/pread", "posix/io/sync/fsync", "posix/io/dir/truncate", "posix/io/oc/open"];

const EIO: i32 = rustix::io::Errno::IO.raw_os_error();
const ENOSPC: i32 = rustix::io::Errno::NOSPC.raw_os_error();
const EROFS: i32 = rustix::io::Errno::ROFS.raw_os_error();

/// Calls to fail. Only SQLite makes these; the network uses send and recv.
struct Calls {
    points: &'static [&'static str],
    errno: i32,
    probability: f64,
    since: Option<Instant>,
}

fn calls(points: &'static [&'static str], errno: i32, probability: f64) -> Box<dyn Fault> {
    Box::new(Calls { points, errno, probability, since: None })
}

impl Calls {
    fn enabling(&self) -> Vec<String> {
        let Self { errno, probability, .. } = self;
        // All variants of a call, such as pwrite64 and pwritev.
        self.points
            .iter()
            .map(|point| format!("enable_random name={point},probability={probability},failinfo={errno}"))
            .collect()
    }

    fn disabling(&self) -> Vec<String> {
        self.points.iter().map(|point| format!("disable name={point}")).collect()
    }
}

/// The exit status of `timeout`.
const TIMED_OUT: i32 = 124;

/// How long to retry telling the server's libfiu that the disk works again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Controls the libfiu of the server, if it is running. Returns whether that succeeded.
fn tell(world: &World, commands: &[String]) -> Result<bool, Failed> {
    let Some(pid) = world.server.pid() else { return Ok(true) };
    let mut control = Command::new("setpriv");
    if world.has(Need::Unprivileged) {
        control.args(unprivileged());
    }
    control.args(["timeout", "2"]).args(["fiu-ctrl", "-f"]).arg(world.file("fiu/control"));
    for command in commands {
        control.args(["-c", command]);
    }
    let output = control.arg(pid.as_raw_nonzero().to_string()).output()?;
    // A process that has just ended or just started need not be told; a stopped one does not react.
    if output.status.success() || world.server.pid() != Some(pid) {
        return Ok(true);
    }
    if output.status.code() == Some(TIMED_OUT) {
        return Ok(false);
    }
    Err(format!("fiu-ctrl: {}", String::from_utf8_lossy(&output.stderr)).into())
}

impl Fault for Calls {
    fn begin<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            self.since = Some(Instant::now());
            // A process started meanwhile fails in the same way.
            world.server.set_environment("FIU_ENABLE", Some(&self.enabling().join("\n")));
            tell(world, &self.enabling()).map(drop)
        })
    }

    fn end<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            world.server.set_environment("FIU_ENABLE", None);
            let deadline = Instant::now() + PATIENCE;
            while !tell(world, &self.disabling())? {
                if Instant::now() > deadline {
                    return Err("libfiu does not answer".into());
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Ok(())
        })
    }

    fn seen<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, Option<String>> {
        Box::pin(async {
            // Such as: disk I/O error, database or disk is full.
            let Some(since) = self.since else { return Ok(None) };
            let errors = world.server.log_since(since, "error returned from database").len();
            let observed = world.observed_since(since);
            Ok(observed.map(|observed| format!("{errors} errors of SQLite's in the log; {observed}")))
        })
    }
}
