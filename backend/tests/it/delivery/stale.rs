//! What was read of Zoho's metadata serves while it cannot be read again. In this process, because it is read anew only
//! after an hour.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use backend_sync::{
    clock::{Clock, Timestamp},
    delivery::{Delivery, Destination},
    model::{Lane, Records},
    random::Random,
    store::{BrakeLimits, SettledState, Store},
    zoho::{destination::Zoho, mapping::Mapping},
};
use serde_json::json;

use crate::support::{
    Database, Server, ZohoSimulator,
    events::{at, course},
};

on_both_databases!(metadata_that_cannot_be_read_again_still_serves);

const LEASE: &str = "lease";

/// Delivers one new course.
async fn deliver_one(store: &Store, zoho: &Zoho, now: Timestamp) -> Delivery {
    let until = now.after(Duration::from_secs(60));
    let items = store.claim(Zoho::NAME, (Lane::NewCourse, Records::All), 1, LEASE, now, until).await.unwrap();
    assert_eq!(items.len(), 1);
    zoho.deliver(items).await
}

async fn metadata_that_cannot_be_read_again_still_serves(database: Database) {
    let server = Server::start(&database).await;
    let courses: Vec<_> = (2..5).map(|id| at(id, "course_created", course(id, &format!("course{id}")))).collect();
    server.site().apply(&courses).await;
    server.stop().await;

    let simulator = ZohoSimulator::start_set_up().await;
    let store = Store::connect(&database.url.parse().unwrap()).await.unwrap();
    let ahead = Arc::new(AtomicI64::new(0));
    let clock = {
        let ahead = Arc::clone(&ahead);
        Clock::from_fn(move || Timestamp(Clock::system().now().0 + ahead.load(Ordering::Relaxed)))
    };
    let mapping = Mapping::parse(Mapping::DEFAULT).unwrap();
    let brake = BrakeLimits { minimum: 0, percent: 0, window: Duration::ZERO };
    let zoho = Zoho::new(store.clone(), simulator.client(), mapping, brake, clock.clone(), Random::system());
    store.add_destination(Zoho::NAME, clock.now()).await.unwrap();
    let is_delivered = |delivery: &Delivery| {
        let states: Vec<&SettledState> = delivery.settled.iter().map(|settled| &settled.state).collect();
        matches!(states.as_slice(), [SettledState::Synced { remote_id: Some(_), .. }]) && delivery.failure.is_none()
    };
    let first = deliver_one(&store, &zoho, clock.now()).await;
    assert!(is_delivered(&first), "{first:?}");

    ahead.store(2 * 60 * 60 * 1_000, Ordering::Relaxed);
    let faults = ["settings", "org"]
        .map(|operation| json!({"match": {"operation": operation, "every": 1}, "fault": "internal_error"}));
    simulator.add_faults(json!(faults)).await;
    let stale = deliver_one(&store, &zoho, clock.now()).await;
    assert!(is_delivered(&stale), "{stale:?}");
    let asked = simulator.log().await.iter().filter(|call| !call["fault"].is_null()).count();
    assert_eq!(asked, 2, "the organisation and the fields were to be read again");

    // Who never read it cannot deliver.
    let mapping = Mapping::parse(Mapping::DEFAULT).unwrap();
    let brake = BrakeLimits { minimum: 0, percent: 0, window: Duration::ZERO };
    let newcomer = Zoho::new(store.clone(), simulator.client(), mapping, brake, clock.clone(), Random::system());
    let none = deliver_one(&store, &newcomer, clock.now()).await;
    assert!(none.settled.is_empty() && none.failure.is_some(), "{none:?}");
    store.close().await;
}
