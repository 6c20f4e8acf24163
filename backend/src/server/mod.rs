//! The server's connections: hyper speaks HTTP/1 on them; here is what it and poem's server leave open. Each wait for the
//! other side has an end, their number has a limit, and the operating system's refusals are waited out.
//!
//! HTTP/2 is for browsers, by way of the proxy that also does TLS.

mod body;
mod door;
mod peer;
mod stream;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use poem::{
    Endpoint, Request,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use rustix::io::Errno;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub use self::{
    body::{BodyReader, ReadError},
    peer::Patience,
};
use self::{
    door::{Door, Place, Trouble},
    peer::Peer,
    stream::{Answer, Watched},
};
use crate::limits;

/// The shortest and the longest rest after the operating system refused a connection.
const ACCEPT_RESTS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The time without another refusal after which the trouble with connections counts as over: one line in the log says
/// that it began, one that it is over.
const ACCEPT_QUIET: Duration = Duration::from_secs(10);

/// Notes that a request had a valid token.
pub fn make_known(request: &Request) {
    if let Some(peer) = request.data::<Arc<Peer>>() {
        peer.make_known();
    }
}

/// Asks later whether a request had a valid token.
pub fn knowing(request: &Request) -> impl Fn() -> bool + use<> {
    let peer = request.data::<Arc<Peer>>().cloned();
    move || peer.as_ref().is_none_or(|peer| peer.is_known())
}

/// A server that listens but does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    connections: u32,
    patience: Patience,
    /// The operating system gives no connection.
    refused: Trouble,
    /// All places are taken.
    crowded: Trouble,
}

impl Server {
    /// Listens on `address`, for so many connections at a time.
    pub async fn bind(address: SocketAddr, connections: u32, patience: Patience) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (refused, crowded) = (Trouble::default(), Trouble::default());
        Ok(Self { listener, address, connections, patience, refused, crowded })
    }

    /// The actual address, also when the requested port is 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stopping` is done, then accepts nothing more and gives requests in progress `grace` to end.
    pub async fn run<E>(mut self, endpoint: E, stopping: impl Future<Output = ()>, grace: Duration)
    where
        E: Endpoint + 'static,
    {
        let (door, endpoint) = (Door::new(self.connections), Arc::new(endpoint));
        let (stop, stopped) = watch::channel(false);
        tokio::select! {
            () = stopping => {}
            () = self.accept_all(&door, &endpoint, &stopped) => {}
        }
        // Nobody else connects from now on.
        drop(self.listener);
        stop.send_replace(true);
        if tokio::time::timeout(grace, door.is_empty()).await.is_err() {
            door.close();
            door.is_empty().await;
        }
    }

    async fn accept_all<E>(&mut self, door: &Arc<Door>, endpoint: &Arc<E>, stopped: &watch::Receiver<bool>)
    where
        E: Endpoint + 'static,
    {
        loop {
            let (stream, remote) = self.accept(door).await;
            let crowded = &mut self.crowded;
            if let Some(lasted) = crowded.is_away(ACCEPT_QUIET) {
                tracing::info!(seconds = lasted.as_secs(), "there is room for connections again");
            }
            let place = door.enter(|limit| {
                if crowded.is_there() {
                    tracing::warn!(
                        limit,
                        "all connections are in use: closing those that have kept the server waiting longest"
                    );
                }
            });
            let connection = Connection {
                place: place.await,
                addresses: (self.address, remote),
                patience: self.patience,
                stopped: stopped.clone(),
            };
            tokio::spawn(connection.serve(stream, Arc::clone(endpoint)));
        }
    }

    /// The next connection. When the operating system has none to give, makes room, waits and tries again.
    async fn accept(&mut self, door: &Door) -> (TcpStream, SocketAddr) {
        let (mut rest, longest) = ACCEPT_RESTS;
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    if let Some(lasted) = self.refused.is_away(ACCEPT_QUIET) {
                        door.widen();
                        tracing::info!(seconds = lasted.as_secs(), "connections are accepted again");
                    }
                    return accepted;
                }
                // The client has given up meanwhile.
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted) => {}
                Err(error) => {
                    if self.refused.is_there() {
                        tracing::error!(%error, "no connection can be accepted; trying again until one can");
                    }
                    if matches!(Errno::from_io_error(&error), Some(Errno::MFILE | Errno::NFILE)) {
                        door.narrow();
                    }
                    tokio::time::sleep(rest).await;
                    rest = longest.min(rest * 2);
                }
            }
        }
    }
}

/// One connection.
struct Connection {
    place: Place,
    /// Ours and the other side's.
    addresses: (SocketAddr, SocketAddr),
    patience: Patience,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    async fn serve<E: Endpoint>(self, stream: TcpStream, endpoint: Arc<E>) {
        let Self { place, addresses, patience, mut stopped } = self;
        let peer = &place.peer;
        let (local, remote) = addresses;
        let service = service_fn(|mut request: hyper::Request<Incoming>| {
            let (peer, endpoint) = (Arc::clone(peer), Arc::clone(&endpoint));
            peer.asked();
            request.extensions_mut().insert(Arc::clone(&peer));
            let request = Request::from((request, LocalAddr(local.into()), RemoteAddr(remote.into()), Scheme::HTTP));
            async move {
                let response = hyper::Response::from(endpoint.get_response(request).await);
                Ok::<_, Infallible>(response.map(|body| Answer { body, peer }))
            }
        });
        let io = TokioIo::new(Watched { stream, peer: Arc::clone(peer) });
        let mut builder = http1::Builder::new();
        // Times are watched here: hyper has only one, for the wait between requests and for a head together.
        builder.header_read_timeout(None).max_buf_size(limits::CONNECTION_BUFFER);
        let mut connection = std::pin::pin!(builder.serve_connection(io, service));
        let stopping = async { _ = stopped.wait_for(|stop| *stop).await };
        tokio::select! {
            _ = connection.as_mut() => return,
            () = peer.overstays(&patience) => return,
            () = stopping => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            _ = connection => {}
            () = peer.overstays(&patience) => {}
        }
    }
}

#[cfg(test)]
mod tests;
