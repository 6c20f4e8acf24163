//! Stands between the server and PostgreSQL as a pooler in transaction mode does: it refuses start-up parameters that it
//! does not know, and after each transaction the session has forgotten all settings and prepared statements. A real one
//! forgets only when another session is at hand; this one always does, so that no test depends on luck.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::thread::Thread;

/// Where a pooler stands.
pub(crate) struct Pooler {
    /// The database by way of it.
    pub(crate) url: String,
    _thread: Thread,
}

/// What a pooler does with a start-up parameter that it does not know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    Refused,
    Ignored,
}

/// The start-up parameters that PgBouncer knows.
const KNOWN: [&str; 8] = [
    "user",
    "database",
    "client_encoding",
    "DateStyle",
    "TimeZone",
    "standard_conforming_strings",
    "application_name",
    "replication",
];

/// The code of a message that asks whether the server speaks TLS.
const TLS_REQUEST: u32 = 80_877_103;

impl Pooler {
    pub(crate) fn start(database_url: &str, unknown: Unknown) -> Self {
        let (login, place) = database_url.rsplit_once('@').unwrap();
        let (target, name) = place.split_once('/').unwrap();
        let target = target.to_owned();
        let (thread, port) = Thread::start(async move |listener| {
            while let Ok((client, _)) = listener.accept().await {
                // An error is the end of one of the two, which the other one is told by the end of its connection.
                tokio::spawn(serve(client, target.clone(), unknown));
            }
        });
        Self { url: format!("{login}@127.0.0.1:{port}/{name}"), _thread: thread }
    }
}

async fn serve(mut client: TcpStream, target: String, unknown: Unknown) -> io::Result<()> {
    let Some(start) = read_start(&mut client, unknown).await? else { return Ok(()) };
    let mut server = TcpStream::connect(&target).await?;
    // Each message is small, and the next waits for its answer.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    server.write_all(&start).await?;
    sign_in(&mut client, &mut server).await?;
    loop {
        // A unit that the server answers with one "ready": a query, or extended messages up to a Sync.
        loop {
            let message = read_message(&mut client).await?;
            server.write_all(&message).await?;
            match message.first() {
                Some(b'Q' | b'S') => break,
                Some(b'X') => return Ok(()),
                _ => {}
            }
        }
        if answer(&mut client, &mut server).await? == b'I' {
            forget(&mut server).await?;
        }
    }
}

/// Passes on what the server answers until it is ready; returns the state of the transaction.
async fn answer(client: &mut TcpStream, server: &mut TcpStream) -> io::Result<u8> {
    loop {
        let message = read_message(server).await?;
        client.write_all(&message).await?;
        match message.first() {
            Some(b'Z') => return Ok(message.last().copied().unwrap_or(b'I')),
            // COPY … FROM STDIN: rows follow.
            Some(b'G') => loop {
                let row = read_message(client).await?;
                server.write_all(&row).await?;
                if matches!(row.first(), Some(b'c' | b'f')) {
                    break;
                }
            },
            _ => {}
        }
    }
}

async fn forget(server: &mut TcpStream) -> io::Result<()> {
    let query = b"DISCARD ALL\0";
    let length = u32::try_from(query.len() + 4).unwrap();
    server.write_all(&[b"Q".as_slice(), &length.to_be_bytes(), query].concat()).await?;
    while read_message(server).await?.first() != Some(&b'Z') {}
    Ok(())
}

async fn sign_in(client: &mut TcpStream, server: &mut TcpStream) -> io::Result<()> {
    loop {
        let message = read_message(server).await?;
        client.write_all(&message).await?;
        match (message.first(), message.get(8)) {
            (Some(b'Z'), _) => return Ok(()),
            (Some(b'E'), _) => return Err(io::ErrorKind::PermissionDenied.into()),
            // A password is wanted; not when it says that all is well (0), or how SASL ended (12).
            (Some(b'R'), Some(kind)) if !matches!(kind, 0 | 12) => {
                let password = read_message(client).await?;
                server.write_all(&password).await?;
            }
            _ => {}
        }
    }
}

/// Reads the first message, without parameters that are not known; none if it was refused.
async fn read_start(client: &mut TcpStream, unknown: Unknown) -> io::Result<Option<Vec<u8>>> {
    loop {
        let length = client.read_u32().await?;
        let mut body = vec![0; length as usize - 4];
        client.read_exact(&mut body).await?;
        let (code, parameters) = body.split_at(4);
        if code == TLS_REQUEST.to_be_bytes() {
            client.write_all(b"N").await?;
            continue;
        }
        let words: Vec<&[u8]> = parameters.split(|byte| *byte == 0).collect();
        let pairs: Vec<&[&[u8]]> = words.chunks(2).filter(|pair| pair.len() == 2 && !pair[0].is_empty()).collect();
        let is_known = |pair: &&&[&[u8]]| KNOWN.iter().any(|known| known.as_bytes() == pair[0]);
        if unknown == Unknown::Refused && !pairs.iter().all(|pair| is_known(&pair)) {
            client.write_all(&refusal()).await?;
            return Ok(None);
        }
        let mut start = code.to_vec();
        for pair in pairs.iter().filter(is_known) {
            start.extend([pair[0], b"\0", pair[1], b"\0"].concat());
        }
        start.push(0);
        let length = u32::try_from(start.len() + 4).unwrap();
        return Ok(Some([length.to_be_bytes().as_slice(), &start].concat()));
    }
}

/// As PgBouncer says it.
fn refusal() -> Vec<u8> {
    let fields = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
    let length = u32::try_from(fields.len() + 4).unwrap();
    [b"E".as_slice(), &length.to_be_bytes(), fields].concat()
}

/// A message with its type and length.
async fn read_message(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let kind = from.read_u8().await?;
    let length = from.read_u32().await?;
    let mut message = vec![kind];
    message.extend(length.to_be_bytes());
    message.resize(length as usize + 1, 0);
    from.read_exact(&mut message[5..]).await?;
    Ok(message)
}
