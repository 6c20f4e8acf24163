//! The servers: one on SQLite, three that share a PostgreSQL; killed, stalled, started again.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rustix::process::Signal;

use super::SETTINGS;
use crate::support::{Api, Database, Server, ZohoSimulator};

/// Servers with places that are empty while one is started again.
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
        // The first one alone, because it makes the tables and the tokens.
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

    /// As the plugin of the site, to that server, if it is there just now.
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

    /// The process stands still for a while and then goes on, as on a machine that is overloaded or moved.
    pub(super) async fn stall(&self, place: usize, time: Duration) {
        let signal = |signal| self.with(|places| places[place].as_ref().map(|server| server.signal(signal)));
        signal(Signal::STOP);
        tokio::time::sleep(time).await;
        signal(Signal::CONT);
    }

    /// Starts each anew, after a proper stop.
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
