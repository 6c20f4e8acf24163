//! The watcher: polls readiness all the time.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use backend_sync::probe::{self, ProbeError};
use tokio::task::AbortHandle;

/// The pause between two polls.
const INTERVAL: Duration = Duration::from_millis(200);

/// The time-out of an answer.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// The result of one poll.
#[derive(Clone, Debug)]
pub(crate) struct Poll {
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
    pub(crate) ready: bool,
    /// The result as text: "503", "no answer", …
    pub(crate) said: String,
}

/// The results. Dropping it ends the watch.
pub(crate) struct Watcher {
    polls: Arc<Mutex<Vec<Poll>>>,
    task: AbortHandle,
}

impl Watcher {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let polls = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&polls);
        let watch = async move {
            loop {
                let asked = Instant::now();
                // A new connection each time, as a load balancer does.
                let result = probe::answers(address, probe::READY, ANSWER_TIME).await;
                let said = match &result {
                    Ok(()) => "200".to_owned(),
                    Err(ProbeError::Status(status)) => status.clone(),
                    Err(_) => "no answer".to_owned(),
                };
                let poll = Poll { asked, answered: Instant::now(), ready: result.is_ok(), said };
                noted.lock().unwrap_or_else(PoisonError::into_inner).push(poll);
                tokio::time::sleep(INTERVAL).await;
            }
        };
        Self { polls, task: tokio::spawn(watch).abort_handle() }
    }

    pub(crate) fn polls(&self) -> Vec<Poll> {
        self.polls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When it was first ready after `moment`.
    pub(crate) fn ready_after(&self, moment: Instant) -> Option<Instant> {
        self.polls().iter().find(|poll| poll.ready && poll.asked > moment).map(|poll| poll.answered)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}
