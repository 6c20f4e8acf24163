//! A connection that sends prebuilt bytes and reads answers, with as little work as possible.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::Failed;

/// A kept-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Failed> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request and returns the body of its answer, which must be 200, or empty with 204.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<&[u8], Failed> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let (status, length) = parse_head(self.buffer.get(..head).unwrap_or_default())?;
        while self.buffer.len() < head + length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection within an answer".into());
            }
        }
        let body = self.buffer.get(head..).unwrap_or_default();
        if status != 200 && status != 204 {
            return Err(format!("the server answered {status}: {}", String::from_utf8_lossy(body)).into());
        }
        Ok(body)
    }
}

/// The status and the length of the body.
fn parse_head(head: &[u8]) -> Result<(u16, usize), Failed> {
    let head = std::str::from_utf8(head)?;
    let status = head.get(9..12).ok_or("an answer without status")?.parse()?;
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse())
    };
    let length = match head.lines().find_map(field) {
        Some(length) => length?,
        None if status == 204 => 0,
        None => return Err("an answer without content-length".into()),
    };
    Ok((status, length))
}

/// The bytes of a GET request with an API token.
pub(crate) fn get(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n").into_bytes()
}

/// The head of a POST request with a site token, for a body of `length` bytes.
pub(crate) fn post(path: &str, token: &str, length: usize) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Moodle-Token: {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes()
}
