//! Bodies with a content coding: gzip is unpacked, within the limits of plain bodies; nothing else is.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use super::{PRIVATE, assert_no_echo, assert_well};
use crate::support::{
    Answer, Api, Database, Server,
    api::BATCH,
    events::{user, user_event},
    raw::RawConnection,
    server::SITE,
    wait::until,
};

on_both_databases!(
    a_packed_body_is_unpacked,
    what_is_not_gzip_is_malformed,
    the_limit_holds_unpacked,
    what_is_unpacked_takes_room,
    no_other_coding_is_accepted,
);

const SINGLE: &str = "/api/v1/events/moodle/user_created";

fn packed(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_ref()).unwrap();
    encoder.finish().unwrap()
}

async fn send_as(site: &Api, coding: &str, path: &str, body: Vec<u8>) -> Answer {
    site.send(site.post_request(path, body).header("Content-Encoding", coding)).await
}

async fn a_packed_body_is_unpacked(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let script = "<script>alert(1)</script> ' OR 1=1 -- مرحبا";
    let events = json!({ "events": [user_event(1, script), user_event(2, &"long ".repeat(100_000))] }).to_string();
    let answer = send_as(&site, "gzip", BATCH, packed(&events)).await;
    assert_eq!(answer.outcomes(), ["applied", "applied"]);
    let answer = send_as(&site, "GZIP", SINGLE, packed(user(3, script).to_string())).await;
    assert_eq!(answer.json()["outcome"], "applied");
    let answer = send_as(&site, "identity", SINGLE, user(4, script).to_string().into_bytes()).await;
    assert_eq!(answer.json()["outcome"], "applied");
    for id in [1, 3, 4] {
        let read = server.reader().read(&format!("/api/v1/users/{SITE}:{id}")).await;
        assert_eq!(read["username"], script);
    }
    let capabilities = &site.read("/api/v1/events/moodle/handshake").await["capabilities"];
    assert!(capabilities.as_array().unwrap().contains(&json!("gzip")), "{capabilities}");
    assert_well(&server).await;
    server.stop().await;
}

async fn what_is_not_gzip_is_malformed(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let text = user(1, PRIVATE).to_string();
    let good = packed(&text);
    let mut changed = good.clone();
    let checksum = changed.len() - 6;
    changed[checksum] ^= 1;
    for (what, body) in [
        ("nothing", vec![]),
        ("plain", text.clone().into_bytes()),
        ("a head", good[..10].to_vec()),
        ("half", good[..good.len() / 2].to_vec()),
        ("without its end", good[..good.len() - 1].to_vec()),
        ("another checksum", changed),
        ("more behind it", [&good[..], b" "].concat()),
        ("packed twice", packed(&good)),
        ("not JSON", packed("userid=1")),
        ("not UTF-8", packed([b'"', 0xff, b'"'])),
    ] {
        let answer = send_as(&site, "gzip", SINGLE, body).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text);
        answer.problem(400, "malformed_json");
        assert_no_echo(&answer);
    }
    let answer = site.post(SINGLE, good).await;
    answer.problem(400, "malformed_json");
    assert_eq!(database.count("SELECT count(*) FROM events").await, 0);
    assert_well(&server).await;
    server.stop().await;
}

async fn the_limit_holds_unpacked(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let limit = site.read("/api/v1/events/moodle/handshake").await["max_body_bytes"].as_u64().unwrap();
    let limit = usize::try_from(limit).unwrap();
    let text = user(1, "full").to_string();
    let full = format!("{text}{}", " ".repeat(limit - text.len()));
    assert_eq!(send_as(&site, "gzip", SINGLE, packed(&full)).await.status, 200);
    let over = packed(format!("{full} "));
    assert!(over.len() < limit / 100);
    send_as(&site, "gzip", SINGLE, over).await.problem(413, "payload_too_large");
    // A bomb, a thousand times as large as what is sent.
    let bomb = packed(vec![b' '; 40 * limit]);
    send_as(&site, "gzip", SINGLE, bomb).await.problem(413, "payload_too_large");
    // Blocks without content, which unpack to nothing for as long as they come.
    let mut endless = packed("");
    endless.truncate(10);
    endless.extend([0, 0, 0, 0xff, 0xff].repeat(limit / 5 + 1));
    send_as(&site.apart(), "gzip", SINGLE, endless).await.problem(413, "payload_too_large");
    assert_eq!(database.count("SELECT count(*) FROM events").await, 1);
    assert_well(&server).await;
    server.stop().await;
}

async fn what_is_unpacked_takes_room(database: Database) {
    let server = Server::start(&database).await;
    let room = async || server.reader().metric("backend_sync_queue_bytes").await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&[b' '; 3_000_000]).unwrap();
    encoder.flush().unwrap();
    let sent = encoder.get_ref();
    assert!(sent.len() < 10_000);
    let mut connection = RawConnection::open(server.address).await;
    let head = format!(
        "POST {SINGLE} HTTP/1.1\r\nHost: x\r\nX-Moodle-Token: {}\r\nContent-Type: application/json\r\n\
         Content-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n",
        server.site_token()
    );
    connection.write(head).await;
    connection.write(sent).await;
    until("what has arrived takes its room", async || (room().await > 2_900_000.0).then_some(())).await;
    drop(connection);
    until("the room is free again", async || (room().await == 0.0).then_some(())).await;
    assert_well(&server).await;
    server.stop().await;
}

async fn no_other_coding_is_accepted(database: Database) {
    let server = Server::start(&database).await;
    let body = user(1, PRIVATE).to_string();
    for coding in ["br", "deflate", "zstd", "gzip, gzip", "gzip, br", PRIVATE] {
        for path in [SINGLE, BATCH] {
            let answer = send_as(&server.site(), coding, path, packed(&body)).await;
            let problem = answer.problem(415, "unsupported_media_type");
            assert!(problem["detail"].as_str().unwrap().contains("Content-Encoding: gzip"), "{problem}");
            assert_eq!(answer.header("accept-encoding"), Some("gzip"));
            assert_no_echo(&answer);
        }
    }
    assert_eq!(database.count("SELECT count(*) FROM events").await, 0);
    assert_well(&server).await;
    server.stop().await;
}
