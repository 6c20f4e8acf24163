//! A test server on its own thread, so that a test that blocks on a command does not stop it.

use std::{net::TcpListener, thread::JoinHandle};

use tokio::sync::oneshot;

/// Dropping it stops it.
pub(crate) struct Thread {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Thread {
    /// Runs `serve` on a free port; returns the port.
    pub(crate) fn start<F>(serve: F) -> (Self, u16)
    where
        F: AsyncFnOnce(tokio::net::TcpListener) + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = serve(listener) => {}
                    _ = stopped => {}
                }
            });
        });
        (Self { stop: Some(stop), thread: Some(thread) }, port)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("a server of this test failed");
        }
    }
}
