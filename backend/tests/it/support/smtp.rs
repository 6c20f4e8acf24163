//! A mail server that accepts everything or nothing, on its own thread.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::thread::Thread;

/// A received mail.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// Headers unfolded; soft line breaks and escaped equals signs as they were meant.
    pub(crate) text: String,
}

impl Mail {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> &str {
        let name = format!("{name}: ");
        self.text.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_else(|| panic!("no {name}{}", self.text))
    }
}

/// Dropping it stops it.
pub(crate) struct SmtpServer {
    pub(crate) port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
    refuses: Arc<AtomicBool>,
    _thread: Thread,
}

impl SmtpServer {
    pub(crate) fn start() -> Self {
        let (mails, refuses) = (Arc::<Mutex<Vec<Mail>>>::default(), Arc::<AtomicBool>::default());
        let (into, refusing) = (Arc::clone(&mails), Arc::clone(&refuses));
        let (thread, port) = Thread::start(async move |listener: TcpListener| {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let (into, refusing) = (Arc::clone(&into), Arc::clone(&refusing));
                // A client that disconnects ends only its own connection.
                tokio::spawn(async move { _ = converse(connection, &into, &refusing).await });
            }
        });
        Self { port, mails, refuses, _thread: thread }
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }

    /// From now on refuses every mail, or accepts them again.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }
}

/// The commands of RFC 5321 that a sender needs.
async fn converse(connection: TcpStream, mails: &Mutex<Vec<Mail>>, refuses: &AtomicBool) -> std::io::Result<()> {
    let (reader, mut writer) = connection.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 mail.test ready\r\n").await?;
    let mut mail = Mail { from: String::new(), to: Vec::new(), text: String::new() };
    while let Some(line) = lines.next_line().await? {
        let command = line.to_ascii_uppercase();
        let address = || line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let answer = if command.starts_with("EHLO") {
            "250-mail.test\r\n250 8BITMIME"
        } else if command.starts_with("MAIL FROM:") {
            mail = Mail { from: address(), to: Vec::new(), text: String::new() };
            if refuses.load(Ordering::SeqCst) { "451 come back later" } else { "250 OK" }
        } else if command.starts_with("RCPT TO:") {
            let to = address();
            let known = !to.starts_with("nobody@");
            mail.to.extend(known.then_some(to));
            if known { "250 OK" } else { "550 no such user" }
        } else if command == "DATA" {
            writer.write_all(b"354 go on\r\n").await?;
            mail.text = content(&mut lines).await?;
            mails.lock().unwrap().push(mail.clone());
            "250 taken"
        } else if command == "QUIT" {
            writer.write_all(b"221 bye\r\n").await?;
            return Ok(());
        } else {
            "502 what?"
        };
        writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

type Lines = tokio::io::Lines<BufReader<tokio::net::tcp::OwnedReadHalf>>;

async fn content(lines: &mut Lines) -> std::io::Result<String> {
    let mut text = String::new();
    while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
        let line = line.strip_prefix('.').unwrap_or(&line);
        match line.strip_prefix(' ').filter(|_| text.ends_with('\n') && !text.contains("\n\n")) {
            // A folded header.
            Some(rest) => text.replace_range(text.len() - 1.., &format!(" {rest}\n")),
            None => text += &format!("{line}\n"),
        }
    }
    Ok(text.replace("=\n", "").replace("=3D", "="))
}
