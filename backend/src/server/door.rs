//! The places for connections: a newcomer always gets one, if need be that of whoever has kept us waiting longest.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::peer::Peer;

/// The rest between two searches for a connection that may be closed, while all are being answered.
const SEARCH_REST: Duration = Duration::from_millis(100);

/// All connections.
pub(super) struct Door {
    places: Arc<Semaphore>,
    limit: u32,
    /// By a number that grows.
    peers: Mutex<BTreeMap<u64, Arc<Peer>>>,
}

/// A connection's place. Dropping it makes room for the next one.
pub(super) struct Place {
    pub(super) peer: Arc<Peer>,
    number: u64,
    door: Arc<Door>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.peers().remove(&self.number);
    }
}

impl Door {
    pub(super) fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self { places: Arc::new(Semaphore::new(limit as usize)), limit, peers: Mutex::default() })
    }

    fn peers(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Peer>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection. Calls `crowded` if all were taken.
    pub(super) async fn enter(self: &Arc<Self>, crowded: impl FnOnce()) -> Place {
        let places = Arc::clone(&self.places);
        let permit = match Arc::clone(&places).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                crowded();
                loop {
                    self.close_longest_waiting();
                    let wait = tokio::time::timeout(SEARCH_REST, Arc::clone(&places).acquire_owned());
                    if let Ok(Ok(permit)) = wait.await {
                        break permit;
                    }
                }
            }
        };
        let peer = Arc::new(Peer::new());
        let mut peers = self.peers();
        let number = peers.last_key_value().map_or(0, |(last, _)| last + 1);
        peers.insert(number, Arc::clone(&peer));
        Place { peer, number, door: Arc::clone(self), _permit: permit }
    }

    fn close_longest_waiting(&self) {
        let peers = self.peers();
        let waited_for = peers.values().filter_map(|peer| Some((peer.waited_for()?, peer)));
        if let Some((_, peer)) = waited_for.min_by_key(|(since, _)| *since) {
            peer.close();
        }
    }

    /// Waits until all connections have ended.
    pub(super) async fn is_empty(&self) {
        let _ = self.places.acquire_many(self.limit).await;
    }

    /// Ends all connections.
    pub(super) fn close(&self) {
        self.peers().values().for_each(|peer| peer.close());
    }
}

/// A trouble that comes and goes, told once when it begins and once when it has been over for a while.
#[derive(Default)]
pub(super) struct Trouble(Option<(Instant, Instant)>);

impl Trouble {
    /// It is there now. Returns whether it just began.
    pub(super) fn is_there(&mut self) -> bool {
        let now = Instant::now();
        let begun = self.0.map_or(now, |(begun, _)| begun);
        self.0.replace((begun, now)).is_none()
    }

    /// It is not there now. Returns how long it lasted, if it has been away for `quiet`.
    pub(super) fn is_away(&mut self, quiet: Duration) -> Option<Duration> {
        let (begun, last) = self.0.filter(|(_, last)| last.elapsed() >= quiet)?;
        self.0 = None;
        Some(last.saturating_duration_since(begun))
    }
}
