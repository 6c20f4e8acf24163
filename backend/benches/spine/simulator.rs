//! Zoho as a child process.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{Failed, http::Connection};

/// Cargo tells a bench only about its own package's programs; the simulator is built beside them (scripts/bench).
const BESIDE: &str = env!("CARGO_BIN_EXE_backend-sync");

/// A running simulator. Dropping it ends it.
pub(crate) struct Simulator {
    child: Child,
    address: SocketAddr,
}

impl Simulator {
    /// The one of this checkout, or the one beside another program: an older program knows only what that demands.
    pub(crate) fn start(program: Option<&Path>) -> Result<Self, Failed> {
        let mut child = Command::new(program.unwrap_or(Path::new(BESIDE)).with_file_name("zoho-simulator"))
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let address = line.trim().rsplit_once("http://").ok_or("the simulator printed no address")?.1.parse()?;
        Ok(Self { child, address })
    }

    /// The environment of a server that delivers to it.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("BACKEND_SYNC_ZOHO__ACCOUNTS_URL", format!("http://{}", self.address)),
            ("BACKEND_SYNC_ZOHO__CLIENT_ID", "bench".to_owned()),
            ("BACKEND_SYNC_ZOHO__CLIENT_SECRET", "bench".to_owned()),
            ("BACKEND_SYNC_ZOHO__REFRESH_TOKEN", "simulator".to_owned()),
        ]
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Does what an administrator or a person does.
    pub(crate) async fn control(&self, place: &str, body: Value) -> Result<(), Failed> {
        self.request("POST", place, Some(body)).await.map(|_| ())
    }

    /// The API credits used so far.
    pub(crate) async fn used(&self) -> Result<u64, Failed> {
        let settings = self.request("GET", "settings", None).await?;
        settings.get("used").and_then(Value::as_u64).ok_or_else(|| "no number of credits".into())
    }

    /// The ids of all contacts.
    pub(crate) async fn contacts(&self) -> Result<Vec<Value>, Failed> {
        let state = self.request("GET", "state", None).await?;
        let contacts = state.pointer("/modules/Contacts").and_then(Value::as_array).ok_or("no contacts")?;
        Ok(contacts.iter().filter_map(|contact| contact.get("id").cloned()).collect())
    }

    async fn request(&self, method: &str, place: &str, body: Option<Value>) -> Result<Value, Failed> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = format!(
            "{method} /__sim/{place} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut connection = Connection::open(self.address).await?;
        let answer = connection.exchange(request.as_bytes()).await?;
        Ok(serde_json::from_slice(answer).unwrap_or_default())
    }

    pub(crate) async fn connect(&self) -> Result<Calls, Failed> {
        Ok(Calls { connection: Connection::open(self.address).await?, last: 0 })
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The simulator's log of calls, read incrementally.
pub(crate) struct Calls {
    connection: Connection,
    last: u64,
}

impl Calls {
    /// The calls since the last read.
    pub(crate) async fn since_last(&mut self) -> Result<Vec<Value>, Failed> {
        let request = format!("GET /__sim/log?after={} HTTP/1.1\r\nHost: localhost\r\n\r\n", self.last);
        let answer: Value = serde_json::from_slice(self.connection.exchange(request.as_bytes()).await?)?;
        let calls = answer.get("calls").and_then(Value::as_array).cloned().unwrap_or_default();
        self.last = calls.last().and_then(|call| call.get("n")).and_then(Value::as_u64).unwrap_or(self.last);
        Ok(calls)
    }
}
