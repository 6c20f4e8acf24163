//! Real connections, with short times.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use poem::{Endpoint, IntoResponse, Request, Response, endpoint::make};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, oneshot},
    task::JoinHandle,
};

use super::{Patience, Server};

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(600);
const LONG_ANSWER: usize = 64 * 1024 * 1024;
/// Long enough for any machine; who waits that long has found a fault.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers `/slow` after all short times have passed, `/long` with more than any buffer holds.
fn endpoint(begun: Arc<Notify>) -> impl Endpoint {
    make(move |request: Request| {
        let begun = Arc::clone(&begun);
        async move {
            Ok::<Response, poem::Error>(match request.uri().path() {
                "/slow" => {
                    begun.notify_one();
                    tokio::time::sleep(5 * SHORT).await;
                    "slow".into_response()
                }
                "/long" => vec![b'x'; LONG_ANSWER].into_response(),
                _ => "quick".into_response(),
            })
        }
    })
}

struct Running {
    address: SocketAddr,
    /// It answers a slow request.
    begun: Arc<Notify>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn start(connections: u32, idle: Duration, head: Duration) -> Running {
    let patience = Patience { idle, head, unread: SHORT, check: SHORT / 10 };
    let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), connections, patience).await.unwrap();
    let (address, (stop, stopping)) = (server.address(), oneshot::channel());
    let begun = Arc::<Notify>::default();
    let task = tokio::spawn(server.run(endpoint(Arc::clone(&begun)), async { _ = stopping.await }, SHORT));
    Running { address, begun, stop, task }
}

async fn send(running: &Running, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// All that comes until the server closes.
async fn all_of(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // Closed with bytes unread, it may be reset.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text)).await.expect("the server closes");
    String::from_utf8(text).unwrap()
}

/// The next answer of a connection that stays open; none if it was closed.
async fn answer_of(stream: &mut TcpStream, end: &str) -> Option<String> {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut buffer = [0; 1024];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer");
        match read {
            Ok(count) if count > 0 => text += std::str::from_utf8(&buffer[..count]).unwrap(),
            _ => return None,
        }
    }
    Some(text)
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn half_a_head_ends() {
    let running = start(100, LONG, SHORT).await;
    for begun in ["", "GET / HTTP/1.1\r\nHost: x\r\n", "GET / HTTP/1.1\r\nX: "] {
        assert_eq!(all_of(send(&running, begun).await).await, "", "{begun:?}");
    }
    // Between two requests there is more time. On a slow machine, the first may not arrive in that for a head.
    let mut stream = loop {
        let mut stream = send(&running, REQUEST).await;
        if let Some(answer) = answer_of(&mut stream, "quick").await {
            assert!(answer.ends_with("quick"), "{answer}");
            break stream;
        }
    };
    tokio::time::sleep(3 * SHORT).await;
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    answer_of(&mut stream, "quick").await.expect("it is still open");
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    assert_eq!(all_of(stream).await, "");
}

#[tokio::test]
async fn who_does_not_ask_or_read_is_closed() {
    let running = start(100, SHORT, LONG).await;
    let idle = all_of(send(&running, REQUEST).await).await;
    assert!(idle.ends_with("quick"), "{idle}");
    // One that does not read: it gets less than all, however late it does.
    let unread = send(&running, "GET /long HTTP/1.1\r\nHost: x\r\n\r\n").await;
    tokio::time::sleep(5 * SHORT).await;
    assert!(all_of(unread).await.len() < LONG_ANSWER);
    // Whoever waits for the server is not to blame.
    let slow = all_of(send(&running, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await).await;
    assert!(slow.ends_with("slow"), "{slow}");
}

#[tokio::test]
async fn a_newcomer_takes_the_place_of_who_kept_it_waiting_longest() {
    let running = start(2, LONG, LONG).await;
    let slow = send(&running, "GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    running.begun.notified().await;
    let mut last = send(&running, "GET / HTTP/1.1\r\n").await;
    for _ in 0..20 {
        let next = send(&running, "GET / HTTP/1.1\r\n").await;
        assert_eq!(all_of(std::mem::replace(&mut last, next)).await, "", "the one before makes room");
    }
    last.write_all(b"Host: x\r\n\r\n").await.unwrap();
    answer_of(&mut last, "quick").await.expect("it has a place");
    assert!(all_of(slow).await.ends_with("slow"), "one that waits for its answer keeps its place");
}

#[tokio::test]
async fn it_ends_though_connections_stay() {
    let running = start(100, LONG, LONG).await;
    let mut streams = Vec::new();
    for text in ["", "GET / HTTP/1.1\r\n", "GET /long HTTP/1.1\r\nHost: x\r\n\r\n"] {
        streams.push(send(&running, text).await);
    }
    let mut answered = send(&running, REQUEST).await;
    answer_of(&mut answered, "quick").await.expect("an answer");
    running.stop.send(()).unwrap();
    tokio::time::timeout(PATIENCE, running.task).await.expect("it ends").unwrap();
}
