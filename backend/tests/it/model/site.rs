//! The site: sends its events until they are answered 200.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::cluster::Cluster;
use crate::support::{api::BATCH, random::Random};

/// Batches sent concurrently.
const SENDERS: usize = 3;

/// The sender's time-out; sending the same events again does no harm.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// Sends all batches, roughly in order. Each ends with a 200 from some server.
pub(super) async fn send_all(cluster: &Arc<Cluster>, batches: Vec<Vec<Value>>, random: &mut Random) {
    let mut senders = vec![Vec::new(); SENDERS];
    for (number, batch) in batches.into_iter().filter(|batch| !batch.is_empty()).enumerate() {
        senders[number % SENDERS].push((batch, Duration::from_millis(random.below(500))));
    }
    let senders: Vec<_> = senders
        .into_iter()
        .map(|batches| tokio::spawn(send(Arc::clone(cluster), batches, Random::from_seed(random.next()))))
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
}

async fn send(cluster: Arc<Cluster>, batches: Vec<(Vec<Value>, Duration)>, mut random: Random) {
    for (batch, pause) in batches {
        while !send_one(&cluster, &batch, &mut random).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(pause).await;
    }
}

/// Whether the batch was answered 200.
async fn send_one(cluster: &Cluster, batch: &[Value], random: &mut Random) -> bool {
    let place = random.below(cluster.size() as u64) as usize;
    let Some(site) = cluster.site(place) else { return false };
    let request = site.post_request(BATCH, json!({ "events": batch }).to_string()).timeout(ANSWER_TIME);
    match site.try_send(request).await {
        Ok(answer) if answer.status == 200 => {
            let outcomes = answer.outcomes();
            assert!(outcomes.iter().all(|outcome| outcome != "rejected"), "{}", answer.text);
            true
        }
        Ok(answer) => {
            assert_eq!(answer.status, 503, "{}", answer.text);
            false
        }
        Err(_) => false,
    }
}
