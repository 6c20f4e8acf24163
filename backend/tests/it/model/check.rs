//! Waiting for the end, and the checks of the final state.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use backend_sync::clock::Timestamp;
use serde_json::{Map, Value};

use super::{
    chaos::Report,
    cluster::Cluster,
    expected::{Expected, ExpectedRecord, Key, REFUSED},
    history::{FOREIGN_KEY, is_imported},
};
use crate::{
    delivery::BUSY,
    support::{Database, ZohoSimulator, wait::PATIENCE},
};

/// After this time, restart the servers: they may have backed off from Zoho for minutes.
const RESTART_AFTER: Duration = Duration::from_secs(4);

/// Makes due now what is due later: retries, checks of a pause, the turn to fetch a token that a dead process held.
pub(super) async fn pass_time(database: &Database) {
    let due = match database.is_postgres() {
        // A leased item stays with its holder.
        true => {
            "UPDATE sync_items SET due_at = 0 WHERE ctid IN (SELECT ctid FROM sync_items WHERE state = 'pending' \
             FOR UPDATE SKIP LOCKED)"
        }
        false => "UPDATE sync_items SET due_at = 0 WHERE state = 'pending'",
    };
    database.execute(due).await;
    database
        .execute("UPDATE destinations SET check_at = CASE WHEN check_at IS NULL THEN NULL ELSE 0 END, refresh_lease_until = NULL")
        .await;
    database.execute("UPDATE sync_holds SET check_at = 0 WHERE check_at IS NOT NULL").await;
}

/// Waits until nothing is pending, in flight, or about to be.
pub(super) async fn rest(database: &Database, cluster: &Cluster) {
    let (begin, mut restarted) = (Instant::now(), false);
    loop {
        if database.count(BUSY).await == 0 {
            return;
        }
        if begin.elapsed() > PATIENCE {
            let sql = "SELECT kind || ' ' || moodle_id || ': ' || state || ', tries: ' || attempts || ', ' || COALESCE(reason, '') \
                       FROM sync_items WHERE state IN ('pending', 'in_flight')";
            let pause = database.texts("SELECT pause_reason FROM destinations").await;
            panic!("it does not settle: {:#?}, paused: {pause:?}", database.texts(sql).await);
        }
        if !restarted && begin.elapsed() > RESTART_AFTER {
            cluster.restart(database).await;
            restarted = true;
        }
        pass_time(database).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// The records of a module by key, and those without a key.
struct Found {
    by_key: BTreeMap<String, Map<String, Value>>,
    without: usize,
}

async fn found(zoho: &ZohoSimulator, module: &str, key: &str) -> Found {
    let mut found = Found { by_key: BTreeMap::new(), without: 0 };
    for record in zoho.records(module).await {
        match record.get(key).and_then(Value::as_str).map(str::to_owned) {
            Some(key) => {
                let twice = found.by_key.insert(key.clone(), record);
                assert!(twice.is_none(), "two records of {module} have the key {key}");
            }
            None => found.without += 1,
        }
    }
    found
}

/// Zoho holds each expected record once, and nothing else.
pub(super) async fn zoho_agrees(
    expected: &Expected,
    report: &Report,
    imported: usize,
    zoho: &ZohoSimulator,
    database: &Database,
) {
    let mut modules = BTreeMap::new();
    for (module, key) in super::chaos::KEYS {
        modules.insert(module, found(zoho, module, key).await);
    }
    let foreign = modules.get_mut("Contacts").unwrap().by_key.remove(FOREIGN_KEY).expect("the contact of another site");
    assert_eq!(foreign["Last_Name"], "Foreign", "{foreign:?}");
    let mut wrong = Vec::new();
    for (module, found) in &modules {
        let unknown = found.by_key.keys().filter(|key| !expected.in_zoho.contains_key(&(*module, (*key).clone())));
        wrong.extend(unknown.map(|key| format!("{module} {key} should not be there")));
    }
    for ((module, key), expected_record) in &expected.in_zoho {
        match modules[module].by_key.get(key) {
            Some(record) => wrong
                .extend(differences(record, expected_record, &modules).map(|what| format!("{module} {key}: {what}"))),
            None if expected_record.deleted => {}
            None => wrong.push(format!("{module} {key} is missing")),
        }
    }
    // Each contact from admissions became its user's, except for users who are deleted or were never reported.
    let is_adopted = |expected_record: &&ExpectedRecord| {
        expected_record.of.0 == "user" && !expected_record.deleted && is_imported(expected_record.of.1)
    };
    let adopted = expected.in_zoho.values().filter(is_adopted).count();
    if modules["Contacts"].without + adopted > imported {
        wrong.push(format!("{} contacts of {imported} were not adopted", modules["Contacts"].without));
    }
    if !wrong.is_empty() {
        panic!("Zoho differs from the events: {wrong:#?}; all: {:#?}", last_attempts(database).await);
    }
    let recycled = zoho.state().await["recycled"].clone();
    for module in modules.keys() {
        let by_hand = report.deleted.get(*module).copied().unwrap_or_default();
        assert_eq!(
            recycled[*module].as_u64(),
            Some(by_hand),
            "deleted from {module}, where nothing but a person deletes"
        );
    }
}

/// What became of all records, for finding out why they differ.
pub(super) async fn last_attempts(database: &Database) -> Vec<String> {
    let items = "SELECT i.kind || ' ' || i.moodle_id || ' ' || i.state || ' ' || COALESCE(i.code, '') || ' ' \
                 || COALESCE(i.remote_id, '') || ' waits for ' || COALESCE(i.waits_id, 0) FROM sync_items i ORDER BY i.kind, i.moodle_id";
    let attempts = "SELECT a.kind || ' ' || a.moodle_id || ' revision ' || a.revision || ' at ' || a.started_at || ' ' || a.outcome \
                    || ' ' || COALESCE(a.code, '') || ' ' || COALESCE(a.remote_id, '') || ' ' || COALESCE(a.message, '') FROM sync_attempts a \
                    ORDER BY a.kind, a.moodle_id, a.id";
    let mut found = database.texts(items).await;
    found.extend(database.texts(attempts).await);
    found.into_iter().flatten().collect()
}

fn differences<'a>(
    record: &'a Map<String, Value>,
    expected_record: &'a ExpectedRecord,
    modules: &'a BTreeMap<&str, Found>,
) -> impl Iterator<Item = String> + 'a {
    let fields = expected_record.fields.iter().filter_map(|(name, value)| {
        let there = record.get(*name).unwrap_or(&Value::Null);
        (!same(there, value)).then(|| format!("{name} is {there}, not {value}"))
    });
    let lookups = expected_record.lookups.iter().filter_map(|(name, module, key)| {
        let there = record.get(*name).and_then(|lookup| lookup["id"].as_str());
        let should = modules[module].by_key.get(key).and_then(|other| other["id"].as_str());
        (there.is_none() || there != should).then(|| format!("{name} is {there:?}, not {should:?}"))
    });
    let status = record.get("Moodle_Sync_Status").and_then(Value::as_str);
    fields.chain(lookups).chain((status != Some("Synced")).then(|| format!("marked as {status:?}")))
}

