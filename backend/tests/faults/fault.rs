//! What a fault is.

use std::{ops::RangeInclusive, time::Duration};

use futures_util::future::BoxFuture;

use crate::{
    Failed, clock, postgres, process, sqlite,
    support::random::Random,
    world::{DatabaseKind, World},
};

/// What a fault does in one of its steps.
pub(crate) type Doing<'a, T> = BoxFuture<'a, Result<T, Failed>>;

/// Something that breaks, and is repaired later. It may last while others do.
pub(crate) trait Fault: Send {
    /// Breaks the world.
    fn begin<'a>(&'a mut self, world: &'a World) -> Doing<'a, ()>;

    /// Repairs it. It must work in whatever state the server is by now.
    fn end<'a>(&'a mut self, world: &'a World) -> Doing<'a, ()>;

    /// How it is seen to bite, asked again and again between [`Fault::begin`] and [`Fault::end`]. A combination in which one of its
    /// faults was never seen proves nothing and does not count.
    fn seen<'a>(&'a mut self, world: &'a World) -> Doing<'a, Option<String>>;

    /// Whether nothing that is sent while it lasts can be stored: then nothing may be answered 200.
    fn stores_nothing(&self) -> bool {
        false
    }
}

/// What a world must be prepared with, before the server starts, so that a fault is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// SQLite's folder is a file system of its own; PostgreSQL's tables and its log are two.
    OwnDisk,
    /// PostgreSQL has a standby to which each commit is replicated.
    Standby,
    /// The server's calls of the C library can be made to fail (libfiu).
    Fiu,
    /// The server's clock can be set (libfaketime).
    Faketime,
    /// The server runs as a user who must ask for permission.
    Unprivileged,
}

/// Faults that meddle with the same thing are never combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Clock,
    Database,
    Descriptors,
    Disk,
    Files,
    Lock,
    Network,
    Server,
    Settings,
    Stop,
}

/// A kind of fault, of which each case makes one of its own.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) group: Group,
    pub(crate) needs: &'static [Need],
    /// How long it lasts when it is the only fault of a case.
    pub(crate) alone: Duration,
    /// How many milliseconds it lasts in a combination.
    pub(crate) combined: RangeInclusive<u64>,
    pub(crate) make: fn(&mut Random) -> Box<dyn Fault>,
}

impl Kind {
    /// Whether this kind and another one cannot be in one case.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        // libfiu is told what to do through files.
        let deaf = |one: &Self, other: &Self| one.group == Group::Descriptors && other.needs.contains(&Need::Fiu);
        self.group == other.group || deaf(self, other) || deaf(other, self)
    }
}

/// All that may happen to a server on this kind of database.
pub(crate) fn kinds(database: DatabaseKind) -> Vec<Kind> {
    let mut kinds = match database {
        DatabaseKind::Sqlite => sqlite::kinds(),
        DatabaseKind::Postgres => postgres::kinds(),
    };
    kinds.extend(process::kinds());
    kinds.extend(clock::kinds());
    kinds
}
