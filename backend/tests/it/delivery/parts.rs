//! A delivery takes no more into memory than one read may have, however long its records are.

use backend_sync::limits;

use super::{assert_conserved, item, rest, start};
use crate::support::{
    Database, ZohoSimulator,
    events::{at, course, grade, user},
};

on_both_databases!(long_records_go_in_parts);

async fn long_records_go_in_parts(database: Database) {
    const GRADES: i64 = 7;
    const LONG: usize = 700_000;
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let (site, reader) = (server.site(), server.reader());
    site.apply(&[at(1, "user_created", user(1, "u")), at(1, "course_created", course(1, "c"))]).await;
    rest(&database).await;
    // They become due together, so that one delivery claims them all.
    assert_eq!(reader.post("/api/v1/destinations/zoho/pause", "{}").await.status, 200);
    for id in 1..=GRADES {
        let mut data = grade(id, 1, id, 1, "1.00000");
        data["feedback"] = "x".repeat(LONG).into();
        site.apply(&[at(1, "grade_updated", data)]).await;
    }
    zoho.empty_log().await;
    assert_eq!(reader.post("/api/v1/destinations/zoho/resume", "").await.status, 200);
    rest(&database).await;
    let log = zoho.log().await;
    let calls = log.iter().filter(|call| call["module"] == "Moodle_Grades" && call["method"] == "POST");
    let records: Vec<u64> = calls.filter_map(|call| call["records"].as_u64()).collect();
    assert!(records.iter().all(|count| *count <= limits::READ_BYTES / LONG as u64), "{records:?}");
    assert_eq!(records.iter().sum::<u64>(), GRADES.unsigned_abs(), "each went once");
    for id in 1..=GRADES {
        assert_eq!(item(&database, "grade", id).await.0, "synced");
    }
    assert_conserved(&database);
    server.stop().await;
}
