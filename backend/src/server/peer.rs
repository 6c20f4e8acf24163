//! What a connection's other side keeps us waiting for, and since when.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::limits;

/// How long a connection may wait for its other side.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the next request.
    pub idle: Duration,
    /// For the rest of a request's head.
    pub head: Duration,
    /// For it to take something of an answer.
    pub unread: Duration,
    /// The interval at which this is checked.
    pub check: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            idle: limits::CONNECTION_IDLE_TIME,
            head: limits::HEAD_TIME,
            unread: limits::UNREAD_TIME,
            check: limits::CONNECTION_CHECK,
        }
    }
}

/// What comes next on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// A request, of which nothing has arrived.
    Request,
    /// The rest of a request's head.
    Head,
    /// The rest of a request's body, which its reader gives a time of its own.
    Body,
    /// Our answer.
    Answer,
}

#[derive(Debug)]
struct State {
    next: Next,
    since: Instant,
    /// Since when bytes wait that the other side does not take.
    unread: Option<Instant>,
    /// Whether the present request had a valid token.
    known: bool,
}

/// The other side of one connection. Whoever answers a request finds it in the request's extensions.
#[derive(Debug)]
pub(super) struct Peer {
    state: Mutex<State>,
    closing: Notify,
}

impl Peer {
    /// A connection that was just accepted. Whoever connects is about to send a request.
    pub(super) fn new() -> Self {
        let state = State { next: Next::Head, since: Instant::now(), unread: None, known: false };
        Self { state: Mutex::new(state), closing: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect(&self, next: Next) {
        let mut state = self.state();
        (state.next, state.since) = (next, Instant::now());
    }

    /// Bytes have arrived.
    pub(super) fn sent(&self) {
        let mut state = self.state();
        if state.next == Next::Request {
            (state.next, state.since) = (Next::Head, Instant::now());
        }
    }

    /// A request's head is complete.
    pub(super) fn asked(&self) {
        self.expect(Next::Answer);
        self.state().known = false;
    }

    /// Its body is being read from now on, or no longer.
    pub(super) fn sends_body(&self, sends: bool) {
        self.expect(if sends { Next::Body } else { Next::Answer });
    }

    /// Its token is valid.
    pub(super) fn is_known(&self) -> bool {
        self.state().known
    }

    pub(super) fn make_known(&self) {
        self.state().known = true;
    }

    /// The whole answer is on its way.
    pub(super) fn answered(&self) {
        self.expect(Next::Request);
    }

    /// Whether it took bytes, or none of those that wait for it.
    pub(super) fn took(&self, some: bool) {
        let mut state = self.state();
        if !some {
            state.unread.get_or_insert_with(Instant::now);
            return;
        }
        state.unread = None;
        if state.next == Next::Request {
            state.since = Instant::now();
        }
    }

    /// Since when it has kept us waiting; not at all while it waits for us.
    pub(super) fn waited_for(&self) -> Option<Instant> {
        let state = self.state();
        state.unread.or((state.next != Next::Answer).then_some(state.since))
    }

    fn is_overdue(&self, now: Instant, patience: &Patience) -> bool {
        let state = self.state();
        let over = |since: Instant, time: Duration| now.saturating_duration_since(since) >= time;
        let next = match state.next {
            Next::Request => over(state.since, patience.idle),
            Next::Head => over(state.since, patience.head),
            Next::Body | Next::Answer => false,
        };
        next || state.unread.is_some_and(|since| over(since, patience.unread))
    }

    /// Ends the connection now.
    pub(super) fn close(&self) {
        self.closing.notify_one();
    }

    /// Returns when the connection must end, because its other side takes too long or its place is needed.
    pub(super) async fn overstays(&self, patience: &Patience) {
        while !self.is_overdue(Instant::now(), patience) {
            if tokio::time::timeout(patience.check, self.closing.notified()).await.is_ok() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Patience, Peer};

    /// Whether it is overdue so many seconds from now.
    fn is_overdue(peer: &Peer, seconds: u64) -> bool {
        let second = Duration::from_secs(1);
        let patience = Patience { idle: 75 * second, head: 20 * second, unread: 30 * second, check: second };
        peer.is_overdue(Instant::now() + Duration::from_secs(seconds), &patience)
    }

    #[test]
    fn each_wait_has_a_time_of_its_own() {
        let peer = Peer::new();
        assert!(!is_overdue(&peer, 19) && is_overdue(&peer, 21), "the first head");
        peer.sent();
        peer.asked();
        assert!(!is_overdue(&peer, 1_000) && peer.waited_for().is_none(), "it waits for us");
        peer.sends_body(true);
        assert!(!is_overdue(&peer, 1_000) && peer.waited_for().is_some(), "its reader gives it a time");
        peer.sends_body(false);
        peer.took(false);
        assert!(!is_overdue(&peer, 29) && is_overdue(&peer, 31) && peer.waited_for().is_some(), "an unread answer");
        peer.took(true);
        assert!(!is_overdue(&peer, 1_000) && peer.waited_for().is_none());
        peer.answered();
        assert!(!is_overdue(&peer, 74) && is_overdue(&peer, 76), "no next request");
        peer.sent();
        assert!(!is_overdue(&peer, 19) && is_overdue(&peer, 21), "half of the next head");
    }

    #[test]
    fn a_known_one_is_known_for_one_request() {
        let peer = Peer::new();
        peer.asked();
        assert!(!peer.is_known());
        peer.make_known();
        assert!(peer.is_known());
        peer.answered();
        peer.asked();
        assert!(!peer.is_known(), "behind a proxy, others use the same connection");
    }
}
