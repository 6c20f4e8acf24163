//! Looking after the database itself: its health, its clock and times, its disk, and the turns of processes.

pub(super) mod clock;
pub(super) mod disk;
pub(super) mod future;
pub(super) mod health;
pub(super) mod measure;
pub(super) mod statistics;
pub(super) mod turns;
pub(super) mod versions;
