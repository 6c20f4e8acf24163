//! The memory that waiting bodies may take, shared fairly between those who send them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::IngestError;
use crate::limits;

/// The budget of all bodies, in KiB.
pub(super) struct Budget {
    kib: u32,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: u32,
    /// By sender, who is there only while something is taken.
    senders: HashMap<Option<i64>, u32>,
}

impl Budget {
    pub(super) fn new(kib: u32) -> Arc<Self> {
        Arc::new(Self { kib, taken: Mutex::default() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for a body of a sender, so far without a byte.
    pub(super) fn enter(self: &Arc<Self>, sender: Option<i64>) -> Result<Room, IngestError> {
        let mut room = Room { budget: Arc::clone(self), sender, kib: 0 };
        room.fit(0)?;
        Ok(room)
    }

    /// What is taken, and the whole, in KiB.
    pub(super) fn state(&self) -> (u32, u32) {
        (self.taken().all, self.kib)
    }
}

/// The room of one body, and of the events made of it. Dropping it gives it back.
pub struct Room {
    budget: Arc<Budget>,
    /// The site; none for an operator.
    sender: Option<i64>,
    kib: u32,
}

impl Room {
    /// Whether a body of so many bytes would find room now.
    pub fn could_fit(&self, bytes: usize) -> Result<(), IngestError> {
        self.check(&self.budget.taken(), kib(bytes))
    }

    /// Takes room for the `bytes` that have arrived, if there is any.
    ///
    /// A sender may take as much as it leaves to the others, so one that takes all it can get leaves them half, and two
    /// leave a third. Its only body may take all that is left, because a small budget must hold a large body.
    pub fn fit(&mut self, bytes: usize) -> Result<(), IngestError> {
        let wanted = kib(bytes);
        let mut taken = self.budget.taken();
        self.check(&taken, wanted)?;
        let more = wanted.saturating_sub(self.kib);
        taken.all += more;
        *taken.senders.entry(self.sender).or_default() += more;
        drop(taken);
        self.kib += more;
        Ok(())
    }

    fn check(&self, taken: &Taken, wanted: u32) -> Result<(), IngestError> {
        let more = wanted.saturating_sub(self.kib);
        let free = self.budget.kib.saturating_sub(taken.all);
        let of_sender = taken.senders.get(&self.sender).copied().unwrap_or_default();
        let is_alone = of_sender == self.kib;
        let is_fair = is_alone || of_sender.saturating_add(more) <= free.saturating_sub(more);
        if more > 0 && (more > free || !is_fair) {
            return Err(IngestError::QueueFull);
        }
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut taken = self.budget.taken();
        taken.all -= self.kib;
        if let Some(of_sender) = taken.senders.get_mut(&self.sender) {
            *of_sender -= self.kib;
            if *of_sender == 0 {
                taken.senders.remove(&self.sender);
            }
        }
    }
}

/// A parsed event takes a few times the bytes of its text; the constant covers the rest of a job.
fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX).saturating_add(limits::QUEUE_JOB_KIB)
}

#[cfg(test)]
mod tests {
    use super::{Budget, Room};
    use crate::limits;

    const MIB: usize = 1024 * 1024;

    fn room(budget: &std::sync::Arc<Budget>, site: i64, bytes: usize) -> Option<Room> {
        let mut room = budget.enter(Some(site)).ok()?;
        room.fit(bytes).ok()?;
        Some(room)
    }

    #[test]
    fn a_sender_leaves_to_the_others_what_it_takes() {
        let budget = Budget::new(32 * 1024);
        let greedy: Vec<_> = (0..1_000).map_while(|_| room(&budget, 1, 100_000)).collect();
        let (taken, all) = budget.state();
        assert!(taken > all / 2 - 200 && taken <= all / 2, "{taken} of {all}");
        let second: Vec<_> = (0..1_000).map_while(|_| room(&budget, 2, 100_000)).collect();
        let (taken, all) = budget.state();
        assert!(taken > all / 4 * 3 - 400 && taken <= all / 4 * 3, "{taken} of {all}");
        assert!(room(&budget, 3, limits::BODY_BYTES).is_some(), "there is room for a third one");
        drop((greedy, second));
        assert_eq!(budget.state().0, 0);
        assert!(budget.taken().senders.is_empty());
    }

    #[test]
    fn a_small_budget_holds_a_large_body() {
        let budget = Budget::new(8 * 1024);
        let only = room(&budget, 1, limits::BODY_BYTES).unwrap();
        assert!(room(&budget, 1, MIB).is_none(), "a second one of the same sender leaves too little");
        assert!(room(&budget, 2, MIB).is_some());
        drop(only);
        assert_eq!(budget.state().0, 0);
    }

    #[test]
    fn only_what_has_arrived_takes_room() {
        let budget = Budget::new(8 * 1024);
        let mut growing = budget.enter(Some(1)).unwrap();
        assert_eq!(budget.state().0, limits::QUEUE_JOB_KIB);
        growing.could_fit(limits::BODY_BYTES).unwrap();
        growing.fit(MIB).unwrap();
        growing.fit(MIB).unwrap();
        assert_eq!(budget.state().0, limits::QUEUE_JOB_KIB + 1024);
        assert!(growing.fit(9 * MIB).is_err() && growing.could_fit(9 * MIB).is_err());
        assert_eq!(budget.state().0, limits::QUEUE_JOB_KIB + 1024, "a refusal takes nothing");
    }
}
