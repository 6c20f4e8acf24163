//! Under systemd: the server reports ready, healthy and stopping, and never writes a token to the journal.

mod secrets;

use std::{
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    thread::JoinHandle,
};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::{
    Database, Server,
    api::BATCH,
    events::{at, user, user_event},
    proxy::Proxy,
    server::run_with,
    wait::{PATIENCE, until},
};

on_both_databases!(
    it_reports_ready_alive_and_stopping,
    a_locked_database_is_no_reason_to_restart,
    a_manager_that_does_not_read_blocks_nothing,
);
on_postgres!(a_vanished_database_is_dropped_and_reconnected);

/// The watchdog's time. The server sends several heartbeats within it; each of its checks has 2.5 seconds. Shorter than
/// the tolerance for a writer that waits for its connection and then for the lock.
const WATCHDOG: (&str, &str) = ("WATCHDOG_USEC", "10000000");

/// Plays systemd for the server.
struct Manager {
    path: PathBuf,
    messages: UnboundedReceiver<String>,
    reader: JoinHandle<()>,
}

impl Manager {
    /// Reads all the time, as systemd does, on its own thread: the kernel queues only a few messages.
    fn new(database: &Database) -> Self {
        let path = database.file("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let (sender, messages) = unbounded_channel();
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // `end` sends an empty one.
            while let Some(length) = Some(socket.recv(&mut buffer).unwrap()).filter(|length| *length > 0) {
                let _ = sender.send(String::from_utf8(buffer[..length].to_vec()).unwrap());
            }
        });
        Self { path, messages, reader }
    }

    fn name(&self) -> &str {
        self.path.to_str().unwrap()
    }

    async fn start(&self, database: &Database) -> Server {
        Server::start_with(database, &[("NOTIFY_SOCKET", self.name()), WATCHDOG]).await
    }

    async fn next(&mut self) -> String {
        tokio::time::timeout(PATIENCE, self.messages.recv()).await.expect("a message").unwrap()
    }

    /// The first message that contains `text`, and those before it.
    async fn until(&mut self, text: &str) -> (String, Vec<String>) {
        let mut before = Vec::new();
        loop {
            let message = self.next().await;
            if message.contains(text) {
                return (message, before);
            }
            before.push(message);
            assert!(before.len() < 500, "no message with {text}: {before:?}");
        }
    }

    /// The messages not consumed yet.
    fn end(mut self) -> Vec<String> {
        UnixDatagram::unbound().unwrap().send_to(&[], &self.path).unwrap();
        self.reader.join().unwrap();
        std::iter::from_fn(|| self.messages.try_recv().ok()).collect()
    }
}

fn is_sign_of_life(message: &str) -> bool {
    message.lines().any(|line| line == "WATCHDOG=1")
}

async fn it_reports_ready_alive_and_stopping(database: Database) {
    let mut manager = Manager::new(&database);
    let server = manager.start(&database).await;
    assert_eq!(manager.next().await, "READY=1\n");
    for _ in 0..3 {
        assert_eq!(manager.next().await, format!("WATCHDOG=1\nSTATUS=Serving on {}\n", server.address));
    }
    let listens = [("BACKEND_SYNC_LISTEN", server.address.to_string())];
    let health = run_with(&database, &listens, &["health"]);
    assert_eq!((health.status.code(), health.stdout), (Some(0), b"ready\n".to_vec()));
    server.stop().await;
    assert_eq!(run_with(&database, &listens, &["health"]).status.code(), Some(1));
    let (last, before) = manager.until("STOPPING=1").await;
    assert!(before.iter().all(|message| is_sign_of_life(message)), "{before:?}");
    assert!(last.contains("STATUS=Stopping"), "{last}");
    assert_eq!(manager.end(), Vec::<String>::new(), "that was the last one");
}

