//! Keeps the register's note of how far the event counter has come, by which an older database is recognised.

use std::time::Duration;

use tokio::sync::watch;

use crate::store::{Life, Store};

/// The interval at which the register learns it. A database that is older than that is noticed; each time costs an fsync, if
/// events were stored.
const INTERVAL: Duration = Duration::from_secs(10);

/// Runs until `stop` becomes true.
pub async fn run(store: Store, mut stop: watch::Receiver<bool>) {
    let work = async {
        let mut noted = None;
        loop {
            tokio::time::sleep(INTERVAL).await;
            note(&store, &mut noted).await;
        }
    };
    tokio::select! {
        () = work => {}
        _ = stop.changed() => {}
    }
}

/// Notes it at the end, when nothing is stored any more.
pub async fn end(store: &Store) {
    note(store, &mut None).await;
}

async fn note(store: &Store, noted: &mut Option<Life>) {
    match store.note_position(*noted).await {
        Ok(life) => *noted = Some(life),
        Err(error) => tracing::warn!(%error, "the register does not know how far the event counter has come"),
    }
}
