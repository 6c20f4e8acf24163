//! A proxy between the server and PostgreSQL that can fall silent without closing anything, as networks do.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
};

pub(crate) struct Proxy {
    /// The database's URL through the proxy.
    pub(crate) url: String,
    frozen: watch::Sender<bool>,
    freeze: Arc<Notify>,
}

impl Proxy {
    pub(crate) async fn start(database_url: &str) -> Self {
        let (login, place) = database_url.rsplit_once('@').unwrap();
        let (target, name) = place.split_once('/').unwrap();
        let (target, listener) = (target.to_owned(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let url = format!("{login}@{}/{name}", listener.local_addr().unwrap());
        let (frozen, freeze) = (watch::Sender::new(false), Arc::new(Notify::new()));
        let (now_frozen, stop) = (frozen.subscribe(), Arc::clone(&freeze));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, target.clone(), *now_frozen.borrow(), Arc::clone(&stop)));
            }
        });
        Self { url, frozen, freeze }
    }

    /// From now on nothing passes, on old and new connections.
    pub(crate) fn freeze(&self) {
        self.frozen.send_replace(true);
        self.freeze.notify_waiters();
    }

    /// From now on new connections work. Old ones stay silent.
    pub(crate) fn thaw(&self) {
        self.frozen.send_replace(false);
    }
}

async fn connection(mut client: TcpStream, target: String, frozen: bool, freeze: Arc<Notify>) {
    let stopped = freeze.notified();
    let mut server = TcpStream::connect(&target).await.unwrap();
    if !frozen {
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => return,
            () = stopped => {}
        }
    }
    // Held open and silent. The end of the server's process is noticed, as on a network that works again.
    while client.read(&mut [0; 1024]).await.is_ok_and(|count| count > 0) {}
}
