//! Compares the database, once the server has stopped, with the book: every event answered 200 is stored exactly once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    process::Command,
    time::Duration,
};

use backend_sync::clock::Clock;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, QueryResult, Statement, TryGetable};
use uuid::Uuid;

use crate::{
    Failed,
    book::{Pages, Sent},
    world::World,
};

/// Records listed when many are wrong.
const NAMED: usize = 3;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

struct Event {
    client_id: Option<Uuid>,
    record: i64,
    sequence: Option<i64>,
    has_data: bool,
}

struct User {
    username: Option<String>,
    sequence: Option<i64>,
    deleted: bool,
}

/// The contents of the database.
pub(crate) struct Stored {
    events: BTreeMap<i64, Event>,
    by_client_id: HashMap<Uuid, usize>,
    /// Events without an id of their own, by user.
    singles: HashMap<i64, usize>,
    users: HashMap<i64, User>,
    changes: HashMap<i64, i64>,
    items: Option<HashSet<i64>>,
    /// The days from now until people are due to be erased.
    erasures: Vec<i64>,
}

impl Stored {
    /// Reads them from the database, without the product.
    pub(crate) async fn read(world: &World) -> Result<(Self, Vec<String>), Failed> {
        let mut options = ConnectOptions::new(world.own_url().await);
        options.max_connections(1).sqlx_logging(false).acquire_timeout(Duration::from_secs(20));
        let database = Database::connect(options).await?;
        let stored = Self::read_from(&database, world.zoho.is_some()).await;
        let damage = damage(&database).await;
        database.close().await?;
        Ok((stored?, damage?))
    }

    async fn read_from(database: &DatabaseConnection, destination: bool) -> Result<Self, Failed> {
        let mut stored = Self {
            events: BTreeMap::new(),
            by_client_id: HashMap::new(),
            singles: HashMap::new(),
            users: HashMap::new(),
            changes: HashMap::new(),
            items: None,
            erasures: Vec::new(),
        };
        let events = "SELECT id, client_id, moodle_id, version_sequence, data FROM events WHERE kind = 'user'";
        for row in rows(database, events).await? {
            let client_id: Option<Uuid> = get(&row, 1)?;
            let (record, data): (i64, String) = (get(&row, 2)?, get(&row, 4)?);
            match client_id {
                Some(client_id) => *stored.by_client_id.entry(client_id).or_default() += 1,
                None => *stored.singles.entry(record).or_default() += 1,
            }
            let has_data = data.contains("userid");
            stored.events.insert(get(&row, 0)?, Event { client_id, record, sequence: get(&row, 3)?, has_data });
        }
        for row in rows(database, "SELECT moodle_id, username, version_sequence, deleted FROM users").await? {
            let user = User { username: get(&row, 1)?, sequence: get(&row, 2)?, deleted: get(&row, 3)? };
            stored.users.insert(get(&row, 0)?, user);
        }
        for row in rows(database, "SELECT moodle_id, position FROM changes WHERE kind = 'user'").await? {
            stored.changes.insert(get(&row, 0)?, get(&row, 1)?);
        }
        for row in rows(database, "SELECT due_at FROM erasures").await? {
            let due_at: i64 = get(&row, 0)?;
            stored.erasures.push((due_at - Clock::system().now().0) / DAY_MS);
        }
        if destination {
            let items = rows(database, "SELECT moodle_id FROM sync_items WHERE kind = 'user'").await?;
            stored.items = Some(items.iter().map(|row| get(row, 0)).collect::<Result<_, _>>()?);
        }
        Ok(stored)
    }

    /// Whether an event answered 200 is stored.
    pub(crate) fn has(&self, sent: &Sent) -> bool {
        match sent.client_id {
            Some(client_id) => self.by_client_id.contains_key(&client_id),
            None => self.singles.contains_key(&sent.record),
        }
    }

