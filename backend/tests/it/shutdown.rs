//! The server stops in time and loses nothing; when it is overloaded, it says so and when to retry.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    Api, Database, Server,
    api::BATCH,
    events::{at, user, user_event},
    load::{LastUser, Load},
    random::Random,
    raw::RawConnection,
    wait::{SOON, until},
};

on_both_databases!(
    sigterm_under_load_loses_nothing,
    a_slow_client_does_not_delay_the_stop,
    a_second_signal_ends_it_at_once,
    a_full_queue_refuses_requests,
    a_database_that_goes_away_comes_back,
);

const GRACE: [(&str, &str); 1] = [("BACKEND_SYNC_SHUTDOWN__GRACE_SECONDS", "2")];

/// Whether a new client learns, in any way, that the server is not ready.
async fn is_not_ready(api: &Api) -> bool {
    match api.try_send(api.request(reqwest::Method::GET, "/api/v1/health/ready")).await {
        Ok(answer) if answer.status == 200 => false,
        Ok(answer) => answer.problem(503, "draining").is_object(),
        Err(_) => true,
    }
}

async fn sigterm_under_load_loses_nothing(database: Database) {
    let mut random = Random::announced("SIGTERM under load");
    let (last_user, mut last_event) = (LastUser::default(), 0);
    for round in 0..3 {
        let mut server = Server::start(&database).await;
        assert_eq!(server.anonymous().get("/api/v1/health/ready").await.status, 200);
        let load = Load::start(&server, &mut random, &last_user);
        load.warm_up().await;
        tokio::time::sleep(Duration::from_millis(random.below(300))).await;
        let anybody = server.anonymous();
        let begin = Instant::now();
        // An init system sends TERM, a person at a terminal INT.
        server.signal(if round == 0 { Signal::INT } else { Signal::TERM });
        while !is_not_ready(&anybody).await {
            assert!(begin.elapsed() < SOON, "it reports ready while it stops");
        }
        let status = server.wait(SOON).await.expect("it ends within the grace time of 10 seconds");
        assert_eq!(status.code(), Some(0), "{}", server.log());
        let sent = load.end().await;
        for answer in &sent.refused {
            answer.problem(503, "draining");
        }
        let (answered, end) = sent.assert_stored(&database, last_event).await;
        eprintln!("{answered} answered events survived SIGTERM; it took {:?}", begin.elapsed());
        last_event = end;
        assert!(server.log_messages().iter().any(|message| message["message"] == "stopped"));
    }
}

/// A request whose body never ends, and which the server has started to read.
async fn dawdle(server: &Server) -> RawConnection {
    let token = server.site_token();
    let head = format!(
        "POST {BATCH} HTTP/1.1\r\nHost: x\r\nX-Moodle-Token: {token}\r\nContent-Type: application/json\r\n\
         Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
    );
    let mut connection = RawConnection::open(server.address).await;
    connection.write(head).await;
    let goes_on = connection.read().await;
    assert!(goes_on.starts_with("HTTP/1.1 100 "), "{goes_on}");
    connection.write("{\"events\":").await;
    connection
}

async fn a_slow_client_does_not_delay_the_stop(database: Database) {
    let mut server = Server::start_with(&database, &GRACE).await;
    server.site().apply(&[user_event(1, "a")]).await;
    let _dawdling = dawdle(&server).await;
    let mut silent = RawConnection::open(server.address).await;
    silent.write("GET /api/v1/he").await;
    let begin = Instant::now();
    server.terminate();
    let status = server.wait(SOON).await.expect("it ends after the grace time of 2 seconds");
    assert_eq!(status.code(), Some(0), "{}", server.log());
    eprintln!("it took {:?}", begin.elapsed());
    assert_eq!(database.count("SELECT count(*) FROM events").await, 1);
}

async fn a_second_signal_ends_it_at_once(database: Database) {
    let mut server = Server::start_with(&database, &[("BACKEND_SYNC_SHUTDOWN__GRACE_SECONDS", "60")]).await;
    let _dawdling = dawdle(&server).await;
    server.terminate();
    server.logged(|line| line["message"].as_str().is_some_and(|text| text.starts_with("stopping: "))).await;
    assert!(server.wait(Duration::from_millis(500)).await.is_none(), "it waits for the request under way");
    server.terminate();
    let status = server.wait(SOON).await.expect("it ends at once");
    assert_eq!(status.code(), Some(1));
}

/// A batch of about this many bytes.
fn batch_of(bytes: usize, userid: i64) -> String {
    let mut event = user_event(userid, "big");
    let texts: Vec<String> = (0..bytes / 100_000).map(|_| "x".repeat(100_000)).collect();
    event["data"]["texts"] = json!(texts);
    json!({"events": [event]}).to_string()
}

async fn a_full_queue_refuses_requests(database: Database) {
    let server = Server::start_with(&database, &[("BACKEND_SYNC_INGEST__QUEUE_KIB", "8192")]).await;
    let site = server.site();
    site.apply(&[user_event(1, "before")]).await;
    let lock = database.hold_writers_lock().await;
    let waiting = tokio::spawn({
        let site = site.clone();
        async move { site.post(BATCH, batch_of(5_000_000, 2)).await }
    });
    server.queued(1).await;

    // There is no room for half of a second large one. The answer comes at once, and says when to retry.
    let refused = site.post(BATCH, batch_of(4_000_000, 3)).await;
    refused.problem(503, "queue_full");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert!(!waiting.is_finished(), "it still waits for the lock");
    // Readers are unaffected.
    assert_eq!(server.reader().read("/api/v1/users/moodle:1").await["username"], "before");
    assert_eq!(server.anonymous().get("/api/v1/health/ready").await.status, 200);

    lock.rollback().await.unwrap();
    assert_eq!(waiting.await.unwrap().outcomes(), ["applied"]);
    assert_eq!(site.post(BATCH, batch_of(4_000_000, 3)).await.outcomes(), ["applied"], "there is room again");
    assert_eq!(database.count("SELECT count(*) FROM events").await, 3);
    server.stop().await;
}

/// The database is away for a moment: senders are asked to retry, nothing answered is lost, the server goes on.
async fn a_database_that_goes_away_comes_back(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader) = (server.site(), server.reader());
    site.apply(&[user_event(1, "before")]).await;
    if database.is_postgres() {
        for round in 2..6 {
            database
                .rows(
                    "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
                     WHERE datname = current_database() AND pid <> pg_backend_pid()",
                )
                .await;
            let event = at(round, "user_updated", user(1, &round.to_string()));
            let taken = until("it reconnects to the database", async || {
                let answer = site.post_batch(std::slice::from_ref(&event)).await;
                if answer.status == 200 {
                    return Some(answer);
                }
                answer.problem(503, "database_unavailable");
                None
            })
            .await;
            // After a lost connection, the first attempt may have been stored without an answer.
            assert!(["applied", "duplicate"].contains(&taken.outcomes()[0].as_str()));
            assert_eq!(reader.read("/api/v1/users/moodle:1").await["username"], round.to_string());
        }
    } else {
        let lock = database.hold_writers_lock().await;
        let answer = site.post_batch(&[at(2, "user_updated", user(1, "lost"))]).await;
        answer.problem(503, "database_unavailable");
        lock.rollback().await.unwrap();
        assert_eq!(database.count("SELECT count(*) FROM events").await, 1, "a refused event is not stored");
        site.apply(&[at(3, "user_updated", user(1, "after"))]).await;
        assert_eq!(reader.read("/api/v1/users/moodle:1").await["username"], Value::from("after"));
    }
    server.stop().await;
}
