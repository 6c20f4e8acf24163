//! PostgreSQL's incidents as faults of a case.

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use super::incident::{Incident, Kept};
use crate::{
    Failed,
    fault::{Fault, Group, Kind, Need, StepFuture},
    world::World,
};

/// The time-out to begin or end one: another fault that blocks the server may have to end first.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two tries.
const REST: Duration = Duration::from_millis(200);

/// The time-out of a check.
const CHECK_TIME: Duration = Duration::from_secs(2);

/// Longer than every deadline of the product.
const LONG: u64 = 25;

/// The duration in a combination, in milliseconds.
const COMBINED: RangeInclusive<u64> = 1_000..=9_000;

macro_rules! kind {
    ($name:literal, $incident:ident, $group:ident, $alone:expr, $combined:expr, $needs:expr) => {
        Kind {
            name: $name,
            group: Group::$group,
            needs: $needs,
            alone: Duration::from_secs($alone),
            combined: $combined,
            make: |_| Box::new(Lasting::of(Incident::$incident)),
        }
    };
}

pub(crate) fn kinds() -> Vec<Kind> {
    vec![
        kind!("database killed", Killed, Database, 10, COMBINED, &[]),
        kind!("database restarted (fast)", RestartedFast, Database, 5, 1_000..=2_000, &[]),
        kind!("database restarted (immediate)", RestartedImmediately, Database, 5, 1_000..=2_000, &[]),
        kind!("standby promoted", Promoted, Database, 5, 1_000..=5_000, &[Need::Standby]),
        kind!("connected to the standby", OnStandby, Database, LONG, COMBINED, &[Need::Standby]),
        kind!("database's disk full", TablesFull, Database, 15, COMBINED, &[Need::OwnDisk]),
        kind!("database's log full", WalFull, Database, 10, COMBINED, &[Need::OwnDisk]),
        kind!("database vanished", Vanished, Network, LONG, COMBINED, &[]),
        kind!("database refuses", Refused, Network, 15, COMBINED, &[]),
        kind!("database slow", Slow, Network, 15, COMBINED, &[]),
        kind!("database read-only", ReadOnly, Settings, LONG, COMBINED, &[]),
        kind!("out of connections", NoConnections, Database, LONG, COMBINED, &[]),
        kind!("row security", RowSecurity, Lock, 15, COMBINED, &[]),
        // Longer than a writer waits for a lock.
        kind!("events locked", Locked, Lock, LONG, 5_500..=9_000, &[]),
        kind!("sessions terminated", Terminated, Lock, 3, 500..=2_000, &[]),
    ]
}

/// An incident that lasts for a while.
struct Lasting {
    incident: Incident,
    kept: Kept,
    switches: usize,
    /// Whether nothing else ended it.
    whole: bool,
}

impl Lasting {
    fn of(incident: Incident) -> Self {
        Self { incident, kept: Kept::Nothing, switches: 0, whole: false }
    }
}

impl Fault for Lasting {
    fn begin<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            let deadline = Instant::now() + PATIENCE;
            loop {
                let begun = begin(self.incident, world).await;
                if begun.is_ok() || Instant::now() > deadline {
                    (self.kept, self.switches) = begun?;
                    return Ok(());
                }
                sleep(REST).await;
            }
        })
    }

    fn end<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()> {
        Box::pin(async {
            let kept = std::mem::replace(&mut self.kept, Kept::Nothing);
            self.whole = kept.let_go().await;
            let deadline = Instant::now() + PATIENCE;
            loop {
                let ended = end(self.incident, world).await;
                if ended.is_ok() || Instant::now() > deadline {
                    self.whole &= ended? == self.switches;
                    return Ok(());
                }
                sleep(REST).await;
            }
        })
    }

    fn seen<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, Option<String>> {
        Box::pin(async {
            let cluster = world.cluster()?.lock().await;
            timeout(CHECK_TIME, self.incident.seen(&self.kept, &cluster)).await?
        })
    }

    fn stores_nothing(&self) -> bool {
        self.whole && self.incident.stores_nothing()
    }
}

/// Tries once, with exclusive access to the cluster. Returns how often the route had been switched before.
async fn begin(incident: Incident, world: &World) -> Result<(Kept, usize), Failed> {
    let mut cluster = world.cluster()?.lock().await;
    let kept = incident.begin(&mut cluster).await?;
    Ok((kept, cluster.relay.switches()))
}

/// Tries once, in the same way.
async fn end(incident: Incident, world: &World) -> Result<usize, Failed> {
    let mut cluster = world.cluster()?.lock().await;
    let switches = cluster.relay.switches();
    incident.end(&mut cluster).await?;
    Ok(switches)
}
