//! Remote records are reserved before they are written: of two items that take the same one for theirs, one learns it in
//! time.

use backend_sync::{
    clock::Timestamp,
    model::{Id, Kind, Lane, RecordKey, Records},
    store::{NoDatabase, Reservation, Reserved, Store},
};

use crate::support::Database;

on_both_databases!(a_record_has_one_writer, what_is_reserved_outlives_its_worker,);

const DESTINATION: &str = "zoho";
const LEASE: &str = "lease";

fn key(kind: Kind, moodle_id: i64) -> RecordKey {
    RecordKey { kind, site_id: 1, moodle_id: Id(moodle_id) }
}

/// Items of these users, claimed under one lease, and others: kind, id, state, remote id.
async fn store_with(database: &Database, items: &[(&str, i64, &str, Option<&str>)]) -> Store {
    let (store, _) = Store::open(&database.url.parse().unwrap(), NoDatabase::Create).await.unwrap();
    database.execute("INSERT INTO sites (id, name, created_at) VALUES (1, 'college', 0)").await;
    store.add_destination(DESTINATION, Timestamp(0)).await.unwrap();
    for (kind, moodle_id, state, remote_id) in items {
        let remote_id = remote_id.map_or("NULL".to_owned(), |id| format!("'{id}'"));
        let lease = if *state == "in_flight" { "'other', 1000" } else { "NULL, NULL" };
        let sql = format!(
            "INSERT INTO sync_items (destination, site_id, kind, moodle_id, state, lane, revision, changed_at, due_at, \
             attempts, lease, lease_until, remote_id) \
             VALUES ('{DESTINATION}', 1, '{kind}', {moodle_id}, '{state}', 0, 1, 0, 0, 0, {lease}, {remote_id})"
        );
        database.execute(&sql).await;
    }
    store
}

/// Claims what is pending, and reserves a record for each of these.
async fn reserve(store: &Store, wanted: &[(RecordKey, &str, &[RecordKey])]) -> Vec<Reserved> {
    let lane = Lane::from_number(0).unwrap();
    let claimed =
        store.claim(DESTINATION, (lane, Records::All), 100, LEASE, Timestamp(5), Timestamp(1_000)).await.unwrap();
    let reservation = |(key, remote_id, givers): &(RecordKey, &str, &[RecordKey])| Reservation {
        item: claimed.iter().find(|item| item.key == *key).unwrap().clone(),
        remote_id: (*remote_id).to_owned(),
        takes_over_from: givers.to_vec(),
        adopted: None,
    };
    store.reserve(DESTINATION, &wanted.iter().map(reservation).collect::<Vec<_>>(), Timestamp(5)).await.unwrap()
}

async fn row(database: &Database, kind: &str, moodle_id: i64) -> String {
    let sql = format!(
        "SELECT state || ' ' || COALESCE(remote_id, '-') || CASE WHEN linked THEN ' linked' ELSE '' END \
         FROM sync_items WHERE kind = '{kind}' AND moodle_id = {moodle_id}"
    );
    database.texts(&sql).await.pop().flatten().unwrap()
}

async fn a_record_has_one_writer(database: Database) {
    let items = [
        ("user", 1, "pending", None),
        ("user", 2, "pending", None),
        ("user", 3, "pending", None),
        ("user", 4, "pending", None),
        ("user", 11, "synced", Some("of a deleted one")),
        ("user", 12, "in_flight", Some("on its way")),
        ("user", 13, "synced", Some("of somebody else")),
        ("grade", 1, "pending", None),
        ("grade", 2, "in_flight", Some("of a sibling")),
    ];
    let store = store_with(&database, &items).await;
    let user = |id| key(Kind::User, id);
    let wanted: [(RecordKey, &str, &[RecordKey]); 5] = [
        (user(1), "of a deleted one", &[user(11)]),
        (user(2), "on its way", &[user(12)]),
        (user(3), "of somebody else", &[]),
        (user(4), "of a deleted one", &[user(11)]),
        (key(Kind::Grade, 1), "of a sibling", &[key(Kind::Grade, 2)]),
    ];
    let expected =
        [Reserved::Writer, Reserved::InFlight, Reserved::Taken(user(13)), Reserved::Taken(user(1)), Reserved::Writer];
    assert_eq!(reserve(&store, &wanted).await, expected);
    for (kind, id, expected) in [
        ("user", 1, "in_flight of a deleted one"),
        ("user", 11, "pending -"),
        ("user", 2, "in_flight -"),
        ("user", 12, "in_flight on its way"),
        ("user", 3, "in_flight -"),
        ("user", 13, "synced of somebody else"),
        ("user", 4, "in_flight -"),
        ("grade", 1, "in_flight of a sibling"),
        ("grade", 2, "in_flight of a sibling linked"),
    ] {
        assert_eq!(row(&database, kind, id).await, expected, "{kind} {id}");
    }
    store.close().await;
}

/// A worker that lost its lease reserves nothing; what another one reserved is what the next one finds.
async fn what_is_reserved_outlives_its_worker(database: Database) {
    let items = [("user", 1, "pending", None), ("user", 11, "synced", Some("contact"))];
    let store = store_with(&database, &items).await;
    let (user, giver) = (key(Kind::User, 1), key(Kind::User, 11));
    assert_eq!(reserve(&store, &[(user, "contact", &[giver])]).await, [Reserved::Writer]);
    assert_eq!(store.reclaim_expired(DESTINATION, Timestamp(2_000)).await.unwrap(), [user]);
    assert_eq!(row(&database, "user", 1).await, "pending contact");

    database.execute("UPDATE sync_items SET remote_id = NULL, due_at = 0 WHERE moodle_id = 1").await;
    let lane = Lane::from_number(0).unwrap();
    let until = Timestamp(3_000);
    let claimed = store.claim(DESTINATION, (lane, Records::All), 1, "stalled", Timestamp(2_000), until).await.unwrap();
    database.execute("UPDATE sync_items SET lease = 'another' WHERE moodle_id = 1").await;
    let stalled = Reservation {
        item: claimed[0].clone(),
        remote_id: "contact".to_owned(),
        takes_over_from: vec![giver],
        adopted: None,
    };
    assert_eq!(store.reserve(DESTINATION, &[stalled], until).await.unwrap(), [Reserved::Lost]);
    assert_eq!(row(&database, "user", 1).await, "in_flight -");
    store.close().await;
}
