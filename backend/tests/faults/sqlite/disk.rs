//! No room: on the disk, or within the limit of the process.

use std::time::{Duration, Instant};

use crate::{
    fault::{Fault, Group, Kind, Need, StepFuture},
    server::Limit,
    world::{World, size},
};

pub(super) fn kinds() -> Vec<Kind> {
    let kind = |name, needs, make| Kind {
        name,
        group: Group::Disk,
        needs,
        alone: Duration::from_secs(20),
        combined: 500..=5_000,
        make,
    };
    vec![
        kind("full disk", &[Need::OwnDisk], |random| Box::new(FullDisk { free: random.below(64) * PAGE, since: None })),
        kind("file size limit", &[], |random| {
            Box::new(FileSizeLimit { free: random.below(64) * PAGE, limit: 0, since: None })
        }),
    ]
}

/// Bytes per page. A few pages stay free, so that different statements fail.
const PAGE: u64 = 4_096;

/// The file system has no room.
struct FullDisk {
    free: u64,
    since: Option<Instant>,
}

impl Fault for FullDisk {
    fn begin<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            self.since = Some(Instant::now());
            world.own_disk()?.fill(self.free)
        })
    }

    fn end<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async { world.own_disk()?.make_room() })
    }

    fn seen<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, Option<String>> {
        Box::pin(async {
            let free = world.own_disk()?.free()?;
            let refused = self.since.and_then(|since| world.observed_since(since));
            Ok(refused.filter(|_| free <= self.free).map(|refused| format!("statvfs: {free} bytes free; {refused}")))
        })
    }
}

/// `ulimit -S -f`: no file may grow beyond the present size of the write-ahead log.
struct FileSizeLimit {
    free: u64,
    limit: u64,
    since: Option<Instant>,
}

impl Fault for FileSizeLimit {
    fn begin<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            self.since = Some(Instant::now());
            self.limit = size(&world.database("-wal")).max(size(&world.database(""))) + self.free;
            world.server.limit(Limit::FileSize, self.limit)
        })
    }

    fn end<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async { world.server.unlimit(Limit::FileSize) })
    }

    fn seen<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, Option<String>> {
        Box::pin(async {
            let log = size(&world.database("-wal"));
            let refused = self.since.and_then(|since| world.observed_since(since));
            let full = log.max(size(&world.database(""))) + 16 * PAGE > self.limit;
            Ok(refused
                .filter(|_| full)
                .map(|refused| format!("at most {} bytes in a file, {log} in the log; {refused}", self.limit)))
        })
    }
}
