//! The servers: one on SQLite, three that share a PostgreSQL; killed, stalled, restarted.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rustix::process::Signal;

use super::SETTINGS;
use crate::support::{Api, Database, Server, ZohoSimulator};

/// The servers; a slot is empty while its server restarts.
pub(super) struct Cluster {
    places: Mutex<Vec<Option<Server>>>,
    settings: Vec<(&'static str, String)>,
}

impl Cluster {
    pub(super) async fn start(database: &Database, zoho: &ZohoSimulator, more: &[(&'static str, &str)]) -> Self {
        let mut settings = zoho.settings();
        settings.extend(SETTINGS.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())));
        let count = if database.is_postgres() { 3 } else { 1 };
        let cluster = Self { places: Mutex::new((0..count).map(|_| None).collect()), settings };
        // The first one alone, because it creates the tables and the tokens.
        for place in 0..count {
            cluster.fill(place, database).await;
        }
        cluster
    }

    pub(super) fn size(&self) -> usize {
        self.with(|places| places.len())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<Option<Server>>) -> T) -> T {
        work(&mut self.places.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn fill(&self, place: usize, database: &Database) {
        let settings: Vec<_> = self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let server = Server::start_with(database, &settings).await;
        self.with(|places| places[place] = Some(server));
    }

    /// The site's plugin as a client of that server, if it is running.
    pub(super) fn site(&self, place: usize) -> Option<Api> {
        self.with(|places| places[place].as_ref().map(Server::site))
    }

    /// `kill -9`, and a new process after `pause`.
    pub(super) async fn kill(&self, place: usize, database: &Database, pause: Duration) {
        let Some(server) = self.with(|places| places[place].take()) else { return };
        server.kill();
        tokio::time::sleep(pause).await;
        self.fill(place, database).await;
    }

    /// Stalls the process for a while, as on an overloaded or migrated machine.
    pub(super) async fn stall(&self, place: usize, time: Duration) {
        let signal = |signal| self.with(|places| places[place].as_ref().map(|server| server.signal(signal)));
        signal(Signal::STOP);
        tokio::time::sleep(time).await;
        signal(Signal::CONT);
    }

    /// Stops each properly and restarts it.
    pub(super) async fn restart(&self, database: &Database) {
        for place in 0..self.size() {
            let server = self.with(|places| places[place].take());
            if let Some(server) = server {
                server.stop().await;
            }
            self.fill(place, database).await;
        }
    }

    pub(super) async fn stop(&self) {
        for place in 0..self.size() {
            let server = self.with(|places| places[place].take());
            server.expect("the chaos is over").stop().await;
        }
    }
}
