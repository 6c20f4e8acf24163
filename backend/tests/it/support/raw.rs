//! Raw HTTP, for what a proper client never sends.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::wait::PATIENCE;

/// A connection with full control over its bytes.
pub(crate) struct RawConnection(TcpStream);

impl RawConnection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next answer, or the part that arrived before the server closed.
    pub(crate) async fn read(&mut self) -> String {
        let (mut received, mut buffer) = (String::new(), [0; 16 * 1024]);
        while !is_whole(&received) {
            let read = tokio::time::timeout(PATIENCE, self.0.read(&mut buffer)).await.expect("an answer, or the end");
            match read {
                Ok(count) if count > 0 => received.push_str(&String::from_utf8_lossy(&buffer[..count])),
                _ => break,
            }
        }
        received
    }
}

/// Whether the body is as long as the head says.
fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    length.is_none_or(|length| body.len() >= length)
}