async fn a_locked_database_is_no_reason_to_restart(database: Database) {
    let mut manager = Manager::new(&database);
    let server = manager.start(&database).await;
    let lock = database.hold_writers_lock().await;
    // Each waits for the lock as long as the writer does; together they exceed the tolerance for a writer that makes no
    // progress.
    for round in 0..3 {
        let answer = server.site().post_batch(&[user_event(round + 1, "a")]).await;
        answer.problem(503, "database_unavailable");
    }
    lock.rollback().await.unwrap();
    server.site().apply(&[user_event(1, "b")]).await;
    server.stop().await;
    let (_, before) = manager.until("STOPPING=1").await;
    assert!(before.len() > 4 && before[1..].iter().all(|message| is_sign_of_life(message)), "{before:?}");
}

/// Fills the queue of a socket that nobody reads, whatever its length.
fn fill(path: &Path) {
    let mut sent = 0;
    loop {
        // Each sender can fill only a part of it.
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        let before = sent;
        while sender.send_to(b"X_FULL=1", path).is_ok() {
            sent += 1;
        }
        if sent == before {
            return;
        }
    }
}

async fn a_manager_that_does_not_read_blocks_nothing(database: Database) {
    let path = database.file("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    fill(&path);
    let settings = [("NOTIFY_SOCKET", path.to_str().unwrap()), WATCHDOG];
    let mut server = Server::start_with(&database, &settings).await;
    server.site().apply(&[user_event(1, "a")]).await;
    // It reads again, and receives what it has missed.
    let (mut buffer, mut told) = ([0; 4096], Vec::new());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    while told.len() < 2 {
        let length = socket.recv(&mut buffer).unwrap();
        told.extend(Some(String::from_utf8(buffer[..length].to_vec()).unwrap()).filter(|text| text != "X_FULL=1"));
    }
    assert!(told.contains(&"READY=1\n".to_owned()) && told.iter().any(|message| is_sign_of_life(message)), "{told:?}");
    fill(&path);
    server.site().apply(&[user_event(2, "b")]).await;
    server.end().await;
    let dropped =
        server.log_messages().into_iter().filter(|line| line["message"].as_str().unwrap().contains("does not accept"));
    assert!((1..=2).contains(&dropped.count()), "once for each time: {}", server.log());
}

/// A connection that the other side has silently forgotten, as after a failover: TCP alone would wait for a quarter of
/// an hour. The server drops it, refuses its sender, and connects again; it need not be restarted.
async fn a_vanished_database_is_dropped_and_reconnected(database: Database) {
    let mut manager = Manager::new(&database);
    let proxy = Proxy::start(&database.url).await;
    let name = manager.name().to_owned();
    let settings = [("NOTIFY_SOCKET", name.as_str()), WATCHDOG, ("BACKEND_SYNC_DATABASE_URL", proxy.url.as_str())];
    let server = Server::start_with(&database, &settings).await;
    server.site().apply(&[user_event(1, "before")]).await;

    let lock = database.hold_writers_lock().await;
    let body = serde_json::json!({"events": [at(2, "user_updated", user(1, "after"))]}).to_string();
    let waiting = tokio::spawn({
        let (site, body) = (server.site(), body.clone());
        async move { site.post(BATCH, body).await }
    });
    let blocked =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("the writer waits for the lock", async || (database.count(blocked).await > 0).then_some(())).await;
    proxy.freeze();
    lock.rollback().await.unwrap();
    waiting.await.unwrap().problem(503, "database_unavailable");
    let (away, before) = manager.until("STATUS=The database accepts no events").await;
    assert!(is_sign_of_life(&away) && before[1..].iter().all(|message| is_sign_of_life(message)), "{before:?}");

    proxy.thaw();
    manager.until("STATUS=Serving").await;
    // The event was either stored without an answer, or is stored now.
    assert_eq!(server.site().post(BATCH, body).await.status, 200);
    assert_eq!(server.reader().read("/api/v1/users/moodle:1").await["username"], "after");
    assert_eq!(server.anonymous().get("/api/v1/health/ready").await.status, 200);
    server.stop().await;
}
