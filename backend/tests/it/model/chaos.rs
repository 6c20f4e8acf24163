//! What goes wrong meanwhile: in Zoho, on the way there, with the processes, and by the hand of a person.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    check::pass_time,
    cluster::Cluster,
    history::{FOREIGN_KEY, is_imported},
};
use crate::support::{Database, ZohoSimulator, random::Random};

/// All that the simulator can do wrong.
const FAULTS: [&str; 17] = [
    "unauthorized",
    "too_many_requests",
    "limit_exceeded",
    "internal_error",
    "bad_gateway_html",
    "service_unavailable_html",
    "timeout_before_commit",
    "timeout_after_commit",
    "truncated_json",
    "slow",
    "record_locked",
    "partial_200",
    "partial_207",
    "no_permission",
    "scope_mismatch",
    "invalid_module",
    "connection_reset",
];

const OPERATIONS: [&str; 7] = ["token", "update", "upsert", "upsert", "search", "settings", "org"];

/// The longest that a call is held: well below what is left of a lease when its process dies, because Zoho goes on with a call whose
/// caller is dead.
const DELAY_MS: u64 = 900;

/// The modules, each with its key and a field that a person changes.
const MODULES: [(&str, &str, &str); 4] = [
    ("Contacts", "Moodle_User_Key", "First_Name"),
    ("Products", "Moodle_Course_Key", "Product_Code"),
    ("Moodle_Enrolments", "Moodle_Enrolment_Key", "Role"),
    ("Moodle_Grades", "Moodle_Grade_Key", "Item"),
];

/// The modules with their keys.
pub(super) const KEYS: [(&str, &str); 4] = {
    let [(a, b, _), (c, d, _), (e, f, _), (g, h, _)] = MODULES;
    [(a, b), (c, d), (e, f), (g, h)]
};

pub(super) struct Chaos {
    random: Random,
    cluster: Arc<Cluster>,
    zoho: Arc<ZohoSimulator>,
    database: Arc<Database>,
}

/// What was done.
#[derive(Default)]
pub(super) struct Report {
    /// Module and key of what a person changed or deleted in Zoho.
    pub(super) touched: Vec<(String, String)>,
    /// How many records a person deleted, by module.
    pub(super) deleted: BTreeMap<String, u64>,
    faults: u32,
    kills: u32,
    stalls: u32,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { touched, deleted, faults, kills, stalls } = self;
        let deleted: u64 = deleted.values().sum();
        write!(
            f,
            "{faults} faults, {kills} kills, {stalls} stalls, {} records touched, {deleted} deleted",
            touched.len()
        )
    }
}

impl Chaos {
    pub(super) fn new(
        random: &mut Random,
        cluster: &Arc<Cluster>,
        zoho: &Arc<ZohoSimulator>,
        database: &Arc<Database>,
    ) -> Self {
        let random = Random::from_seed(random.next());
        Self { random, cluster: Arc::clone(cluster), zoho: Arc::clone(zoho), database: Arc::clone(database) }
    }

    /// Until `stop`; then all works again.
    pub(super) async fn run(mut self, stop: Arc<AtomicBool>) -> Report {
        let mut report = Report::default();
        let mut other = Random::from_seed(self.random.next());
        let processes = trouble_processes(&self.cluster, &self.database, &mut other, &stop);
        let zoho = trouble_zoho(&self.zoho, &self.database, &mut self.random, &stop, &mut report);
        let ((kills, stalls), ()) = tokio::join!(processes, zoho);
        (report.kills, report.stalls) = (kills, stalls);
        self.zoho.clear_faults().await;
        self.zoho.change(json!({"revoked": false, "removed_scopes": []})).await;
        report
    }
}

/// Returns the numbers of kills and stalls.
async fn trouble_processes(
    cluster: &Cluster,
    database: &Database,
    random: &mut Random,
    stop: &AtomicBool,
) -> (u32, u32) {
    let (mut kills, mut stalls) = (0, 0);
    loop {
        tokio::time::sleep(Duration::from_millis(200 + random.below(1_000))).await;
        if stop.load(Ordering::Relaxed) {
            return (kills, stalls);
        }
        let place = random.below(cluster.size() as u64) as usize;
        if random.below(3) == 0 {
            stalls += 1;
            cluster.stall(place, Duration::from_millis(1_500 + random.below(2_000))).await;
        } else {
            kills += 1;
            cluster.kill(place, database, Duration::from_millis(random.below(500))).await;
        }
    }
}

async fn trouble_zoho(
    zoho: &ZohoSimulator,
    database: &Database,
    random: &mut Random,
    stop: &AtomicBool,
    report: &mut Report,
) {
    let first_fault = random.below(FAULTS.len() as u64);
    while !stop.load(Ordering::Relaxed) {
        match random.below(20) {
            0..10 => {
                // In turn, so that few seeds have all of them.
                let place = (first_fault + u64::from(report.faults)) % FAULTS.len() as u64;
                zoho.add_faults(json!([fault(FAULTS[place as usize], random)])).await;
                report.faults += 1;
            }
            10 => zoho.clear_faults().await,
            11 => {
                zoho.change(json!({"revoked": true})).await;
                tokio::time::sleep(Duration::from_millis(random.below(1_000))).await;
                zoho.change(json!({"revoked": false})).await;
            }
            // Longer than Zoho counts new access tokens; some come to their end.
            12 => zoho.advance(700).await,
            13..18 => pass_time(database).await,
            _ => work_in_zoho(zoho, random, report).await,
        }
        tokio::time::sleep(Duration::from_millis(20 + random.below(250))).await;
    }
}

fn fault(name: &str, random: &mut Random) -> Value {
    let mut matching = json!({"chance": 0.5, "seed": random.next() >> 1, "times": 1 + random.below(4)});
    if random.below(2) == 0 {
        matching["operation"] = json!(OPERATIONS[random.below(OPERATIONS.len() as u64) as usize]);
    }
    if random.below(4) == 0 {
        matching["module"] = json!(MODULES[random.below(4) as usize].0);
    }
    json!({"match": matching, "fault": name, "delay_ms": random.below(DELAY_MS)})
}

/// A person changes a record or throws it away.
async fn work_in_zoho(zoho: &ZohoSimulator, random: &mut Random, report: &mut Report) {
    let (module, key_field, field) = MODULES[random.below(4) as usize];
    let records = zoho.records(module).await;
    let records: Vec<_> =
        records.iter().filter_map(|record| Some((record, record.get(key_field)?.as_str()?))).collect();
    let records: Vec<_> = records.into_iter().filter(|(_, key)| *key != FOREIGN_KEY).collect();
    if records.is_empty() {
        return;
    }
    let (record, key) = records[random.below(records.len() as u64) as usize];
    let was_imported = module == "Contacts" && is_imported(key.rsplit_once(':').unwrap().1.parse().unwrap());
    if random.below(2) == 0 || was_imported {
        zoho.make_by_hand(module, json!({"id": record["id"], field: "by hand"})).await;
    } else {
        zoho.make_by_hand(module, json!({"id": record["id"], "$delete": true})).await;
        *report.deleted.entry(module.to_owned()).or_default() += 1;
    }
    report.touched.push((module.to_owned(), key.to_owned()));
}
