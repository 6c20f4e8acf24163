//! Under any mapping, and in any order, the end is what would be judged again: a delivery of everything changes nothing in
//! Zoho, and no item's state.

use std::{collections::BTreeMap, io::Write, sync::atomic::Ordering};

use backend_sync::zoho::mapping::Mapping;
use serde_json::Value;

use super::{Played, chaos, check};
use crate::support::{Database, ZohoSimulator, random::Random, server::run};

/// Fields that each write changes, and the time of the last event, which is not worth a write of its own.
const OF_THE_MOMENT: [&str; 4] = ["Moodle_Last_Sync", "Modified_Time", "Modified_By", "Moodle_Event_Time"];

/// A random mapping file: what is delivered, what becomes of what is gone, who owns which field.
fn mapping(random: &mut Random) -> String {
    let mut text = Mapping::DEFAULT.to_owned();
    let mut set = |from: &str, to: &[&str]| {
        let to = to[usize::try_from(random.below(to.len() as u64)).unwrap()];
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    };
    set("roles = []", &["roles = []", "roles = [\"student\"]"]);
    set("courses = []", &["courses = []", "courses = [\"course1\", \"course2\"]"]);
    set("categories = []", &["categories = []", "categories = [\"Arts\"]", "categories = [\"2\"]"]);
    set("users = \"all\"", &["users = \"all\"", "users = \"enrolled\""]);
    set("grades = \"all\"", &["grades = \"all\"", "grades = \"items\""]);
    set("exclude_users = []", &["exclude_users = []", "exclude_users = [\"moodle:2\"]"]);
    set("match = \"Email\"", &["match = \"Email\"", "match = \"Email\"\nsame_address = \"without\""]);
    set("from = \"city\"", &["from = \"city\"", "from = \"city\", owner = \"first\""]);
    set("Product_Code = { from = \"shortname\" }", &["Product_Code = { from = \"shortname\" }", ""]);
    for _ in ["user", "course", "enrolment", "grade"] {
        // Each time the next of them.
        set("on_delete = \"mark\"", &["on_delete =  \"mark\"", "on_delete = \"keep\"", "on_delete = \"delete\""]);
    }
    without_unused_marks(&text)
}

/// Only what is marked as gone has fields for that.
fn without_unused_marks(text: &str) -> String {
    let (mut marks, mut skips, mut lines) = (true, false, Vec::new());
    for line in text.lines() {
        if line.starts_with('[') {
            skips = line.ends_with(".deleted]") && !marks;
        }
        if line.starts_with("on_delete") {
            marks = line.contains("mark");
        }
        if !skips {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// All values that are in Zoho, by module, record and field, but for the moments of the writes.
async fn remote(zoho: &ZohoSimulator) -> BTreeMap<(&'static str, String, String), Value> {
    let mut all = BTreeMap::new();
    for (module, _) in chaos::KEYS {
        for record in zoho.records(module).await {
            let id = record["id"].to_string();
            let lasting = record.into_iter().filter(|(name, _)| !OF_THE_MOMENT.contains(&name.as_str()));
            all.extend(lasting.map(|(name, value)| ((module, id.clone(), name), value)));
        }
    }
    all
}

async fn items(database: &Database) -> BTreeMap<String, String> {
    // Why something is not there is known by its state, or by what it waits for; what is there needs no reason.
    let sql = "SELECT kind || ' ' || moodle_id || ': ' || state || ', ' || CASE state WHEN 'failed' THEN code ELSE '' END \
               || ', ' || COALESCE(remote_id, '') \
               || CASE WHEN state = 'synced' AND remote_id IS NOT NULL THEN '' \
               ELSE ', waits for ' || COALESCE(waits_kind, '') || ' ' || COALESCE(waits_id, 0) END FROM sync_items";
    let items = database.texts(sql).await.into_iter().flatten();
    items.map(|item| (item.split_once(": ").unwrap().0.to_owned(), item)).collect()
}

fn changed<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
) -> Vec<String> {
    let keys = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
    let differs = keys.filter(|key| before.get(key) != after.get(key));
    differs.map(|key| format!("{key:?}: {:?}, then {:?}", before.get(key), after.get(key))).collect()
}

pub(super) async fn run_one(seed: u64, database: Database) {
    let mut random = Random::from_seed(seed);
    let mapping = mapping(&mut random);
    let Played { zoho, cluster, database, store, conservation, over, .. } =
        super::play(&mut random, database, Some(&mapping)).await;
    check::rest(&database, &cluster).await;
    let before = (remote(&zoho).await, items(&database).await);
    // What is found afterwards was not found out in time.
    zoho.advance(3_000).await;
    let output = run(&database, &["sync", "resync", "--yes"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    check::rest(&database, &cluster).await;
    let after = (remote(&zoho).await, items(&database).await);
    let attempts = check::last_attempts(&database).await;
    let (remote, items) = (changed(&before.0, &after.0), changed(&before.1, &after.1));
    assert!(remote.is_empty() && items.is_empty(), "{remote:#?}\n{items:#?}\nafter {attempts:#?}\nunder {mapping}");
    over.store(true, Ordering::Relaxed);
    conservation.await.unwrap();
    cluster.stop().await;
    store.close().await;
    check::nobody_panicked(&database);
    let (records, values) = (after.1.len(), after.0.len());
    let mut error = std::io::stderr();
    let _ = writeln!(error, "seed {seed}: another mapping; {records} records, {values} values in Zoho");
}
