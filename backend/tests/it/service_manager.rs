//! Under systemd: it is told when the server is ready, whether it is well, and when it stops; its journal never gets a token.

mod secrets;

use std::time::Duration;

use tokio::net::UnixDatagram;

use crate::support::{
    Database, Server,
    api::BATCH,
    events::{at, user, user_event},
    proxy::Proxy,
    server::run_with,
};

on_both_databases!(it_tells_when_it_is_ready_alive_and_stopping, a_locked_database_is_no_reason_to_start_anew,);

/// The watchdog's time. The server gives several signs of life within.
const WATCHDOG: (&str, &str) = ("WATCHDOG_USEC", "1200000");

/// How long a message may take: longer than the server waits for its writer.
const MESSAGE_TIME: Duration = Duration::from_secs(60);

/// The socket on which systemd listens.
struct Manager(UnixDatagram, String);

impl Manager {
    fn new(database: &Database) -> Self {
        let path = database.file("notify");
        Self(UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap().to_owned())
    }

    async fn start(&self, database: &Database) -> Server {
        Server::start_with(database, &[("NOTIFY_SOCKET", self.1.as_str()), WATCHDOG]).await
    }

    async fn next(&self) -> String {
        let mut buffer = [0; 4096];
        let received = tokio::time::timeout(MESSAGE_TIME, self.0.recv(&mut buffer)).await.expect("a message in time");
        String::from_utf8(buffer[..received.unwrap()].to_vec()).unwrap()
    }

    /// The first message with `text`, and those before it.
    async fn until(&self, text: &str) -> (String, Vec<String>) {
        let mut before = Vec::new();
        loop {
            let message = self.next().await;
            if message.contains(text) {
                return (message, before);
            }
            before.push(message);
            assert!(before.len() < 500, "no {text}: {before:?}");
        }
    }
}

fn is_sign_of_life(message: &str) -> bool {
    message.lines().any(|line| line == "WATCHDOG=1")
}

async fn it_tells_when_it_is_ready_alive_and_stopping(database: Database) {
    let manager = Manager::new(&database);
    let server = manager.start(&database).await;
    assert_eq!(manager.next().await, "READY=1\n");
    for _ in 0..5 {
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
    assert!(manager.0.try_recv(&mut [0; 10]).is_err(), "that was the last one");
}

async fn a_locked_database_is_no_reason_to_start_anew(database: Database) {
    let manager = Manager::new(&database);
    let server = manager.start(&database).await;
    let lock = database.hold_writers_lock().await;
    // Each waits for the lock as long as the writer does; together longer than a writer that stands still is borne.
    for round in 0..3 {
        let answer = server.site().post_batch(&[user_event(round + 1, "a")]).await;
        answer.problem(503, "database_unavailable");
    }
    lock.rollback().await.unwrap();
    server.site().apply(&[user_event(1, "b")]).await;
    server.stop().await;
    let (_, before) = manager.until("STOPPING=1").await;
    assert!(before.len() > 10 && before[1..].iter().all(|message| is_sign_of_life(message)), "{before:?}");
}

/// A connection of which the other side knows nothing any more, as after a fail-over, and no word of it: TCP alone would wait for a
/// quarter of an hour. It is given up, its sender told, and a new one found; there is no reason to start anew.
#[tokio::test]
async fn a_database_that_vanishes_is_given_up_and_found_again() {
    let Some(database) = Database::postgres().await else { return eprintln!("skipped: set TEST_POSTGRES_URL") };
    let manager = Manager::new(&database);
    let proxy = Proxy::start(&database.url).await;
    let settings = [("NOTIFY_SOCKET", manager.1.as_str()), WATCHDOG, ("BACKEND_SYNC_DATABASE_URL", proxy.url.as_str())];
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
    while database.count(blocked).await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    proxy.freeze();
    lock.rollback().await.unwrap();
    waiting.await.unwrap().problem(503, "database_unavailable");
    let (away, before) = manager.until("STATUS=The database does not answer").await;
    assert!(is_sign_of_life(&away) && before[1..].iter().all(|message| is_sign_of_life(message)), "{before:?}");

    proxy.thaw();
    manager.until("STATUS=Serving").await;
    // What was sent is either stored already, though nobody heard of it, or now.
    assert_eq!(server.site().post(BATCH, body).await.status, 200);
    assert_eq!(server.reader().read("/api/v1/users/moodle:1").await["username"], "after");
    assert_eq!(server.anonymous().get("/api/v1/health/ready").await.status, 200);
    server.stop().await;
}
