//! Faults of the server's process.

use std::{
    collections::BTreeSet,
    fs, io,
    time::{Duration, Instant},
};

use backend_sync::probe;
use rustix::process::{Pid, Signal};
use tokio::{net::TcpStream, time::timeout};

use crate::{
    Failed,
    fault::{Fault, Group, Kind, StepFuture},
    server::Limit,
    world::World,
};

pub(crate) fn kinds() -> Vec<Kind> {
    let kind = |name, group, alone, combined, make| Kind {
        name,
        group,
        needs: &[],
        alone: Duration::from_secs(alone),
        combined,
        make,
    };
    vec![
        kind("kill -9", Group::Server, 5, 100..=3_000, |_| Box::new(Kill { again: false, killed: 0, next: None })),
        kind("kill -9 again and again", Group::Server, 12, 2_000..=5_000, |_| {
            Box::new(Kill { again: true, killed: 0, next: None })
        }),
        // Longer than every deadline of the server, and as long as a short pause.
        kind("stopped", Group::Stop, 15, 500..=9_000, |_| Box::new(Stopped)),
        kind("no file descriptors", Group::Descriptors, 20, 1_000..=6_000, |random| {
            Box::new(Descriptors { missing: 2 + random.below(4) as usize, limit: u64::MAX, limited: None, idle: None })
        }),
        kind("idle connections", Group::Descriptors, 20, 1_000..=6_000, |_| {
            Box::new(Descriptors { missing: 0, limit: u64::MAX, limited: None, idle: Some(Vec::new()) })
        }),
    ]
}

/// `kill -9`, once or every second.
struct Kill {
    again: bool,
    killed: usize,
    next: Option<Instant>,
}

impl Kill {
    async fn kill(&mut self, world: &World) -> Result<(), Failed> {
        self.next = Some(Instant::now() + Duration::from_secs(1));
        let before = world.server.pid();
        world.server.kill().await?;
        // There may be none at the moment.
        self.killed += usize::from(before.is_some());
        Ok(())
    }
}

impl Fault for Kill {
    fn begin<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(self.kill(world))
    }

    fn end<'a>(&'a mut self, _: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn seen<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, Option<String>> {
        Box::pin(async {
            if self.again && self.next.is_some_and(|next| Instant::now() > next) {
                self.kill(world).await?;
            }
            Ok((self.killed > 0).then(|| format!("{} process(es) killed", self.killed)))
        })
    }
}

/// SIGSTOP.
struct Stopped;

impl Fault for Stopped {
    fn begin<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async { world.server.signal_if_there(Signal::STOP) })
    }

    fn end<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async { world.server.signal_if_there(Signal::CONT) })
    }

    fn seen<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, Option<String>> {
        Box::pin(async {
            let Some(pid) = world.server.pid() else { return Ok(None) };
            let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
            let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
            Ok((state == Some('T')).then(|| "/proc state T".to_owned()))
        })
    }
}

/// Further files that the server may open when idle connections use up the limit.
const ROOM_FOR_IDLE: usize = 100;

/// The time-out of a connection.
const CONNECTS: Duration = Duration::from_millis(500);

/// No file descriptors are left. The limit is one of their numbers, not of how many there are: a file gets the lowest
/// free number, and none if that is not below the limit.
struct Descriptors {
    /// How far below the lowest free number the limit is set; open files stay open.
    missing: usize,
    limit: u64,
    /// The process that has this limit: another one sets its own at its start.
    limited: Option<Pid>,
    /// Idle connections that use up the limit.
    idle: Option<Vec<TcpStream>>,
}

/// The numbers that no open file has, lowest first, without end.
fn free_numbers(pid: Pid) -> Result<impl Iterator<Item = usize>, Failed> {
    let mut open = BTreeSet::new();
    for file in fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()))? {
        open.extend(file?.file_name().to_str().and_then(|name| name.parse::<usize>().ok()));
    }
    Ok((0..).filter(move |number| !open.contains(number)))
}

/// Whether the server has closed a connection on which it said nothing.
fn is_closed(stream: &TcpStream) -> bool {
    match stream.try_read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

impl Descriptors {
    /// Leaves no free number below the limit, or a few to be used up by idle connections.
    fn limit(&mut self, world: &World, pid: Pid) -> Result<(), Failed> {
        let room = if self.idle.is_some() { ROOM_FOR_IDLE } else { 0 };
        let free = free_numbers(pid)?.nth(room).ok_or("numbers end")?;
        let limit = u64::try_from(free.saturating_sub(self.missing))?;
        if limit < self.limit || self.limited != Some(pid) {
            (self.limit, self.limited) = (limit, Some(pid));
            world.server.limit(Limit::OpenFiles, limit)?;
        }
        Ok(())
    }
}

impl Fault for Descriptors {
    fn begin<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            // Without a process, the first look for its effect sets the limit.
            world.server.pid().map_or(Ok(()), |pid| self.limit(world, pid))
        })
    }

    fn end<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            self.idle = None;
            world.server.unlimit(Limit::OpenFiles)
        })
    }

    fn seen<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, Option<String>> {
        Box::pin(async {
            // Connections from before a restart are gone.
            if let Some(idle) = self.idle.as_mut().filter(|idle| idle.len() < 10 * ROOM_FOR_IDLE) {
                for _ in 0..2 * ROOM_FOR_IDLE {
                    // Refused while the server starts.
                    let connected = timeout(CONNECTS, TcpStream::connect(world.server.address())).await;
                    let Ok(Ok(stream)) = connected else { break };
                    idle.push(stream);
                }
            }
            let answer = probe::answers(world.server.address(), probe::HEALTH, Duration::from_secs(1)).await;
            let Some(pid) = world.server.pid() else { return Ok(None) };
            if answer.is_ok() {
                // Files that were open when the limit was set are closed by now.
                self.limit(world, pid)?;
                let closed = self.idle.iter().flatten().filter(|stream| is_closed(stream)).count();
                return Ok((closed > 0).then(|| format!("{closed} idle connections made room for new ones")));
            }
            let lowest = free_numbers(pid)?.next().ok_or("numbers end")?;
            let full = u64::try_from(lowest)? >= self.limit;
            Ok(full.then(|| format!("no free descriptor below {}; a new connection is not answered", self.limit)))
        })
    }
}
