//! Connections that can be cut, to simulate answers that never come.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use poem::{
    http::uri::Scheme,
    listener::{Acceptor, TcpAcceptor},
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The open connections by the client's address.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<Mutex<HashMap<SocketAddr, Arc<AtomicBool>>>>);

impl Connections {
    fn open(&self, client: SocketAddr) -> Arc<AtomicBool> {
        let cut = Arc::new(AtomicBool::new(false));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(client, Arc::clone(&cut));
        cut
    }

    fn closed(&self, client: SocketAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&client);
    }

    /// Cuts this client's connection: it is reset at the next byte.
    pub(super) fn cut(&self, client: Option<SocketAddr>) {
        let connections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cut) = client.and_then(|client| connections.get(&client)) {
            cut.store(true, Ordering::Relaxed);
        }
    }
}

/// Accepts connections that [`Connections`] can cut.
pub(super) struct Cutting {
    pub(super) acceptor: TcpAcceptor,
    pub(super) connections: Connections,
}

impl Acceptor for Cutting {
    type Io = Cuttable;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.acceptor.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(Cuttable, LocalAddr, RemoteAddr, Scheme)> {
        let (stream, local, remote, scheme) = self.acceptor.accept().await?;
        stream.set_nodelay(true)?;
        let client = stream.peer_addr()?;
        let cut = self.connections.open(client);
        Ok((Cuttable { stream, client, cut, connections: self.connections.clone() }, local, remote, scheme))
    }
}

/// A connection that can be cut.
pub(super) struct Cuttable {
    stream: TcpStream,
    client: SocketAddr,
    cut: Arc<AtomicBool>,
    connections: Connections,
}

impl Drop for Cuttable {
    fn drop(&mut self) {
        self.connections.closed(self.client);
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.cut.load(Ordering::Relaxed) {
            true => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            false => Pin::new(&mut self.stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