fn same(there: &Value, value: &Value) -> bool {
    let moment = |value: &Value| value.as_str().and_then(Timestamp::from_rfc3339);
    match (there.as_f64().zip(value.as_f64()), moment(there).zip(moment(value))) {
        (Some((there, value)), _) => (there - value).abs() < 1e-9,
        (_, Some((there, value))) => there == value,
        _ => there == value,
    }
}

/// Each record has one item; exactly those without their prerequisite are parked; only those that need a person failed;
/// each synced item knows Zoho's id.
pub(super) async fn items_agree(expected: &Expected, database: &Database, zoho: &ZohoSimulator) {
    let sql = "SELECT kind, moodle_id, state, code, remote_id, waits_kind, waits_id, COALESCE(reason, '') AS reason FROM sync_items";
    let rows = database.rows(sql).await;
    assert_eq!(rows.len(), expected.records, "one item for each record");
    let mut places = BTreeMap::new();
    for (module, key) in super::chaos::KEYS {
        places.insert(module, found(zoho, module, key).await.by_key);
    }
    let mut ids: BTreeMap<(String, i64), String> = BTreeMap::new();
    for ((module, key), expected_record) in
        expected.in_zoho.iter().filter(|(_, expected_record)| !expected_record.deleted)
    {
        let id = places[module][key]["id"].as_str().unwrap().to_owned();
        ids.insert((expected_record.of.0.to_owned(), expected_record.of.1), id);
    }
    let mut wrong = Vec::new();
    for row in rows {
        let text = |name: &str| row.try_get::<Option<String>>("", name).unwrap();
        let (kind, id) = (text("kind").unwrap(), row.try_get::<i64>("", "moodle_id").unwrap());
        let (state, reason) = (text("state").unwrap(), text("reason").unwrap());
        let waits_for = text("waits_kind").zip(row.try_get::<Option<i64>>("", "waits_id").unwrap());
        let parked: Option<&BTreeSet<Key>> =
            expected.parked.iter().find(|(key, _)| (key.0, key.1) == (kind.as_str(), id)).map(|(_, waits)| waits);
        let as_it_should = match parked {
            Some(missing) => {
                let waits = waits_for.as_ref().map(|(kind, id)| (kind.as_str(), *id));
                state == "parked" && missing.iter().any(|key| Some((key.0, key.1)) == waits)
            }
            None if (kind.as_str(), id) == REFUSED => {
                state == "failed" && text("code").as_deref() == Some("email_taken")
            }
            None => {
                state == "synced"
                    && ids.get(&(kind.clone(), id)).is_none_or(|id| text("remote_id").as_ref() == Some(id))
            }
        };
        if !as_it_should {
            let remote_id = text("remote_id");
            wrong.push(format!("{kind} {id}: {state}, id {remote_id:?}, waits for {waits_for:?}: {reason}"));
        }
    }
    assert!(wrong.is_empty(), "wrong items: {wrong:#?}");
}

/// Checks the logs of all processes, including killed ones.
pub(super) fn nobody_panicked(database: &Database) {
    for entry in std::fs::read_dir(database.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let log = std::fs::read_to_string(&path).unwrap();
            let panicked = log.lines().find(|line| line.contains("panicked"));
            assert!(panicked.is_none(), "{panicked:?}");
        }
    }
}
