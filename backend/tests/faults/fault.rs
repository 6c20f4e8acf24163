//! The interface of a fault.

use std::{ops::RangeInclusive, time::Duration};

use futures_util::future::BoxFuture;

use crate::{
    Failed, clock, postgres, process, register, sqlite,
    support::random::Random,
    world::{DatabaseKind, World},
};

/// One step of a fault.
pub(crate) type StepFuture<'a, T> = BoxFuture<'a, Result<T, Failed>>;

/// Something that breaks and is repaired later, perhaps while other faults last.
pub(crate) trait Fault: Send {
    /// Breaks the world.
    fn begin<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()>;

    /// Repairs it. Must work in whatever state the server is by then.
    fn end<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, ()>;

    /// Evidence of its effect, asked for repeatedly between [`Fault::begin`] and [`Fault::end`]. A combination with a
    /// fault that never showed an effect proves nothing and does not count.
    fn seen<'a>(&'a mut self, world: &'a World) -> StepFuture<'a, Option<String>>;

    /// Whether no event can be stored while it lasts: then nothing may be answered 200.
    fn stores_nothing(&self) -> bool {
        false
    }
}

/// What a fault needs prepared in the world before the server starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// SQLite's folder is a file system of its own; PostgreSQL's tables and its log are two.
    OwnDisk,
    /// The register's folder is a file system of its own.
    OwnRegister,
    /// PostgreSQL has a standby to which each commit is replicated.
    Standby,
    /// The server's calls of the C library can be made to fail (libfiu).
    Fiu,
    /// The server's clock can be set (libfaketime).
    Faketime,
    /// The server runs as a user with restricted permissions.
    Unprivileged,
}

/// What a fault changes. Faults that change the same thing are never combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Clock,
    Database,
    Descriptors,
    Disk,
    Files,
    Lock,
    Network,
    Register,
    Server,
    Settings,
    Stop,
}

/// A kind of fault; each case creates its own.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) group: Group,
    pub(crate) needs: &'static [Need],
    /// Its duration as the only fault of a case.
    pub(crate) alone: Duration,
    /// Its duration in a combination, in milliseconds.
    pub(crate) combined: RangeInclusive<u64>,
    pub(crate) make: fn(&mut Random) -> Box<dyn Fault>,
}

impl Kind {
    /// Whether this kind and another one cannot be in the same case.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        // libfiu is controlled through files.
        let deaf = |one: &Self, other: &Self| one.group == Group::Descriptors && other.needs.contains(&Need::Fiu);
        self.group == other.group || deaf(self, other) || deaf(other, self)
    }
}

/// All kinds of faults for this kind of database.
pub(crate) fn kinds(database: DatabaseKind) -> Vec<Kind> {
    let mut kinds = match database {
        DatabaseKind::Sqlite => sqlite::kinds(),
        DatabaseKind::Postgres => postgres::kinds(),
    };
    kinds.extend(process::kinds());
    kinds.extend(clock::kinds());
    kinds.extend(register::kinds());
    kinds
}
