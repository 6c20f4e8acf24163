//! The book: everything sent, and the answers.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use uuid::Uuid;

/// An event that was answered 200, with its outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acknowledged {
    /// When its request started.
    pub(crate) begun: Instant,
    pub(crate) answered: Instant,
    /// Its position in the log, from the answer.
    pub(crate) place: i64,
}

/// An event that was sent, once or repeatedly.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// `None` in the original plugin's format, which is sent only once.
    pub(crate) client_id: Option<Uuid>,
    /// The user it concerns.
    pub(crate) record: i64,
    /// The number in its version; `None` without a version.
    pub(crate) sequence: Option<i64>,
    pub(crate) acknowledged: Vec<Acknowledged>,
}

/// A request and its result.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    /// `None` without an answer.
    pub(crate) status: Option<u16>,
}

#[derive(Clone, Default)]
pub(crate) struct Pages {
    pub(crate) sent: Vec<Sent>,
    pub(crate) requests: Vec<Request>,
    /// Answers that no fault excuses.
    pub(crate) wrong: Vec<String>,
    /// A status that a running fault explains.
    excused: Option<u16>,
}

/// The book shared by all senders of a case.
#[derive(Default)]
pub(crate) struct Book(Mutex<Pages>);

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an event before it is sent; returns its index in the book.
    pub(crate) fn note(&self, event: Sent) -> usize {
        let mut pages = self.pages();
        pages.sent.push(event);
        pages.sent.len() - 1
    }

    pub(crate) fn acknowledge(&self, event: usize, how: Acknowledged) {
        self.pages().sent[event].acknowledged.push(how);
    }

    pub(crate) fn ended(&self, begun: Instant, status: Option<u16>) {
        self.pages().requests.push(Request { begun, ended: Instant::now(), status });
    }

    /// From now on, an answer with this status is expected.
    pub(crate) fn excuse(&self, status: u16) {
        self.pages().excused = Some(status);
    }

    pub(crate) fn excuses(&self, status: u16) -> bool {
        self.pages().excused == Some(status)
    }

    pub(crate) fn wrong(&self, what: String) {
        self.pages().wrong.push(what);
    }

    /// A copy of the book.
    pub(crate) fn copy(&self) -> Pages {
        self.pages().clone()
    }

    /// The number of events answered 200.
    pub(crate) fn acknowledged(&self) -> usize {
        self.pages().sent.iter().filter(|event| !event.acknowledged.is_empty()).count()
    }

    /// When the first request that started after `moment` was answered 200.
    pub(crate) fn stored_after(&self, moment: Instant) -> Option<Instant> {
        let pages = self.pages();
        let good = pages.requests.iter().filter(|request| request.status == Some(200) && request.begun > moment);
        good.map(|request| request.ended).min()
    }

    /// Results other than 200 of requests that ended since `moment`: "503" or "no answer", and how often.
    pub(crate) fn failures_since(&self, moment: Instant) -> BTreeMap<String, usize> {
        let mut failures = BTreeMap::new();
        for request in self.pages().requests.iter().filter(|request| request.ended > moment) {
            let name = match request.status {
                Some(200) => continue,
                Some(status) => status.to_string(),
                None => "no answer".to_owned(),
            };
            *failures.entry(name).or_default() += 1;
        }
        failures
    }

    /// The same as text, if there are any.
    pub(crate) fn refusals_since(&self, moment: Instant) -> Option<String> {
        let failures = self.failures_since(moment);
        let text: Vec<String> = failures.into_iter().map(|(name, count)| format!("{count} × {name}")).collect();
        (!text.is_empty()).then(|| text.join(", "))
    }
}
