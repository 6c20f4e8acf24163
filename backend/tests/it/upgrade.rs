//! Databases of other versions: an earlier one, in which two items wrote one record in Zoho; and a newer one, below processes
//! that do not know it.

use std::time::Instant;

use backend_sync_migration::{Migrator, MigratorTrait};
use serde_json::json;

use crate::{
    delivery::{assert_conserved, item, rest, start},
    support::{
        Database, Server, ZohoSimulator,
        events::{at, course, enrolment, grade, user},
        load::{LastUser, Load},
        random::Random,
        server::run,
        wait::SOON,
    },
};

on_both_databases!(doubles_are_told_apart, older_processes_end_when_a_newer_program_has_migrated);

/// Migrations before the one that allows one writer per remote record.
const BEFORE: usize = 12;

async fn linked(database: &Database) -> Vec<Option<String>> {
    database.texts("SELECT kind || ' ' || moodle_id FROM sync_items WHERE linked").await
}

async fn doubles_are_told_apart(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let site = server.site();
    site.apply(&[at(1, "user_created", user(3, "ann")), at(2, "user_created", user(4, "ben"))]).await;
    site.apply(&[at(3, "course_created", course(2, "bio")), at(4, "user_enrolled", enrolment(5, 4, 2))]).await;
    // A grade that was deleted and given again: both stand for one record.
    site.apply(&[at(5, "grade_updated", grade(8, 3, 7, 2, "50"))]).await;
    rest(&database).await;
    site.apply(&[at(6, "grade_deleted", json!({"gradeid": 8, "userid": 3, "itemid": 7}))]).await;
    site.apply(&[at(7, "grade_updated", grade(9, 3, 7, 2, "60"))]).await;
    rest(&database).await;
    assert_eq!(linked(&database).await, [Some("grade 8".to_owned())]);
    server.stop().await;

    let connection = database.connect().await;
    let later = u32::try_from(Migrator::migrations().len() - BEFORE).unwrap();
    Migrator::down(&connection, Some(later)).await.unwrap();
    // So did an upsert that matched by a telephone number.
    let double = "UPDATE sync_items SET remote_id = (SELECT remote_id FROM sync_items other WHERE other.kind = 'user' \
                  AND other.moodle_id = 3) WHERE kind = 'user' AND moodle_id = 4";
    database.execute(double).await;
    connection.close().await.unwrap();

    let server = start(&database, &zoho).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 4).await, ("failed".to_owned(), Some("remote_taken".to_owned())));
    assert_eq!(item(&database, "user", 3).await.0, "synced", "the earlier one goes on");
    assert_eq!(item(&database, "enrolment", 5).await.0, "parked", "it points to the other one's contact");
    assert_eq!(linked(&database).await, [Some("grade 8".to_owned())]);
    assert_conserved(&database);
    // Its own contact is still there with its key, so the operator's retry finds it again.
    assert!(run(&database, &["sync", "retry"]).status.success());
    rest(&database).await;
    for (kind, id) in [("user", 4), ("enrolment", 5)] {
        assert_eq!(item(&database, kind, id).await.0, "synced", "{kind}");
    }
    assert_eq!(zoho.records("Contacts").await.len(), 2);
    server.stop().await;
}

/// What a newer program leaves behind.
const NEWER: &str = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000099_hover', 0)";

async fn older_processes_end_when_a_newer_program_has_migrated(database: Database) {
    let mut random = Random::announced("a newer program migrates below two processes");
    let last_user = LastUser::default();
    let mut servers: [Server; 2] = Server::start_together(&database).await;
    let loads = servers.each_ref().map(|server| Load::start(server, &mut random, &last_user));
    for load in &loads {
        load.warm_up().await;
    }
    let begin = Instant::now();
    database.execute(NEWER).await;
    for server in &mut servers {
        let status = server.wait(SOON).await.expect("it notices, says so and ends");
        assert_eq!(status.code(), Some(1), "{}", server.log());
        let log = server.log();
        for words in ["it is older than its database", "m20991231_000099_hover", "\"message\":\"stopped\"", "\nerror: "]
        {
            assert!(log.contains(words), "{words}: {log}");
        }
    }
    eprintln!("both ended within {:?}", begin.elapsed());
    for load in loads {
        let sent = load.end().await;
        for answer in &sent.refused {
            answer.problem(503, "draining");
        }
        sent.assert_stored(&database, 0).await;
    }
}
