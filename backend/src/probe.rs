//! Probes a server of ours. Not with the HTTP client, which may be configured to use a proxy.

use std::{
    io::{Error, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::net::TcpStream;

/// Is the process up?
pub const HEALTH: &str = "/api/v1/health";

/// Is it ready?
pub const READY: &str = "/api/v1/health/ready";

/// The bytes at the beginning of an answer that hold its status.
const STATUS_BYTES: usize = "HTTP/1.1 200".len();

/// The server did not answer 200.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No connection, or an incomplete answer.
    #[error("{0}")]
    Connection(#[from] Error),
    /// No answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// A status other than 200.
    #[error("it answered {0}")]
    Status(String),
}

impl ProbeError {
    /// Nobody listens there.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Connection(error) if error.kind() == ErrorKind::ConnectionRefused)
    }
}

/// Requests `path` from the server that listens on `address`, and expects 200 within `time`.
pub async fn answers(address: SocketAddr, path: &str, time: Duration) -> Result<(), ProbeError> {
    let status = tokio::time::timeout(time, status(reachable(address), path)).await;
    let status = status.map_err(|_| ProbeError::Silent(time))??;
    if status == "200" { Ok(()) } else { Err(ProbeError::Status(status)) }
}

/// The address at which this machine reaches a server that listens on all addresses.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn status(address: SocketAddr, path: &str) -> Result<String, Error> {
    let stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.writable().await?;
    // A new connection's buffer takes these few bytes at once.
    if stream.try_write(request.as_bytes())? < request.len() {
        return Err(ErrorKind::WriteZero.into());
    }
    let (mut answer, mut read) = ([0; STATUS_BYTES], 0);
    while read < STATUS_BYTES {
        stream.readable().await?;
        match stream.try_read(&mut answer[read..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => read += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.strip_prefix("HTTP/1.1 ").unwrap_or(&answer).to_owned())
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, time::Duration};

    use tokio::net::TcpListener;

    use super::{ProbeError, answers, reachable};

    #[test]
    fn a_server_that_listens_everywhere_is_probed_here() {
        for (listens, asked) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("192.0.2.1:1", "192.0.2.1:1")] {
            let address: SocketAddr = listens.parse().unwrap();
            assert_eq!(reachable(address).to_string(), asked);
        }
    }

    async fn answer_of(answer: &'static [u8]) -> Result<(), ProbeError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            stream.readable().await.unwrap();
            assert!(stream.try_read(&mut [0; 1024]).unwrap() > 0);
            stream.try_write(answer).unwrap();
        });
        let result = answers(address, "/", Duration::from_secs(10)).await;
        serving.await.unwrap();
        result
    }

    #[tokio::test]
    async fn only_a_200_is_a_good_answer() {
        answer_of(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        assert!(
            matches!(answer_of(b"HTTP/1.1 503 x\r\n\r\n").await, Err(ProbeError::Status(status)) if status == "503")
        );
        assert!(matches!(answer_of(b"HTTP/1").await, Err(ProbeError::Connection(_))));
    }

    #[tokio::test]
    async fn a_silent_server_times_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = answers(listener.local_addr().unwrap(), "/", Duration::from_millis(50)).await;
        assert!(matches!(silent, Err(ProbeError::Silent(_))), "{silent:?}");
    }
}
