//! HTTP by hand, for what a proper client never sends.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection whose bytes are up to the test.
pub(crate) struct RawConnection(TcpStream);

impl RawConnection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// What comes until the server falls silent for a moment or closes; empty when nothing came.
    pub(crate) async fn read(&mut self) -> String {
        let (mut received, mut buffer) = (Vec::new(), [0; 16 * 1024]);
        let mut patience = Duration::from_secs(20);
        while let Ok(Ok(count)) = tokio::time::timeout(patience, self.0.read(&mut buffer)).await {
            if count == 0 {
                break;
            }
            received.extend_from_slice(&buffer[..count]);
            patience = Duration::from_millis(200);
        }
        String::from_utf8_lossy(&received).into_owned()
    }
}
