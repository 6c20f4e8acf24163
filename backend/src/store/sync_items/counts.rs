//! What operators see counted.

use crate::{
    clock::Timestamp,
    model::{ItemState, Kind},
    store::recent::Counted,
};

/// The items of one kind and state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// The records' kind.
    pub kind: Kind,
    /// The items' state.
    pub state: ItemState,
    /// The number of items.
    pub count: u64,
    /// How many of them the destination does not have.
    pub absent: u64,
    /// How many of them have remarks.
    pub with_remarks: u64,
    /// The oldest change among them; of those that are pending or in flight, since when they are.
    pub oldest: Timestamp,
}

/// Items that are parked or failed for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Parked or failed.
    pub state: ItemState,
    /// The records' kind.
    pub kind: Kind,
    /// The reason's code.
    pub code: String,
    /// The number of items.
    pub count: u64,
    /// The reason's text for one of them.
    pub example: String,
}

impl Counted for Vec<Counts> {
    fn rows(&self) -> u64 {
        self.iter().map(|counts| counts.count).sum()
    }
}

impl Counted for Vec<Attention> {
    fn rows(&self) -> u64 {
        self.iter().map(|attention| attention.count).sum()
    }
}
