//! What goes wrong: in Zoho, on the network, in the processes, and by manual changes.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Map, Value, json};

use super::{
    check::pass_time,
    cluster::Cluster,
    history::{FOREIGN_KEY, is_imported},
};
use crate::support::{Database, ZohoSimulator, random::Random};

/// The simulator's faults.
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

const OPERATIONS: [&str; 7] = ["token", "update", "insert", "insert", "coql", "settings", "org"];

/// The longest time to hold a call: well below the rest of a lease when its process dies, because Zoho completes a call
/// whose caller is dead.
const DELAY_MS: u64 = 800;

/// The modules, each with its key and a field to change by hand.
const MODULES: [(&str, &str, &str); 4] = [
    ("Contacts", "Moodle_User_Key", "First_Name"),
    ("Products", "Moodle_Course_Key", "Product_Code"),
    ("Moodle_Enrolments", "Moodle_Enrolment_Key", "Role"),
    ("Moodle_Grades", "Moodle_Grade_Key", "Item"),
];

/// The modules and their keys.
pub(super) const KEYS: [(&str, &str); 4] = {
    let [(a, b, _), (c, d, _), (e, f, _), (g, h, _)] = MODULES;
    [(a, b), (c, d), (e, f), (g, h)]
};

pub(super) struct Chaos {
    random: Random,
    cluster: Arc<Cluster>,
    zoho: Arc<ZohoSimulator>,
    database: Arc<Database>,
    /// Whether somebody works in Zoho meanwhile.
    by_hand: bool,
}

/// The damage done.
pub(super) struct Report {
    /// Module and key of records changed or deleted by hand in Zoho.
    pub(super) touched: Vec<(String, String)>,
    /// Records deleted by hand, by module.
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
        by_hand: bool,
    ) -> Self {
        let random = Random::from_seed(random.next());
        Self { random, cluster: Arc::clone(cluster), zoho: Arc::clone(zoho), database: Arc::clone(database), by_hand }
    }

    /// Runs until `stop`; then everything works again.
    pub(super) async fn run(mut self, stop: Arc<AtomicBool>) -> Report {
        let mut others = [(); 2].map(|()| Random::from_seed(self.random.next()));
        let [by_processes, by_person] = &mut others;
        let processes = disturb_processes(&self.cluster, &self.database, by_processes, &stop);
        let zoho = disturb_zoho(&self.zoho, &self.database, &mut self.random, &stop);
        let person = async {
            match self.by_hand {
                true => work_in_zoho(&self.zoho, by_person, &stop).await,
                false => Default::default(),
            }
        };
        let ((kills, stalls), faults, (touched, deleted)) = tokio::join!(processes, zoho, person);
        let report = Report { touched, deleted, faults, kills, stalls };
        self.zoho.clear_faults().await;
        self.zoho.change(json!({"revoked": false, "delay_ms": 0})).await;
        report
    }
}

/// Returns the numbers of kills and stalls.
async fn disturb_processes(
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

/// Returns the number of faults.
async fn disturb_zoho(zoho: &ZohoSimulator, database: &Database, random: &mut Random, stop: &AtomicBool) -> u32 {
    let mut faults = 0;
    let first_fault = random.below(FAULTS.len() as u64);
    while !stop.load(Ordering::Relaxed) {
        match random.below(20) {
            0..10 => {
                // In turn, so that a few seeds cover all of them.
                let place = (first_fault + u64::from(faults)) % FAULTS.len() as u64;
                zoho.add_faults(json!([fault(FAULTS[place as usize], random)])).await;
                faults += 1;
            }
            10 => zoho.clear_faults().await,
            11 => {
                zoho.change(json!({"revoked": true})).await;
                tokio::time::sleep(Duration::from_millis(random.below(1_000))).await;
                zoho.change(json!({"revoked": false})).await;
            }
            // Longer than the window in which Zoho counts new access tokens; some expire.
            12 => zoho.advance(700).await,
            _ => pass_time(database).await,
        }
        tokio::time::sleep(Duration::from_millis(20 + random.below(250))).await;
    }
    faults
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

/// Changes or deletes records by hand, contacts more often than others. Returns which, and the deletions by module.
async fn work_in_zoho(
    zoho: &ZohoSimulator,
    random: &mut Random,
    stop: &AtomicBool,
) -> (Vec<(String, String)>, BTreeMap<String, u64>) {
    let (mut touched, mut deleted) = (Vec::new(), BTreeMap::new());
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(200 + random.below(800))).await;
        let (module, key_field, field) = MODULES[random.below(6).saturating_sub(2) as usize];
        let records = zoho.records(module).await;
        let key_of = |record: &Map<String, Value>| record.get(key_field)?.as_str().map(str::to_owned);
        let records = records.iter().filter_map(|record| Some((record, key_of(record)?)));
        let records: Vec<_> = records.filter(|(_, key)| key != FOREIGN_KEY).collect();
        if records.is_empty() {
            continue;
        }
        let (record, key) = &records[random.below(records.len() as u64) as usize];
        let was_imported = module == "Contacts" && is_imported(key.rsplit_once(':').unwrap().1.parse().unwrap());
        if random.below(3) == 0 || was_imported {
            zoho.make_by_hand(module, json!({"id": record["id"], field: "by hand"})).await;
        } else {
            zoho.make_by_hand(module, json!({"id": record["id"], "$delete": true})).await;
            *deleted.entry(module.to_owned()).or_default() += 1;
        }
        touched.push((module.to_owned(), key.clone()));
    }
    (touched, deleted)
}
