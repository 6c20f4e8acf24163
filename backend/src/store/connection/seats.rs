//! Seats: how many connections for reading each class of readers may use, so that none waits for another.

use std::sync::Arc;

use sea_orm::{ConnAcquireErr, DbErr};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::limits;

/// A class of readers. Each has connections of its own in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Readiness and the health monitor.
    Health,
    /// Everything that we do ourselves: delivery, alerts, authentication of sites, upkeep.
    Work,
    /// People who look at the console.
    Console,
    /// API consumers.
    Api,
}

/// The seats of all classes. Together they are as many as the pool has connections.
#[derive(Clone)]
pub(in crate::store) struct Seats {
    health: Arc<Semaphore>,
    work: Arc<Semaphore>,
    console: Arc<Semaphore>,
    api: Arc<Semaphore>,
}

/// A seat while its connection is in use.
pub(in crate::store) type Seat = OwnedSemaphorePermit;

impl Seats {
    /// The number of connections that the pool of these seats needs.
    pub(in crate::store) const ALL: u32 =
        limits::HEALTH_READERS + limits::WORK_READERS + limits::CONSOLE_READERS + limits::API_READERS;

    pub(in crate::store) fn new() -> Self {
        let seats = |count: u32| Arc::new(Semaphore::new(count as usize));
        Self {
            health: seats(limits::HEALTH_READERS),
            work: seats(limits::WORK_READERS),
            console: seats(limits::CONSOLE_READERS),
            api: seats(limits::API_READERS),
        }
    }

    pub(in crate::store) fn of(&self, readers: Readers) -> Arc<Semaphore> {
        Arc::clone(match readers {
            Readers::Health => &self.health,
            Readers::Work => &self.work,
            Readers::Console => &self.console,
            Readers::Api => &self.api,
        })
    }
}

/// Waits for a seat, in the order of arrival.
pub(in crate::store) async fn take(seats: Arc<Semaphore>) -> Result<Seat, DbErr> {
    match timeout(limits::CONNECTION_WAIT, seats.acquire_owned()).await {
        Ok(Ok(seat)) => Ok(seat),
        Ok(Err(_)) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
        Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Readers, Seats, take};
    use crate::limits;

    #[tokio::test]
    async fn a_full_class_holds_up_no_other() {
        let seats = Seats::new();
        let mut held = Vec::new();
        for _ in 0..limits::API_READERS {
            held.push(take(seats.of(Readers::Api)).await.unwrap());
        }
        assert!(seats.of(Readers::Api).try_acquire().is_err());
        for other in [Readers::Health, Readers::Work, Readers::Console] {
            held.push(take(seats.of(other)).await.unwrap());
        }
        held.clear();
        held.push(take(seats.of(Readers::Api)).await.unwrap());
    }
}