    /// All failures.
    pub(crate) fn compare(&self, pages: &Pages) -> Vec<String> {
        let mut wrong: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        let mut find = |what, record: i64| wrong.entry(what).or_default().push(record.to_string());
        for sent in pages.sent.iter().filter(|sent| !sent.acknowledged.is_empty()) {
            for what in self.wrong_with(sent) {
                find(what, sent.record);
            }
        }
        for (client_id, count) in &self.by_client_id {
            if *count > 1 {
                wrong.entry("events stored more than once").or_default().push(client_id.to_string());
            }
        }
        let mut newest: HashMap<i64, i64> = HashMap::new();
        for (place, event) in &self.events {
            let mut find = |what| wrong.entry(what).or_default().push(place.to_string());
            if !event.has_data {
                find("events that were emptied");
            }
            if !self.users.contains_key(&event.record) {
                find("events without a record");
            }
            if let Some(sequence) = event.sequence {
                let newest = newest.entry(event.record).or_insert(sequence);
                *newest = sequence.max(*newest);
            }
        }
        for (record, sequence) in newest {
            // A deletion writes presence only.
            let user = self.users.get(&record).filter(|user| !user.deleted);
            if user.is_some_and(|user| user.sequence != Some(sequence)) {
                wrong.entry("records that are not as their newest event").or_default().push(record.to_string());
            }
        }
        let mut wrong: Vec<String> = wrong.into_iter().map(|(what, which)| name(what, &which)).collect();
        // After 30 days. A person whom the server has not found yet has none.
        let due = self.erasures.iter().filter(|days| !(28..=31).contains(*days));
        wrong.extend(due.map(|days| format!("an erasure is due in {days} days")));
        wrong
    }

    fn wrong_with(&self, sent: &Sent) -> Vec<&'static str> {
        let mut wrong = Vec::new();
        if !self.has(sent) {
            return vec!["answered 200 and NOT STORED"];
        }
        if sent.client_id.is_none() && self.singles.get(&sent.record) != Some(&1) {
            wrong.push("single events stored more than once");
        }
        for acknowledged in &sent.acknowledged {
            let event = self.events.get(&acknowledged.place);
            if event.is_none_or(|event| (event.client_id, event.record) != (sent.client_id, sent.record)) {
                wrong.push("not stored at the place that the answer named");
            }
        }
        match self.users.get(&sent.record) {
            None => wrong.push("no record"),
            Some(user) => {
                if sent.sequence.is_some() && user.sequence < sent.sequence && !user.deleted {
                    wrong.push("records older than what was answered 200");
                }
                // The event with the version that the record claims to have.
                let name = match user.sequence {
                    Some(sequence) => format!("user{}v{sequence}", sent.record),
                    None => format!("user{}", sent.record),
                };
                if user.username != Some(name) {
                    wrong.push("records with another state than their version's, or emptied");
                }
            }
        }
        match self.changes.get(&sent.record) {
            None => wrong.push("not in the feed of changes"),
            Some(place) if !self.events.contains_key(place) => wrong.push("a change without its event"),
            Some(_) => {}
        }
        if self.items.as_ref().is_some_and(|items| !items.contains(&sent.record)) {
            wrong.push("no sync item");
        }
        wrong
    }
}

fn name(what: &str, which: &[String]) -> String {
    let named: Vec<&str> = which.iter().take(NAMED).map(String::as_str).collect();
    let more = if which.len() > NAMED { ", …" } else { "" };
    format!("{} {what}: {}{more}", which.len(), named.join(", "))
}

async fn rows(database: &DatabaseConnection, sql: &str) -> Result<Vec<QueryResult>, Failed> {
    let statement = Statement::from_string(database.get_database_backend(), sql);
    database.query_all_raw(statement).await.map_err(|error| format!("{sql}: {error}").into())
}

fn get<T: TryGetable>(row: &QueryResult, column: usize) -> Result<T, Failed> {
    row.try_get_by_index(column).map_err(|error| format!("column {column}: {error:?}").into())
}

/// What SQLite's own check finds wrong with its file.
async fn damage(database: &DatabaseConnection) -> Result<Vec<String>, Failed> {
    if database.get_database_backend() != sea_orm::DbBackend::Sqlite {
        return Ok(Vec::new());
    }
    let found = rows(database, "PRAGMA integrity_check").await?;
    let found: Vec<String> = found.iter().map(|row| get(row, 0)).collect::<Result<_, _>>()?;
    Ok(found.into_iter().filter(|line| line != "ok").map(|line| format!("damaged: {line}")).collect())
}

/// The product's own count.
pub(crate) async fn audit(world: &World) -> Result<Option<String>, Failed> {
    if world.zoho.is_none() {
        return Ok(None);
    }
    let mut command = Command::new(world.server.program());
    command.args(["sync", "audit"]).env("BACKEND_SYNC_DATABASE_URL", world.own_url().await);
    let output = command.output()?;
    let said = || String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok((!output.status.success()).then(|| format!("sync audit: {}", said().trim())))
}
