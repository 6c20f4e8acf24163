//! Who keeps the server waiting, sends too much or does not read holds up nobody else.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};

use crate::support::{
    Database, Server,
    api::BATCH,
    browser::Browser,
    events::user_event,
    raw::RawConnection,
    server::{limited, run_json},
    wait::{SOON, until},
};

on_both_databases!(
    half_a_head_does_not_stay,
    slow_bodies_of_a_site_leave_room_for_another,
    a_log_that_nobody_reads_stops_nobody,
    strangers_do_not_fill_the_log,
    the_form_of_a_stranger_is_not_read,
    few_descriptors_suffice,
    no_descriptors_are_waited_out,
    idle_connections_make_room_when_descriptors_run_out,
);

const HEALTH: &str = "/api/v1/health";

async fn opened(server: &Server, count: usize, text: &str) -> Vec<RawConnection> {
    let mut connections = Vec::new();
    for _ in 0..count {
        let mut connection = RawConnection::open(server.address).await;
        connection.write(text).await;
        connections.push(connection);
    }
    connections
}

/// How many of its log's messages begin like this.
fn logged(server: &Server, beginning: &str) -> usize {
    let begins = |message: &Value| message["message"].as_str().is_some_and(|text| text.starts_with(beginning));
    server.log_messages().iter().filter(|message| begins(message)).count()
}

async fn half_a_head_does_not_stay(database: Database) {
    let server = Server::start(&database).await;
    let silent = opened(&server, 50, "").await;
    let half = opened(&server, 50, "GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX-Half: ").await;
    assert_eq!(server.anonymous().get(HEALTH).await.status, 200);
    let begun = Instant::now();
    for mut connection in silent.into_iter().chain(half) {
        assert_eq!(connection.read().await, "", "closed without an answer");
    }
    eprintln!("closed after {:?}", begun.elapsed());
    server.stop().await;
}

/// The head of a batch of 5 MB.
fn large_head(token: &str) -> String {
    format!(
        "POST {BATCH} HTTP/1.1\r\nHost: x\r\nX-Moodle-Token: {token}\r\nContent-Type: application/json\r\n\
         Content-Length: 5000000\r\n\r\n"
    )
}

async fn slow_bodies_of_a_site_leave_room_for_another(database: Database) {
    let server = Server::start(&database).await;
    let other = run_json(&database, &["site", "add", "other", "--json"]);
    let other = server.site_with(other["token"].as_str().unwrap());
    let room = async || server.reader().metric("backend_sync_queue_bytes").await;
    // Together they promise more than there is room for; each sends a byte.
    let slow = opened(&server, 40, &format!("{}{{", large_head(server.site_token()))).await;
    until("all are being read", async || (room().await >= f64::from(40 * 4 * 1024)).then_some(())).await;
    for number in 1..20 {
        other.apply(&[user_event(number, &"b".repeat(100_000))]).await;
    }
    for mut connection in slow {
        let answer = connection.read().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    until("the room is free again", async || (room().await == 0.0).then_some(())).await;
    server.stop().await;
}

/// A batch of a thousand events that are no events: a log line for each.
fn noise() -> String {
    json!({ "events": vec![json!({}); 1_000] }).to_string()
}

async fn a_log_that_nobody_reads_stops_nobody(database: Database) {
    let (mut server, valve) = Server::start_piped(&database).await;
    valve.turn(false);
    let site = server.site();
    let lost = async || server.reader().metric("backend_sync_log_lines_lost_total").await;
    while lost().await < 1_000.0 {
        assert_eq!(site.post(BATCH, noise()).await.outcomes().len(), 1_000);
    }
    assert_eq!(server.anonymous().get(HEALTH).await.status, 200);
    site.apply(&[user_event(1, "unread")]).await;
    valve.turn(true);
    let told = server.logged(|message| message["lines"].as_u64().is_some()).await;
    assert_eq!(told["level"], "WARN", "{told}");
    assert!(told["lines"].as_f64().unwrap() <= lost().await, "{told}");
    site.apply(&[user_event(2, "read")]).await;
    server.logged(|message| message["outcome"] == "applied").await;
    // It does not wait for a reader to end either.
    valve.turn(false);
    let before = lost().await;
    while lost().await == before {
        site.post(BATCH, noise()).await;
    }
    server.terminate();
    let status = server.wait(SOON).await.expect("it ends");
    assert!(status.success(), "{status}");
    valve.turn(true);
}

async fn strangers_do_not_fill_the_log(database: Database) {
    let server = Server::start(&database).await;
    let (stranger, reader) = (server.site_with("bss_unknown"), server.reader());
    for _ in 0..500 {
        stranger.post_batch(&[]).await.problem(401, "unauthorized");
    }
    // What somebody known does wrong is there to be found.
    let answer = reader.get("/api/v1/users?limit=0").await;
    answer.problem(400, "invalid_parameter");
    let id = answer.header("x-request-id").unwrap();
    server.logged(|message| message["request_id"] == id).await;
    // Perhaps the minute ended meanwhile, once or more often on a slow machine.
    let refused = logged(&server, "request refused");
    assert!(refused < 250, "{refused} lines about strangers");
    server.stop().await;
}

async fn the_form_of_a_stranger_is_not_read(database: Database) {
    let server = Server::start(&database).await;
    let head = |path: &str, cookie: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\n{cookie}Accept: text/html\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 200000\r\n\r\n"
        )
    };
    // Answered, though of the form only a byte ever comes.
    for cookie in ["", "Cookie: backend_sync_session=bsc_0000\r\n"] {
        for path in ["/mapping/check", "/attention/retry", "/sites", "/sign-out", "/nothing"] {
            let [mut connection] =
                opened(&server, 1, &format!("{}x", head(path, cookie))).await.try_into().ok().unwrap();
            let answer = connection.read().await.to_ascii_lowercase();
            assert!(answer.starts_with("http/1.1 303 ") && answer.contains("\r\nlocation: /sign-in"), "{answer}");
            assert!(answer.contains("\r\nconnection: close"), "{answer}");
        }
    }
    // To sign in, they may send a token.
    let answer = Browser::new(&server).post("/sign-in", &[("token", &"x".repeat(20_000))]).await;
    assert_eq!(answer.status, 413);
    // Somebody who is signed in may send a mapping.
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let answer = browser.post("/mapping/check", &[("file", &"x".repeat(200_000))]).await;
    assert!(![303, 413].contains(&answer.status), "{}", answer.html);
    server.stop().await;
}

