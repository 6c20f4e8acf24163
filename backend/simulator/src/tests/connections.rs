//! Over real connections: answers that never come, and stopping.

use std::net::SocketAddr;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};

use super::{Client, people};

/// Starts listening; the sender stops it.
async fn listening(client: &Client) -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let running = client.simulator.clone().bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let (address, (stop, stopped)) = (running.address(), oneshot::channel());
    let running = tokio::spawn(async move {
        let stop = async {
            let _ = stopped.await;
        };
        running.run_until(stop).await.unwrap();
    });
    (address, stop, running)
}

/// The raw answer to an upsert of one contact, until the connection ends.
async fn raw_upsert(client: &Client, address: SocketAddr) -> String {
    let body = json!({ "data": people(1) }).to_string();
    let (token, length) = (&client.token, body.len());
    let head = format!(
        "POST /crm/v8/Contacts/upsert HTTP/1.1\r\nHost: {address}\r\nAuthorization: Zoho-oauthtoken {token}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset also counts as no answer.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn an_answer_is_lost_before_or_after_the_work() {
    let client = Client::new().await;
    let (address, stop, running) = listening(&client).await;
    for (fault, contacts) in [("connection_reset", 0), ("timeout_before_commit", 0), ("timeout_after_commit", 1)] {
        client.fault(json!({ "match": { "times": 1 }, "fault": fault, "delay_ms": 1 })).await;
        assert_eq!(raw_upsert(&client, address).await, "", "{fault}");
        assert_eq!(client.contacts().await.len(), contacts, "{fault}");
        let last = client.log().await.pop().unwrap();
        assert_eq!((&last["fault"], last["status"].as_u64()), (&json!(fault), None));
    }
    let answer = raw_upsert(&client, address).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"action\":\"update\""), "{answer}");
    stop.send(()).unwrap();
    running.await.unwrap();
}
