//! A Zoho CRM in memory: for tests, for the demo, and for trying things out.
//!
//! It imitates Zoho's API v8 for clients that write records: the accounts server and its limits; insert, update,
//! upsert, delete, get, list, count, search and COQL (which lag), deleted records, the recycle bin, timelines, bulk
//! read; reading and creating modules and fields; profiles, layouts, users and the organisation; Zoho's checks in
//! Zoho's order; credits and concurrency. It starts as an empty organisation with the modules Leads, Accounts, Contacts
//! and Products. Under `/__sim/`, tests can move its clock, inject faults by rule, act as an administrator or as a
//! person on Zoho's pages (write, merge, convert, hold in an approval or a blueprint), set policies that refuse
//! records, and read its records and its log of calls.
//!
//! It does not imitate: workflows, a second layout or user, territories, cloning, sub-forms, attachments, bulk write,
//! composite calls, external ids (`X-EXTERNAL`), search by word, and expiry of page tokens. The picklists of standard
//! modules are shorter than Zoho's.
//!
//! Assumptions where Zoho's documentation says nothing: an answer without any success is 400 for one record and 202 for
//! several; if several records match a duplicate check field that is not unique, the oldest is updated; only unique
//! fields, and those that Zoho checks itself, can be duplicate check fields; a lookup to a deleted record reads as
//! null; a merged record cannot be had back; a record in the recycle bin still has a timeline; a permanent deletion is
//! listed with its own time; a record is not restored beside one that has taken its unique value; a bulk job reads the
//! records of the moment in which it starts; API names of modules may have single underscores, as Zoho's pages say,
//! although its description has only letters and digits; a list has at most ten profiles; a call that creates a module
//! costs its credits also when it is refused; the refusals of an edition that is too small are LIMIT_EXCEEDED; a field
//! on no layout is still written and read; what a program writes to a field that it may not write is ignored, without an
//! error; an approval process or a blueprint takes a new record as soon as it is written.

#![forbid(unsafe_code)]

mod about;
mod administrator;
mod answer;
mod bulk;
mod call;
mod check;
mod connection;
mod control;
mod coql;
mod countries;
mod credits;
mod editions;
mod fault;
mod form;
mod history;
mod layouts;
mod log;
mod make;
mod make_module;
mod metadata;
mod pattern;
mod people;
mod person;
mod policies;
mod read;
mod records;
mod recycle_bin;
mod rules;
mod schema;
mod scopes;
mod search;
mod serve;
mod settings;
mod standard;
mod state;
mod time;
mod timeline;
mod tokens;
mod write;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, Utc};
use poem::{
    Endpoint, Server,
    endpoint::make,
    listener::{Acceptor, Listener, TcpListener},
};

pub use self::pattern::accepts;
use self::{
    connection::{Connections, Cutting},
    state::State,
    time::MovableClock,
};
/// How long running calls may take after a stop. A call that a fault holds longer is dropped.
const GRACE: Duration = Duration::from_secs(1);

/// A simulated organisation. Clones share it.
#[derive(Clone)]
pub struct Simulator {
    shared: Arc<Shared>,
}

struct Shared {
    clock: MovableClock,
    state: Mutex<State>,
    connections: Connections,
}

/// A simulator that is listening.
pub struct Running {
    acceptor: Cutting,
    address: SocketAddr,
    simulator: Simulator,
}

impl Simulator {
    /// An empty organisation that uses this clock.
    pub fn new(clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        let state = Mutex::new(State::new());
        let shared = Shared { clock: MovableClock::new(clock), state, connections: Connections::default() };
        Self { shared: Arc::new(shared) }
    }

    /// The endpoint for all requests: Zoho's API, the accounts server and `/__sim/`.
    pub fn endpoint(&self) -> impl Endpoint + use<> {
        let shared = Arc::clone(&self.shared);
        make(move |request| {
            let shared = Arc::clone(&shared);
            async move { serve::answer(&shared, request).await }
        })
    }

    /// The number of records in each module, without the recycle bin.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.shared.with(|state| {
            let modules = state.organisation.modules.iter();
            modules.map(|(name, module)| (name.clone(), module.records.all_live().count())).collect()
        })
    }

    /// Listens, without answering yet. With port 0, the system chooses a port.
    pub async fn bind(self, listen: SocketAddr) -> Result<Running, io::Error> {
        let acceptor = TcpListener::bind(listen).into_acceptor().await?;
        let address = acceptor.local_addr().first().and_then(|address| address.as_socket_addr().copied());
        let acceptor = Cutting { acceptor, connections: self.shared.connections.clone() };
        Ok(Running { acceptor, address: address.unwrap_or(listen), simulator: self })
    }
}

impl Running {
    /// The actual address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is ready.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Result<(), io::Error> {
        let endpoint = self.simulator.endpoint();
        Server::new_with_acceptor(self.acceptor).run_with_graceful_shutdown(endpoint, stop, Some(GRACE)).await
    }
}
