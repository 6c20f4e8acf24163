//! The log of calls, for tests to read.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::rules::Rule;

/// The most calls in the log: enough for a benchmark. The oldest are dropped first.
const CALLS: usize = 100_000;

/// The most keys in the log, so that full batches take at most 50 MB.
const KEYS: usize = 1_000_000;

/// One call.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    /// Its number, from 1.
    pub(super) n: u64,
    /// The time of the call, by the simulator's clock.
    pub(super) time: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) module: Option<String>,
    /// The number of records that it wrote or requested.
    pub(super) records: usize,
    /// The records' keys: the first duplicate check field, or the id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) keys: Vec<String>,
    /// `None` when no answer was sent.
    pub(super) status: Option<u16>,
    pub(super) credits: u64,
    /// The rules that the answer is due to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rules: Vec<Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<&'static str>,
}

/// All calls, within limits.
#[derive(Default)]
pub(super) struct Log {
    calls: VecDeque<Entry>,
    keys: usize,
    last: u64,
    met: BTreeMap<Rule, u64>,
}

impl Log {
    /// Adds a call and assigns its number.
    pub(super) fn add(&mut self, mut entry: Entry) {
        self.last += 1;
        entry.n = self.last;
        self.keys += entry.keys.len();
        entry.rules.iter().for_each(|rule| *self.met.entry(*rule).or_default() += 1);
        self.calls.push_back(entry);
        while self.calls.len() > CALLS || self.keys > KEYS {
            let Some(oldest) = self.calls.pop_front() else { return };
            self.keys -= oldest.keys.len();
        }
    }

    pub(super) fn after(&self, n: u64) -> Vec<Entry> {
        let start = self.calls.partition_point(|entry| entry.n <= n);
        self.calls.range(start..).cloned().collect()
    }

    /// The number of calls whose answer is due to this rule.
    pub(super) fn met(&self, rule: Rule) -> u64 {
        self.met.get(&rule).copied().unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        self.calls.clear();
        self.met.clear();
        self.keys = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{CALLS, Entry, KEYS, Log};

    fn entry(keys: usize) -> Entry {
        Entry {
            n: 0,
            time: String::new(),
            method: String::new(),
            path: String::new(),
            operation: "upsert",
            module: None,
            records: keys,
            keys: vec![String::new(); keys],
            status: None,
            credits: 0,
            rules: Vec::new(),
            fault: None,
        }
    }

    #[test]
    fn the_oldest_calls_are_dropped_when_there_are_too_many() {
        let mut log = Log::default();
        (0..CALLS + 5).for_each(|_| log.add(entry(0)));
        assert_eq!((log.calls.len(), log.after(0)[0].n), (CALLS, 6));
        assert_eq!(log.after(CALLS as u64 + 3).len(), 2);
    }

    #[test]
    fn the_oldest_calls_are_dropped_when_there_are_too_many_keys() {
        let mut log = Log::default();
        (0..KEYS / 100 + 5).for_each(|_| log.add(entry(100)));
        assert_eq!((log.calls.len(), log.keys), (KEYS / 100, KEYS));
    }
}
