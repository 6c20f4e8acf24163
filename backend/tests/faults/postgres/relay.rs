//! The product's route to a database: a TCP relay that can be switched to another server, and can fail as networks do.
//!
//! sqlx connects to one host, so a failover needs something like it: a HAProxy, or an address that moves.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
    task::{AbortHandle, JoinSet},
};

use crate::Failed;

/// The size of the relay's buffer, in bytes.
const CHUNK: usize = 16 * 1024;

/// How existing connections are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    /// Nothing passes in either direction: no byte, no end, no reset.
    Held,
    /// Reset at both ends.
    Cut,
}

/// How new connections are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listening {
    Open,
    /// Not accepted. They wait in the kernel's queue, as a SYN is repeated until it is answered.
    Silent,
    /// Refused: nothing listens.
    Shut,
}

struct State {
    upstream: SocketAddr,
    delay: Duration,
    switches: usize,
    gates: Vec<watch::Sender<Gate>>,
}

#[derive(Default)]
struct Counts {
    held: AtomicU64,
    delayed: AtomicU64,
    cut: AtomicU64,
}

/// A relay on loopback. Dropping it ends it and all its connections.
pub(crate) struct Relay {
    address: SocketAddr,
    listening: watch::Sender<Listening>,
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    state: Mutex<State>,
    counts: Counts,
}

impl Relay {
    /// A relay to `upstream` on a free port of loopback.
    pub(crate) async fn start(upstream: SocketAddr) -> Result<Self, Failed> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), upstream).await
    }

    /// A relay that listens on `address`.
    pub(crate) async fn start_on(address: SocketAddr, upstream: SocketAddr) -> Result<Self, Failed> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let state = Mutex::new(State { upstream, delay: Duration::ZERO, switches: 0, gates: Vec::new() });
        let shared = Arc::new(Shared { state, counts: Counts::default() });
        let (listening, seen) = watch::channel(Listening::Open);
        let task = tokio::spawn(accept(listener, seen, Arc::clone(&shared))).abort_handle();
        Ok(Self { address, listening, shared, task })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The other end disappears silently: connections stay without traffic, new ones get no answer.
    pub(crate) fn vanish(&self) {
        self.listening.send_replace(Listening::Silent);
        self.set_gates(Gate::Held);
    }

    /// Held connections continue where they stopped, as after a partition.
    pub(crate) fn heal(&self) {
        self.set_gates(Gate::Open);
        self.listening.send_replace(Listening::Open);
    }

    /// New connections go to `upstream`. Held ones stay held, as when an address moves away from a dead host; others
    /// are reset, as HAProxy does (`on-marked-down shutdown-sessions`).
    pub(crate) fn switch(&self, upstream: SocketAddr) {
        let mut state = self.shared.state();
        state.upstream = upstream;
        state.switches += 1;
        for gate in state.gates.iter().filter(|gate| *gate.borrow() == Gate::Open) {
            gate.send_replace(Gate::Cut);
        }
        self.listening.send_if_modified(|listening| {
            let silent = *listening == Listening::Silent;
            if silent {
                *listening = Listening::Open;
            }
            silent
        });
    }

    /// How often it was switched.
    pub(crate) fn switches(&self) -> usize {
        self.shared.state().switches
    }

    /// Resets all connections, and refuses new ones until [`Relay::heal`].
    pub(crate) async fn refuse(&self) -> Result<(), Failed> {
        self.listening.send_replace(Listening::Shut);
        self.set_gates(Gate::Cut);
        // Until the listener is gone.
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Delays each chunk by this time in each direction.
    pub(crate) fn slow_down(&self, delay: Duration) {
        self.shared.state().delay = delay;
    }

    /// The number of chunks held back, chunks delayed, and connections cut.
    pub(crate) fn counted(&self) -> [u64; 3] {
        let Counts { held, delayed, cut } = &self.shared.counts;
        [held, delayed, cut].map(|count| count.load(Ordering::Relaxed))
    }

    fn set_gates(&self, value: Gate) {
        for gate in &self.shared.state().gates {
            gate.send_replace(value);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection's gate and upstream.
    fn enter(&self) -> (watch::Receiver<Gate>, SocketAddr) {
        let mut state = self.state();
        state.gates.retain(|gate| !gate.is_closed());
        let (gate, seen) = watch::channel(Gate::Open);
        state.gates.push(gate);
        (seen, state.upstream)
    }
}

/// Accepts connections as long as the relay exists. The connections' tasks end with it.
async fn accept(
    listener: TcpListener,
    mut listening: watch::Receiver<Listening>,
    shared: Arc<Shared>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let now = *listening.borrow_and_update();
        match (now, &listener) {
            (Listening::Shut, _) => listener = None,
            (_, None) => listener = Some(TcpListener::bind(address).await?),
            (Listening::Open, Some(open)) => {
                tokio::select! {
                    accepted = open.accept() => {
                        let (client, _) = accepted?;
                        let (gate, upstream) = shared.enter();
                        connections.spawn(connection(client, upstream, gate, Arc::clone(&shared)));
                    }
                    changed = listening.changed() => if changed.is_err() { return Ok(()) },
                }
                while connections.try_join_next().is_some() {}
                continue;
            }
            (Listening::Silent, Some(_)) => {}
        }
        if now != Listening::Open && listening.changed().await.is_err() {
            return Ok(());
        }
    }
}

async fn connection(client: TcpStream, upstream: SocketAddr, mut gate: watch::Receiver<Gate>, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(upstream).await else {
        shared.counts.cut.fetch_add(1, Ordering::Relaxed);
        // To the client this polls as if nothing listened.
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let cut = {
        let (mut client, mut server) = (client, server);
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let there = pump(from_client, to_server, gate.clone(), &shared);
        let back = pump(from_server, to_client, gate.clone(), &shared);
        let both = async { tokio::try_join!(there, back) };
        let cut = tokio::select! {
            done = both => done.is_err(),
            _ = gate.wait_for(|gate| *gate == Gate::Cut) => true,
        };
        if cut {
            let _ = (client.set_zero_linger(), server.set_zero_linger());
        }
        cut
    };
    if cut {
        shared.counts.cut.fetch_add(1, Ordering::Relaxed);
    }
}

/// Relays one direction to its end.
async fn pump(
    mut from: tcp::ReadHalf<'_>,
    mut to: tcp::WriteHalf<'_>,
    mut gate: watch::Receiver<Gate>,
    shared: &Shared,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = from.read(&mut chunk).await;
        // Checked after reading: whatever arrived in the meantime, including an end or a reset, is held back.
        if *gate.borrow() == Gate::Held {
            shared.counts.held.fetch_add(1, Ordering::Relaxed);
        }
        if gate.wait_for(|gate| *gate == Gate::Open).await.is_err() {
            return Ok(());
        }
        let count = count?;
        let delay = shared.state().delay;
        if !delay.is_zero() {
            shared.counts.delayed.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(delay).await;
            // It may have been silenced meanwhile.
            if gate.wait_for(|gate| *gate == Gate::Open).await.is_err() {
                return Ok(());
            }
        }
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&chunk[..count]).await?;
    }
}
