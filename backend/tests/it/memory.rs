//! Few bytes of events may concern very many bytes of records.

use std::fs;

use serde_json::{Value, json};

use crate::support::{
    Api, Database, Server,
    events::{at, grade},
    wait::until,
};

on_both_databases!(large_records_change_in_little_memory);

/// Together they would take all of [`MORE_KIB`] at once, several times.
const GRADES: i64 = 120;

/// Of these, a request has room for four.
const FEEDBACK_BYTES: usize = 1_000_000;

/// What the process may take beyond what it has before.
const MORE_KIB: u64 = 200 * 1024;

/// A number in the process's status, in KiB.
fn memory(server: &Server, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// How far the process's memory rises while `work` is done, in KiB.
async fn rise(server: &Server, work: impl Future<Output = ()>) -> u64 {
    let before = memory(server, "VmRSS");
    // From now on, the peak is that of now.
    fs::write(format!("/proc/{}/clear_refs", server.id()), "5").unwrap();
    work.await;
    memory(server, "VmHWM").saturating_sub(before)
}

/// Sends events until they are stored, as the plugin does: a disk may be busy for longer than a statement may take.
async fn store(site: &Api, events: &[Value]) {
    until("they are stored", async || {
        let status = site.post_batch(events).await.status;
        assert!(status == 200 || status == 503, "{status}");
        (status == 200).then_some(())
    })
    .await;
}

async fn large_records_change_in_little_memory(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let written = async {
        for first in (1..=GRADES).step_by(4) {
            let with_feedback = |id: i64| {
                let mut data = grade(id, 1, 1, 1, "50.00000");
                data["feedback"] = "x".repeat(FEEDBACK_BYTES).into();
                at(1, "grade_updated", data)
            };
            store(&site, &(first..first + 4).map(with_feedback).collect::<Vec<_>>()).await;
        }
    };
    let rose = rise(&server, written).await;
    assert!(rose < MORE_KIB, "writing them takes {rose} KiB");
    let deleted = |id| at(2, "grade_deleted", json!({"gradeid": id, "userid": 1, "itemid": 1, "courseid": 1}));
    let events: Vec<Value> = (1..=GRADES).map(deleted).collect();
    let rose = rise(&server, store(&site, &events)).await;
    assert!(rose < MORE_KIB, "deleting them takes {rose} KiB");
    // Nothing of them is lost: a deleted record keeps its state.
    let records = "SELECT count(*) FROM grades WHERE deleted AND octet_length(feedback) = ";
    assert_eq!(database.count(&format!("{records}{FEEDBACK_BYTES}")).await, GRADES);
    server.stop().await;
}