/// Processor time that it has used.
fn cpu(server: &Server) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.id())).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second())
}

/// The processor time of three seconds in which nothing happens.
async fn cpu_at_rest(server: &Server) -> Duration {
    let before = cpu(server);
    tokio::time::sleep(Duration::from_secs(3)).await;
    cpu(server) - before
}

/// What a server that does nothing may use in that time: much less than one that tries again without a rest.
const IDLE_CPU: Duration = Duration::from_millis(600);

async fn few_descriptors_suffice(database: Database) {
    let refused = limited(&database.url, 20).args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && text.starts_with("error: this process may open 20 files"), "{text}");
    assert!(text.contains("LimitNOFILE="), "{text}");

    let server = Server::start_with_files(&database, 64).await;
    let silent = opened(&server, 100, "GET ").await;
    server.site().apply(&[user_event(1, "a")]).await;
    assert_eq!(server.anonymous().get(HEALTH).await.status, 200);
    let used = cpu_at_rest(&server).await;
    assert!(used < IDLE_CPU, "{used:?}");
    assert_eq!(logged(&server, "all connections are in use"), 1);
    assert_eq!(logged(&server, "no connection can be accepted"), 0, "some are left for the server itself");
    drop(silent);
    server.stop().await;
}

/// Sets the soft limit of open files of a running server.
fn limit_files(server: &Server, current: Option<u64>) {
    let pid = Pid::from_raw(server.id().cast_signed()).unwrap();
    let limit = Rlimit { current, maximum: getrlimit(Resource::Nofile).maximum };
    prlimit(Some(pid), Resource::Nofile, limit).unwrap();
}

async fn no_descriptors_are_waited_out(database: Database) {
    let server = Server::start(&database).await;
    server.site().apply(&[user_event(1, "a")]).await;
    limit_files(&server, Some(8));
    // The operating system takes them, the server cannot.
    let waiting = opened(&server, 5, "GET /api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let beginning = "no connection can be accepted";
    server.logged(|message| message["message"].as_str().is_some_and(|text| text.starts_with(beginning))).await;
    let used = cpu_at_rest(&server).await;
    assert!(used < IDLE_CPU, "{used:?}");
    assert_eq!(logged(&server, beginning), 1);
    limit_files(&server, getrlimit(Resource::Nofile).maximum);
    for mut connection in waiting {
        let answer = connection.read().await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    server.stop().await;
}

/// The lowest number that no file of the server has: the next file gets it.
fn free_number(server: &Server) -> u64 {
    let open = |number: &u64| std::fs::symlink_metadata(format!("/proc/{}/fd/{number}", server.id())).is_ok();
    (0..).find(|number| !open(number)).unwrap()
}

async fn idle_connections_make_room_when_descriptors_run_out(database: Database) {
    let server = Server::start(&database).await;
    let request = format!("GET {HEALTH} HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut idle = opened(&server, 30, &request).await;
    for connection in &mut idle {
        assert!(connection.read().await.starts_with("HTTP/1.1 200 "));
    }
    // The limit is a number, below which none is free now.
    limit_files(&server, Some(free_number(&server)));
    for _ in 0..5 {
        let [mut newcomer] = opened(&server, 1, &request).await.try_into().ok().unwrap();
        // Sooner than idle connections end by themselves.
        let answer = tokio::time::timeout(SOON, newcomer.read()).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    // Those that were idle longest made room, not all of them.
    let mut last = idle.pop().unwrap();
    last.write(&request).await;
    assert!(last.read().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(idle[0].read().await, "");
    server.stop().await;
}
