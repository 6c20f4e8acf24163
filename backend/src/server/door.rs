//! The places for connections: a newcomer always gets one, if need be that of whoever has kept us waiting longest.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::peer::Peer;

/// The rest between two searches for a connection that may be closed, while all are being answered.
const SEARCH_REST: Duration = Duration::from_millis(100);

/// Connections that are closed when the operating system gives no more descriptors: the newcomer needs one, and so may
/// the database and calls to other servers.
const DESCRIPTORS_FREED: usize = 8;

/// However few descriptors there are, so many connections may stay: closing them would help nobody else.
const LEAST_PLACES: usize = 8;

/// All connections.
pub(super) struct Door {
    places: Mutex<Places>,
    /// A connection has ended. Only the server itself waits for this.
    left: Notify,
}

struct Places {
    /// By a number that grows.
    peers: BTreeMap<u64, Arc<Peer>>,
    limit: usize,
    /// The limit while there are descriptors for so many.
    usual: usize,
}

/// A connection's place. Dropping it makes room for the next one.
pub(super) struct Place {
    pub(super) peer: Arc<Peer>,
    number: u64,
    door: Arc<Door>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.places().peers.remove(&self.number);
        self.door.left.notify_one();
    }
}

impl Door {
    pub(super) fn new(limit: u32) -> Arc<Self> {
        let limit = limit as usize;
        let places = Places { peers: BTreeMap::new(), limit, usual: limit };
        Arc::new(Self { places: Mutex::new(places), left: Notify::new() })
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection. Calls `crowded` with the limit if all were taken.
    pub(super) async fn enter(self: &Arc<Self>, crowded: impl FnOnce(usize)) -> Place {
        let mut crowded = Some(crowded);
        loop {
            match self.place() {
                Ok(place) => return place,
                Err(limit) => {
                    if let Some(crowded) = crowded.take() {
                        crowded(limit);
                    }
                }
            }
            self.places().close_longest_waiting(1);
            let _ = tokio::time::timeout(SEARCH_REST, self.left.notified()).await;
        }
    }

    /// A place, or the limit if all are taken.
    fn place(self: &Arc<Self>) -> Result<Place, usize> {
        let mut places = self.places();
        if places.peers.len() >= places.limit {
            return Err(places.limit);
        }
        let peer = Arc::new(Peer::new());
        let number = places.peers.last_key_value().map_or(0, |(last, _)| last + 1);
        places.peers.insert(number, Arc::clone(&peer));
        Ok(Place { peer, number, door: Arc::clone(self) })
    }

    /// There are no descriptors left: closes some connections, and leaves their places empty until [`Door::widen`].
    pub(super) fn narrow(&self) {
        let mut places = self.places();
        let fewer = places.peers.len().saturating_sub(DESCRIPTORS_FREED);
        places.limit = places.limit.min(fewer.max(LEAST_PLACES));
        places.close_longest_waiting(DESCRIPTORS_FREED);
    }

    /// There are descriptors again.
    pub(super) fn widen(&self) {
        let mut places = self.places();
        places.limit = places.usual;
    }

    /// Waits until all connections have ended.
    pub(super) async fn is_empty(&self) {
        while !self.places().peers.is_empty() {
            self.left.notified().await;
        }
    }

    /// Ends all connections.
    pub(super) fn close(&self) {
        self.places().peers.values().for_each(|peer| peer.close());
    }
}

impl Places {
    /// Closes up to `count` connections, those that have kept us waiting longest.
    fn close_longest_waiting(&self, count: usize) {
        let waited_for = self.peers.values().filter_map(|peer| Some((peer.waited_for()?, peer)));
        let mut waited_for: Vec<_> = waited_for.collect();
        waited_for.sort_by_key(|(since, _)| *since);
        waited_for.into_iter().take(count).for_each(|(_, peer)| peer.close());
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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::{DESCRIPTORS_FREED, Door, Place};
    use crate::server::Patience;

    /// Those that are told to end.
    async fn closed(places: &[Place]) -> Vec<u64> {
        let (mut closed, patience) = (Vec::new(), Patience::default());
        for place in places {
            let ends = place.peer.overstays(&patience);
            if tokio::time::timeout(Duration::from_millis(1), ends).await.is_ok() {
                closed.push(place.number);
            }
        }
        closed
    }

    async fn entered(door: &Arc<Door>, count: usize) -> Vec<Place> {
        let mut places = Vec::new();
        for _ in 0..count {
            places.push(door.enter(|_| ()).await);
        }
        places
    }

    #[tokio::test(start_paused = true)]
    async fn without_descriptors_there_are_fewer_places_until_there_are_again() {
        let door = Door::new(100);
        let mut places = entered(&door, 20).await;
        // One that waits for our answer stays.
        places[0].peer.asked();
        door.narrow();
        let expected: Vec<u64> = (1..=DESCRIPTORS_FREED as u64).collect();
        assert_eq!(closed(&places).await, expected);
        places.retain(|place| !expected.contains(&place.number));
        assert_eq!(door.place().err(), Some(12), "their places stay empty");
        // For a newcomer, another one ends.
        let newcomer = tokio::spawn({
            let door = Arc::clone(&door);
            async move { door.enter(|_| ()).await }
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(closed(&places).await, [9]);
        places.retain(|place| place.number != 9);
        places.push(newcomer.await.unwrap());
        door.widen();
        places.extend(entered(&door, 88).await);
        assert_eq!(door.place().err(), Some(100));
        for _ in 0..20 {
            door.narrow();
        }
        assert_eq!(door.place().err(), Some(92));
        drop(places);
        door.is_empty().await;
    }
}
